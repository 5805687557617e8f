//! Accepting, and what happens when there is no room.
//!
//! **What.** Step 7 of the turn: take connections from a listener's queue within a budget, admit
//! them, and at the limit do what the policy says ([`AtLimit`]).
//!
//! **Why this way.** Edge-triggered epoll tells of a new connection once. A loop that breaks out on
//! EMFILE and waits for the next event leaves those who are queued stranded in silence
//! (`docs/kernel-facts.md`); a level-triggered one spins. Here a listener that could not take
//! everybody is marked as waiting and looks again after each close and by timer. Under `shed` one
//! spare descriptor is given up to accept and refuse those for whom there is none.
//!
//! **Costs.** `accept4` + `epoll_ctl` a connection. A refusal: `accept4`, `send`, `shutdown`,
//! `recv`, `close`.
//!
//! **Read next.** `src/server/admission.rs`, `src/server/pump.rs`.

use super::channel::Doors;
use super::conn::{Conn, PeerSlot};
use super::limits::{
    ACCEPT_RETRY_MS, ACCEPTS_PER_TURN, AtLimit, CAP_RETRY_MS, EVICT_SAMPLES, Limits,
};
use super::pump::{Step, look_again};
use super::worker::{Listener, Worker, timers};
use crate::clock::Time;
use crate::metrics::{CloseReason, RefuseReason};
use crate::net::{Accept, Acceptor, Link, Stream};
use crate::reactor::{ConnId, Cx, Source};
use crate::service::{Outbound, Service};
use crate::session::{self, Farewell, Session};
use mio::Interest;
use mio::event::Source as _;
use std::fs::File;
use std::io;
use std::net::IpAddr;

impl<S: Service> Worker<S> {
    #[inline(never)]
    pub(super) fn on_accept(&mut self, cx: &mut Cx, index: u16) {
        let listener = &mut self.listeners[index as usize];
        (listener.queued, listener.waiting) = (false, false);
        self.reread_limit(cx);
        self.spare = self.spare.take().or_else(|| open_spare().ok());
        for _ in 0..ACCEPTS_PER_TURN {
            if !self.has_room(cx, index) {
                return;
            }
            let Some(acceptor) = &self.listeners[index as usize].acceptor else { return };
            match acceptor.accept() {
                Accept::Taken(stream, from) => self.take_in(cx, index, stream, from),
                Accept::Aborted => self.metrics.accept_aborted += 1,
                Accept::Empty => return self.queue_is_empty(index),
                Accept::NoDescriptor(error) => {
                    self.metrics.accept_failures += 1;
                    if !self.free_descriptor(cx) {
                        if !std::mem::replace(&mut self.is_starved, true) {
                            tracing::warn!("cannot accept: {error}; trying again at each close");
                        }
                        return self.wait(cx, index, ACCEPT_RETRY_MS);
                    }
                }
            }
        }
        look_at_listener_again(cx, index, &mut self.listeners[index as usize]);
    }

    /// Whether to call `accept` at all; if not, the listener waits for room, or is closed.
    fn has_room(&mut self, cx: &mut Cx, index: u16) -> bool {
        let full = self.conns.len() >= self.admission.cap();
        if full && self.step_aside(cx) {
            return false;
        }
        match self.limits.at_limit {
            AtLimit::Pause | AtLimit::Refuse if full && self.draining.is_some() => {
                self.listeners[index as usize].acceptor = None;
                false
            }
            AtLimit::Pause if full => {
                self.wait(cx, index, CAP_RETRY_MS);
                false
            }
            AtLimit::Refuse if full && self.crew.is_some() => {
                self.shut_port(cx);
                self.wait(cx, index, CAP_RETRY_MS);
                false
            }
            AtLimit::Refuse if full => {
                if let Some(acceptor) = self.listeners[index as usize].acceptor.take() {
                    acceptor.hang_up();
                }
                self.wait(cx, index, CAP_RETRY_MS);
                false
            }
            AtLimit::Refuse => self.is_listening(cx, index),
            AtLimit::Shed | AtLimit::EvictIdle | AtLimit::Pause => true,
        }
    }

