//! The flags of the shapes, and what a shape adds to the table.
//!
//! **What.** [`Shapes`] has the flags and makes one [`Shape`] of them; [`text`] says what it found.
//!
//! **Why this way.** Flags that exclude each other are told so by both their names and with a way
//! out, which clap's own words for conflicts do not give.
//!
//! **Costs.** A few lines of text.
//!
//! **Read next.** `src/load/shape.rs`.

use super::render::latency;
use super::time;
use crate::limits::words::{bytes, grouped};
use crate::load::{ChurnFigures, FanFigures, Figures, IdleFigures, Report, Scenario, Shape, Times};
use crate::net::{Address, Dialect};
use clap::builder::FalseyValueParser;
use comfy_table::{CellAlignment, Table, presets};
use std::time::Duration;

/// How often a connection is pinged unless that is said, or the run is shorter.
const PING_EVERY: Duration = Duration::from_secs(20);

/// What connections do with their time.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Shapes {
    /// Connect, send so many messages, close, connect again. Shows connects a second, and how long
    /// connecting takes and a socket lives. This side closes first and keeps the port in TIME_WAIT
    /// for a minute (over WebSocket the server does): on loopback sockets come from 250 addresses
    /// in turn, elsewhere ports may run short, see --source. With --rate 500 and --churn 1 it is
    /// 500 connects a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
        env = "ONELOOP_LOAD_CHURN", hide_env_values = true)]
    churn: Option<u64>,

    /// Keep a pool of --connections sockets, of which each message takes a free one. It is what is
    /// done anyway; with --reconnect too, both are run and put side by side
    #[arg(long, value_parser = FalseyValueParser::new(), env = "ONELOOP_LOAD_POOL",
        hide_env_values = true)]
    pool: bool,

    /// A new socket for each message, as --churn 1. With --pool too: what reusing sockets saves
    #[arg(long, value_parser = FalseyValueParser::new(), env = "ONELOOP_LOAD_RECONNECT",
        hide_env_values = true)]
    reconnect: bool,

    /// Hold the connections for --duration and ping each of them --ping-every so often: over
    /// WebSocket, of any server, by a ping; else by a message that comes back
    #[arg(long, value_parser = FalseyValueParser::new(), env = "ONELOOP_LOAD_IDLE",
        hide_env_values = true)]
    idle: bool,

    /// With --idle: the time between two pings of a connection, up to 15m [default: 20s, or
    /// --duration if that is shorter]
    #[arg(long, value_name = "TIME", value_parser = time, env = "ONELOOP_LOAD_PING_EVERY",
        hide_env_values = true)]
    ping_every: Option<Duration>,

    /// One connection sends, all receive: for a server that broadcasts (ws://HOST/broadcast, or
    /// tcp:// with lines). Shows when the first receiver, half of them and the last have a message,
    /// and what is lost, doubled or out of order; --depth messages are on their way, or --rate a
    /// second
    #[arg(long, value_parser = FalseyValueParser::new(), env = "ONELOOP_LOAD_FAN",
        hide_env_values = true)]
    fan: bool,
}

impl Shapes {
    /// The one shape that is asked for; of a comparison the first.
    pub(super) fn shape(&self, duration: Duration) -> Result<Shape, String> {
        let given = [
            ("--churn", self.churn.is_some()),
            ("--pool", self.pool),
            ("--reconnect", self.reconnect),
            ("--idle", self.idle),
            ("--fan", self.fan),
        ];
        let given: Vec<&str> = given.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        if let [first, second, ..] = given[..]
            && !(given.len() == 2 && self.compares())
        {
            return Err(format!(
                "{first} with {second}: a connection can do one of the two; leave the other out"
            ));
        }
        if self.ping_every.is_some() && !self.idle {
            return Err("--ping-every without --idle: nobody would ping; add --idle".to_owned());
        }
        let ping_every = self.ping_every.unwrap_or(PING_EVERY.min(duration));
        Ok(match self.churn {
            Some(messages) => Shape::Churn { messages },
            None if self.idle => Shape::Idle { ping_every_ms: ping_every.as_millis() as u64 },
            None if self.fan => Shape::Fan,
            None if self.reconnect && !self.pool => Shape::Churn { messages: 1 },
            None => Shape::Keep,
        })
    }

