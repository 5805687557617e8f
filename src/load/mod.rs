//! The load generator: drives a server and tells what its clients saw.
//!
//! **What.** A [`Scenario`] says what to do, [`run`] does it on a [`Reactor`] of its own, a
//! [`Report`] says what came of it. Messages are echoed in a closed loop: each connection keeps
//! `depth` of them in flight; or at a constant rate, whatever the server does. Connections stay, or
//! come and go, or are silent, or one sends for all ([`Shape`]). Every byte that comes back is
//! compared. They go over TCP, UDP, a Unix socket, WebSocket or HTTP; under TLS if wanted.
//!
//! **Why this way.** It is the second handler of the same reactor, so the generator is no other
//! network stack than the server, and costs about the same a message. What most generators leave
//! out is the point of this one: wrong bytes, connections that hang, and who was told why. A closed
//! loop sends nothing while it waits, so its latencies do not show how long a queue would grow
//! (coordinated omission): what it measures is what the server answers when asked politely. At a
//! rate a message is due at its time and its latency counts from then. A run that tells more of the
//! generator than of the server says so (`src/load/validity.rs`).
//!
//! **Costs.** One thread; one read and one write an event; no allocation once all are connected.
//!
//! **Read next.** `src/load/stream.rs` for one connection, `src/load/speech.rs` for what it says,
//! `src/load/handler.rs` for all of them.

mod client;
mod datagram;
mod fates;
mod handler;
mod in_flight;
mod keys;
mod limit;
mod pacer;
mod pattern;
mod report;
mod series;
mod shape;
mod share;
mod sizes;
mod sources;
mod speech;
mod stops;
mod stream;
mod times;
mod validity;

pub use fates::{Connections, Phases};
pub use limit::Limit;
pub use report::{Messages, OfSize, Paced, Report, field};
pub use series::Row;
pub use shape::{ChurnFigures, FanFigures, Figures, IdleFigures, PING_EVERY_MS_MAX, Shape};
pub use share::Share;
pub use times::Times;

use crate::net::{Address, Dialect, Target, Trust};
use crate::proto::http1::Method;
use crate::proto::ws::deflate;
use crate::reactor::Reactor;
use crate::sys::{process, rlimit};
use client::Client;
use datagram::{DATAGRAM_BYTES_MAX, DatagramClient, HEADER_BYTES};
use handler::Load;
use serde::{Deserialize, Serialize};
use speech::Requests;
use std::net::IpAddr;
use std::time::Duration;
use std::{fmt, io};
use stream::StreamClient;

/// Descriptors beside the connections and what is open already: epoll, signals, standard input, a
/// report to write.
const RESERVE_FDS: u64 = 8;
/// Messages of all connections that may be in flight: their times are kept, 16 bytes each.
pub const IN_FLIGHT_MAX: u64 = 1 << 24;

/// Bytes of a message unless that is said.
const SIZE_BYTES: usize = 64;

/// What to do.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Whom to load, and in what protocol.
    pub target: Target,
    /// Connections to open; at least 1.
    pub connections: u32,
    /// Connections to open a second; 1 to 10,000,000. `None`: as fast as they are answered.
    pub connect_rate_per_s: Option<u64>,
    /// Bytes of a message; at least 1, over UDP 16 to 65,507.
    pub size_bytes: usize,
    /// Messages of several sizes in place of that, each with its weight. Empty: all are alike.
    pub mix: Vec<(usize, u64)>,
    /// What the order of the sizes is made from.
    pub seed: u64,
    /// Messages in flight on each connection; at least 1.
    pub depth: u32,
    /// Messages a second over all connections, each sent when it is due and not when the one before
    /// is answered; 1 to 10,000,000. `None`: a closed loop.
    pub rate_per_s: Option<u64>,
    /// At a constant rate: the first message is due so long after the measured time began. For one
    /// process of several, whose schedules lie between each other.
    pub first_due_ns: u64,
    /// What connections do.
    pub shape: Shape,
    /// How long to measure, or to hold, once the fate of every connection is known.
    pub duration_ms: u64,
    /// A connection that is not established after so long has timed out.
    pub connect_timeout_ms: u64,
    /// A connection that owes an answer and is silent for so long is hung.
    pub answer_timeout_ms: u64,
    /// Addresses to connect from, in turn. Empty: the system's choice, and on loopback a rotation
    /// if there are more connections than one address carries well.
    pub sources: Vec<IpAddr>,
    /// After the first answer keep the connections open and silent.
    pub hold: bool,
    /// With `hold`: ask with these bytes, for servers that do not echo. Whatever comes back is the
    /// answer, unless it is a refusal. `None`: `size_bytes` of noise, to be echoed.
    pub ask: Option<Vec<u8>>,
    /// Over HTTP: the method. POST, PUT and PATCH send `size_bytes`, which must come back from a
    /// path that ends in `/echo`.
    pub method: Method,
    /// Over WebSocket, with `hold`: do not ask but send back what comes, until the server closes.
    pub mirror: bool,
    /// Over WebSocket: offer permessage-deflate, and send what can be compressed.
    pub deflate: bool,
    /// Under TLS: which certificates are good. Must be said.
    pub trust: Option<Trust>,
    /// SIGINT and SIGTERM end the run, not the process. They stay blocked in the calling thread.
    pub stop_on_signal: bool,
    /// The end of standard input ends the run.
    pub stop_on_stdin_end: bool,
    /// With `stop_on_stdin_end`: the measured time begins when a byte comes on standard input, and
    /// not when the fate of every connection is known.
    pub begin_on_stdin: bool,
}

