//! Signals, and stopping without losing anything.
//!
//! **What.** The first SIGTERM or SIGINT begins a drain: no new connections, everything received is
//! answered, everything queued is sent, then each connection is closed by the book. A second one
//! ends at once. SIGUSR1 writes the metrics, SIGHUP reads certificates again, SIGUSR2 starts a
//! successor. To `leave` is a drain in which the listeners are somebody else's from now on.
//!
//! **Why this way.** Two rounds. In the first the listeners empty their queues and close, and
//! everybody is read from until nothing is left: what one said to all must reach those who are
//! still there. In the second a hand goes over the slots, as fast as the drain's time asks for:
//! whoever it reaches is told to go. All at once would come back as one storm; who is not reached
//! yet is served as ever. HTTP says so in its next answer (`Connection: close`), for who is cut off
//! between two requests may just have sent the second; a later hand ends those who ask for nothing
//! (`src/server/ending.rs`). The deadline cuts off what is left. Who leaves has more patience: a
//! connection that was just accepted, and has not said yet what it wants, would have been served
//! had nothing happened, so everybody waits for the later hand.
//!
//! **Costs.** Nothing until a signal comes; then three more reads a connection, and a hundred turns
//! a second.
//!
//! **Read next.** `src/server/books.rs`.

use super::Exit;
use super::crew::Owner;
use super::handover::{Program, Successor};
use super::limits::Limits;
use super::pump::look_again;
use super::worker::{Worker, timers};
use crate::clock::Time;
use crate::metrics::CloseReason;
use crate::net;
use crate::reactor::{Cx, Source};
use crate::service::Service;
use crate::sys::signals::{Signal, SignalFd};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which control source a token's number means.
pub(super) const SIGNALS: u16 = 0;
pub(super) const WAKER: u16 = 1;
pub(super) const SUCCESSOR: u16 = 2;
/// To the supervisor, and to the siblings: see `crew.rs`.
pub(super) const CONTROL: u16 = 3;
pub(super) const INBOX: u16 = 4;
/// And the number of a sibling.
pub(super) const OUTBOX: u16 = 16;

/// What reaches the worker from outside.
pub(super) struct Control {
    pub(super) signals: Option<SignalFd>,
    /// Set by a [`Stopper`](super::Stopper).
    pub(super) stop: Arc<AtomicBool>,
    /// Where SIGUSR1 and the end write the metrics.
    pub(super) metrics_file: Option<PathBuf>,
    /// Set when the loop is to end at the end of this turn.
    pub(super) exit: Option<Exit>,
    /// How to start who serves next (SIGUSR2), and who was started.
    pub(super) program: Option<Program>,
    pub(super) successor: Option<Successor>,
}

/// How often the hands move on. By one connection at least, which is no storm: so a server with few
/// connections ends soon.
const SLICE_MS: u64 = 10;

/// A drain under way.
pub(super) struct Draining {
    /// Connections that were open when it began.
    connections: usize,
    /// When the first round is over even if somebody does not stop sending.
    hear_until: Time,
    /// Somebody else serves those who come now; who came before, and has not yet said what it
    /// wants, is still served here.
    is_patient: bool,
    /// The second round, once it has begun.
    round: Option<Round>,
    /// When everybody is told.
    tell_until: Time,
    /// How far the second hand is behind the first. It is also the time for the last ones to end.
    grace_ms: u64,
    /// The first hand: connections in slots below this are told to go.
    told: usize,
    /// The second hand: in slots below this they have been told for the time of grace.
    overdue: usize,
}

/// When the second round began, and the slots in use then.
#[derive(Clone, Copy)]
struct Round {
    since: Time,
    slots: usize,
}

impl Draining {
    /// HTTP that answers on a connection in this slot says that it is the last time.
    pub(super) fn is_told(&self, slot: u32) -> bool {
        (slot as usize) < self.told
    }

    /// A connection in this slot, with nothing more to say, is closed.
    pub(super) fn is_over(&self, slot: u32, is_http: bool) -> bool {
        let hand = if is_http || self.is_patient { self.overdue } else { self.told };
        (slot as usize) < hand
    }

    /// Where a hand is that began at `since` to go over so many slots.
    fn reach(&self, Round { since, slots }: Round, now: Time, late_ms: u64) -> usize {
        let all_ms = self.tell_until.ms_since(since);
        match now.ms_since(since).checked_sub(late_ms) {
            None => 0,
            Some(ms) if ms >= all_ms => usize::MAX,
            Some(ms) => (slots as u64 * ms / all_ms).max(1 + ms / SLICE_MS) as usize,
        }
    }
}

impl<S: Service> Worker<S> {
    #[cold]
    #[inline(never)]
    pub(super) fn on_control(&mut self, cx: &mut Cx, index: u16) {
        match index {
            SIGNALS => {}
            WAKER if self.control.stop.load(Ordering::Acquire) => self.drain(cx),
            WAKER => {}
            SUCCESSOR => return self.on_successor(cx),
            _ => return self.on_crew(cx, index),
        }
        while let Some(signal) = self.next_signal() {
            match signal {
                Signal::User1 => self.write_metrics(cx.now),
                Signal::Hangup => self.reload_certificates(),
                Signal::User2 => self.start_successor(cx),
                Signal::Terminate | Signal::Interrupt if self.draining.is_some() => {
                    tracing::warn!("second signal: ending at once");
                    self.control.exit = Some(Exit::Signalled(signal.number()));
                }
                // One worker alone is told to go: its sockets are its siblings' too.
                Signal::Terminate if self.crew.is_some() => self.leave(cx),
                Signal::Terminate | Signal::Interrupt => self.drain(cx),
            }
        }
    }

