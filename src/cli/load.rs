//! `oneloop load`: flags, the run, what is printed.
//!
//! **What.** [`Load`] has the flags; [`Load::run`] runs and prints.
//!
//! **Why this way.** Results go to standard output and everything else to standard error, so that
//! `--json -` can be piped. What cannot work (a wrong flag, too few descriptors, a file that cannot
//! be written) fails before the first connection, with status 2.
//!
//! **Costs.** Nothing beside the run.
//!
//! **Read next.** `src/load/mod.rs`; `src/cli/load/render.rs`, `src/cli/load/progress.rs`.

mod find;
mod mix;
mod part;
pub(super) mod processes;
mod procs;
mod progress;
pub(super) mod render;
mod reuse;
mod runs;
mod shape;
mod spread;
mod start;
mod steps;

use super::{Failure, print};
use crate::load::{Figures, IN_FLIGHT_MAX, LoadError, Messages, Report, Scenario, Shape};
use crate::net::{Target, Trust, parse_bytes, unknown};
use crate::proto::http1::Method;
use crate::report::{self, Results, Run, Side};
use clap::builder::FalseyValueParser;
use find::Objective;
use mix::Mix;
use progress::Progress;
use shape::Shapes;
use spread::Spread;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Drive an echo server, or any HTTP server, and say what its clients saw.
///
/// Opens the connections, waits until the fate of each is known (answered, told why not, refused,
/// reset, closed, timed out, hung), then keeps messages going and coming on those that were
/// answered, and compares every byte that comes back.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Exit status: 0 if all went well; 1 if nothing connected, a wrong byte came back, every answer had \
a status of 400 or above, or the system refused; 2 if the command cannot work; 3 if nothing of \
that happened but the run is INVALID: its figures may be the generator's own.")]
pub(super) struct Load {
    /// Whom to load: tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH, ws://HOST[:PORT]/PATH or
    /// http://HOST[:PORT]/PATH; under TLS tls://, wss:// or https:// (see --tls-ca). All but http
    /// must echo; that is asked with --method
    #[arg(value_name = "URL", value_parser = target, env = "ONELOOP_LOAD_URL",
        hide_env_values = true)]
    url: Target,

    /// Connections to open. More than 12,000 to one loopback address come from several source
    /// addresses, because ports run short
    #[arg(short, long, value_name = "N", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=IN_FLIGHT_MAX as i64),
        env = "ONELOOP_LOAD_CONNECTIONS", hide_env_values = true)]
    connections: u32,

    /// Bytes of a message (64, 4KiB, 1M). Small ones show what a message costs, large ones what a
    /// byte costs. Over UDP 16 to 65507
    #[arg(long, value_name = "BYTES", default_value = "64", value_parser = bytes,
        env = "ONELOOP_LOAD_SIZE", hide_env_values = true)]
    size: usize,

    #[command(flatten)]
    mix: Mix,

    /// Messages in flight on each connection; over HTTP requests (pipelining). 1 measures a polite
    /// client; more fill the pipeline and show the highest rate, at the price of latency
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=65_536),
        env = "ONELOOP_LOAD_DEPTH", hide_env_values = true)]
    depth: u32,

    /// Messages a second, over all connections (500, 10k, 1M): each is sent when it is due and not
    /// when an answer came, waits if no connection is free, and its latency counts from when it was
    /// due. --depth is how many a connection may have in flight then. Without it: a closed loop,
    /// which sends nothing while it waits and so hides waiting
    #[arg(long, value_name = "N", value_parser = rate, env = "ONELOOP_LOAD_RATE",
        hide_env_values = true)]
    rate: Option<u64>,

    /// Several rates, one after the other, for --duration each: a row of the table for each of them
    /// (--steps 10k,20k,40k -d 10s)
    #[arg(long, value_name = "N,N", value_parser = rate, value_delimiter = ',',
        env = "ONELOOP_LOAD_STEPS", hide_env_values = true)]
    steps: Vec<u64>,

    /// Find the highest rate at which this is kept, and confirm it by three more runs: p50, p90,
    /// p99, p99.9 or max, below a time (p99<5ms); of the response, or where it says so of the
    /// service (service p99<1ms). Each run takes --duration; --rate is where it begins
    #[arg(long, value_name = "OBJECTIVE", value_parser = Objective::parse,
        conflicts_with_all = ["steps", "hold", "mirror"],
        env = "ONELOOP_LOAD_FIND", hide_env_values = true)]
    find: Option<Objective>,

    /// Open so many connections a second (500, 2k), for a server that is to see them come one by
    /// one. Without it: as fast as it answers them
    #[arg(long, value_name = "N", value_parser = rate, env = "ONELOOP_LOAD_CONNECT_RATE",
        hide_env_values = true)]
    connect_rate: Option<u64>,

    #[command(flatten)]
    shapes: Shapes,

    /// Over HTTP: GET, HEAD, DELETE and OPTIONS have no body; POST, PUT and PATCH bring --size
    /// bytes, which must come back from a path that ends in /echo
    #[arg(long, value_name = "METHOD", default_value = "GET", value_parser = method,
        env = "ONELOOP_LOAD_METHOD", hide_env_values = true)]
    method: Method,

    /// Under TLS: trust the certificates in this PEM file, and those signed by them. Without it no
    /// certificate is good: a load is for a server of one's own
    #[arg(long, value_name = "FILE", env = "ONELOOP_LOAD_TLS_CA", hide_env_values = true)]
    tls_ca: Option<PathBuf>,

    /// Under TLS: trust whoever answers. For a server with --tls-self-signed, and for nothing that
    /// is secret
    #[arg(long, value_parser = FalseyValueParser::new(),
        env = "ONELOOP_LOAD_TLS_INSECURE", hide_env_values = true)]
    tls_insecure: bool,

    /// How long to measure, once the fate of every connection is known (10s, 500ms, 1m)
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = time,
        env = "ONELOOP_LOAD_DURATION", hide_env_values = true)]
    duration: Duration,

    /// A connection that is not established after so long has timed out
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time,
        env = "ONELOOP_LOAD_CONNECT_TIMEOUT", hide_env_values = true)]
    connect_timeout: Duration,

    /// A connection that owes an answer and is silent for so long is hung; so is one whose first
    /// answer is not there after twice that and --connect-timeout. Over UDP a message without an
    /// answer for a tenth of it is lost
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time,
        env = "ONELOOP_LOAD_ANSWER_TIMEOUT", hide_env_values = true)]
    answer_timeout: Duration,

    /// Write all figures as JSON to this file, or with - to standard output in place of the table
    #[arg(long, value_name = "FILE|-", env = "ONELOOP_LOAD_JSON", hide_env_values = true)]
    json: Option<PathBuf>,

    /// Draw the results as one HTML file that needs nothing else
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath,
        env = "ONELOOP_LOAD_REPORT", hide_env_values = true)]
    report: Option<PathBuf>,

    /// Connect from this address; repeat it to share the connections among several, for one address
    /// has ports for about 28,000 connections to a server, and is slow beyond half of them
    #[arg(
        long,
        value_name = "ADDR",
        value_delimiter = ',',
        env = "ONELOOP_LOAD_SOURCE",
        hide_env_values = true
    )]
    source: Vec<IpAddr>,

    /// Do not load, hold: send one message on each connection, print `settled {JSON}` when the fate
    /// of every one is known, keep them open until standard input ends, a signal comes or the
    /// duration is over. For counting how many connections a server holds
    #[arg(long, value_parser = FalseyValueParser::new(), env = "ONELOOP_LOAD_HOLD",
        hide_env_values = true)]
    hold: bool,

    /// With --hold: ask with this text, for a server that does not echo, and take whatever comes
    /// back for the answer, unless it begins with `-ERR `. \r, \n, \t and \\ are what they are in
    /// C. --size does not count then
    #[arg(long, value_name = "TEXT", value_parser = unescaped,
        env = "ONELOOP_LOAD_ASK", hide_env_values = true)]
    ask: Option<Ask>,

    /// Over WebSocket: do not ask, but send back every message until the server closes. Implies
    /// --hold. This is how the Autobahn testsuite examines a client
    #[arg(long, value_parser = FalseyValueParser::new(), env = "ONELOOP_LOAD_MIRROR",
        hide_env_values = true)]
    mirror: bool,

    /// Over WebSocket: offer to compress (permessage-deflate, without context takeover), and send
    /// words in place of noise; messages of less than 256 bytes and of more than 64 KiB go as they
    /// are. Not done unless asked for: it measures the compressors of both sides more than the
    /// server
    #[arg(long, value_parser = FalseyValueParser::new(), env = "ONELOOP_LOAD_DEFLATE",
        hide_env_values = true)]
    deflate: bool,

    #[command(flatten)]
    spread: Spread,

    /// No progress on standard error
    #[arg(short, long, alias = "no-progress", value_parser = FalseyValueParser::new(),
        env = "ONELOOP_LOAD_QUIET", hide_env_values = true)]
    quiet: bool,
}

