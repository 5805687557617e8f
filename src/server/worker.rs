//! One worker: a reactor's handler with its own connections, buffers and counters.
//!
//! **What.** [`Worker`] is everything that one thread serves with, and the [`Handler`] that the
//! reactor calls. Its work is in the files beside this one, a step of the turn each.
//!
//! **Why this way.** Plain fields and `&mut self`: nothing is shared, so nothing is locked, counted
//! or wrapped in a cell.
//!
//! **Costs.** 64 KiB to read into and what the largest answer needs to write from.
//!
//! **Read next.** In the order of the turn: `src/server/drain.rs` (4), `src/server/pump.rs` and
//! `src/server/datagrams.rs` (5, 6), `src/server/gate.rs` (7), `src/server/mail.rs` (9).

use super::admission::Admission;
use super::channel::{Channel, Doors};
use super::conn::{Conns, Phase};
use super::crew::{Crew, Owner};
use super::datagrams::DatagramSocket;
use super::drain::{Control, Draining};
use super::limits::{Limits, READ_BYTES, TRIM_AFTER_MS};
use super::pump::arm_for;
use crate::clock::Clock;
use crate::metrics::{CloseReason, Metrics};
use crate::net::{Acceptor, Endpoint, TlsScratch, TlsServer};
use crate::reactor::{ConnId, Cx, Handler, Readiness, TimerKey};
use crate::service::Service;
use crate::session::{Desk, Expiry};
use crate::sys;
use crate::sys::datagram::Batch;
use std::fs::File;
use std::ops::ControlFlow;

/// Timers that are not a connection's. A connection's key is its slot behind these.
pub(super) mod timers {
    use crate::reactor::TimerKey;

    /// The drain is over.
    pub(crate) const DRAIN: TimerKey = TimerKey(0);
    /// Listeners that could not accept try again.
    pub(crate) const ACCEPT_RETRY: TimerKey = TimerKey(1);
    /// Memory that a burst has left behind goes back to the kernel.
    pub(crate) const TRIM: TimerKey = TimerKey(2);
    /// A few more connections are told to go.
    pub(crate) const DRAIN_SLICE: TimerKey = TimerKey(3);
    const FIXED: u32 = 4;

    /// The timer of the connection in `slot`.
    pub(crate) fn conn(slot: u32) -> TimerKey {
        TimerKey(FIXED + slot)
    }

    /// The slot whose timer this is.
    pub(crate) fn slot(key: TimerKey) -> Option<u32> {
        key.0.checked_sub(FIXED)
    }
}

/// A listening socket.
pub(super) struct Listener {
    /// Where it listens, with the real port: also where it is opened again.
    pub(super) endpoint: Endpoint,
    /// What its connections may join.
    pub(super) doors: Doors,
    /// What its connections show of themselves first.
    pub(super) tls: Option<TlsServer>,
    /// `None` while refusing, and once draining.
    pub(super) acceptor: Option<Acceptor>,
    /// Connections may be waiting in the kernel although no event will tell.
    pub(super) waiting: bool,
    /// It is on the again-queue, once.
    pub(super) queued: bool,
    /// Whose its socket is; beside `Alone` the crew says whether it `is_watched`.
    pub(super) owner: Owner,
    pub(super) is_watched: bool,
    /// The first listener of the same endpoint, if this is another socket of it.
    pub(super) twin_of: Option<u16>,
}

impl Listener {
    /// A listener that is yet to be opened.
    pub(super) fn new(endpoint: Endpoint, doors: Doors, tls: Option<TlsServer>) -> Listener {
        Listener {
            endpoint,
            doors,
            tls,
            acceptor: None,
            waiting: false,
            queued: false,
            owner: Owner::Alone,
            is_watched: false,
            twin_of: None,
        }
    }
}

/// See the module's header.
pub(super) struct Worker<S: Service> {
    pub(super) limits: Limits,
    pub(super) admission: Admission,
    pub(super) conns: Conns<S::State>,
    pub(super) listeners: Vec<Listener>,
    /// Every service with its connections. A session's route is a place in it.
    pub(super) channels: Vec<Channel<S>>,
    /// False only if no channel has mail, or connections that wait for its end. Always true if
    /// there are siblings, from whom some may come: so a worker alone is not asked for them.
    pub(super) mail_waits: bool,
    pub(super) datagrams: Vec<DatagramSocket<S>>,
    /// What one read brings.
    pub(super) read: Box<[u8; READ_BYTES]>,
    /// What sessions work with.
    pub(super) desk: Desk,
    /// Ciphertext on its way. Empty while no connection has TLS.
    pub(super) tls: TlsScratch,
    /// For datagram sockets, if there are any.
    pub(super) batch: Option<Batch>,
    pub(super) metrics: Metrics,
    /// For the calendar; the time is in the turn.
    pub(super) clock: Clock,
    pub(super) control: Control,
    /// Its siblings, if it has any.
    pub(super) crew: Option<Box<Crew>>,
    pub(super) draining: Option<Draining>,
    /// Descriptors open for other things than sockets and the spare: standard streams, epoll, …
    pub(super) fixed_descriptors: usize,
    /// Drops of datagram sockets that are closed by now.
    pub(super) kernel_drops_before: u64,
    /// An open descriptor of no use but to be closed when no other is left. `None` while it is.
    pub(super) spare: Option<File>,
    /// The last `accept` found no descriptor, and the log has been told.
    pub(super) is_starved: bool,
    /// Where the search for an idle connection goes on.
    pub(super) evict_hand: usize,
}

