//! A connection over TCP or a Unix socket: the part of a client that does I/O.
//!
//! **What.** [`StreamClient`] connects, reads and writes once an event, and finds out how the
//! connection ends. What the bytes mean is its [`Speech`]'s matter.
//!
//! **Why this way.** The socket is the same [`Link`] as the server's, so whatever comes between
//! bytes and socket there (TLS) comes here too; its handshake is part of connecting, in a phase of
//! its own. Whatever error an event or a `send` brings, what
//! was received is read first: a server that says why not and closes is reset by our own message,
//! and its reason still lies in the receive queue behind the error
//! (`tests/kernel_facts/reading.rs`).
//!
//! **Costs.** One `recv`, one `send` and one reading of the clock an event; no allocation. At most
//! 192 bytes a connection (asserted below) and 16 a message in flight.
//!
//! **Read next.** `src/load/stream/sockets.rs`, `src/load/speech.rs`, `src/load/handler.rs`.

mod sockets;

use super::client::{Client, Life, Opened, Share, Shared, timer_of};
use super::fates::{Fate, Phase};
use super::in_flight::{InFlight, Stamp};
use super::shape::Announcement;
use super::speech::{Desk, Next, Say, Speech};
use crate::clock::Time;
use crate::net::{self, Link, LinkIo, ReceiveError, Received, SendError, Sent, Tls};
use crate::reactor::{ConnId, Cx, Readiness, Source};
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

const _: () = assert!(size_of::<StreamClient>() <= 192);