/// The exit status of a run that went well and is not to be believed.
const STATUS_INVALID: u8 = 3;

/// Where the JSON goes.
pub(super) enum Sink {
    Nowhere,
    Stdout,
    File(Output),
}

/// A file that was opened before the run, for it is too late afterwards.
pub(super) struct Output {
    flag: &'static str,
    path: PathBuf,
    file: File,
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Failure {
        match error {
            LoadError::Usage(line) => Failure::Usage(line),
            LoadError::System(error) => Failure::Run(format!("the system refused: {error}")),
        }
    }
}

/// The scenario of a report that was read, as far as its table has to know.
pub(super) fn scenario_of(report: &Report) -> Result<Scenario, String> {
    let target = target(&report.url).map_err(|error| format!("field `url`: {error}"))?;
    let method = report.method.and_then(Method::from_name).unwrap_or(Method::Get);
    let rate_per_s = report.paced.as_ref().map(|paced| paced.rate_per_s);
    let shape = report.shape.as_ref().map_or(Shape::Keep, Figures::shape);
    Ok(Scenario { hold: report.hold, method, rate_per_s, shape, ..Scenario::new(target) })
}

/// The table of what was found.
pub(super) fn text(results: &Results, scenario: &Scenario) -> String {
    match &results.runs[..] {
        [run] if !results.are_steps => render::text(&run.report, scenario) + &processes::text(run),
        steps => steps::text(steps),
    }
}

