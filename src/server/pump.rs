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
use super::limits::{
    BACKLOG_HIGH_BYTES, BACKLOG_LOW_BYTES, MAIL_HIGH_BYTES, READ_BYTES, READ_DEFLATED_BYTES,
};
use super::worker::{Memory, Worker, timers};
use crate::buf::Pool;
use crate::metrics::{CloseReason, Metrics};
use crate::net::{LinkIo, Received, SendError, Sent};
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
        let bytes_max = if conn.session.inflates() { READ_DEFLATED_BYTES } else { READ_BYTES };
        let read = &mut self.memory.read[..bytes_max];
        let received = conn.link.receive(read).map_err(|_| CloseReason::Reset)?;
        let (len, more) = match received {
            Received::Filled(len) => (len, true),
            Received::Short(len) => (len, false),
            Received::Blocked => return self.drained(cx, id),
            Received::Eof => return self.peer_ended(cx, id),
        };
        conn.last_active = cx.now;
        self.metrics.bytes_in += len as u64;
        self.answer(cx, id, len)?;
        self.after_read(cx, id, more)
    }

    /// Hands `len` fresh bytes to the session and sends what comes of it.
    fn answer(&mut self, cx: &mut Cx<'_>, id: ConnId, len: usize) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        let was_http = conn.session.is_http();
        if was_http {
            self.memory.date(&self.clock, cx.now);
        }
        let Memory { read, write, pool, assembly, deflate, date, .. } = &mut self.memory;
        let doors = &self.listeners[conn.listener as usize].doors;
        let mut rooms = Rooms { doors, channels: &mut self.channels };
        let messages = &mut self.metrics.messages_in;
        let limits = &self.session_limits;
        let mut desk = Desk { write, pool, assembly, deflate, limits, date, now: cx.now, messages };
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
        let Some(route) = conn.session.route() else {
            return self.begin_close(cx, id, CloseReason::PeerClosed);
        };
        let Memory { write, pool, assembly, deflate, date, .. } = &mut self.memory;
        let doors = &self.listeners[conn.listener as usize].doors;
        let mut rooms = Rooms { doors, channels: &mut self.channels };
        let messages = &mut self.metrics.messages_in;
        let limits = &self.session_limits;
        let mut desk = Desk { write, pool, assembly, deflate, limits, date, now: cx.now, messages };
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
        let Memory { write, pool, .. } = &mut self.memory;
        if write.is_empty() {
            return Ok(());
        }
        let step = match self.conns.get(id) {
            Some(conn) => conn.send(id, write, cx, pool, &mut self.metrics),
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
        cx: &mut Cx<'_>,
        pool: &mut Pool,
        metrics: &mut Metrics,
    ) -> Step {
        let before = self.link.backlog_bytes();
        let sent = self.link.send(bytes, id.token(), &mut LinkIo { registry: cx.registry, pool });
        let backlog = self.link.backlog_bytes();
        let moved = (before + bytes.len()).saturating_sub(backlog);
        metrics.bytes_out += moved as u64;
        if moved > 0 {
            self.last_active = cx.now;
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