impl Client for StreamClient {
    fn open(id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Opened<Self> {
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

    fn ready(
        &mut self,
        id: ConnId,
        ready: Readiness,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Life {
        self.is_queued &= !ready.is_again();
        self.is_full &= !ready.is_writable();
        self.is_ending |= ready.is_peer_finished() || ready.is_broken();
        if self.stage <= Stage::Connecting && !self.connected(id, shared, cx)? {
            return Continue(());
        }
        if self.stage == Stage::Left {
            let _ = self.link.receive_raw(&mut shared.scratch);
            return Continue(());
        }
        if ready.is_readable() || self.is_ending {
            self.receive(id, shared, cx)?;
        }
        self.send(id, shared, cx)
    }

    fn look(&mut self, id: ConnId, shared: &mut Shared, cx: &Cx<'_>) -> Life<Option<Time>> {
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

    fn begin(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Life {
        let now = shared.clock.now();
        self.quiet_since = now;
        self.ask(id, shared, now);
        self.send(id, shared, cx)
    }

    fn has_room(&self, id: ConnId, shared: &Shared) -> bool {
        self.may_send() && self.room(id, shared) > 0
    }

    fn send_due(&mut self, id: ConnId, share: Share, shared: &mut Shared, cx: &mut Cx<'_>) -> Life {
        let now = shared.clock.now();
        if self.in_flight.len() == 0 {
            self.quiet_since = now;
        }
        for _ in 0..share.messages.min(self.room(id, shared)) {
            let Some(due_at) = shared.take_due(now, share.free_since) else { break };
            self.in_flight.ask(Stamp { due_at, sent_at: now });
            shared.tally.messages.sent += 1;
        }
        self.send(id, shared, cx)
    }

    fn ping(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Life {
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
        self.in_flight.ask(stamp);
    }

    fn announce(
        &mut self,
        id: ConnId,
        what: Announcement,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Life {
        if !self.may_send() {
            return Continue(());
        }
        self.speech.announce(what, shared)?;
        self.send(id, shared, cx)
    }

    fn leave(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Life<bool> {
        let waits = self.speech.leave(shared)?;
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

    fn release(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) {
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
fn link_io<'a>(shared: &'a mut Shared, cx: &'a Cx<'_>) -> LinkIo<'a> {
    LinkIo { registry: cx.registry, pool: &mut shared.pool, tls: &mut shared.tls }
}

impl StreamClient {
    fn is_established(&self) -> bool {
        matches!(self.stage, Stage::Established | Stage::Left)
    }

    /// Learns how connecting went; false if it is still under way.
    fn connected(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Life<bool> {
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

    /// Nothing more can be received.
    fn failed(
        &mut self,
        error: ReceiveError,
        id: ConnId,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Life {
        match error {
            ReceiveError::Send(SendError::Reset) => {
                self.reset(id, cx);
                Continue(())
            }
            error => self.finish(Fate::of_receiving(error), id, shared, cx),
        }
    }

    /// Sending was refused. What this means, reading will tell.
    fn reset(&mut self, id: ConnId, cx: &mut Cx<'_>) {
        (self.was_reset, self.is_ending) = (true, true);
        self.look_again(id, cx);
    }

    /// Says that nothing more will be said, where TLS is there to say it.
    fn part(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) {
        if !self.was_reset && self.stage > Stage::Connecting {
            // Who does not hear it any more need not.
            let _ = self.link.end(id.token(), link_io(shared, cx));
        }
    }

    /// Reads once and hands on; the answers are followed by the next messages.
    fn receive(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Life {
        let Shared { scratch, pool, tls, .. } = &mut *shared;
        let io = LinkIo { registry: cx.registry, pool, tls };
        let (n, is_filled) = match self.link.receive(scratch, id.token(), io) {
            Ok(Received::Filled(n)) => (n, true),
            Ok(Received::Short(n)) => (n, false),
            Ok(Received::Blocked) if !self.was_reset => return Continue(()),
            Ok(Received::Blocked) => return self.finish(Fate::Reset, id, shared, cx),
            Ok(Received::Eof) => {
                let fate = self.link.fault_of_end().map_or(Fate::Closed, Fate::of_receiving);
                return self.finish(fate, id, shared, cx);
            }
            Err(error) => return self.failed(error, id, shared, cx),
        };
        if is_filled || self.is_ending {
            self.look_again(id, cx);
        }
        if self.stage == Stage::Securing && !self.link.tls().is_some_and(Tls::is_handshaking) {
            self.establish(id, shared);
        }
        if n == 0 {
            return Continue(());
        }
        let now = shared.clock.now();
        shared.bytes_received += n as u64;
        let (was_bound, was_open) = (self.is_bound(), self.speech.is_open());
        let mut scratch = std::mem::take(&mut shared.scratch);
        let mut desk = Desk { id, now, in_flight: &mut self.in_flight, shared };
        let next = self.speech.receive(&mut scratch[..n], &mut desk);
        shared.scratch = scratch;
        if next? == Next::Reopen || self.is_done_here(id, shared, now)? {
            return self.reopen(id, shared, cx);
        }
        self.opened(was_open, id, shared, now);
        let is_bound = self.is_bound();
        if !(was_bound && is_bound) {
            self.quiet_since = now;
        }
        if is_bound {
            let due = self.quiet_since.plus_ms(self.patience_ms(shared));
            cx.timers.arm(timer_of(id), due);
        }
        self.ask(id, shared, now);
        Continue(())
    }

    /// It has a deadline that bytes do not reset: something else than an answer must come.
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

    /// Fills the pipeline up, if the run still sends.
    fn ask(&mut self, id: ConnId, shared: &mut Shared, now: Time) {
        if !shared.sends || !self.speech.is_open() || !self.is_established() {
            return;
        }
        for _ in 0..self.room(id, shared) {
            self.in_flight.ask(Stamp::on_time(now));
            shared.tally.messages.sent += 1;
        }
    }

    /// Writes once, if something is due and there is room.
    fn send(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Life {
        if self.stage <= Stage::Connecting || self.was_reset {
            shared.out.clear();
            return Continue(());
        }
        let mut outcome = Ok(Sent::All);
        if self.link.backlog_bytes() > 0 && !self.is_full {
            outcome = self.link.flush(&mut shared.pool);
            self.is_full = outcome == Ok(Sent::Queued);
        }
        if outcome.is_ok() && self.stage == Stage::Established {
            outcome = self.say(id, shared, cx)?;
        }
        match outcome {
            Ok(Sent::All) if self.is_full || self.stage != Stage::Established => {}
            Ok(Sent::All) if !self.speech.is_due(id, &self.in_flight, shared) => {}
            Ok(Sent::All) => self.look_again(id, cx),
            Ok(Sent::Queued) => self.is_full = true,
            Err(SendError::Reset) => self.reset(id, cx),
            Err(SendError::Exhausted | SendError::Unwatchable | SendError::Unsealed) => {
                return Break(Fate::out_of_buffers());
            }
        }
        Continue(())
    }

    /// Sends what the speech has to say, and what lies ready in any case.
    fn say(
        &mut self,
        id: ConnId,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Life<Result<Sent, SendError>> {
        let say = match self.is_full {
            true => Say::Out,
            false => self.speech.say(id, &self.in_flight, shared)?,
        };
        let bytes = match say {
            Say::Words(from, n) => &shared.words.at(id, from)[..n],
            Say::Out => &shared.out[..],
        };
        if bytes.is_empty() {
            return Continue(Ok(Sent::All));
        }
        shared.bytes_sent += bytes.len() as u64;
        let (pool, tls) = (&mut shared.pool, &mut shared.tls);
        let io = LinkIo { registry: cx.registry, pool, tls };
        let outcome = self.link.send(bytes, id.token(), io);
        shared.out.clear();
        Continue(outcome)
    }

    fn look_again(&mut self, id: ConnId, cx: &mut Cx<'_>) {
        if !std::mem::replace(&mut self.is_queued, true) {
            cx.again.push_back(Source::Conn(id));
        }
    }
}
