//! A connection over TCP or a Unix socket: the part of a client that does I/O.
//!
//! **What.** [`StreamClient`] connects, reads and writes once an event, and finds out how the
//! connection ends. What the bytes mean is its [`Speech`]'s matter.
//!
//! **Why this way.** The socket is the same [`Link`] as the server's, so whatever comes between
//! bytes and socket there (TLS) comes here too; its handshake is part of connecting, in a phase of
//! its own. Whatever error an event or a `send` brings, what was received is read first: a server
//! that says why not and closes is reset by our own message, and its reason still lies in the
//! receive queue behind the error (`tests/kernel_facts/reading.rs`).
//!
//! **Costs.** One `recv`, one `send` and one reading of the clock an event; no allocation. At most
//! 192 bytes a connection (asserted below) and 16 a message in flight.
//!
//! **Read next.** `src/load/stream/flow.rs`, `src/load/stream/sockets.rs`, `src/load/handler.rs`.

mod flow;
mod sockets;

use super::client::{Client, Life, Opened, Share, Shared};
use super::fates::{Fate, Phase};
use super::in_flight::{InFlight, Stamp};
use super::shape::Announcement;
use super::speech::{Desk, Speech};
use crate::clock::Time;
use crate::net::{self, Link, LinkIo};
use crate::reactor::{ConnId, Cx, Readiness};
use sockets::connect;
use std::ops::ControlFlow::{Break, Continue};

/// A server that has nothing more to say or to hear is given so long to end the connection.
const HANG_UP_MS: u64 = 1_000;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Stage {
    /// The listener's queue is full: connects again when its timer says so.
    Queued,
    Connecting,
    /// TLS is shaking hands.
    Securing,
    /// The speech may begin.
    Established,
    /// All is said: what still comes is read away.
    Left,
}

/// One stream connection.
pub(super) struct StreamClient {
    link: Link,
    in_flight: InFlight,
    speech: Speech,
    /// Since when nothing has come, if an answer is owed; while connecting, since when. While it is
    /// bound, since that began.
    quiet_since: Time,
    stage: Stage,
    /// The socket took less than it was offered: wait until it has room.
    is_full: bool,
    /// The end is near (FIN, RST or an error was seen): read until it is there.
    is_ending: bool,
    /// The socket told of a reset, which it tells once only.
    was_reset: bool,
    /// It is on the again-queue, once.
    is_queued: bool,
}

// With debug assertions mio's sockets remember their selector, and are larger for it.
#[cfg(not(debug_assertions))]
const _: () = assert!(size_of::<StreamClient>() <= 192);

impl Client for StreamClient {
    fn open(id: ConnId, shared: &mut Shared, cx: &mut Cx) -> Opened<Self> {
        let link = match connect(id, 0, shared, cx) {
            Ok((link, Stage::Connecting)) => link,
            Ok(_) => return Opened::Busy,
            Err(error) => return Opened::Ended(Fate::of(&error)),
        };
        let speech = match Speech::new(shared) {
            Continue(speech) => speech,
            Break(fate) => return Opened::Ended(fate),
        };
        Opened::Client(StreamClient {
            link,
            in_flight: InFlight::new(shared.depth),
            speech,
            quiet_since: cx.now,
            stage: Stage::Connecting,
            is_full: false,
            is_ending: false,
            was_reset: false,
            is_queued: false,
        })
    }

    fn ready(&mut self, id: ConnId, ready: Readiness, shared: &mut Shared, cx: &mut Cx) -> Life {
        self.event(id, ready, shared, cx)
    }

    fn look(&mut self, id: ConnId, shared: &mut Shared, cx: &Cx) -> Life<Option<Time>> {
        let now = cx.now;
        if self.stage == Stage::Queued {
            return self.connect_again(id, shared, cx);
        }
        if self.is_calm() {
            return Continue(self.next_ping(id, shared));
        }
        let due = self.quiet_since.plus_ms(self.patience_ms(shared));
        let ping = shared.idle.as_ref().and_then(|idle| idle.next_ping(id, now));
        match self.is_established() {
            _ if now < due => Continue(ping.into_iter().chain([due]).min()),
            false => Break(Fate::TimedOut),
            true => Break(self.overdue()),
        }
    }

    fn begin(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx) -> Life {
        let now = shared.clock.now();
        self.quiet_since = now;
        self.ask(id, shared, now);
        self.send(id, shared, cx)
    }

    fn has_room(&self, id: ConnId, shared: &Shared) -> bool {
        self.may_send() && self.room(id, shared) > 0
    }

    fn send_due(&mut self, id: ConnId, share: Share, shared: &mut Shared, cx: &mut Cx) -> Life {
        let now = shared.clock.now();
        if self.in_flight.len() == 0 {
            self.quiet_since = now;
        }
        for _ in 0..share.messages.min(self.room(id, shared)) {
            let Some(due_at) = shared.take_due(now, share.free_since) else { break };
            self.in_flight.ask(Stamp { due_at, sent_at: now }, 1);
            shared.tally.messages.sent += 1;
        }
        self.send(id, shared, cx)
    }

    fn ping(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx) -> Life {
        let is_due = self.next_ping(id, shared).is_some_and(|due| due <= cx.now);
        let is_well = self.is_calm() && !self.is_ending && !self.was_reset;
        if !is_due || !is_well {
            return Continue(());
        }
        let now = shared.clock.now();
        self.quiet_since = now;
        self.speech.ping(&mut Desk { id, now, in_flight: &mut self.in_flight, shared })?;
        self.send(id, shared, cx)
    }