impl Scenario {
    /// 100 connections, 64 bytes, one message in flight, 10 seconds. HTTP asks with GET.
    pub fn new(target: impl Into<Target>) -> Scenario {
        Scenario {
            target: target.into(),
            connections: 100,
            connect_rate_per_s: None,
            size_bytes: SIZE_BYTES,
            mix: Vec::new(),
            seed: 1,
            depth: 1,
            rate_per_s: None,
            first_due_ns: 0,
            shape: Shape::Keep,
            duration_ms: 10_000,
            connect_timeout_ms: 5_000,
            answer_timeout_ms: 5_000,
            sources: Vec::new(),
            hold: false,
            ask: None,
            method: Method::Get,
            mirror: false,
            deflate: false,
            trust: None,
            stop_on_signal: false,
            stop_on_stdin_end: false,
            begin_on_stdin: false,
        }
    }

    /// What the user should know before the run, if anything: where ports will be short, or that
    /// what he asked for has no say.
    pub fn advice(&self) -> Option<String> {
        let churns = matches!(self.shape, Shape::Churn { .. });
        let (target, in_plain) = (&self.target, !self.target.is_secure);
        if let Some(trust) = self.trust.as_ref().filter(|_| in_plain) {
            let flag = if *trust == Trust::Anybody { "tls-insecure" } else { "tls-ca" };
            return Some(format!(
                "{flag}: {target} is not under TLS, so nothing is encrypted; write tls://, wss:// \
                 or https://"
            ));
        }
        if !self.is_http() && self.method != Method::Get {
            let method = self.method.name();
            return Some(format!("method {method}: has no say at {target}, which is not HTTP"));
        }
        if self.is_http() && !self.method.has_body() && self.size_bytes != SIZE_BYTES {
            return Some(format!(
                "size {}: a {} request has no body, so it has no say; --method POST has one",
                self.size_bytes,
                self.method.name()
            ));
        }
        sources::advice(target, self.connections, &self.sources, churns)
    }

    /// It speaks HTTP.
    pub fn is_http(&self) -> bool {
        self.target.dialect == Dialect::Http
    }

    /// Bytes of a message, of several sizes the largest; 0 if it is a request without a body.
    pub fn message_bytes(&self) -> u64 {
        match (&self.ask, self.is_http()) {
            (Some(ask), _) => ask.len() as u64,
            (None, true) if !self.method.has_body() => 0,
            (None, _) => {
                let largest = self.mix.iter().map(|(size, _)| *size).max();
                largest.unwrap_or(self.size_bytes) as u64
            }
        }
    }

    /// Whether answers must be what was sent.
    pub fn is_echo(&self) -> bool {
        let target = &self.target;
        match target.dialect {
            Dialect::Bytes | Dialect::WebSocket => self.ask.is_none(),
            Dialect::Http => Requests::is_echo(target, self.method),
        }
    }

