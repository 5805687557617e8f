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

use super::fates::{Fate, Phase};
use super::in_flight::Stamp;
use super::keys::Keys;
use super::pacer::Pacer;
use super::pattern::{Pattern, SPAN_BYTES};
use super::report::{Messages, OfSize, Paced};
use super::series::Series;
use super::shape::{Announcement, Churn, Fan, Idle, Shape};
use super::sizes::Sizes;
use super::sources::Sources;
use super::speech::{Requests, websocket_limits};
use super::{LoadError, Scenario};
use crate::buf::Pool;
use crate::clock::{Clock, Time};
use crate::net::{Dialect, Target, TlsClient, TlsScratch, Trust};
use crate::proto::ws::{Assembly, deflate};
use crate::reactor::{ConnId, Cx, Readiness, TimerKey};
use std::net::IpAddr;
use std::ops::ControlFlow::{self, Continue};

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

/// What a connection may take of the messages that are in line.
#[derive(Clone, Copy)]
pub(super) struct Share {
    /// At most so many.
    pub(super) messages: u64,
    /// Since when the connection could have taken one.
    pub(super) free_since: Time,
}

/// One connection.
pub(super) trait Client: Sized {
    /// Begins to connect and registers the socket. The timer is the caller's to arm.
    fn open(id: ConnId, shared: &mut Shared, cx: &mut Cx) -> Opened<Self>;
    /// The socket is ready, or asked to be looked at again.
    fn ready(&mut self, id: ConnId, ready: Readiness, shared: &mut Shared, cx: &mut Cx) -> Life;
    /// Time has passed: is it over? If not, when to look again, if ever.
    fn look(&mut self, id: ConnId, shared: &mut Shared, cx: &Cx) -> Life<Option<Time>>;
    /// Keep `depth` messages in flight from now on. The caller looks at it afterwards.
    fn begin(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx) -> Life;
    /// It can take a message at once.
    fn has_room(&self, id: ConnId, shared: &Shared) -> bool;
    /// At a constant rate, where it [has room](Client::has_room): takes its share of what is in
    /// line, and sends it. The caller sees to it that its timer runs.
    fn send_due(&mut self, id: ConnId, share: Share, shared: &mut Shared, cx: &mut Cx) -> Life;
    /// Asks whether the server is still there, if it is time for that.
    fn ping(&mut self, _id: ConnId, _shared: &mut Shared, _cx: &mut Cx) -> Life {
        Continue(())
    }
    /// Nothing keeps it from sending at once.
    fn may_send(&self) -> bool {
        true
    }
    /// A message is about to come that another connection sends. There is room for it.
    fn expect(&mut self, _stamp: Stamp) {}
    /// Says something to all.
    fn announce(
        &mut self,
        _id: ConnId,
        _what: Announcement,
        _shared: &mut Shared,
        _cx: &mut Cx,
    ) -> Life {
        Continue(())
    }
    /// The run is over: says goodbye. Whether that is to be answered; until then it is not over.
    fn leave(&mut self, _id: ConnId, _shared: &mut Shared, _cx: &mut Cx) -> Life<bool> {
        Continue(false)
    }
    /// What has become of it if it was waited for long enough.
    fn overdue(&self) -> Fate {
        Fate::Hung
    }
    /// It is over: says so where the protocol wants it, gives back what it holds of what is shared.
    fn release(&mut self, _id: ConnId, _shared: &mut Shared, _cx: &mut Cx) {}
    /// It was answered at least once: it is served, and not just waiting in a queue.
    fn is_settled(&self) -> bool;
    /// Messages sent that are neither answered nor lost.
    fn in_flight(&self) -> u64;
    /// One of them has begun to be answered, and wrongly.
    fn is_damaged(&self) -> bool {
        false
    }
    /// What it is doing.
    fn phase(&self, id: ConnId, shared: &Shared) -> Phase;
}

/// Bytes that unfinished answers and unsent messages of all connections may take.
const BUFFERS_BYTES_MAX: u64 = 4 << 30;

/// What the connections of a run have to say: the bytes of their messages, in one endless row.
pub(super) struct Words {
    pub(super) pattern: Pattern,
    /// What each connection sends in place of the pattern; then any answer is right.
    pub(super) ask: Option<Vec<u8>>,
    /// Bytes of a message; of the largest.
    pub(super) size_bytes: u64,
    pub(super) sizes: Sizes,
}

impl Words {
    /// What connection `id` has to send at a position of its stream; never empty.
    pub(super) fn at(&self, id: ConnId, position: u64) -> &[u8] {
        match &self.ask {
            Some(ask) => &ask[(position % self.size_bytes) as usize..],
            None => self.pattern.at(id.slot, position),
        }
    }