    fn next_signal(&mut self) -> Option<Signal> {
        self.control.signals.as_mut()?.take().unwrap_or_else(|error| {
            tracing::error!("cannot read signals: {error}");
            None
        })
    }

    /// Begins a drain in which the listeners are somebody else's from now on. Who waits at this
    /// moment is still taken in: the kernel may have told us of him, and nobody else.
    pub(super) fn leave(&mut self, cx: &mut Cx) {
        if self.draining.is_some() {
            return;
        }
        self.stand_down();
        self.watch_none(cx);
        for acceptor in self.listeners.iter_mut().filter_map(|listener| listener.acceptor.as_mut())
        {
            acceptor.hand_over(cx.registry());
        }
        self.drain(cx);
        if let Some(draining) = &mut self.draining {
            draining.is_patient = true;
            self.tell(cx);
        }
    }

    /// Begins the drain.
    pub(super) fn drain(&mut self, cx: &mut Cx) {
        if self.draining.is_some() {
            return;
        }
        let connections = self.conns.len();
        let Limits { drain_ms, linger_ms, .. } = self.limits;
        tracing::info!(connections, limit_ms = drain_ms, "draining");
        let grace_ms = linger_ms.min(drain_ms / 4);
        self.draining = Some(Draining {
            connections,
            hear_until: cx.now.plus_ms(grace_ms),
            is_patient: false,
            round: None,
            tell_until: cx.now.plus_ms(drain_ms - 2 * grace_ms),
            grace_ms,
            told: 0,
            overdue: 0,
        });
        cx.timers.arm(timers::DRAIN, cx.now.plus_ms(drain_ms));
        self.look_at_all(cx);
        self.watch_none(cx);
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            if listener.acceptor.is_none() && listener.owner == Owner::Alone {
                net::clear_away(&listener.endpoint);
            }
            listener.queued = true;
            cx.again.push_back(Source::Listener(index as u16));
        }
        for (index, datagrams) in self.datagrams.iter_mut().enumerate() {
            datagrams.queued = true;
            cx.again.push_back(Source::Datagram(index as u16));
        }
    }

    /// Begins the second round when everything was heard and passed on; ends the loop when nobody
    /// is left.
    #[cold]
    #[inline(never)]
    pub(super) fn go_on_draining(&mut self, cx: &mut Cx) -> ControlFlow<()> {
        let mail = self.has_mail();
        let Some(draining) = &self.draining else { return ControlFlow::Continue(()) };
        let is_quiet = cx.again.is_empty() && !mail;
        if draining.round.is_none() && (is_quiet || cx.now >= draining.hear_until) {
            self.tell(cx);
        }
        self.is_done()
    }

    /// Moves the hands on.
    pub(super) fn tell(&mut self, cx: &mut Cx) {
        let Some(draining) = &mut self.draining else { return };
        let slots = self.conns.slots_used();
        let round = *draining.round.get_or_insert(Round { since: cx.now, slots });
        let told = draining.reach(round, cx.now, 0);
        let overdue = draining.reach(round, cx.now, draining.grace_ms);
        let reached = (draining.told.min(slots)..told.min(slots))
            .chain(draining.overdue.min(slots)..overdue.min(slots));
        for slot in reached {
            if let Some((id, conn)) = self.conns.at_mut(slot as u32) {
                look_again(cx, id, conn);
            }
        }
        (draining.told, draining.overdue) = (told, overdue);
        if overdue != usize::MAX {
            cx.timers.arm(timers::DRAIN_SLICE, cx.now.plus_ms(SLICE_MS));
        }
    }

    fn look_at_all(&mut self, cx: &mut Cx) {
        for id in self.conns.ids() {
            if let Some(conn) = self.conns.get(id) {
                look_again(cx, id, conn);
            }
        }
    }

    /// The drain's time is over: what is left is cut off.
    pub(super) fn cut_off(&mut self, cx: &mut Cx) {
        for listener in &mut self.listeners {
            listener.acceptor = None;
        }
        for datagrams in &mut self.datagrams {
            datagrams.socket = None;
        }
        let ids = self.conns.ids();
        tracing::warn!(connections = ids.len(), "drain time is over: cutting off");
        for id in ids {
            self.close(cx, id, CloseReason::DrainTimeout);
        }
    }

    /// Whether the loop is to end.
    fn is_done(&mut self) -> ControlFlow<()> {
        if self.control.exit.is_some() {
            return ControlFlow::Break(());
        }
        let closed = self.listeners.iter().all(|listener| listener.acceptor.is_none())
            && self.datagrams.iter().all(|datagrams| datagrams.socket.is_none());
        match &self.draining {
            Some(draining) if closed && self.conns.len() == 0 => {
                tracing::info!(connections = draining.connections, "drained");
                self.control.exit = Some(Exit::Drained);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