    fn may_send(&self) -> bool {
        let is_well = self.stage == Stage::Established && !self.is_ending && !self.was_reset;
        is_well && !self.is_full && self.speech.is_open()
    }

    fn expect(&mut self, stamp: Stamp) {
        if self.in_flight.len() == 0 {
            self.quiet_since = stamp.sent_at;
        }
        self.in_flight.ask(stamp, 1);
    }

    fn announce(
        &mut self,
        id: ConnId,
        what: Announcement,
        shared: &mut Shared,
        cx: &mut Cx,
    ) -> Life {
        if !self.may_send() {
            return Continue(());
        }
        self.speech.announce(what, shared)?;
        self.send(id, shared, cx)
    }

    fn leave(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx) -> Life<bool> {
        let waits = self.speech.leave(shared)?;
        // However long ago its last answer came, the last word has its own time.
        self.quiet_since = cx.now;
        self.send(id, shared, cx)?;
        if !waits && self.link.tls().is_some() && self.is_established() {
            self.part(id, shared, cx);
            self.stage = Stage::Left;
        }
        Continue(waits)
    }

    fn overdue(&self) -> Fate {
        self.speech.overdue()
    }

    fn release(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx) {
        self.part(id, shared, cx);
        self.link.clear(&mut shared.pool);
        self.speech.clear(shared);
        // What it would still have said is for nobody else.
        shared.out.clear();
    }

    fn is_settled(&self) -> bool {
        self.in_flight.answered() > 0 || self.speech.is_served()
    }

    fn in_flight(&self) -> u64 {
        self.in_flight.len()
    }

    fn is_damaged(&self) -> bool {
        self.speech.is_damaged()
    }

    fn phase(&self, id: ConnId, shared: &Shared) -> Phase {
        match self.stage {
            Stage::Queued | Stage::Connecting => Phase::Connect,
            Stage::Securing => Phase::Tls,
            _ if self.link.backlog_bytes() > 0 => Phase::Send,
            _ => self.speech.phase(id, &self.in_flight, shared),
        }
    }
}

/// What a link needs of what is shared.
fn link_io<'a>(shared: &'a mut Shared, cx: &'a Cx) -> LinkIo<'a> {
    LinkIo { registry: cx.registry(), pool: &mut shared.pool, tls: &mut shared.tls }
}

impl StreamClient {
    fn is_established(&self) -> bool {
        matches!(self.stage, Stage::Established | Stage::Left)
    }

    /// Learns how connecting went; false if it is still under way.
    fn connected(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx) -> Life<bool> {
        if self.stage == Stage::Queued {
            return Continue(false);
        }
        match net::connected(self.link.stream()) {
            Ok(true) => {}
            Ok(false) if !self.is_ending => return Continue(false),
            // Established and gone again before we looked.
            Ok(false) => {}
            Err(error) => match Fate::of(&error) {
                Fate::Reset => (self.was_reset, self.is_ending) = (true, true),
                fate => return Break(fate),
            },
        }
        if self.link.tls().is_none() {
            self.establish(id, shared);
            return Continue(true);
        }
        self.stage = Stage::Securing;
        match self.link.start(id.token(), link_io(shared, cx)) {
            Err(error) if !self.is_ending => self.failed(error, id, shared, cx)?,
            // Whatever it is, reading will tell.
            _ => {}
        }
        Continue(true)
    }

    /// It is served, owes nothing and waits for nothing.
    fn is_calm(&self) -> bool {
        let owes_nothing = self.in_flight.len() == 0 && !self.speech.is_waiting();
        self.is_established() && owes_nothing && self.is_settled()
    }

    /// When it is to be pinged, if it is: at the next point of its grid since it was last heard of.
    fn next_ping(&self, id: ConnId, shared: &Shared) -> Option<Time> {
        shared.idle.as_ref()?.next_ping(id, self.quiet_since)
    }

    /// How many messages more it can take of its own.
    fn room(&self, id: ConnId, shared: &Shared) -> u64 {
        if shared.fan.is_some() {
            return 0;
        }
        let room = shared.depth - self.in_flight.len();
        let left = shared.churn.as_ref().map(|churn| churn.left(id, &self.in_flight));
        left.map_or(room, |left| left.min(room))
    }

    /// The speech may begin.
    fn establish(&mut self, id: ConnId, shared: &mut Shared) {
        let now = shared.clock.now();
        self.stage = Stage::Established;
        self.quiet_since = now;
        if !self.is_ending {
            self.speech.established(&mut Desk { id, now, in_flight: &mut self.in_flight, shared });
            self.opened(false, id, shared, now);
            self.ask(id, shared, now);
        }
    }

    /// Says that nothing more will be said, where TLS is there to say it.
    fn part(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx) {
        if !self.was_reset && self.stage > Stage::Connecting {
            // Who does not hear it any more need not.
            let _ = self.link.end(id.token(), link_io(shared, cx));
        }
    }

    /// It has a deadline that bytes do not reset: something else than an answer must come.
    #[inline]
    fn is_bound(&self) -> bool {
        self.speech.is_over() || self.in_flight.len() == 0 && self.speech.is_waiting()
    }

    /// How long it may be quiet where something should come.
    fn patience_ms(&self, shared: &Shared) -> u64 {
        match self.is_established() {
            false => shared.connect_timeout_ms,
            true if self.speech.is_over() => shared.answer_timeout_ms.min(HANG_UP_MS),
            true => shared.answer_timeout_ms,
        }
    }
}