    /// Where message `number` of connection `id` begins in its stream.
    #[inline]
    pub(super) fn begin(&self, id: ConnId, number: u64) -> u64 {
        self.sizes.begin(id, number)
    }

    /// Whether `bytes` are what connection `id` has sent from `position` on.
    #[inline]
    pub(super) fn matches(&self, id: ConnId, position: u64, bytes: &[u8]) -> bool {
        if bytes.len() <= SPAN_BYTES {
            return *bytes == self.at(id, position)[..bytes.len()];
        }
        self.matches_all(id, position, bytes)
    }

    #[inline(never)]
    fn matches_all(&self, id: ConnId, position: u64, bytes: &[u8]) -> bool {
        let mut begin = position;
        bytes.chunks(SPAN_BYTES).all(|chunk| {
            let expected = &self.at(id, begin)[..chunk.len()];
            begin += chunk.len() as u64;
            chunk == expected
        })
    }
}

/// What is counted.
pub(super) struct Tally {
    pub(super) messages: Messages,
    /// HTTP: responses by status, up to 999.
    pub(super) statuses: Box<[u64]>,
    /// Connections that were opened in place of one that was ended in agreement.
    pub(super) reopened: u64,
    pub(super) backlog_full: u64,
    /// WebSockets that agreed to compress.
    pub(super) deflate_agreed: u64,
    /// From when messages were due to their answers, and the measured time row by row.
    pub(super) series: Series,
    /// At a constant rate, what that leaves out.
    pub(super) paced: Option<Paced>,
    /// With a mix, the answers by size.
    pub(super) sizes: Vec<OfSize>,
}

impl Tally {
    pub(super) fn new(series: Series, mix: &[(usize, u64)]) -> Tally {
        let statuses = vec![0; 1000].into_boxed_slice();
        let messages = Messages::default();
        let sizes = mix.iter().map(|&(size, weight)| OfSize::new(size as u64, weight)).collect();
        Tally {
            messages,
            statuses,
            reopened: 0,
            backlog_full: 0,
            deflate_agreed: 0,
            series,
            paced: None,
            sizes,
        }
    }

    /// The measured time begins.
    pub(super) fn begin(&mut self) {
        self.series.forget();
        self.sizes.iter_mut().for_each(|it| it.latency_us.reset());
    }

    /// Books the answers to `count` messages that began together.
    #[inline]
    pub(super) fn count_answers(&mut self, count: u64, right: bool, stamp: Stamp, now: Time) {
        if right {
            self.messages.received += count;
            self.series.record(ns(stamp.due_at, now), count);
            if let Some(paced) = &mut self.paced {
                paced.service.saturating_record_n(ns(stamp.sent_at, now), count);
            }
        } else {
            self.messages.wrong += count;
        }
    }

    /// Books the right answer to a message of one of several sizes.
    #[inline(never)]
    pub(super) fn count_size(&mut self, class: usize, stamp: Stamp, now: Time) {
        self.sizes[class].latency_us.record(stamp.due_at, now);
    }

    /// Books the status of a response.
    pub(super) fn count_status(&mut self, status: u16) {
        if let Some(count) = self.statuses.get_mut(usize::from(status)) {
            *count += 1;
        }
    }
}

fn ns(from: Time, until: Time) -> u64 {
    until.as_ns().saturating_sub(from.as_ns())
}

/// What the clients of a run share.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) words: Words,
    pub(super) target: Target,
    /// What an HTTP client asks for.
    pub(super) requests: Requests,
    /// Makes the TLS of each connection, if they have some.
    pub(super) secure: Option<TlsClient>,
    sources: Sources,
    pub(super) depth: u64,
    pub(super) connect_timeout_ms: u64,
    pub(super) answer_timeout_ms: u64,
    /// WebSockets send back what comes, and ask nothing.
    pub(super) mirror: bool,
    /// After the first answer connections are kept open and silent.
    pub(super) hold: bool,
    /// An answer is followed by the next message. False while connecting, holding and ending.
    pub(super) sends: bool,
    /// A connection that the server ended in agreement is opened anew even if it owes nothing:
    /// there will be something to send. False while holding and ending.
    pub(super) reopens: bool,
    /// Sockets come and go.
    pub(super) churn: Option<Churn>,
    /// Connections are held, and pinged.
    pub(super) idle: Option<Idle>,
    /// One connection sends, all receive.
    pub(super) fan: Option<Fan>,
    /// What a read brought, or a datagram to send; nobody's between two events.
    pub(super) scratch: Vec<u8>,
    /// What one connection has to send; empty between two events.
    pub(super) out: Vec<u8>,
    /// What is half received or half sent.
    pub(super) pool: Pool,
    /// Ciphertext on its way.
    pub(super) tls: TlsScratch,
    pub(super) assembly: Assembly,
    /// What WebSockets compress with, and inflate.
    pub(super) deflate: deflate::Shared,
    /// What they offer for that; nothing if they do not.
    pub(super) offer: Vec<u8>,
    pub(super) keys: Keys,
    pub(super) tally: Tally,
    /// When messages are due, once a run at a constant rate measures; then `sends` is false.
    pub(super) pacer: Option<Pacer>,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
}

