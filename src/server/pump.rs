//! The life of a readable event.
//!
//! **What.** Read once, let the session and its service answer, write once; then see whether more
//! is to be done.
//!
//! **Why this way.** One read a turn is the fairness budget: a connection that sends without pause
//! gets 64 KiB a turn like everybody else. Whatever must not wait for an event goes on the
//! again-queue, because edge-triggered epoll does not repeat itself. A connection that takes its
//! answers too slowly is not read from: its own sender is what it slows down.
//!
//! **Costs.** 1 `recv` + 1 `send` a ready connection; the first stall adds one `epoll_ctl`. About
//! 120 instructions a read, for nearly every event is plain and `step` is all of its way: going
//! the way of everything (`step_with_care`, `received`, `go_on`) would be twice that
//! (`scripts/instructions.sh` counts the whole).
//!
//! **Read next.** `src/server/ending.rs`; for the two halves `src/net/link.rs`, `src/session.rs`.

use super::channel::{Channel, Rooms};
use super::conn::{Conn, Phase};
use super::limits::{
    BACKLOG_HIGH_BYTES, BACKLOG_LOW_BYTES, MAIL_HIGH_BYTES, READ_BYTES, READ_DEFLATED_BYTES,
};
use super::worker::{Worker, timers};
use crate::clock::Time;
use crate::metrics::{CloseReason, Metrics};
use crate::net::{LinkIo, ReceiveError, Received, SendError, Sent};
use crate::reactor::{ConnId, Cx, Readiness, Source};
use crate::service::Service;
use crate::session::{End, Expiry, Farewell, SessionLimits};

/// What is to be done with a connection after a step, or why it ends now.
pub(super) type Step = Result<(), CloseReason>;

impl From<SendError> for CloseReason {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Reset => CloseReason::Reset,
            SendError::Exhausted => CloseReason::BuffersExhausted,
            SendError::Unwatchable => CloseReason::Unwatchable,
            SendError::Unsealed => CloseReason::TlsFailed,
        }
    }
}

impl From<ReceiveError> for CloseReason {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Reset { .. } => CloseReason::Reset,
            ReceiveError::Send(error) => error.into(),
            ReceiveError::Tls(_) => CloseReason::TlsFailed,
            ReceiveError::Truncated => CloseReason::TlsTruncated,
            ReceiveError::PlainOnTls => CloseReason::PlainOnTls,
        }
    }
}

impl From<End> for CloseReason {
    fn from(end: End) -> Self {
        match end {
            End::Closes | End::Parted => CloseReason::ServiceClosed,
            End::LineTooLong => CloseReason::LineTooLong,
            End::Exhausted => CloseReason::BuffersExhausted,
            End::OriginForbidden => CloseReason::OriginForbidden,
            End::Http(error) => error.into(),
            End::WebSocket(error) => error.into(),
        }
    }
}

impl<S: Service> Worker<S> {
    #[inline(always)]
    pub(super) fn on_ready(&mut self, cx: &mut Cx, id: ConnId, readiness: Readiness) {
        if let Err(reason) = self.step(cx, id, readiness) {
            self.close(cx, id, reason);
        }
    }

    /// Nearly every event is plain: bytes have come, for a connection that is joined to its service
    /// and owes nothing, and the answer goes out at once. This is all of its way. An event that is
    /// not plain is left to `step_with_care`, one that turns out not to be to `received` or
    /// `go_on`.
    #[inline(always)]
    fn step(&mut self, cx: &mut Cx, id: ConnId, readiness: Readiness) -> Step {
        let Some(conn) = self.conns.get(id) else {
            self.metrics.stale_events += 1;
            return Ok(());
        };
        let (Some(route), Readiness::READABLE, false) =
            (conn.plain_route(), readiness, self.draining.is_some())
        else {
            return self.step_with_care(cx, id, readiness);
        };
        if self.mail_waits && self.channels[route as usize].mail.bytes.len() > MAIL_HIGH_BYTES {
            return self.step_with_care(cx, id, readiness);
        }
        let len = match conn.link.receive_raw(&mut self.read[..]) {
            Ok(Received::Short(len)) => len,
            received => return self.received(cx, id, received),
        };
        conn.last_active = cx.now;
        self.metrics.bytes_in += len as u64;
        self.desk.now = cx.now;
        let Channel { service, mail, .. } = &mut self.channels[route as usize];
        let fresh = &mut self.read[..len];
        let outcome = conn.session.receive_joined(fresh, service, mail, &mut self.desk);
        if let Err(end) = outcome {
            return self.said_last(cx, id, end);
        }
        if mail.messages > 0 {
            self.mail_waits = true;
        }
        let (answers, _) = self.desk.answers(&self.read[..]);
        if !answers.is_empty() {
            let (sent, len) = (conn.link.send_raw(answers), answers.len());
            let taken = sent.unwrap_or(0);
            self.metrics.bytes_out += taken as u64;
            if sent.is_ok() && taken < len {
                self.stall(cx, id, taken)?;
                return self.go_on(cx, id, Ok(()), false);
            }
            // Also if it ends now: left on the desk, the next connection would get it.
            self.desk.clear_answers();
            sent?;
        }
        Ok(())
    }