    /// Opens a listener again that was closed for want of room.
    fn is_listening(&mut self, cx: &mut Cx, index: u16) -> bool {
        let listener = &mut self.listeners[index as usize];
        if listener.acceptor.is_some() || self.draining.is_some() {
            return listener.acceptor.is_some();
        }
        match listen(cx, index, listener) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!("cannot listen on {} again: {error}", listener.endpoint);
                self.wait(cx, index, ACCEPT_RETRY_MS);
                false
            }
        }
    }

    fn queue_is_empty(&mut self, index: u16) {
        if self.draining.is_some() {
            self.listeners[index as usize].acceptor = None;
        }
    }

    fn wait(&mut self, cx: &mut Cx, index: u16, retry_ms: u64) {
        self.listeners[index as usize].waiting = true;
        // One timer for all listeners: the shorter wait wins.
        if retry_ms == ACCEPT_RETRY_MS || !cx.timers.is_armed(timers::ACCEPT_RETRY) {
            cx.timers.arm(timers::ACCEPT_RETRY, cx.now.plus_ms(retry_ms));
        }
    }

    /// There may be room again: those who wait get their turn.
    pub(super) fn room(&mut self, cx: &mut Cx) {
        if self.conns.len() < self.admission.cap() {
            if self.crew.is_some() {
                self.rejoin(cx);
            }
            self.retry_accepts(cx);
        }
    }

    pub(super) fn retry_accepts(&mut self, cx: &mut Cx) {
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            if listener.waiting {
                look_at_listener_again(cx, index as u16, listener);
            }
        }
    }

    /// Decides over a connection that was accepted.
    fn take_in(&mut self, cx: &mut Cx, index: u16, mut stream: Stream, from: Option<IpAddr>) {
        self.is_starved = false;
        if self.spare.is_none() {
            return self.refuse(cx.now, index, stream, RefuseReason::NoDescriptor);
        }
        let peer = match self.admission.admit(from, cx.now) {
            Ok(peer) => peer,
            Err(reason) => return self.refuse(cx.now, index, stream, reason),
        };
        let full = self.conns.len() >= self.admission.cap();
        let refusal = if full && !(self.limits.at_limit == AtLimit::EvictIdle && self.evict(cx)) {
            Some(RefuseReason::Full)
        } else {
            // Asked for only now: an eviction frees the slot that is given next.
            let token = self.conns.next_id().token();
            let watched = stream.register(cx.registry(), token, Interest::READABLE);
            watched.is_err().then_some(RefuseReason::Unwatchable)
        };
        if let Some(reason) = refusal {
            self.admission.release(peer);
            return self.refuse(cx.now, index, stream, reason);
        }
        let link = match &self.listeners[index as usize].tls {
            None => Some(Link::new(stream, false)),
            Some(tls) => tls.accept().map(|tls| Link::secured(stream, false, tls)),
        };
        match link {
            Some(link) => self.admit(cx, index, link, peer),
            // See `TlsServer::accept`: it does not happen, and nobody was told anything.
            None => self.admission.release(peer),
        }
    }

    /// Makes an accepted, registered stream a connection and lets the service greet it.
    fn admit(&mut self, cx: &mut Cx, index: u16, link: Link, peer: Option<PeerSlot>) {
        let mut conn = Conn::new(link, Session::handshake(cx.now), index, cx.now);
        conn.peer = peer;
        let waits_for_tls = conn.link.tls().is_some();
        if waits_for_tls {
            conn.arm_expiry(self.conns.next_id(), cx, &self.desk.limits);
        }
        let id = self.conns.insert(conn);
        self.metrics.accepted += 1;
        if !waits_for_tls && let Err(reason) = self.open_session(cx, id) {
            return self.close(cx, id, reason);
        }
        if self.draining.is_some()
            && let Some(conn) = self.conns.get(id)
        {
            // Its end comes after what it has sent already, be that nothing.
            look_again(cx, id, conn);
        }
    }

    /// The transport is there: the connection begins to speak the listener's protocol.
    pub(super) fn open_session(&mut self, cx: &mut Cx, id: ConnId) -> Step {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        conn.session = match self.listeners[conn.listener as usize].doors {
            Doors::Open(channel) => {
                Session::stream(self.channels[channel as usize].framing, channel)
            }
            Doors::Paths(_) => Session::http(cx.now),
        };
        if let Some(channel) = conn.session.route() {
            self.greet(cx, id, channel)?;
        }
        if let Some(conn) = self.conns.get(id) {
            conn.arm_expiry(id, cx, &self.desk.limits);
        }
        Ok(())
    }

    /// Joins a connection to its channel and lets the service greet it.
    fn greet(&mut self, cx: &mut Cx, id: ConnId, index: u16) -> Step {
        let channel = &mut self.channels[index as usize];
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        conn.join(id, channel);
        let encoding = channel.framing.into();
        let mut out = Outbound::new(encoding, &mut self.desk.write, &mut channel.mail);
        channel.service.connected(&mut conn.session.state, &mut out);
        let closes = out.is_closed();
        self.mail_waits |= channel.has_mail();
        self.send_written(cx, id)?;
        match closes {
            true => self.begin_close(cx, id, CloseReason::ServiceClosed),
            false => Ok(()),
        }
    }

    /// Says why not, and closes. What the client has sent already is read away first, because a
    /// socket that is closed with input unread answers with a reset. Under TLS words would need a
    /// handshake, which is the work that a full server sheds connections to be spared; an alert
    /// does not.
    fn refuse(&mut self, now: Time, index: u16, mut stream: Stream, reason: RefuseReason) {
        self.metrics.count_refusal(reason);
        let Limits { per_ip_max, accept_rate, .. } = &self.limits;
        let text = match reason {
            RefuseReason::Full => {
                format!("full: {} connections; try again later", self.admission.cap())
            }
            RefuseReason::NoDescriptor | RefuseReason::Unwatchable => {
                "full: no descriptor left; try again later".to_owned()
            }
            RefuseReason::PerIp => {
                format!("too many connections from your address: at most {per_ip_max}")
            }
            RefuseReason::Rate => format!(
                "too many new connections from your address: at most {accept_rate} a second"
            ),
        };
        let Listener { doors, tls, .. } = &self.listeners[index as usize];
        let mut notice = Vec::new();
        if let Some(tls) = tls {
            notice.extend_from_slice(tls.refusal());
        } else {
            let is_http = matches!(doors, Doors::Paths(_));
            self.desk.date.set(self.clock.unix_s(now));
            session::refusal(is_http, &text, &self.desk.date, &mut notice);
        }
        // The peer may be gone already; then there is nobody to be told.
        let _ = stream.write(&notice);
        let _ = stream.shutdown_write();
        let _ = stream.read(&mut self.read[..]);
    }

    /// Makes a descriptor free so that `accept` can be tried again at once. False if that is not
    /// to be done, or not possible.
    fn free_descriptor(&mut self, cx: &mut Cx) -> bool {
        match self.limits.at_limit {
            AtLimit::Shed => self.spare.take().is_some(),
            // Without a spare nobody would be let in to take the place.
            AtLimit::EvictIdle if self.spare.is_some() => {
                self.evict(cx) || self.spare.take().is_some()
            }
            AtLimit::EvictIdle => false,
            AtLimit::Pause | AtLimit::Refuse => false,
        }
    }

    /// Closes the connection that was idle longest of a few dozen, going round the table. An exact
    /// order would cost each message an update of a list; looking at all would cost each accept a
    /// walk over the table.
    fn evict(&mut self, cx: &mut Cx) -> bool {
        let used = self.conns.slots_used();
        let mut idlest = None;
        for _ in 0..EVICT_SAMPLES.min(used) {
            self.evict_hand = (self.evict_hand + 1) % used;
            let Some((id, conn)) = self.conns.at(self.evict_hand as u32) else { continue };
            let idle_ms = cx.now.ms_since(conn.last_active);
            let idler = idlest.is_none_or(|(longest_ms, _)| idle_ms > longest_ms);
            if idler && idle_ms >= self.limits.evict_idle_after_ms && conn.is_quiet() {
                idlest = Some((idle_ms, id));
            }
        }
        let Some((idle_ms, id)) = idlest else { return false };
        let text = format!("idle for {idle_ms} ms, closed to make room");
        // It ends whether or not the notice could be sent.
        let _ = self.say_farewell(cx, id, Farewell::Idle, &text);
        self.close(cx, id, CloseReason::Evicted);
        true
    }
}

/// Opens (again) and registers a listener's socket.
pub(super) fn listen(cx: &mut Cx, index: u16, listener: &mut Listener) -> io::Result<()> {
    let mut acceptor = Acceptor::bind(&listener.endpoint)?;
    acceptor.register(cx.registry(), Source::Listener(index).token(), Interest::READABLE)?;
    listener.endpoint = acceptor.endpoint().clone();
    listener.acceptor = Some(acceptor);
    Ok(())
}

/// A descriptor to give up when none is left.
pub(super) fn open_spare() -> io::Result<File> {
    File::open("/dev/null")
}

/// Puts a listener on the again-queue, unless it is there.
pub(super) fn look_at_listener_again(cx: &mut Cx, index: u16, listener: &mut Listener) {
    if !std::mem::replace(&mut listener.queued, true) {
        cx.again.push_back(Source::Listener(index));
    }
}
