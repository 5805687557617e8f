//! Signals, and stopping without losing anything.
//!
//! **What.** The first SIGTERM or SIGINT begins a drain: no new connections, everything received is
//! answered, everything queued is sent, then each connection is closed by the book. A second one
//! ends at once. SIGUSR1 writes the metrics, SIGHUP reads certificates again, SIGUSR2 starts a
//! successor. To `leave` is a drain in which the listeners are somebody else's from now on.
//!
//! **Why this way.** Two rounds over the again-queue, and no other machinery. In the first the
//! listeners empty their queues and close, and everybody is read from until nothing is left: what
//! one said to all must reach those who are still there. In the second a connection that finds
//! nothing more to read begins its end (`src/server/ending.rs`). The deadline cuts off what is
//! left. Who leaves has more patience: a connection that was just accepted, and has not said yet
//! what it wants, would have been served had nothing happened, so it is.
//!
//! **Costs.** Nothing until a signal comes; then two more reads a connection.
//!
//! **Read next.** `src/server/books.rs`.

use super::Exit;
use super::crew::Owner;
use super::handover::{Program, Successor};
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

/// A drain under way.
pub(super) struct Draining {
    /// Connections that were open when it began.
    connections: usize,
    /// When the first round is over even if somebody does not stop sending.
    hear_until: Time,
    /// The first round is not over before that. Somebody else serves those who come now; who came
    /// before, and has not yet said what it wants, is still served here.
    is_patient: bool,
    /// The second round: who has nothing more to say is closed.
    pub(super) closing: bool,
}

impl<S: Service> Worker<S> {
    #[cold]
    #[inline(never)]
    pub(super) fn on_control(&mut self, cx: &mut Cx<'_>, index: u16) {
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
    pub(super) fn leave(&mut self, cx: &mut Cx<'_>) {
        if self.draining.is_some() {
            return;
        }
        self.watch_none(cx);
        for acceptor in self.listeners.iter_mut().filter_map(|listener| listener.acceptor.as_mut())
        {
            acceptor.hand_over(cx.registry);
        }
        self.drain(cx);
        if let Some(draining) = &mut self.draining {
            draining.is_patient = true;
            self.desk.is_ending = true;
            // Nobody is accepted any more: that timer is free, and wakes us for the second round.
            cx.timers.arm(timers::ACCEPT_RETRY, draining.hear_until);
        }
    }

    /// Begins the drain.
    pub(super) fn drain(&mut self, cx: &mut Cx<'_>) {
        if self.draining.is_some() {
            return;
        }
        let connections = self.conns.len();
        tracing::info!(connections, limit_ms = self.limits.drain_ms, "draining");
        let hear_until = cx.now.plus_ms(self.limits.linger_ms.min(self.limits.drain_ms / 2));
        self.draining =
            Some(Draining { connections, hear_until, is_patient: false, closing: false });
        cx.timers.arm(timers::DRAIN, cx.now.plus_ms(self.limits.drain_ms));
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
    pub(super) fn go_on_draining(&mut self, cx: &mut Cx<'_>) -> ControlFlow<()> {
        let mail = self.has_mail();
        let Some(draining) = &mut self.draining else { return ControlFlow::Continue(()) };
        let is_quiet = cx.again.is_empty() && !mail && !draining.is_patient;
        let heard = is_quiet || cx.now >= draining.hear_until;
        if heard && !std::mem::replace(&mut draining.closing, true) {
            self.look_at_all(cx);
        }
        self.is_done()
    }

    fn look_at_all(&mut self, cx: &mut Cx<'_>) {
        for id in self.conns.ids() {
            if let Some(conn) = self.conns.get(id) {
                look_again(cx, id, conn);
            }
        }
    }

    /// The drain's time is over: what is left is cut off.
    pub(super) fn cut_off(&mut self, cx: &mut Cx<'_>) {
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