impl Shared {
    pub(super) fn new(scenario: &Scenario, clock: Clock) -> Result<Shared, LoadError> {
        let target = scenario.target.clone();
        let address = &target.address;
        let series = Series::new(address, scenario.duration_ms);
        let size_bytes = match &scenario.ask {
            Some(ask) => ask.len() as u64,
            None => scenario.mix.iter().map(|it| it.0).max().unwrap_or(scenario.size_bytes) as u64,
        };
        let sizes = match &scenario.mix[..] {
            [] => Sizes::one(size_bytes),
            mix => Sizes::mixed(mix, scenario.seed),
        };
        let pattern = Pattern::new(scenario.deflate || scenario.shape == Shape::Fan);
        let ask = scenario.ask.clone();
        let churn = match scenario.shape {
            Shape::Churn { messages } => Some(Churn::new(messages, scenario.connections)),
            _ => None,
        };
        let idle = match scenario.shape {
            Shape::Idle { ping_every_ms } => Some(Idle::new(ping_every_ms, scenario.connections)),
            _ => None,
        };
        let fan =
            (scenario.shape == Shape::Fan).then(|| Fan::new(scenario, clock.unix_ms(clock.now())));
        let hold = scenario.hold || idle.is_some();
        let sources = &scenario.sources;
        let (deflate, mut offer) = (deflate::Shared::offering(scenario.deflate), Vec::new());
        deflate.offer(&mut offer);
        Ok(Shared {
            clock,
            sources: Sources::plan(address, scenario.connections, sources, churn.is_some())?,
            requests: Requests::new(&target, scenario.method, sizes.classes()),
            secure: secure(&target, scenario.trust.as_ref())?,
            target,
            depth: u64::from(scenario.depth),
            connect_timeout_ms: scenario.connect_timeout_ms,
            answer_timeout_ms: scenario.answer_timeout_ms,
            mirror: scenario.mirror,
            hold,
            sends: false,
            reopens: !hold,
            churn,
            idle,
            fan,
            scratch: vec![0; SPAN_BYTES],
            out: Vec::with_capacity(2 * SPAN_BYTES),
            pool: Pool::new(BUFFERS_BYTES_MAX),
            tls: Default::default(),
            offer,
            deflate,
            assembly: Assembly::new(websocket_limits(size_bytes)),
            keys: Keys::new(),
            tally: Tally::new(series, &scenario.mix),
            words: Words { pattern, ask, size_bytes, sizes },
            pacer: None,
            bytes_sent: 0,
            bytes_received: 0,
        })
    }

    /// Takes the first message of the line, if one is due, for a connection that was free since
    /// then: when it was due. The server is not to blame for what has passed since both.
    pub(super) fn take_due(&mut self, now: Time, free_since: Time) -> Option<Time> {
        let due = self.pacer.as_mut()?.take(now)?;
        if let Some(paced) = &mut self.tally.paced {
            paced.lateness.saturating_record(ns(due.max(free_since), now));
        }
        Some(due)
    }

    /// Connection `id` is about to connect, and its first message there has this number. The
    /// address that it comes from, unless the system chooses.
    pub(super) fn connects(&mut self, id: ConnId, first: u64, now: Time) -> Option<IpAddr> {
        let turn = match &mut self.churn {
            Some(churn) => churn.connects(id, first, now),
            None => id.slot,
        };
        self.sources.of(turn)
    }
}

/// What makes the TLS of connections to `target`, if it wants some.
fn secure(target: &Target, trust: Option<&Trust>) -> Result<Option<TlsClient>, LoadError> {
    let (true, Some(trust)) = (target.is_secure, trust) else { return Ok(None) };
    let alpn: &[&[u8]] = match target.dialect {
        Dialect::Bytes => &[],
        Dialect::WebSocket | Dialect::Http => &[b"http/1.1"],
    };
    let made = TlsClient::new(target.host_name(), trust, alpn);
    made.map(Some).map_err(|error| LoadError::Usage(format!("{target}: {error}")))
}

/// The timer of a connection. The numbers below are the handler's own.
pub(super) fn timer_of(id: ConnId) -> TimerKey {
    TimerKey(id.slot + OWN_TIMERS)
}

/// Timers that belong to the run and to no connection.
pub(super) const OWN_TIMERS: u32 = 5;