    fn check(&self) -> Result<(), LoadError> {
        let at_least_one = [
            ("connections", u64::from(self.connections)),
            ("size", self.size_bytes as u64),
            ("depth", u64::from(self.depth)),
            ("duration", self.duration_ms),
            ("connect-timeout", self.connect_timeout_ms),
            ("answer-timeout", self.answer_timeout_ms),
        ];
        if let Some((name, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return usage(format!("{name} 0: must be at least 1 (times: 1 ms)"));
        }
        let is_udp = matches!(self.target.address, Address::Udp(_));
        let is_stream = self.target.dialect == Dialect::Bytes && !is_udp;
        let asks_alone = self.hold && self.depth == 1 && is_stream;
        if self.ask.as_ref().is_some_and(|ask| ask.is_empty() || !asks_alone) {
            return usage(
                "ask: one question to a server that does not echo: give it some text, with --hold, \
                 a depth of 1, over TCP or a unix socket"
                    .to_owned(),
            );
        }
        if self.mirror && !(self.hold && self.target.dialect == Dialect::WebSocket) {
            return usage(
                "mirror: sends back what comes over a WebSocket: use it with ws://".into(),
            );
        }
        self.check_rates()?;
        self.shape.check(self)?;
        sizes::check(self)?;
        if self.deflate && self.target.dialect != Dialect::WebSocket {
            return usage("deflate: compresses messages of a WebSocket: use it with ws://".into());
        }
        if self.deflate && !deflate::IS_BUILT_IN {
            return usage("deflate: this oneloop was built without the feature `deflate`".into());
        }
        if self.target.is_secure && self.trust.is_none() {
            return usage(format!(
                "{}: whom to trust? Give --tls-ca FILE (the server's certificate, or who signed \
                 it; on Debian everybody's is /etc/ssl/certs/ca-certificates.crt), or \
                 --tls-insecure",
                self.target
            ));
        }
        if u64::from(self.connections) > IN_FLIGHT_MAX {
            return usage(format!("connections {}: use at most {IN_FLIGHT_MAX}", self.connections));
        }
        let in_flight = u64::from(self.connections) * u64::from(self.depth);
        if in_flight > IN_FLIGHT_MAX {
            return usage(format!(
                "depth {}: {in_flight} messages in flight are more than {IN_FLIGHT_MAX}; with {} \
                 connections use a depth of at most {}",
                self.depth,
                self.connections,
                IN_FLIGHT_MAX / u64::from(self.connections)
            ));
        }
        let datagram = HEADER_BYTES..=DATAGRAM_BYTES_MAX;
        if is_udp && !datagram.contains(&self.size_bytes) {
            return usage(format!(
                "size {}: over UDP a message carries its number and is one datagram: use \
                 {HEADER_BYTES} to {DATAGRAM_BYTES_MAX} bytes",
                self.size_bytes
            ));
        }
        Ok(())
    }

    fn check_rates(&self) -> Result<(), LoadError> {
        if self.rate_per_s.is_some_and(|rate| self.hold || !(1..=pacer::RATE_MAX).contains(&rate)) {
            return usage(format!(
                "rate {}: use 1 to {} messages a second, and not with --hold, which sends one each",
                self.rate_per_s.unwrap_or_default(),
                pacer::RATE_MAX
            ));
        }
        let no_rate = |rate: &u64| !(1..=pacer::RATE_MAX).contains(rate);
        if let Some(rate) = self.connect_rate_per_s.filter(no_rate) {
            return usage(format!("connect-rate {rate}: use 1 to {} a second", pacer::RATE_MAX));
        }
        Ok(())
    }
}

/// Why a run did not take place.
#[derive(Debug)]
pub enum LoadError {
    /// The scenario asks for what cannot be; the text names the setting, the reason and the fix.
    Usage(String),
    /// The system refused something that the run cannot do without.
    System(io::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Usage(text) => f.write_str(text),
            LoadError::System(error) => write!(f, "the system refused: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> LoadError {
        LoadError::System(error)
    }
}

fn usage<T>(text: String) -> Result<T, LoadError> {
    Err(LoadError::Usage(text))
}

/// Where a run stands. The order is that of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// Connections are being opened, or wait for their first answer.
    Opening,
    /// The fate of every connection is known; others are waited for (`begin_on_stdin`).
    Ready,
    /// The fate of every connection is known; they send, and are measured.
    Measuring,
    /// The fate of every connection is known; they are kept open (`hold`, idle).
    Holding,
    /// Nothing more is due: what waits in line is sent, and the last answers are waited for.
    Ending,
    /// The connections take leave, where the protocol wants it.
    Closing,
    /// Nothing more is to come.
    Over,
}

/// News of a run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// Where the run stands.
    pub stage: Stage,
    /// Time since the start; once the measured time has begun, since then.
    pub elapsed: Duration,
    /// Connections that are open and were answered.
    pub connected: u64,
    /// Connections that are not answered yet.
    pub waiting: u64,
    /// Connections that ended, and messages wrong or lost.
    pub errors: u64,
    /// Right answers a second since the last news.
    pub rate_per_s: f64,
    /// 99 of 100 answers took no longer, in microseconds, from the moment the message was due.
    pub p99_us: f64,
    /// At a constant rate: the same from the moment it was sent.
    pub service_p99_us: Option<f64>,
    /// Messages that are due and wait for a connection.
    pub in_line: u64,
    /// Sockets that took the place of others, a second since the last news.
    pub reopened_per_s: f64,
    /// What stopped connections, if something did.
    pub limit: Option<Limit>,
}