    /// One sends, and all receive.
    pub(super) fn fans(&self) -> bool {
        self.fan
    }

    /// Two runs are to be put side by side.
    pub(super) fn compares(&self) -> bool {
        self.pool && self.reconnect
    }
}

/// What the shape of a run found, if it had one.
pub(super) fn text(report: &Report, scenario: &Scenario) -> Option<String> {
    Some(match report.shape.as_ref()? {
        Figures::Churn(figures) => churn(figures, report, scenario),
        Figures::Idle(figures) => idle(figures, report),
        Figures::Fan(figures) => fan(figures, report),
    })
}

fn churn(figures: &ChurnFigures, report: &Report, scenario: &Scenario) -> String {
    let connects = figures.connect_us.count();
    let per_s = connects as f64 / report.measured.as_secs_f64().max(f64::MIN_POSITIVE);
    let rate = if report.measured.is_zero() { 0 } else { per_s as u64 };
    let who = match (&scenario.target.address, scenario.target.dialect) {
        (Address::Unix(_), _) => "no port is kept in",
        (_, Dialect::WebSocket) => "the server closes first and keeps",
        (_, Dialect::Bytes | Dialect::Http) => "we close first and keep",
    };
    let rows = [
        ("connect", &figures.connect_us, "until a message can be sent"),
        ("life", &figures.life_us, "from connect to the last answer"),
    ];
    format!(
        "{}\n{} connects, {}/s, {} message(s) each; {who} TIME_WAIT.",
        times("SOCKETS", &rows),
        grouped(connects),
        grouped(rate),
        grouped(figures.messages),
    )
}

fn idle(figures: &IdleFigures, report: &Report) -> String {
    let slowest = report.latency_max_us().map_or("-".to_owned(), latency);
    let memory = match figures.bytes_per_connection() {
        Some(each) => format!(", {} each", bytes(each)),
        None => String::new(),
    };
    format!(
        "HELD\n  {:>9}  of {} connections\n  {:>9}  pings, one every {} s on each\n  {:>9}  \
         answered, the slowest in {slowest}\n  {:>9}  missed\n  {:>9}  of our memory{memory}",
        grouped(figures.held),
        grouped(figures.settled),
        grouped(figures.pings),
        figures.ping_every_ms as f64 / 1_000.0,
        grouped(figures.answered),
        grouped(figures.pings - figures.answered.min(figures.pings)),
        bytes(figures.memory_bytes),
    )
}

fn fan(figures: &FanFigures, report: &Report) -> String {
    let rows = [
        ("first", &figures.first_us, "receiver, since it was due"),
        ("median", &figures.median_us, "half of the receivers"),
        ("last", &figures.last_us, "receiver"),
        ("skew", &figures.skew_us, "from the first to the last"),
    ];
    let messages = &report.messages;
    format!(
        "{}\n{} messages to {} receivers; of the copies {} lost, {} doubled, {} out of order.",
        times("FAN", &rows),
        grouped(figures.messages),
        grouped(figures.receivers),
        grouped(messages.lost),
        grouped(messages.duplicate),
        grouped(messages.late),
    )
}

/// A row of percentiles for each kind of time, and what it is.
pub(super) fn times(title: &str, rows: &[(&str, &Times, &str)]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([title, "p50", "p99", "max", "", ""]);
    for (name, times, what) in rows {
        let figures = [times.percentile_us(0.5), times.percentile_us(0.99), times.max_us()];
        let figures = figures.map(|us| us.map_or("-".to_owned(), latency));
        let cells = [format!("  {name}")].into_iter().chain(figures);
        table.add_row(cells.chain([String::new(), (*what).to_owned()]));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, if column.index == 0 { 2 } else { 3 }));
        if (1..=3).contains(&column.index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}
