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
//! **Costs.** 1 `recv` + 1 `send` a ready connection; the first stall adds one `epoll_ctl`.
//!
//! **Read next.** `src/server/ending.rs`; for the two halves `src/net/link.rs`, `src/session.rs`.

use super::channel::Rooms;
use super::conn::{Conn, Phase};
use super::limits::{BACKLOG_HIGH_BYTES, BACKLOG_LOW_BYTES, MAIL_HIGH_BYTES, READ_BYTES};
use super::worker::{Memory, Worker, timers};
use crate::clock::Time;
use crate::metrics::{CloseReason, Metrics};
use crate::net::{LinkIo, ReceiveError, Received, SendError, Sent};
use crate::proto::http1;
use crate::proto::ws::WsError;
use crate::reactor::{ConnId, Cx, Readiness, Source};
use crate::service::Service;
use crate::session::{Desk, Farewell, Flow, SessionError};

/// The write scratch keeps this much; what one huge answer needed beyond it is given back.
const WRITE_KEPT_BYTES: usize = 4 * READ_BYTES;

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
            ReceiveError::Reset => CloseReason::Reset,
            ReceiveError::Send(error) => error.into(),
            ReceiveError::Tls(_) => CloseReason::TlsFailed,
            ReceiveError::Truncated => CloseReason::TlsTruncated,
            ReceiveError::PlainOnTls => CloseReason::PlainOnTls,
        }
    }
}

impl From<SessionError> for CloseReason {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::LineTooLong => CloseReason::LineTooLong,
            SessionError::Exhausted | SessionError::WebSocket(WsError::Exhausted) => {
                CloseReason::BuffersExhausted
            }
            SessionError::Http(http1::Error::Tls) => CloseReason::TlsOnPlain,
            SessionError::Http(_) => CloseReason::BadRequest,
            SessionError::WebSocket(_) => CloseReason::BadFrame,
        }
    }
}

impl<S: Service> Worker<S> {
    pub(super) fn on_ready(&mut self, cx: &mut Cx<'_>, id: ConnId, readiness: Readiness) {
        if let Err(reason) = self.step(cx, id, readiness) {
            self.close(cx, id, reason);
        }
    }

    fn step(&mut self, cx: &mut Cx<'_>, id: ConnId, readiness: Readiness) -> Step {
        let Some(conn) = self.conns.get(id) else {
            self.metrics.stale_events += 1;
            return Ok(());
        };
        conn.queued &= !readiness.again;
        conn.peer_finished |= readiness.peer_finished;
        if conn.link.backlog_bytes() > 0 && (readiness.writable || readiness.broken) {
            self.flush(cx, id)?;
        }
        if readiness.readable || readiness.broken {
            self.read(cx, id)?;
        }
        Ok(())
    }

    /// Writes what waits; resumes or finishes what waited for that.
    fn flush(&mut self, cx: &mut Cx<'_>, id: ConnId) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        let before = conn.link.backlog_bytes();
        let sent = conn.link.flush(&mut self.memory.pool)?;
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

    fn read(&mut self, cx: &mut Cx<'_>, id: ConnId) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        match conn.phase {
            Phase::Open if conn.paused => return Ok(()),
            Phase::Open => {}
            Phase::Flushing(_) => return Ok(()),
            Phase::Lingering(reason) => return self.read_away(cx, id, reason),
        }
        if let Some(route) = conn.session.route()
            && let channel = &mut self.channels[route as usize]
            && channel.mail.bytes.len() > MAIL_HIGH_BYTES
        {
            conn.paused = true;
            channel.held_by_mail.push(id);
            return Ok(());
        }
        let Memory { read, pool, tls, .. } = &mut self.memory;
        let mut io = LinkIo { registry: cx.registry, pool, tls };
        let (len, more) = match conn.link.receive(read, id.token(), &mut io) {
            Ok(Received::Filled(len)) => (len, true),
            Ok(Received::Short(len)) => (len, false),
            Ok(Received::Blocked) => return self.drained(cx, id),
            Ok(Received::Eof) => return self.peer_ended(cx, id),
            Err(error) => return self.receive_failed(cx, id, error),
        };
        conn.last_active = cx.now;
        self.metrics.bytes_in += len as u64;
        if conn.session.is_handshake() && !self.go_on_with_handshake(cx, id)? {
            return Ok(());
        }
        // Of TLS it may have been nothing but its own.
        if len > 0 {
            self.answer(cx, id, len)?;
        }
        self.after_read(cx, id, more)
    }

    /// Hands `len` fresh bytes to the session and sends what comes of it.
    fn answer(&mut self, cx: &mut Cx<'_>, id: ConnId, len: usize) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        let was_http = conn.session.is_http();
        if was_http {
            self.memory.date(&self.clock, cx.now);
        }
        let Memory { read, write, pool, assembly, date, .. } = &mut self.memory;
        let doors = &self.listeners[conn.listener as usize].doors;
        let mut rooms = Rooms { doors, channels: &mut self.channels };
        let messages = &mut self.metrics.messages_in;
        let limits = &self.session_limits;
        let mut desk = Desk { write, pool, assembly, limits, date, now: cx.now, messages };
        let outcome = conn.session.receive(&mut read[..len], &mut rooms, &mut desk);
        let route = conn.session.route();
        if was_http {
            if let Some(channel) = route {
                self.join(id, channel);
            }
            // Also of an upgraded one: its ping may be due before what was armed, or nothing was.
            self.arm_expiry(cx, id);
        }
        // Also if it ends now: left in the scratch, the next connection would get it.
        self.send_written(cx, id)?;
        match outcome {
            Ok(Flow::Open) => Ok(()),
            Ok(Flow::Closes) => self.begin_close(cx, id, CloseReason::ServiceClosed),
            Err(SessionError::Exhausted) => Err(CloseReason::BuffersExhausted),
            Err(error) => self.begin_close(cx, id, error.into()),
        }
    }