impl Snapshot {
    /// News of two processes as one: counts and rates add up, and the stage is that of the one
    /// which is behind. Of percentiles the larger is told: the one of all answers is not above it.
    #[must_use]
    pub fn with(self, other: Snapshot) -> Snapshot {
        let larger = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
        Snapshot {
            stage: self.stage.min(other.stage),
            elapsed: self.elapsed.max(other.elapsed),
            connected: self.connected + other.connected,
            waiting: self.waiting + other.waiting,
            errors: self.errors + other.errors,
            rate_per_s: self.rate_per_s + other.rate_per_s,
            p99_us: self.p99_us.max(other.p99_us),
            service_p99_us: larger(self.service_p99_us, other.service_p99_us),
            in_line: self.in_line + other.in_line,
            reopened_per_s: self.reopened_per_s + other.reopened_per_s,
            limit: self.limit.or(other.limit),
        }
    }
}

/// Watches a run. `()` does not.
pub trait Observer {
    /// How often it wants news.
    fn interval(&self) -> Option<Duration> {
        None
    }
    /// News.
    fn news(&mut self, _news: &Snapshot) {}
    /// The fate of every connection is known; the figures so far.
    fn settled(&mut self, _report: &Report) {}
}

impl Observer for () {}

/// Runs a scenario to its end. Raises the soft limit of open files to the hard one.
///
/// # Errors
/// [`LoadError`]: nothing was sent. What happens to the connections is no error but the report.
pub fn run(scenario: &Scenario, observer: &mut dyn Observer) -> Result<Report, LoadError> {
    check(scenario)?;
    match scenario.target.address {
        Address::Udp(_) => drive::<DatagramClient>(scenario, observer),
        Address::Tcp(_) | Address::Unix(_) => drive::<StreamClient>(scenario, observer),
    }
}

/// Whether [`run`] would take place here, before anything is done.
///
/// # Errors
/// As of [`run`].
pub fn check(scenario: &Scenario) -> Result<(), LoadError> {
    scenario.check()?;
    sources::check(&scenario.sources)?;
    make_room(u64::from(scenario.connections))
}

fn drive<C: Client>(scenario: &Scenario, observer: &mut dyn Observer) -> Result<Report, LoadError> {
    let timers = scenario.connections + client::OWN_TIMERS;
    let mut reactor = Reactor::new(timers as usize)?;
    let clock = reactor.clock();
    let mut load: Load<C> = Load::new(scenario, observer.interval(), clock, reactor.cx())?;
    loop {
        let flow = reactor.turn(&mut load)?;
        if std::mem::take(&mut load.has_settled) {
            observer.settled(&load.report(scenario, clock.now()));
        }
        if std::mem::take(&mut load.ticked) {
            observer.news(&load.snapshot(clock.now()));
        }
        if flow.is_break() {
            return Ok(load.report(scenario, clock.now()));
        }
    }
}

/// Sees to it that every connection can have its descriptor, so that no run is done by halves.
fn make_room(connections: u64) -> Result<(), LoadError> {
    let limit = rlimit::nofile()?;
    if limit.soft < limit.hard {
        rlimit::set_nofile(rlimit::Rlimit { soft: limit.hard, hard: limit.hard })?;
    }
    let reserve = process::open_descriptors()? as u64 + RESERVE_FDS;
    if connections + reserve <= limit.hard {
        return Ok(());
    }
    let possible = limit.hard.saturating_sub(reserve);
    usage(format!(
        "connections {connections}: this process may open {} files, which leaves {possible} \
         connections; use -c {possible}, raise the limit (ulimit -Hn {}, as root) or use more \
         processes (--procs)",
        limit.hard,
        connections + reserve
    ))
}
