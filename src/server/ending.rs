//! How a connection ends.
//!
//! **What.** `begin_close` begins it: what is queued first, then our FIN, then the peer's. `expire`
//! is called when something was due and nothing came. [`Worker::close`] is the one place where a
//! connection is gone.
//!
//! **Why this way.** A socket that is closed with input unread answers with a reset, which may
//! overtake the last words. So whoever is ended by us is told why in the words of its protocol, and
//! then lingers: its input is read away until its FIN, or until its time is over. Who has said its
//! own last word before (a closing handshake) is not waited for.
//!
//! **Costs.** `shutdown` and a read or two more than where both sides part; `close` removes the
//! socket from epoll by itself.
//!
//! **Read next.** `src/server/conn.rs` for the phases, `src/server/drain.rs`.

use super::channel::Channel;
use super::conn::Phase;
use super::limits::Limits;
use super::pump::{Step, arm_for, look_again};
use super::worker::{Worker, timers};
use crate::metrics::CloseReason;
use crate::net::{LinkIo, Received};
use crate::proto::http1::{self, Status};
use crate::proto::ws::WsError;
use crate::reactor::{ConnId, Cx};
use crate::service::Service;
use crate::session::{Expiry, Farewell};

impl From<http1::Error> for CloseReason {
    fn from(error: http1::Error) -> Self {
        match (error, error.status()) {
            (http1::Error::Tls, _) => CloseReason::TlsOnPlain,
            (http1::Error::TooManyHeaders, _) => CloseReason::TooManyHeaders,
            (_, Status::UriTooLong | Status::HeadersTooLarge) => CloseReason::HeadTooLarge,
            (_, Status::ContentTooLarge) => CloseReason::BodyTooLarge,
            (_, Status::BadRequest) => CloseReason::BadRequest,
            _ => CloseReason::UnsupportedRequest,
        }
    }
}

impl From<WsError> for CloseReason {
    fn from(error: WsError) -> Self {
        match error {
            WsError::FrameTooLong => CloseReason::FrameTooLong,
            WsError::MessageTooLong => CloseReason::MessageTooLong,
            WsError::TooManyFragments => CloseReason::TooManyFragments,
            WsError::TooManyControlFrames => CloseReason::ControlFlood,
            WsError::InvalidUtf8 | WsError::Deflate => CloseReason::BadMessage,
            WsError::Exhausted => CloseReason::BuffersExhausted,
            _ => CloseReason::BadFrame,
        }
    }
}

