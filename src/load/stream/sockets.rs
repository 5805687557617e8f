//! One socket after the other in the same seat.
//!
//! **What.** A connection opens its socket here, finds out what the end of it means, and goes on
//! over another one where that is agreed on: the server announced its end (HTTP), or that is the
//! run's shape.
//!
//! **Why this way.** To the run's books the new socket is the same connection. Whatever is owed and
//! not answered is asked again; nothing else is kept.
//!
//! **Costs.** A socket: `socket`, `setsockopt`, `connect`, `epoll_ctl`, three calls to learn how it
//! went, `close`; with a source address also `setsockopt` and `bind`.
//!
//! **Read next.** `src/load/shape/churn.rs`, `src/net/connector.rs`.

use super::{Stage, StreamClient};
use crate::clock::Time;
use crate::load::client::{Life, Shared, timer_of};
use crate::load::fates::Fate;
use crate::load::speech::{Desk, Ending};
use crate::net::{self, Connect, Link};
use crate::reactor::{ConnId, Cx};
use mio::Interest;
use mio::event::Source as _;
use std::io;
use std::ops::ControlFlow::{Break, Continue};

/// Begins to connect, to send message `first` and those behind it; `None` if the listener's queue
/// is full.
pub(super) fn connect(
    id: ConnId,
    first: u64,
    shared: &mut Shared,
    cx: &Cx<'_>,
) -> io::Result<Option<Link>> {
    let source = shared.connects(id, first, cx.now);
    let mut stream = match net::connect(&shared.target.address, source)? {
        Connect::InProgress(stream) | Connect::Done(stream) => stream,
        Connect::Busy => return Ok(None),
    };
    // Writable tells that it is established. The interest is kept: it costs no events of its own,
    // and is needed again when the socket is full.
    stream.register(cx.registry, id.token(), Interest::READABLE | Interest::WRITABLE)?;
    Ok(Some(match &shared.secure {
        None => Link::new(stream, true),
        Some(secure) => {
            let tls =
                secure.connect().ok_or_else(|| io::Error::other("TLS: failed on this side"))?;
            Link::secured(stream, true, tls)
        }
    }))
}

impl StreamClient {
    /// Whether this socket has carried its last message, and may be closed at once.
    #[inline]
    pub(super) fn is_done_here(
        &mut self,
        id: ConnId,
        shared: &mut Shared,
        now: Time,
    ) -> Life<bool> {
        let Some(churn) = shared.churn.as_mut().filter(|_| shared.reopens) else {
            return Continue(false);
        };
        if !churn.is_spent(id, &self.in_flight) || !self.speech.is_open() {
            return Continue(false);
        }
        churn.closes(id, now);
        Continue(!self.speech.leave(shared)?)
    }

    /// Notes that messages can be sent now, if they could not before.
    #[inline]
    pub(super) fn opened(&self, was_open: bool, id: ConnId, shared: &mut Shared, now: Time) {
        if let Some(churn) = &mut shared.churn
            && !was_open
            && self.speech.is_open()
        {
            churn.opened(id, now);
        }
    }

    /// The stream is at its end, to the socket in this way: what did the server want to say by
    /// that?
    pub(super) fn finish(
        &mut self,
        to_socket: Fate,
        id: ConnId,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Life {
        let to_socket = if self.was_reset { Fate::Reset } else { to_socket };
        if !self.is_established() {
            return Break(to_socket);
        }
        let in_peace = to_socket == Fate::Closed;
        let now = shared.clock.now();
        let mut desk = Desk { id, now, in_flight: &mut self.in_flight, shared };
        match self.speech.end(!in_peace, &mut desk) {
            Ending::Known(Fate::Done) if desk.shared.churn.is_some() => self.reopen(id, shared, cx),
            Ending::Known(fate) => Break(fate),
            Ending::Reopen => self.reopen(id, shared, cx),
            Ending::Silent => Break(to_socket),
        }
    }

    /// The connection has ended in agreement: goes on over another one, unless all is done.
    pub(super) fn reopen(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Life {
        if self.in_flight.len() == 0 && !shared.reopens {
            return Break(if shared.hold { Fate::Closed } else { Fate::Done });
        }
        self.part(id, shared, cx);
        self.link.clear(&mut shared.pool);
        self.speech.restart(&self.in_flight, shared)?;
        (self.stage, self.is_full) = (Stage::Connecting, false);
        (self.is_ending, self.was_reset) = (false, false);
        self.quiet_since = cx.now;
        self.link = match connect(id, self.in_flight.answered(), shared, cx) {
            Ok(Some(link)) => link,
            Ok(None) => return Break(Fate::TimedOut),
            Err(error) => return Break(Fate::of(&error)),
        };
        cx.timers.arm(timer_of(id), cx.now.plus_ms(shared.connect_timeout_ms));
        shared.tally.reopened += 1;
        shared.tally.series.count_reopened();
        Continue(())
    }
}
