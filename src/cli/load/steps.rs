//! Several rates, one after the other.
//!
//! **What.** [`text`] is the table of what `--steps` found, with a row for each rate.
//!
//! **Why this way.** Where a server bends shows only beside where it does not: the rate up to which
//! it keeps up, and what the latency does beyond. Each step is a run of its own with new
//! connections, so that the line which one leaves is not the next one's.
//!
//! **Costs.** A report a step.
//!
//! **Read next.** `src/cli/load/render.rs`, `src/report/results.rs`.

use super::render::{fates, latency};
use crate::limits::words::grouped;
use crate::report::Run;
use comfy_table::{CellAlignment, Table, presets};

/// A row for each step, then why some are not to be believed.
pub(in crate::cli) fn text(steps: &[Run]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["ASKED/s", "ANSWERED/s", "p50", "p99", "SERVICE p99", "OWN CPU", ""]);
    for Run { report, .. } in steps {
        let shown = |us: Option<f64>| us.map_or("-".to_owned(), latency);
        let is_valid = report.doubts().is_empty();
        table.add_row([
            grouped(report.paced.as_ref().map_or(0, |paced| paced.rate_per_s)),
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
    let url = steps.first().map_or("", |run| &run.report.url);
    let mut text = format!("\nSteps of a constant rate, to {url}:\n\n{}\n", table.trim_fmt());
    for run in steps {
        if run.report.connections.connected == 0 {
            text.push_str(&format!(
                "\n  {}: nobody served: {}",
                run.step_name(),
                fates(&run.report)
            ));
        }
        for doubt in run.report.doubts() {
            text.push_str(&format!("\n  {}: {doubt}", run.step_name()));
        }
    }
    text + "\n"
}
