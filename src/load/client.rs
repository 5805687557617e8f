//! One connection as the generator sees it, whatever its transport.
//!
//! **What.** A [`Client`] is opened, told when its socket is ready and looked at when time has
//! passed; [`Shared`] is what all clients of a run use together.
//!
//! **Why this way.** The trait is what `handler.rs` needs to run ten thousand of something, so that
//! it holds no protocol; the run is generic over it, so calls are static. A client that is over
//! says so by `Break` with its [`Fate`], which `?` hands up from wherever it was found out.
//!
//! **Costs.** Nothing.
//!
//! **Read next.** `src/load/stream.rs`, `src/load/datagram.rs`, then `src/load/handler.rs`.

use super::fates::Fate;
use super::pattern::{Pattern, SPAN_BYTES};
use super::report::{Messages, latencies};
use super::sources::Sources;
use super::{LoadError, Scenario};
use crate::clock::{Clock, Time};
use crate::net::Address;
use crate::reactor::{ConnId, Cx, Readiness, TimerKey};
use hdrhistogram::Histogram;
use std::net::IpAddr;
use std::ops::ControlFlow;

/// Goes on, or is over.
pub(super) type Life<T = ()> = ControlFlow<Fate, T>;

/// What an attempt to open a client brought.
pub(super) enum Opened<C> {
    /// A client that is connecting.
    Client(C),
    /// None: it failed at once.
    Ended(Fate),
    /// None: the listener's queue is full, and no event will tell when there is room.
    Busy,
}

/// One connection.
pub(super) trait Client: Sized {
    /// Begins to connect and registers the socket. The timer is the caller's to arm.
    fn open(id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Opened<Self>;
    /// The socket is ready, or asked to be looked at again.
    fn ready(&mut self, id: ConnId, ready: Readiness, shared: &mut Shared, cx: &mut Cx<'_>)
    -> Life;
    /// Time has passed: is it over? If not, when to look again, if ever.
    fn look(&mut self, id: ConnId, shared: &mut Shared, now: Time) -> Life<Option<Time>>;
    /// Keep `depth` messages in flight from now on. The caller looks at it afterwards.
    fn begin(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Life;
    /// It was answered at least once: it is served, and not just waiting in a queue.
    fn is_settled(&self) -> bool;
    /// Messages sent that are neither answered nor lost.
    fn in_flight(&self) -> u64;
}

/// What the clients of a run share.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) pattern: Pattern,
    /// What each connection sends in place of the pattern; then any answer is right.
    pub(super) ask: Option<Vec<u8>>,
    pub(super) address: Address,
    sources: Sources,
    pub(super) size_bytes: u64,
    pub(super) depth: u64,
    pub(super) connect_timeout_ms: u64,
    pub(super) answer_timeout_ms: u64,
    /// An answer is followed by the next message. False while connecting, holding and ending.
    pub(super) sends: bool,
    /// What a read brought, or a datagram to send; nobody's between two events.
    pub(super) scratch: Vec<u8>,
    pub(super) messages: Messages,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    /// Nanoseconds from a message to its answer.
    pub(super) latency: Histogram<u64>,
}

impl Shared {
    pub(super) fn new(scenario: &Scenario, clock: Clock) -> Result<Shared, LoadError> {
        let address = scenario.address.clone();
        Ok(Shared {
            clock,
            pattern: Pattern::new(),
            ask: scenario.ask.clone(),
            sources: Sources::plan(&address, scenario.connections, &scenario.sources)?,
            address,
            size_bytes: scenario.ask.as_ref().map_or(scenario.size_bytes, Vec::len) as u64,
            depth: u64::from(scenario.depth),
            connect_timeout_ms: scenario.connect_timeout_ms,
            answer_timeout_ms: scenario.answer_timeout_ms,
            sends: false,
            scratch: vec![0; SPAN_BYTES],
            messages: Messages::default(),
            bytes_sent: 0,
            bytes_received: 0,
            latency: latencies(),
        })
    }

    /// What connection `id` has to send at a position of its stream; never empty.
    pub(super) fn outgoing(&self, id: ConnId, position: u64) -> &[u8] {
        match &self.ask {
            Some(ask) => &ask[(position % self.size_bytes) as usize..],
            None => self.pattern.at(id.slot, position),
        }
    }

    /// The address that connection `id` comes from, unless the system chooses.
    pub(super) fn source(&self, id: ConnId) -> Option<IpAddr> {
        self.sources.of(id.slot)
    }

    /// Books the answer to a message that was sent at `sent_at`.
    pub(super) fn count_answer(&mut self, right: bool, sent_at: Time, now: Time) {
        if right {
            self.messages.received += 1;
            self.latency.saturating_record(now.since(sent_at).as_nanos() as u64);
        } else {
            self.messages.wrong += 1;
        }
    }
}

/// The timer of a connection. The numbers below are the handler's own.
pub(super) fn timer_of(id: ConnId) -> TimerKey {
    TimerKey(id.slot + OWN_TIMERS)
}

/// Timers that belong to the run and to no connection.
pub(super) const OWN_TIMERS: u32 = 3;