/// Somebody was served, and nobody got a wrong byte.
fn is_good(report: &Report) -> bool {
    let Messages { received, wrong, refused, .. } = report.messages;
    let all_refused = refused > 0 && received == 0;
    report.connections.connected > 0 && wrong == 0 && !all_refused
}

/// Figures that are no JSON, which ours are.
pub(super) fn unwritable(error: serde_json::Error) -> Failure {
    Failure::Run(format!("json: {error}"))
}

/// What scripts are told: the worst of what happened.
pub(super) fn status<'a>(runs: impl IntoIterator<Item = &'a Run, IntoIter: Clone>) -> ExitCode {
    let runs = runs.into_iter();
    let of = |report: &Report| match (is_good(report), report.doubts().is_empty()) {
        (false, _) => 1,
        (true, false) => STATUS_INVALID,
        (true, true) => 0,
    };
    let is_any = |status| runs.clone().any(|run| of(&run.report) == status);
    ExitCode::from([1, STATUS_INVALID].into_iter().find(|&status| is_any(status)).unwrap_or(0))
}

/// Whom the generator can drive.
fn target(url: &str) -> Result<Target, String> {
    Target::parse(url).map_err(|error| error.to_string())
}

fn method(name: &str) -> Result<Method, String> {
    let names = Method::NAMES.map(|(name, _)| name);
    Method::from_name(name).ok_or_else(|| unknown("method", name, names))
}