impl<S: Service> Handler for Worker<S> {
    fn spun(&mut self, has_found: bool) {
        self.metrics.spins_found += u64::from(has_found);
        self.metrics.spins_in_vain += u64::from(!has_found);
    }

    fn control(&mut self, cx: &mut Cx, index: u16) {
        self.on_control(cx, index);
    }

    #[inline(always)]
    fn ready(&mut self, cx: &mut Cx, id: ConnId, readiness: Readiness) {
        self.on_ready(cx, id, readiness);
    }

    fn datagram(&mut self, cx: &mut Cx, index: u16, readiness: Readiness) {
        self.on_datagrams(cx, index, readiness);
    }

    fn accept(&mut self, cx: &mut Cx, index: u16) {
        self.on_accept(cx, index);
    }

    #[inline(never)]
    fn timer(&mut self, cx: &mut Cx, key: TimerKey) {
        match (key, timers::slot(key)) {
            (timers::DRAIN, _) => self.cut_off(cx),
            (timers::DRAIN_SLICE, _) => self.tell(cx),
            (timers::ACCEPT_RETRY, _) => self.retry_accepts(cx),
            (timers::TRIM, _) => {
                self.desk.deflate.trim();
                sys::process::trim_memory();
                self.desk.pool.trimmed();
            }
            (_, Some(slot)) => self.on_conn_timer(cx, slot),
            (_, None) => {}
        }
    }

    fn mail(&mut self, cx: &mut Cx) -> bool {
        self.mail_waits && self.deliver_mail(cx)
    }

    fn turn_end(&mut self, cx: &mut Cx) -> ControlFlow<()> {
        self.metrics.turns += 1;
        let Desk { pool, deflate, .. } = &self.desk;
        if (pool.is_grown() | deflate.is_grown()) && !cx.timers.is_armed(timers::TRIM) {
            cx.timers.arm(timers::TRIM, cx.now.plus_ms(TRIM_AFTER_MS));
        }
        match self.draining {
            Some(_) => self.go_on_draining(cx),
            None => ControlFlow::Continue(()),
        }
    }
}

impl<S: Service> Worker<S> {
    /// Lets the cap follow the limit of open files.
    pub(super) fn reread_limit(&mut self, cx: &mut Cx) {
        if self.admission.reread(cx.now) {
            tracing::info!("{}", self.admission.describe());
            self.room(cx);
        }
    }

    /// The timer of a connection: something is due, unless it was active since it was armed.
    fn on_conn_timer(&mut self, cx: &mut Cx, slot: u32) {
        let Some((id, conn)) = self.conns.at(slot) else { return };
        let expiry = match conn.phase {
            Phase::Open => conn.session.expiry(conn.last_active, &self.desk.limits),
            // A peer that ended by itself may take its time to read; one that we end has less.
            Phase::Flushing(CloseReason::PeerClosed) => {
                let due = conn.session.patience(conn.last_active, &self.desk.limits);
                due.map(|due| (due, Expiry::Idle))
            }
            Phase::Flushing(_) | Phase::Lingering(_) => {
                Some((conn.last_active.plus_ms(self.limits.linger_ms), Expiry::Idle))
            }
        };
        let phase = conn.phase;
        match expiry {
            None => {}
            // Sleep for the rest (the lazy re-arm of the wheel).
            Some((due, expiry)) if due > cx.now => {
                arm_for(cx, slot, due, expiry, &self.desk.limits)
            }
            Some((_, expiry)) => match phase {
                Phase::Open => self.expire(cx, id, expiry),
                Phase::Flushing(CloseReason::PeerClosed) => {
                    self.close(cx, id, CloseReason::IdleTimeout);
                }
                Phase::Flushing(reason) | Phase::Lingering(reason) => self.close(cx, id, reason),
            },
        }
    }
}
