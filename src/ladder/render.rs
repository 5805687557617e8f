//! What was found, as a table for people and as JSON for programs.
//!
//! **What.** [`table`], [`json`], and [`line()`]: one rung in a line.
//!
//! **Why this way.** The JSON is the findings themselves, so that the two cannot disagree. What the
//! extra clients saw is words, not eight columns of which seven are empty.
//!
//! **Costs.** A few kilobytes of text.
//!
//! **Read next.** `src/ladder/rung.rs`, `src/ladder/plot.rs`.

use super::{Rung, verdict};
use crate::limits::words::grouped;
use crate::server::AtLimit;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// Columns of a terminal that nobody has to widen.
const WIDTH: u16 = 100;

/// All that was found, as one JSON object, indented. Keys are stable.
pub fn json(rungs: &[Rung]) -> String {
    #[derive(Serialize)]
    struct Ladder<'a> {
        ok: bool,
        fault: Option<String>,
        rungs: &'a [Rung],
    }
    let fault = verdict(rungs);
    let ladder = Ladder { ok: fault.is_none(), fault, rungs };
    // Numbers, strings and lists of them: nothing that JSON cannot hold.
    serde_json::to_string_pretty(&ladder).unwrap_or_default() + "\n"
}

/// All that was found, a row a rung, at most 100 columns wide.
pub fn table(rungs: &[Rung]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_width(WIDTH).set_header([
        "nofile",
        "at limit",
        "predicted",
        "measured",
        "clients beyond",
        "accept\nfailures",
        "CPU\nwhile full",
        "places taken\nafter a leave",
    ]);
    for rung in rungs {
        table.add_row([
            grouped(rung.nofile),
            rung.at_limit.to_owned(),
            grouped(rung.predicted),
            grouped(rung.measured),
            met(rung).join(",\n"),
            grouped(rung.accept_failures),
            format!("{:.1} %", rung.cpu_full_percent),
            format!("{} of {}", grouped(rung.replaced), grouped(rung.left)),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
        if ![1, 4].contains(&column.index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.trim_fmt();
    let caps = rungs.iter().filter(|rung| rung.predicted == rung.measured).count();
    format!("{text}\n\n{caps} of {} caps as predicted.\n", rungs.len())
}

/// One rung in a line.
pub fn line(rung: &Rung) -> String {
    let Rung { nofile, at_limit, predicted, measured, .. } = rung;
    format!(
        "nofile {nofile}, {at_limit}: cap {measured}, predicted {predicted}; beyond it: {}",
        met(rung).join(", ")
    )
}

/// What the clients beyond the cap saw: `16 told why`.
fn met(rung: &Rung) -> Vec<String> {
    let parts = rung.extra.by_fate().into_iter().filter(|(_, count)| *count > 0);
    let mut parts: Vec<String> = parts
        .map(|(fate, count)| format!("{} {}", grouped(count), named(fate, rung.at_limit)))
        .collect();
    if rung.evicted > 0 {
        parts.push(format!("{} idle ones told why", grouped(rung.evicted)));
    }
    parts
}

/// What a fate is called here.
pub(super) fn named<'a>(fate: &'a str, at_limit: &str) -> &'a str {
    match fate {
        "connected" => "served",
        // It is the policy, not a failure.
        "hung" if at_limit == AtLimit::Pause.name() => "left waiting",
        other => other,
    }
}