impl<S: Service> Worker<S> {
    /// Begins the end of a connection: the backlog first, then our FIN, then the peer's.
    #[inline(never)]
    pub(super) fn begin_close(&mut self, cx: &mut Cx, id: ConnId, reason: CloseReason) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        if conn.phase != Phase::Open {
            return Ok(());
        }
        conn.phase = Phase::Flushing(reason);
        let timer = timers::conn(id.slot);
        if reason != CloseReason::PeerClosed {
            cx.timers.arm(timer, cx.now.plus_ms(self.limits.linger_ms));
        } else if let Some(due) = conn.session.patience(conn.last_active, &self.desk.limits) {
            cx.timers.arm_by(timer, due);
        }
        let (pool, tls) = (&mut self.desk.pool, &mut self.tls);
        conn.link.end(id.token(), LinkIo { registry: cx.registry(), pool, tls })?;
        if conn.link.backlog_bytes() > 0 {
            return Ok(());
        }
        self.finish(cx, id, reason)
    }

    /// Ends a connection on which both sides have said their last word and all that came was read.
    /// If all is sent too it is closed at once: to wait for the peer's FIN would bring nothing, and
    /// it is the server who goes first (RFC 6455 7.1.1).
    #[inline(never)]
    pub(super) fn part(&mut self, cx: &mut Cx, id: ConnId, reason: CloseReason) -> Step {
        match self.conns.get(id) {
            // TLS has a goodbye of its own, and goes the long way.
            Some(conn) if conn.phase == Phase::Open && conn.link.is_bare() => Err(reason),
            _ => self.begin_close(cx, id, reason),
        }
    }

    /// The backlog is out. If it was the peer who ended, all it said was read; in any other case
    /// something may be unread, even if its FIN was seen.
    pub(super) fn finish(&mut self, cx: &mut Cx, id: ConnId, reason: CloseReason) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        let is_all_read = reason == CloseReason::PeerClosed;
        if is_all_read || conn.link.stream().shutdown_write().is_err() {
            return Err(reason);
        }
        conn.phase = Phase::Lingering(reason);
        look_again(cx, id, conn);
        Ok(())
    }

    /// Reads and forgets until the peer's FIN, once ours is out.
    #[cold]
    pub(super) fn read_away(&mut self, cx: &mut Cx, id: ConnId) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        let Phase::Lingering(reason) = conn.phase else { return Ok(()) };
        match conn.link.receive_raw(&mut self.read[..]) {
            Ok(Received::Filled(_)) => look_again(cx, id, conn),
            Ok(Received::Short(_)) if !conn.peer_finished => {}
            Ok(Received::Blocked) => {}
            Ok(Received::Short(_) | Received::Eof) | Err(_) => return Err(reason),
        }
        Ok(())
    }

    /// Says why the server ends a connection, in the words of its protocol.
    pub(super) fn say_farewell(
        &mut self,
        cx: &mut Cx,
        id: ConnId,
        why: Farewell,
        text: &str,
    ) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        if conn.phase == Phase::Open {
            self.desk.date.set(self.clock.unix_s(cx.now));
            conn.session.farewell(why, text, &self.desk.date, &mut self.desk.write);
        }
        self.send_written(cx, id)
    }

    /// Something is due on a connection from which nothing came.
    pub(super) fn expire(&mut self, cx: &mut Cx, id: ConnId, expiry: Expiry) {
        let Some(conn) = self.conns.get(id) else { return };
        let Limits { idle_timeout_ms, pong_timeout_ms, head_timeout_ms, .. } = self.limits;
        let may_stall_ms = match expiry {
            Expiry::PongMissing => pong_timeout_ms,
            Expiry::RequestLate => head_timeout_ms,
            Expiry::Ping | Expiry::Idle | Expiry::HandshakeLate => 0,
        };
        let taken_until = conn.last_active.plus_ms(may_stall_ms);
        if (conn.paused || conn.queued) && taken_until > cx.now {
            // It is not read from, so what it says cannot be known; what it takes shows that it is
            // there.
            return arm_for(cx, id.slot, taken_until, expiry, &self.desk.limits);
        }
        let (why, text, reason) = match expiry {
            Expiry::Ping => {
                conn.session.ping(cx.now, &mut self.desk.write);
                if let Err(reason) = self.send_written(cx, id) {
                    return self.close(cx, id, reason);
                }
                let Some(conn) = self.conns.get(id) else { return };
                return conn.arm_expiry(id, cx, &self.desk.limits);
            }
            Expiry::Idle => {
                (Farewell::Idle, format!("idle for {idle_timeout_ms} ms"), CloseReason::IdleTimeout)
            }
            Expiry::PongMissing => {
                let text = format!("no answer to a ping for {pong_timeout_ms} ms");
                (Farewell::Idle, text, CloseReason::PongMissing)
            }
            Expiry::HandshakeLate => return self.close(cx, id, CloseReason::TlsHandshakeLate),
            Expiry::RequestLate => {
                let text = "the request was not whole in time".to_owned();
                (Farewell::RequestLate, text, CloseReason::RequestLate)
            }
        };
        let told = self.say_farewell(cx, id, why, &text);
        if let Err(reason) = told.and_then(|()| self.begin_close(cx, id, reason)) {
            self.close(cx, id, reason);
        }
    }

    /// Ends a connection now: everything it holds is given back, and it is counted.
    #[inline(never)]
    pub(super) fn close(&mut self, cx: &mut Cx, id: ConnId, reason: CloseReason) {
        let Some(mut conn) = self.conns.remove(id) else { return };
        conn.link.clear(&mut self.desk.pool);
        conn.session.clear(&mut self.desk);
        cx.timers.disarm(timers::conn(id.slot));
        self.admission.release(conn.peer);
        self.metrics.count_close(reason);
        tracing::debug!(slot = id.slot, reason = reason.name(), "closed");
        if let Some(route) = conn.session.route() {
            let Channel { members, mailing, service, .. } = &mut self.channels[route as usize];
            mailing.seal();
            members.swap_remove(conn.member as usize);
            if let Some(moved) = members.get(conn.member as usize).copied()
                && let Some(moved) = self.conns.get(moved)
            {
                moved.member = conn.member;
            }
            service.closed(conn.session.state, reason);
        }
        drop(conn.link);
        self.room(cx);
    }
}