    /// Sees what an event is about, and reads once.
    #[inline(never)]
    fn step_with_care(&mut self, cx: &mut Cx, id: ConnId, readiness: Readiness) -> Step {
        let Some(mut conn) = self.conns.get(id) else { return Ok(()) };
        conn.queued &= !readiness.is_again();
        conn.peer_finished |= readiness.is_peer_finished();
        if conn.link.backlog_bytes() > 0 && (readiness.is_writable() || readiness.is_broken()) {
            self.flush(cx, id)?;
            let Some(flushed) = self.conns.get(id) else { return Ok(()) };
            conn = flushed;
        }
        if !readiness.is_readable() && !readiness.is_broken() {
            return Ok(());
        }
        if conn.phase != Phase::Open {
            return self.read_away(cx, id);
        }
        if conn.paused || (self.mail_waits && conn.pause_for_mail(id, &mut self.channels)) {
            return Ok(());
        }
        let read = &mut self.read[..conn.read_bytes_max()];
        let io = LinkIo { registry: cx.registry(), pool: &mut self.desk.pool, tls: &mut self.tls };
        let received = conn.link.receive(read, id.token(), io);
        self.received(cx, id, received)
    }

    /// Sees what came of a read, and hands it to the session.
    #[inline(never)]
    fn received(
        &mut self,
        cx: &mut Cx,
        id: ConnId,
        received: Result<Received, ReceiveError>,
    ) -> Step {
        let (len, more) = match received {
            Ok(Received::Filled(len)) => (len, true),
            Ok(Received::Short(len)) => (len, false),
            Ok(Received::Blocked) => return self.drained(cx, id),
            Ok(Received::Eof) => return self.peer_ended(cx, id),
            Err(error) => return self.receive_failed(cx, id, error),
        };
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        conn.last_active = cx.now;
        self.metrics.bytes_in += len as u64;
        if conn.session.is_handshake() && !self.go_on_with_handshake(cx, id)? {
            return Ok(());
        }
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        self.desk.now = cx.now;
        let was_http = conn.session.is_http();
        if was_http {
            self.desk.date.set(self.clock.unix_s(cx.now));
            self.desk.is_ending = self.draining.as_ref().is_some_and(|it| it.is_told(id.slot));
        }
        let doors = &self.listeners[conn.listener as usize].doors;
        let mut rooms = Rooms { doors, channels: &mut self.channels };
        let outcome = match len {
            // Of TLS it was nothing but its own.
            0 => Ok(()),
            _ => conn.session.receive(&mut self.read[..len], &mut rooms, &mut self.desk),
        };
        if let Some(route) = conn.session.route() {
            let channel = &mut self.channels[route as usize];
            self.mail_waits |= channel.has_mail();
            if was_http {
                conn.join(id, channel);
            }
        }
        if was_http {
            conn.inflates = conn.session.inflates();
            // Also of an upgraded one: its ping may be due before what was armed, or nothing was.
            conn.arm_expiry(id, cx, &self.desk.limits);
        }
        self.send_written(cx, id)?;
        self.go_on(cx, id, outcome, more)
    }

    /// The socket took only the first `taken` bytes of the answers: the rest waits.
    #[cold]
    fn stall(&mut self, cx: &mut Cx, id: ConnId, taken: usize) -> Step {
        let (answers, pool) = self.desk.answers(&self.read[..]);
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        let io = LinkIo { registry: cx.registry(), pool, tls: &mut self.tls };
        let held = conn.link.hold(&answers[taken..], id.token(), io);
        self.desk.clear_answers();
        held?;
        self.metrics.stalls += 1;
        conn.check_backlog(self.limits.backlog_bytes_max, &self.desk.limits)
    }