impl Load {
    /// Runs the load and prints what came of it.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        self.check().map_err(|line| Failure::Usage(line.to_owned()))?;
        let scenario = self.scenario()?;
        if self.spread.part.is_some() {
            return part::run(&scenario);
        }
        for rate_per_s in self.steps.iter().map(|rate| Some(*rate)).chain([self.rate]) {
            procs::shares(&Scenario { rate_per_s, ..scenario.clone() }, self.spread.procs)?;
        }
        let start = self.spread.start()?;
        let sink = Sink::open(self.json.as_deref())?;
        let page = self.report.as_deref().map(|path| Output::open("report", path)).transpose()?;
        if let Some(advice) = scenario.advice() {
            let _ = writeln!(io::stderr(), "warning: {advice}");
        }
        if let Some(at) = start {
            let mut progress = Progress::new(&scenario, 1, self.quiet);
            start::wait(at, &mut progress);
            progress.end();
        }
        if let Some(objective) = &self.find {
            return self.run_find(objective, &scenario, sink, page);
        }
        if self.shapes.compares() {
            return self.run_reuse(scenario, sink);
        }
        let results = match self.steps.is_empty() {
            true => Results {
                command: command(),
                are_steps: false,
                runs: vec![self.measure(&scenario)?],
            },
            false => self.run_steps(&scenario)?,
        };
        if let Some(page) = page {
            page.write(&report::page(&Side::each(&results)))?;
        }
        if !sink.write(&results.to_json().map_err(unwritable)?)? {
            print(text(&results, &scenario).as_bytes())?;
        }
        Ok(status(&results.runs))
    }

    /// Flags that cannot be together.
    fn check(&self) -> Result<(), &'static str> {
        let (compares, fans) = (self.shapes.compares(), self.shapes.fans());
        let clashes = [
            (
                self.rate.is_some() && !self.steps.is_empty(),
                "steps: they are the rates; leave --rate out",
            ),
            (
                self.tls_insecure && self.tls_ca.is_some(),
                "tls-insecure: trusts whoever answers, so --tls-ca has no say: give one of the two",
            ),
            (
                self.json.is_some() && self.json == self.report,
                "report: goes to the same file as --json, which one of them would spoil; name \
                 another",
            ),
            (
                compares && !self.steps.is_empty(),
                "steps: with --pool and --reconnect there would be two of each; leave one of them \
                 out",
            ),
            (
                compares && self.find.is_some(),
                "find: with --pool and --reconnect there would be two knees; leave one of them out",
            ),
            (
                compares && self.report.is_some(),
                "report: draws one run; leave --pool or --reconnect out",
            ),
            (
                compares && self.spread.procs > 1,
                "procs: --pool and --reconnect are compared in one process; leave --procs out",
            ),
            (
                fans && self.spread.procs > 1,
                "procs: with --fan one connection sends, and all receivers must be in its process; \
                 leave --procs out",
            ),
        ];
        clashes.iter().find(|(clash, _)| *clash).map_or(Ok(()), |(_, line)| Err(line))
    }

    fn scenario(&self) -> Result<Scenario, Failure> {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Ok(Scenario {
            connections: self.connections,
            size_bytes: self.size,
            mix: self.mix.sizes(),
            seed: self.mix.seed,
            depth: self.depth,
            rate_per_s: self.rate,
            shape: self.shapes.shape(self.duration).map_err(Failure::Usage)?,
            connect_rate_per_s: self.connect_rate,
            duration_ms: ms(self.duration),
            connect_timeout_ms: ms(self.connect_timeout),
            answer_timeout_ms: ms(self.answer_timeout),
            sources: self.source.clone(),
            hold: self.hold || self.mirror,
            ask: self.ask.as_ref().map(|Ask(bytes)| bytes.clone()),
            method: self.method,
            mirror: self.mirror,
            deflate: self.deflate,
            trust: match &self.tls_ca {
                _ if self.tls_insecure => Some(Trust::Anybody),
                ca => ca.clone().map(Trust::File),
            },
            stop_on_signal: true,
            stop_on_stdin_end: self.hold,
            ..Scenario::new(self.url.clone())
        })
    }
}

