//! What each of several generators found, as a table.
//!
//! **What.** [`text`] has a row for each; nothing if there is only one.
//!
//! **Why this way.** A sum hides one that was late, or that nobody served. The verdict in each row
//! is on that generator alone; whether there are answers enough is a matter of the sum.
//!
//! **Costs.** 80 bytes a generator.
//!
//! **Read next.** `src/report/run.rs`, `src/cli/load/procs.rs`.

use super::render::latency;
use crate::limits::words::grouped;
use crate::report::{Generator, Own, Run};
use comfy_table::{CellAlignment, Table, presets};

/// The table, behind an empty line.
pub(in crate::cli) fn text(run: &Run) -> String {
    let generators = &run.generators[..];
    if generators.len() < 2 {
        return String::new();
    }
    let hosts = |it: &Generator| it.environment.host.clone();
    let are_here = generators.iter().all(|it| hosts(it) == hosts(&generators[0]));
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["PROCESS", "CONNECTED", "ANSWERS/s", "p50", "p99", "LATE p99", "CPU", ""]);
    let mut reasons = String::new();
    for (n, generator) in generators.iter().enumerate() {
        let pid = generator.pid.map_or("-".to_owned(), |pid| pid.to_string());
        let name = match hosts(generator).filter(|_| !are_here) {
            Some(host) => format!("{} {host}:{pid}", n + 1),
            None => format!("{} pid {pid}", n + 1),
        };
        let Some(own) = &generator.own else {
            table.add_row([name]);
            continue;
        };
        table.add_row([vec![name.clone()], cells(own, generator.measured_s > 0.0)].concat());
        own.reasons.iter().for_each(|reason| reasons += &format!("\n  {name}: {reason}"));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
        if (1..=6).contains(&column.index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("\n{}\n{reasons}{}", table.trim_fmt(), if reasons.is_empty() { "" } else { "\n" })
}

fn cells(own: &Own, is_measured: bool) -> Vec<String> {
    let time = |us: Option<f64>| us.map_or("-".to_owned(), latency);
    let connected = match own.connected == own.attempted {
        true => grouped(own.connected),
        false => format!("{} of {}", grouped(own.connected), grouped(own.attempted)),
    };
    let measured = |figure: String| if is_measured { figure } else { "-".to_owned() };
    vec![
        connected,
        measured(grouped(own.rate_per_s.round() as u64)),
        time(own.p50_us),
        time(own.p99_us),
        time(own.lateness_p99_us),
        measured(format!("{:.0} %", own.cpu_share * 100.0)),
        measured(if own.reasons.is_empty() { "VALID" } else { "INVALID" }.to_owned()),
    ]
}
