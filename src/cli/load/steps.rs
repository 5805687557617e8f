//! Several rates, one after the other.
//!
//! **What.** [`Steps`] is what `--steps` found: a report for each rate, as JSON or as a table with
//! a row for each.
//!
//! **Why this way.** Where a server bends shows only beside where it does not: the rate up to which
//! it keeps up, and what the latency does beyond. Each step is a run of its own with new
//! connections, so that the line which one leaves is not the next one's.
//!
//! **Costs.** A report a step.
//!
//! **Read next.** `src/cli/load/render.rs`.

use super::render::latency;
use crate::limits::words::grouped;
use crate::load::Report;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// The steps that were taken.
#[derive(Serialize)]
pub(super) struct Steps {
    /// The command that repeats them.
    pub(super) command: String,
    /// In the order in which they were asked for.
    pub(super) steps: Vec<Report>,
}

impl Steps {
    /// A row for each step, then why some are not to be believed.
    pub(super) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["ASKED/s", "ANSWERED/s", "p50", "p99", "SERVICE p99", "OWN CPU", ""]);
        for report in &self.steps {
            let shown = |us: Option<f64>| us.map_or("-".to_owned(), latency);
            let is_valid = report.doubts().is_empty();
            table.add_row([
                grouped(asked(report)),
                grouped(report.rate_per_s().round() as u64),
                shown(report.percentile_us(0.5)),
                shown(report.percentile_us(0.99)),
                shown(report.service_us(0.99)),
                format!("{:.0} %", report.cpu_share * 100.0),
                if is_valid { "VALID" } else { "INVALID" }.to_owned(),
            ]);
        }
        for column in table.column_iter_mut().take(6) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let url = self.steps.first().map_or("", |report| &report.url);
        let mut text = format!("\nSteps of a constant rate, to {url}:\n\n{}\n", table.trim_fmt());
        for report in &self.steps {
            for doubt in report.doubts() {
                text.push_str(&format!("\n  {}/s: {doubt}", grouped(asked(report))));
            }
        }
        text + "\n"
    }
}

fn asked(report: &Report) -> u64 {
    report.paced.as_ref().map_or(0, |paced| paced.rate_per_s)
}
