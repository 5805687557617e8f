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

/// Who found the listener's queue full asks again after as long as it has waited, within these
/// bounds: soon while the queue is short of room for a moment, seldom if nobody accepts.
const AGAIN_MS: std::ops::RangeInclusive<u64> = 1..=20;

/// Begins to connect, to send message `first` and those behind it; how far it came.
pub(super) fn connect(
    id: ConnId,
    first: u64,
    shared: &mut Shared,
    cx: &Cx,
) -> io::Result<(Link, Stage)> {
    let source = shared.connects(id, first, cx.now);
    let (mut stream, stage) = match net::connect(&shared.target.address, source)? {
        Connect::InProgress(stream) | Connect::Done(stream) => (stream, Stage::Connecting),
        Connect::Busy(stream) => (stream, Stage::Queued),
    };
    // Writable tells that it is established. The interest is kept: it costs no events of its own,
    // and is needed again when the socket is full.
    if stage == Stage::Connecting {
        stream.register(cx.registry(), id.token(), Interest::READABLE | Interest::WRITABLE)?;
    }
    let link = match &shared.secure {
        None => Link::new(stream, true),
        Some(secure) => {
            let tls =
                secure.connect().ok_or_else(|| io::Error::other("TLS: failed on this side"))?;
            Link::secured(stream, true, tls)
        }
    };
    Ok((link, stage))
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
        cx: &mut Cx,
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
    pub(super) fn reopen(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx) -> Life {
        if self.in_flight.len() == 0 && !shared.reopens {
            return Break(if shared.hold { Fate::Closed } else { Fate::Done });
        }
        self.part(id, shared, cx);
        self.link.clear(&mut shared.pool);
        self.speech.restart(&self.in_flight, shared)?;
        self.is_full = false;
        (self.is_ending, self.was_reset) = (false, false);
        self.quiet_since = cx.now;
        (self.link, self.stage) = match connect(id, self.in_flight.answered(), shared, cx) {
            Ok(begun) => begun,
            Err(error) => {
                self.stage = Stage::Connecting;
                return Break(Fate::of(&error));
            }
        };
        let wait_ms = match self.stage {
            Stage::Queued => {
                shared.tally.backlog_full += 1;
                *AGAIN_MS.start()
            }
            _ => shared.connect_timeout_ms,
        };
        cx.timers.arm(timer_of(id), cx.now.plus_ms(wait_ms));
        shared.tally.reopened += 1;
        shared.tally.series.count_reopened();
        Continue(())
    }

    /// The listener's queue was full. A client that blocks would sleep in the kernel until there is
    /// room; here nobody wakes us. When to look again.
    pub(super) fn connect_again(
        &mut self,
        id: ConnId,
        shared: &Shared,
        cx: &Cx,
    ) -> Life<Option<Time>> {
        let until = self.quiet_since.plus_ms(shared.connect_timeout_ms);
        let both = Interest::READABLE | Interest::WRITABLE;
        let done = net::connect_again(self.link.stream(), &shared.target.address);
        let registered = done.and_then(|done| {
            let stream = self.link.stream_mut();
            done.then(|| stream.register(cx.registry(), id.token(), both)).transpose()
        });
        match registered {
            Ok(Some(())) => {
                self.stage = Stage::Connecting;
                Continue(Some(until))
            }
            Ok(None) if cx.now >= until => Break(Fate::backlog_full()),
            Ok(None) => {
                let waited_ms = cx.now.ms_since(self.quiet_since);
                let wait_ms = waited_ms.clamp(*AGAIN_MS.start(), *AGAIN_MS.end());
                Continue(Some(cx.now.plus_ms(wait_ms).min(until)))
            }
            Err(error) => Break(Fate::of(&error)),
        }
    }
}