    /// The answers are out, or wait: sees what is left to be done. `more` may wait unread.
    #[inline(never)]
    fn go_on(&mut self, cx: &mut Cx, id: ConnId, outcome: Result<(), End>, more: bool) -> Step {
        if let Err(end) = outcome {
            return self.session_ended(cx, id, end, more);
        }
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        conn.paused = conn.link.backlog_bytes() > BACKLOG_HIGH_BYTES;
        if more {
            if !conn.paused {
                look_again(cx, id, conn);
            }
        } else if conn.peer_finished {
            return self.peer_ended(cx, id);
        } else if self.draining.is_some() {
            return self.drained(cx, id);
        }
        Ok(())
    }

    /// A plain event has ended the session.
    #[cold]
    fn said_last(&mut self, cx: &mut Cx, id: ConnId, end: End) -> Step {
        // What it said to others, if it did, goes out whatever becomes of it.
        self.mail_waits = true;
        self.send_written(cx, id)?;
        self.session_ended(cx, id, end, false)
    }

    /// The session has said its last word. `more` may wait unread.
    #[cold]
    fn session_ended(&mut self, cx: &mut Cx, id: ConnId, end: End, more: bool) -> Step {
        match end {
            End::Parted if !more => self.part(cx, id, end.into()),
            _ => self.begin_close(cx, id, end.into()),
        }
    }

    /// Writes what waits; resumes or finishes what waited for that.
    #[cold]
    fn flush(&mut self, cx: &mut Cx, id: ConnId) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        let before = conn.link.backlog_bytes();
        let sent = conn.link.flush(&mut self.desk.pool)?;
        let moved = before - conn.link.backlog_bytes();
        self.metrics.bytes_out += moved as u64;
        if moved > 0 {
            conn.last_active = cx.now;
        }
        match conn.phase {
            Phase::Flushing(reason) if sent == Sent::All => self.finish(cx, id, reason),
            Phase::Open if conn.paused && conn.link.backlog_bytes() <= BACKLOG_LOW_BYTES => {
                conn.paused = false;
                look_again(cx, id, conn);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Everything that was there has been read. In a drain that may be the end.
    #[cold]
    fn drained(&mut self, cx: &mut Cx, id: ConnId) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        match &self.draining {
            Some(draining) if draining.is_over(id.slot, conn.session.is_http()) => {
                self.say_farewell(cx, id, Farewell::Drain, "the server is going away")?;
                self.begin_close(cx, id, CloseReason::Drained)
            }
            _ => Ok(()),
        }
    }

    /// The peer's side is over; ours is when everything owed to it is out (half-close), and that
    /// may include mail.
    #[cold]
    fn peer_ended(&mut self, cx: &mut Cx, id: ConnId) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        conn.peer_finished = true;
        if let Some(fault) = conn.link.fault_of_end() {
            return self.receive_failed(cx, id, fault);
        }
        let Some(route) = conn.session.route() else {
            return self.begin_close(cx, id, CloseReason::PeerClosed);
        };
        let doors = &self.listeners[conn.listener as usize].doors;
        let mut rooms = Rooms { doors, channels: &mut self.channels };
        conn.session.receive_end(&mut rooms, &mut self.desk);
        self.send_written(cx, id)?;
        let channel = &mut self.channels[route as usize];
        self.mail_waits |= channel.has_mail();
        if channel.has_mail()
            && let Some(conn) = self.conns.get(id)
        {
            conn.paused = true;
            channel.leavers.push(id);
            channel.mailing.seal();
            return Ok(());
        }
        self.begin_close(cx, id, CloseReason::PeerClosed)
    }

    /// Sends a connection what its session has said, and empties the scratch.
    pub(super) fn send_written(&mut self, cx: &mut Cx, id: ConnId) -> Step {
        let (answers, pool) = self.desk.answers(&self.read[..]);
        let sent = match self.conns.get(id) {
            Some(conn) if !answers.is_empty() => {
                let io = LinkIo { registry: cx.registry(), pool, tls: &mut self.tls };
                conn.send(id, answers, cx.now, io, &mut self.metrics)
            }
            _ => Ok(Sent::All),
        };
        // Also if it ends now: left in the scratch, the next connection would get it.
        self.desk.clear_answers();
        if sent? == Sent::Queued
            && let Some(conn) = self.conns.get(id)
        {
            conn.check_backlog(self.limits.backlog_bytes_max, &self.desk.limits)?;
        }
        Ok(())
    }
}

