//! Bytes in, bytes out.
//!
//! **What.** An event of a connection: it reads once, hands what came to the speech, and sends once
//! what that has to say then.
//!
//! **Why this way.** Nearly every event of a run finds a connection on which messages just flow,
//! and goes a short way; whatever else a socket can be at (connecting, TLS, full, at its end) is
//! for `ready_with_care`. The generator shares a machine with what it measures, or is compared with
//! it, so it must cost no more than a server does.
//!
//! **Costs.** A `recv`, a `send` and a reading of the clock an event.
//!
//! **Read next.** `src/load/speech/echo.rs`.

use super::{Stage, StreamClient};
use crate::clock::Time;
use crate::load::client::{Life, Shared, timer_of};
use crate::load::fates::Fate;
use crate::load::in_flight::Stamp;
use crate::load::speech::{Desk, Next, Say};
use crate::net::{LinkIo, ReceiveError, Received, SendError, Sent, Tls};
use crate::reactor::{ConnId, Cx, Readiness, Source};
use std::ops::ControlFlow::{Break, Continue};

/// How it was before bytes came.
#[derive(Clone, Copy)]
struct Before {
    is_bound: bool,
    is_open: bool,
}

impl Before {
    /// Of a connection that is flowing.
    const FLOWING: Before = Before { is_bound: false, is_open: true };
}

impl StreamClient {
    /// The socket is ready, or asked to be looked at again.
    #[inline(always)]
    pub(super) fn event(
        &mut self,
        id: ConnId,
        ready: Readiness,
        shared: &mut Shared,
        cx: &mut Cx,
    ) -> Life {
        if !ready.is_just_open() || !self.is_flowing() {
            return self.ready_with_care(id, ready, shared, cx);
        }
        match self.link.receive_raw(&mut shared.scratch) {
            Ok(Received::Short(n)) => self.take(n, Before::FLOWING, id, shared, cx)?,
            received => self.received(received, id, shared, cx)?,
        }
        self.send(id, shared, cx)
    }

    /// Messages go to and fro: nothing else is under way, and nothing is between us and the socket.
    #[inline(always)]
    fn is_flowing(&self) -> bool {
        let is_well = self.stage == Stage::Established && !self.is_ending && self.link.is_bare();
        is_well && self.speech.is_open() && !self.is_bound()
    }

    /// What a socket has said, whatever the connection is at.
    #[inline(never)]
    fn ready_with_care(
        &mut self,
        id: ConnId,
        ready: Readiness,
        shared: &mut Shared,
        cx: &mut Cx,
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
            let Shared { scratch, pool, tls, .. } = &mut *shared;
            let io = LinkIo { registry: cx.registry(), pool, tls };
            let received = self.link.receive(scratch, id.token(), io);
            self.received(received, id, shared, cx)?;
        }
        self.send(id, shared, cx)
    }

    /// What came of reading once.
    #[inline(never)]
    fn received(
        &mut self,
        received: Result<Received, ReceiveError>,
        id: ConnId,
        shared: &mut Shared,
        cx: &mut Cx,
    ) -> Life {
        let (n, is_filled) = match received {
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
        let before = Before { is_bound: self.is_bound(), is_open: self.speech.is_open() };
        self.take(n, before, id, shared, cx)
    }

    /// Hands the first `n` bytes of the scratch on; the answers are followed by the next messages.
    #[inline(never)]
    fn take(
        &mut self,
        n: usize,
        before: Before,
        id: ConnId,
        shared: &mut Shared,
        cx: &mut Cx,
    ) -> Life {
        let now = shared.clock.now();
        shared.bytes_received += n as u64;
        let mut scratch = std::mem::take(&mut shared.scratch);
        let mut desk = Desk { id, now, in_flight: &mut self.in_flight, shared };
        let next = self.speech.receive(&mut scratch[..n], &mut desk);
        shared.scratch = scratch;
        if next? == Next::Reopen || self.is_done_here(id, shared, now)? {
            return self.reopen(id, shared, cx);
        }
        self.opened(before.is_open, id, shared, now);
        let is_bound = self.is_bound();
        if !(before.is_bound && is_bound) {
            self.quiet_since = now;
        }
        if is_bound {
            let due = self.quiet_since.plus_ms(self.patience_ms(shared));
            cx.timers.arm(timer_of(id), due);
        }
        self.ask(id, shared, now);
        Continue(())
    }

    /// Nothing more can be received.
    pub(super) fn failed(
        &mut self,
        error: ReceiveError,
        id: ConnId,
        shared: &mut Shared,
        cx: &mut Cx,
    ) -> Life {
        match error {
            ReceiveError::Send(SendError::Reset) => {
                self.reset(id, cx);
                Continue(())
            }
            error => self.finish(Fate::of_receiving(error), id, shared, cx),
        }
    }

    /// Fills the pipeline up, if the run still sends.
    #[inline]
    pub(super) fn ask(&mut self, id: ConnId, shared: &mut Shared, now: Time) {
        if !shared.sends || !self.speech.is_open() || !self.is_established() {
            return;
        }
        let room = self.room(id, shared);
        if room > 0 {
            self.in_flight.ask(Stamp::on_time(now), room);
            shared.tally.messages.sent += room;
        }
    }

    /// Writes once, if something is due and there is room.
    pub(super) fn send(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx) -> Life {
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
        cx: &mut Cx,
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
        let io = LinkIo { registry: cx.registry(), pool, tls };
        let outcome = self.link.send(bytes, id.token(), io);
        shared.out.clear();
        Continue(outcome)
    }

    /// Sending was refused. What this means, reading will tell.
    fn reset(&mut self, id: ConnId, cx: &mut Cx) {
        (self.was_reset, self.is_ending) = (true, true);
        self.look_again(id, cx);
    }

    fn look_again(&mut self, id: ConnId, cx: &mut Cx) {
        if !std::mem::replace(&mut self.is_queued, true) {
            cx.again.push_back(Source::Conn(id));
        }
    }
}