    /// What a read leaves to be done: more of it, nothing, or the end.
    fn after_read(&mut self, cx: &mut Cx<'_>, id: ConnId, more: bool) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        if conn.phase != Phase::Open {
            return Ok(());
        }
        conn.paused = conn.link.backlog_bytes() > BACKLOG_HIGH_BYTES;
        match (more, conn.peer_finished) {
            (true, _) if conn.paused => Ok(()),
            (true, _) => {
                look_again(cx, id, conn);
                Ok(())
            }
            (false, true) => self.peer_ended(cx, id),
            (false, false) => self.drained(cx, id),
        }
    }

    /// Everything that was there has been read. In the second round of a drain that is the end.
    fn drained(&mut self, cx: &mut Cx<'_>, id: ConnId) -> Step {
        match &self.draining {
            Some(draining) if draining.closing => {
                self.say_farewell(cx, id, Farewell::Drain, "the server is going away")?;
                self.begin_close(cx, id, CloseReason::Drained)
            }
            _ => Ok(()),
        }
    }

    /// The peer's side is over; ours is when everything owed to it is out (half-close), and that
    /// may include mail.
    fn peer_ended(&mut self, cx: &mut Cx<'_>, id: ConnId) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        conn.peer_finished = true;
        if let Some(fault) = conn.link.fault_of_end() {
            return self.receive_failed(cx, id, fault);
        }
        let Some(route) = conn.session.route() else {
            return self.begin_close(cx, id, CloseReason::PeerClosed);
        };
        let Memory { write, pool, assembly, date, .. } = &mut self.memory;
        let doors = &self.listeners[conn.listener as usize].doors;
        let mut rooms = Rooms { doors, channels: &mut self.channels };
        let messages = &mut self.metrics.messages_in;
        let limits = &self.session_limits;
        let mut desk = Desk { write, pool, assembly, limits, date, now: cx.now, messages };
        conn.session.receive_end(&mut rooms, &mut desk);
        self.send_written(cx, id)?;
        let channel = &mut self.channels[route as usize];
        if channel.has_mail()
            && let Some(conn) = self.conns.get(id)
        {
            conn.paused = true;
            channel.leavers.push(id);
            return Ok(());
        }
        self.begin_close(cx, id, CloseReason::PeerClosed)
    }

    /// Sends the write scratch to a connection and empties it.
    pub(super) fn send_written(&mut self, cx: &mut Cx<'_>, id: ConnId) -> Step {
        let Memory { write, pool, tls, .. } = &mut self.memory;
        if write.is_empty() {
            return Ok(());
        }
        let mut io = LinkIo { registry: cx.registry, pool, tls };
        let step = match self.conns.get(id) {
            Some(conn) => conn.send(id, write, cx.now, &mut io, &mut self.metrics),
            None => Ok(()),
        };
        write.clear();
        write.shrink_to(WRITE_KEPT_BYTES);
        self.bounded(id, step)
    }

    /// A step that has sent something: it ends a connection that takes its output too slowly.
    pub(super) fn bounded(&mut self, id: ConnId, step: Step) -> Step {
        step?;
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        let backlog = conn.link.backlog_bytes();
        if backlog <= self.limits.backlog_bytes_max {
            return Ok(());
        }
        let spare = conn.session.message_bytes_max(&self.session_limits);
        if backlog > self.limits.backlog_bytes_max.saturating_add(spare) {
            return Err(CloseReason::SlowConsumer);
        }
        Ok(())
    }

    /// Arms the timer of a connection for what its session waits for.
    pub(super) fn arm_expiry(&mut self, cx: &mut Cx<'_>, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        if conn.phase == Phase::Open
            && let Some((due, _)) = conn.session.expiry(conn.last_active, &self.session_limits)
        {
            cx.timers.arm(timers::conn(id.slot), due);
        }
    }

    /// Makes a connection a member of a channel.
    pub(super) fn join(&mut self, id: ConnId, index: u16) {
        let members = &mut self.channels[index as usize].members;
        if let Some(conn) = self.conns.get(id) {
            conn.member = members.len() as u32;
            members.push(id);
        }
    }
}

impl<T> Conn<T> {
    /// Sends, and counts what went out.
    pub(super) fn send(
        &mut self,
        id: ConnId,
        bytes: &[u8],
        now: Time,
        io: &mut LinkIo<'_>,
        metrics: &mut Metrics,
    ) -> Step {
        let before = self.link.backlog_bytes();
        let sent = self.link.send(bytes, id.token(), io);
        let backlog = self.link.backlog_bytes();
        let moved = (before + bytes.len()).saturating_sub(backlog);
        metrics.bytes_out += moved as u64;
        if moved > 0 {
            self.last_active = now;
        }
        metrics.stalls += u64::from(before == 0 && backlog > 0);
        sent?;
        Ok(())
    }
}

/// Puts a connection on the again-queue, unless it is there.
pub(super) fn look_again<T>(cx: &mut Cx<'_>, id: ConnId, conn: &mut Conn<T>) {
    if !std::mem::replace(&mut conn.queued, true) {
        cx.again.push_back(Source::Conn(id));
    }
}
