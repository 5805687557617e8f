//! What reusing a socket saves.
//!
//! **What.** [`Reuse`] is what `--pool --reconnect` found: the same load twice, with sockets that
//! stay and with a new one for each message; as JSON, or as a table with the ratios.
//!
//! **Why this way.** Two runs one after the other, by the same process, so that nothing else
//! differs. Where a socket is new for each message its latency counts from `connect`, for that is
//! what the user of a client without a pool waits for.
//!
//! **Costs.** Two runs.
//!
//! **Read next.** `src/load/shape/churn.rs`.

use super::render::latency;
use crate::limits::words::grouped;
use crate::load::{Figures, Report, Row};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// The two runs.
#[derive(Serialize)]
pub(super) struct Reuse {
    /// The command that repeats them.
    command: String,
    /// Each figure of `reconnect` by that of `pool`.
    ratio: Vec<Ratio>,
    pub(super) pool: Report,
    pub(super) reconnect: Report,
}

/// A figure of both; `None` where there is none to tell.
#[derive(Serialize)]
struct Ratio {
    figure: &'static str,
    pool: Option<f64>,
    reconnect: Option<f64>,
    ratio: Option<f64>,
}

/// What is compared: its name, its value, how that is written.
type Compared = (&'static str, fn(&Report) -> Option<f64>, fn(f64) -> String);

const COMPARED: [Compared; 6] = [
    ("messages a second", |it| some(it.rate_per_s()), |rate| grouped(rate.round() as u64)),
    ("p50", |it| percentile_us(it, 0.5), latency),
    ("p99", |it| percentile_us(it, 0.99), latency),
    ("connects a message", connects, |connects| format!("{connects:.3}")),
    ("own CPU a message", own_cpu_us, latency),
    ("server CPU a message", server_cpu_us, latency),
];

impl Reuse {
    pub(super) fn new(command: String, pool: Report, reconnect: Report) -> Reuse {
        let ratio = COMPARED.map(|(figure, of, _)| {
            let (first, second) = (of(&pool), of(&reconnect));
            let ratio = first.zip(second).filter(|(pool, _)| *pool > 0.0);
            let ratio = ratio.map(|(pool, reconnect)| reconnect / pool);
            Ratio { figure, pool: first, reconnect: second, ratio }
        });
        Reuse { command, ratio: ratio.into(), pool, reconnect }
    }

    /// The figures side by side, then why some are not to be believed.
    pub(super) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["", "POOL", "RECONNECT", "RATIO"]);
        for (ratio, (_, _, written)) in self.ratio.iter().zip(COMPARED) {
            let shown = |value: Option<f64>| value.map_or("-".to_owned(), written);
            let times = ratio.ratio.map_or("-".to_owned(), |ratio| format!("x{ratio:.2}"));
            let cells = [shown(ratio.pool), shown(ratio.reconnect), times];
            table.add_row([format!("  {}", ratio.figure)].into_iter().chain(cells));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 3));
            if column.index > 0 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let url = &self.pool.url;
        let mut text = format!(
            "\nSockets that stay against a new one for each message, to {url}:\n\n{}\n\n\
             A latency of RECONNECT counts from connect.\n",
            table.trim_fmt()
        );
        for (name, report) in [("pool", &self.pool), ("reconnect", &self.reconnect)] {
            let doubts: String =
                report.doubts().iter().map(|doubt| format!("\n  {doubt}")).collect();
            let verdict = if doubts.is_empty() { "VALID" } else { "INVALID" };
            text.push_str(&format!("\n{name}: {verdict}{doubts}"));
        }
        text + "\n"
    }
}

fn some(value: f64) -> Option<f64> {
    (value > 0.0).then_some(value)
}

/// From when a message was due, or its socket began to connect, to its answer.
fn percentile_us(report: &Report, quantile: f64) -> Option<f64> {
    match &report.shape {
        Some(Figures::Churn(churn)) => churn.life_us.percentile_us(quantile),
        _ => report.percentile_us(quantile),
    }
}

fn connects(report: &Report) -> Option<f64> {
    let connects = report.connections.attempted + report.connections.reopened;
    (report.messages.sent > 0).then(|| connects as f64 / report.messages.sent as f64)
}

fn own_cpu_us(report: &Report) -> Option<f64> {
    let us = report.cpu_share * report.measured.as_secs_f64() * 1e6;
    (report.measured_answers > 0).then(|| us / report.measured_answers as f64)
}

/// Where the server is on this machine.
fn server_cpu_us(report: &Report) -> Option<f64> {
    let seconds: Option<f64> = report.rows.iter().map(|row: &Row| row.server_cpu_s).sum();
    let answers: u64 = report.rows.iter().map(|row| row.answers).sum();
    (answers > 0).then(|| seconds.map(|seconds| seconds * 1e6 / answers as f64)).flatten()
}