impl Output {
    pub(super) fn open(flag: &'static str, path: &Path) -> Result<Output, Failure> {
        let file = File::create(path).map_err(|error| {
            let name = path.display();
            Failure::Usage(format!("{flag} {name}: {error}; name a file you may write"))
        })?;
        Ok(Output { flag, path: path.to_owned(), file })
    }

    pub(super) fn write(mut self, text: &str) -> Result<(), Failure> {
        self.file.write_all(text.as_bytes()).map_err(|error| {
            Failure::Run(format!("{} {}: {error}", self.flag, self.path.display()))
        })
    }
}

impl Sink {
    pub(super) fn open(path: Option<&Path>) -> Result<Sink, Failure> {
        match path {
            None => Ok(Sink::Nowhere),
            Some(path) if path == Path::new("-") => Ok(Sink::Stdout),
            Some(path) => Output::open("json", path).map(Sink::File),
        }
    }

    /// Writes the JSON. Whether standard output has it, and no room for a table.
    pub(super) fn write(self, text: &str) -> Result<bool, Failure> {
        match self {
            Sink::Nowhere => Ok(false),
            Sink::Stdout => print(text.as_bytes()).map(|()| true),
            Sink::File(output) => output.write(text).map(|()| false),
        }
    }
}

/// What was typed, quoted so that a shell would take it again.
pub(super) fn command() -> String {
    let plain = |word: &str| word.chars().all(|c| c.is_alphanumeric() || "-_=+:/.,@[]".contains(c));
    let quoted = |word: String| match plain(&word) {
        true => word,
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let program = words.next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
    [program.into_owned()].into_iter().chain(words.map(quoted)).collect::<Vec<_>>().join(" ")
}

/// A question. (Of a plain `Vec<u8>` clap would make a list of numbers.)
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ask(Vec<u8>);

fn unescaped(text: &str) -> Result<Ask, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match (byte == b'\\').then(|| rest.next()) {
            None => byte,
            Some(Some(b'r')) => b'\r',
            Some(Some(b'n')) => b'\n',
            Some(Some(b't')) => b'\t',
            Some(Some(b'\\')) => b'\\',
            Some(_) => return Err("behind a \\ only r, n, t and \\ mean something".to_owned()),
        });
    }
    Ok(Ask(bytes))
}

fn bytes(text: &str) -> Result<usize, String> {
    parse_bytes(text)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| (1..=SIZE_BYTES_MAX).contains(bytes))
        .ok_or_else(|| "write a number of bytes from 1 to 1GiB: 64, 4KiB, 1M".to_owned())
}

/// The largest message. Nothing holds one whole, so this is only to catch typing errors.
const SIZE_BYTES_MAX: usize = 1 << 30;

/// Messages, or connections, a second.
fn rate(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1_000),
        None => match text.strip_suffix('M') {
            Some(number) => (number, 1_000_000),
            None => (text, 1),
        },
    };
    let rate = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    rate.filter(|rate| (1..=10_000_000).contains(rate))
        .ok_or_else(|| "write so many a second, from 1 to 10M: 500, 10k, 1M".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .ok()
        .filter(|time| time.as_millis() > 0)
        .ok_or_else(|| "write a time of at least 1ms: 10s, 500ms, 1m 30s".to_owned())
}