impl<T: Default> Conn<T> {
    /// The service that it is joined to, if it is that and nothing else: see `Worker::step`. A
    /// peer that has finished need not be asked for: the kernel says so with each event.
    #[inline(always)]
    fn plain_route(&self) -> Option<u16> {
        let is_special = self.paused | self.inflates;
        let is_plain = self.phase == Phase::Open && !is_special && self.link.is_bare();
        self.session.route().filter(|_| is_plain)
    }

    /// How much may be read at once. What was compressed may be a thousand times as much; but TLS
    /// needs room for a whole record.
    #[inline]
    fn read_bytes_max(&self) -> usize {
        let is_little = self.inflates && self.link.tls().is_none();
        if is_little { READ_DEFLATED_BYTES } else { READ_BYTES }
    }

    /// Pauses a connection while so much mail waits on its channel that nobody may add to it.
    #[cold]
    fn pause_for_mail<S>(&mut self, id: ConnId, channels: &mut [Channel<S>]) -> bool {
        let Some(route) = self.session.route() else { return false };
        let channel = &mut channels[route as usize];
        self.paused = channel.mail.bytes.len() > MAIL_HIGH_BYTES;
        if self.paused {
            channel.held_by_mail.push(id);
        }
        self.paused
    }

    /// Sends, and counts what went out.
    pub(super) fn send(
        &mut self,
        id: ConnId,
        bytes: &[u8],
        now: Time,
        io: LinkIo<'_>,
        metrics: &mut Metrics,
    ) -> Result<Sent, CloseReason> {
        let before = self.link.backlog_bytes();
        let sent = self.link.send(bytes, id.token(), io);
        if sent == Ok(Sent::All) {
            metrics.bytes_out += bytes.len() as u64;
            self.last_active = now;
            return Ok(Sent::All);
        }
        let moved = (before + bytes.len()).saturating_sub(self.link.backlog_bytes());
        metrics.bytes_out += moved as u64;
        if moved > 0 {
            self.last_active = now;
        }
        metrics.stalls += u64::from(before == 0 && sent == Ok(Sent::Queued));
        Ok(sent?)
    }

    /// Ends a connection that takes its output too slowly.
    #[cold]
    pub(super) fn check_backlog(&self, backlog_bytes_max: usize, limits: &SessionLimits) -> Step {
        // What may come in one piece may be answered in one, and must then fit.
        let spare = self.session.message_bytes_max(limits);
        if self.link.backlog_bytes() > backlog_bytes_max.saturating_add(spare) {
            return Err(CloseReason::SlowConsumer);
        }
        Ok(())
    }

    /// Arms the timer of a connection for what its session waits for.
    pub(super) fn arm_expiry(&self, id: ConnId, cx: &mut Cx, limits: &SessionLimits) {
        if self.phase == Phase::Open
            && let Some((due, expiry)) = self.session.expiry(self.last_active, limits)
        {
            arm_for(cx, id.slot, due, expiry, limits);
        }
    }

    /// Makes a connection a member of a channel.
    pub(super) fn join<S>(&mut self, id: ConnId, channel: &mut Channel<S>) {
        self.member = channel.members.len() as u32;
        channel.members.push(id);
        channel.mailing.seal();
    }
}

/// Arms the timer of the connection in `slot` for what is due. A pong may come before its time, and
/// wakes no timer: the next ping is due an interval behind it, so look by then.
pub(super) fn arm_for(cx: &mut Cx, slot: u32, due: Time, expiry: Expiry, limits: &SessionLimits) {
    let interval_ms = limits.ping_interval_ms;
    let look = match expiry {
        Expiry::PongMissing if interval_ms != 0 => due.min(cx.now.plus_ms(interval_ms)),
        _ => due,
    };
    cx.timers.arm_by(timers::conn(slot), look);
}

/// Puts a connection on the again-queue, unless it is there.
pub(super) fn look_again<T>(cx: &mut Cx, id: ConnId, conn: &mut Conn<T>) {
    if !std::mem::replace(&mut conn.queued, true) {
        cx.again.push_back(Source::Conn(id));
    }
}
