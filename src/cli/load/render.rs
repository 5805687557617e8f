//! A report as text for people.
//!
//! **What.** [`text`] gives the answer in a sentence, then the figures as a table, then the reasons
//! that servers gave and failures had, and at last whether all that can be believed.
//!
//! **Why this way.** Connections, messages and latency stand side by side: three short lists that
//! are read down, and fit 80 columns. Rejected: colours (the verdict is words, and survives a
//! pipe), a line per figure (scrolls the question off the screen).
//!
//! **Costs.** A kilobyte of text.
//!
//! **Read next.** `src/load/report.rs`.

use super::{mix, shape};
use crate::limits::words::{bytes, grouped};
use crate::load::{Connections, Report, Scenario, Shape};
use crate::net::{Address, Trust};
use comfy_table::{CellAlignment, Table, presets};

/// A name and its figure.
type Line = (&'static str, String);

/// The report of a run of `scenario`.
pub(in crate::cli) fn text(report: &Report, scenario: &Scenario) -> String {
    let mut text = format!("\n{}\n\n{}\n", verdict(report, scenario), table(report, scenario));
    if scenario.target.is_secure && scenario.trust == Some(Trust::Anybody) {
        text.push_str("\nTLS: nobody looked whose certificate it is (--tls-insecure).\n");
    }
    match report.deflate_agreed {
        None => {}
        Some(0) => {
            text.push_str("\nCompression: offered, and the server agreed on it with none.\n")
        }
        Some(agreed) => text.push_str(&format!(
            "\nCompression: the server agreed on it with {} of {} connections.\n",
            grouped(agreed),
            grouped(report.connections.attempted)
        )),
    }
    let mut list = |title: &str, lines: &mut dyn Iterator<Item = (String, u64)>| {
        for (index, (name, count)) in lines.filter(|(_, count)| *count > 0).enumerate() {
            if index == 0 {
                text.push_str(&format!("\n{title}\n"));
            }
            text.push_str(&format!("  {:>9}  {name}\n", grouped(count)));
        }
    };
    let reasons = report.connections.reasons.iter();
    let statuses = report.statuses.iter();
    list("STATUS", &mut statuses.map(|(status, count)| (status.to_string(), *count)));
    list("ENDED IN", &mut report.connections.ends().into_iter());
    list("REASONS", &mut reasons.map(|(reason, count)| (reason.clone(), *count)));
    for (index, (limit, count)) in report.connections.limits().into_iter().enumerate() {
        let title =
            if index == 0 { "\nLIMITS THAT CONNECTIONS MET, AND WHAT LIFTS THEM\n" } else { "" };
        let (count, what, lifted) = (grouped(count), limit.what(), limit.lifted_by());
        text.push_str(&format!("{title}  {count:>9}  {what}:\n             {lifted}\n"));
    }
    if let Some(paced) = paced(report) {
        text.push_str(&format!("\n{paced}\n"));
    }
    if let Some(figures) = mix::text(report) {
        text.push_str(&format!("\n{figures}\n"));
    }
    if let Some(figures) = shape::text(report, scenario) {
        text.push_str(&format!("\n{figures}\n"));
    }
    text.push_str(&format!("\n{}", validity(report)));
    text
}

/// Whether the figures can be believed; what they leave out.
fn validity(report: &Report) -> String {
    if report.measured.is_zero() && report.doubts().is_empty() {
        return String::new();
    }
    let doubts: String = report.doubts().iter().map(|doubt| format!("\n  {doubt}")).collect();
    if report.measured.is_zero() {
        return format!("INVALID:{doubts}\n");
    }
    let used = format!("the generator used {:.0} % of a CPU", report.cpu_share * 100.0);
    let mut text = match (doubts.is_empty(), report.lateness_p99_us()) {
        (false, _) => {
            format!("INVALID: this may be the generator's doing and not the server's.{doubts}\n")
        }
        (true, None) => format!("VALID: {used}.\n"),
        (true, Some(late)) => {
            format!("VALID: {used}, and sent 99 % within {} of their time.\n", latency(late))
        }
    };
    if report.paced.is_none() {
        text.push_str("A closed loop hides waiting: who waits does not ask. --rate shows it.\n");
    }
    text
}

/// At a constant rate: the parts of the latency.
fn paced(report: &Report) -> Option<String> {
    report.paced.as_ref()?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["LATENCY", "p50", "p99", "p99.9", "", "counts from"]);
    let quantiles = [0.5, 0.99, 0.999];
    let rows: [(&str, [Option<f64>; 3], &str); 2] = [
        ("response", quantiles.map(|q| report.percentile_us(q)), "when the message was due"),
        ("service", quantiles.map(|q| report.service_us(q)), "when it was sent"),
    ];
    for (name, figures, from) in rows {
        let figures = figures.map(|us| us.map_or("-".to_owned(), latency));
        let cells = [format!("  {name}")].into_iter().chain(figures);
        table.add_row(cells.chain([String::new(), from.to_owned()]));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, if column.index == 0 { 2 } else { 3 }));
        if (1..=3).contains(&column.index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Some(table.trim_fmt())
}

/// The answer, in a sentence.
fn verdict(report: &Report, scenario: &Scenario) -> String {
    let connected = grouped(report.connections.connected);
    let attempted = grouped(report.connections.attempted);
    let to = &report.url;
    let answers = report.messages.received + report.messages.wrong;
    if report.messages.wrong > 0 {
        let wrong = grouped(report.messages.wrong);
        return format!("WRONG BYTES in {wrong} of {} answers of {to}.", grouped(answers));
    }
    if report.connections.connected == 0 {
        return format!("NOBODY SERVED: {attempted} connections to {to}: {}.", fates(report));
    }
    if report.messages.refused > 0 && report.messages.received == 0 {
        let refused = grouped(report.messages.refused);
        return format!(
            "NOTHING SERVED by {to}:\n{refused} answers, all with status 400 or above."
        );
    }
    if scenario.hold || matches!(scenario.shape, Shape::Idle { .. }) {
        return format!("Of {attempted} connections to {to}: {}.", fates(report));
    }
    if report.measured.is_zero() {
        return format!("NOTHING MEASURED: it ended with {connected} connections to {to} open.");
    }
    let rate = grouped(report.rate_per_s().round() as u64);
    let what = match report.method {
        None if scenario.shape == Shape::Fan => "deliveries".to_owned(),
        None => "messages".to_owned(),
        Some(method) => format!("{method} requests"),
    };
    let size = match report.size_bytes {
        0 => String::new(),
        bytes if !report.sizes.is_empty() => format!("up to {} bytes each, ", grouped(bytes)),
        bytes => format!("{} bytes each, ", grouped(bytes)),
    };
    let compared = if scenario.is_echo() { ", every byte compared" } else { "" };
    let asked = match &report.paced {
        None => String::new(),
        Some(paced) => {
            format!("\nOf {} a second asked for, each when it was due.", grouped(paced.rate_per_s))
        }
    };
    let others = match report.connections.attempted - report.connections.connected {
        0 => String::new(),
        _ => format!("\nOf {attempted} connections: {}.", fates(report)),
    };
    format!(
        "{rate} {what} a second on {connected} connections to {to},\n\
         {size}{}{} in flight on each{compared}.{asked}{others}",
        if report.paced.is_some() { "at most " } else { "" },
        report.depth
    )
}

/// The fates that occurred: `60 connected, 40 told why`.
pub(super) fn fates(report: &Report) -> String {
    let fates = report.connections.by_fate().into_iter().filter(|(_, count)| *count > 0);
    let fates: Vec<String> =
        fates.map(|(fate, count)| format!("{} {fate}", grouped(count))).collect();
    if fates.is_empty() { "none had a fate yet".to_owned() } else { fates.join(", ") }
}

/// Three lists, side by side.
fn table(report: &Report, scenario: &Scenario) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["CONNECTIONS", "", "MESSAGES", "", "LATENCY", ""]);
    let lists = [connections(report), messages(report, scenario), times(report)];
    for row in 0..lists.iter().map(Vec::len).max().unwrap_or(0) {
        let cells = lists.iter().flat_map(|list| match list.get(row) {
            Some(("", _)) => [String::new(), String::new()],
            Some((name, figure)) => [format!("  {name}"), figure.clone()],
            None => [String::new(), String::new()],
        });
        table.add_row(cells);
    }
    for column in table.column_iter_mut() {
        let is_figure = column.index % 2 == 1;
        column.set_padding(if is_figure { (0, 3) } else { (0, 2) });
        if is_figure {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

fn connections(report: &Report) -> Vec<Line> {
    let fates = report.connections.by_fate();
    let attempted = ("attempted", grouped(report.connections.attempted));
    let fates = fates.map(|(fate, count)| (fate, figure(count)));
    let Connections { reopened, backlog_full, .. } = report.connections;
    let others = [("reopened", reopened), ("queue full", backlog_full)].into_iter();
    let others = others.filter(|(_, count)| *count > 0).map(|(name, n)| (name, grouped(n)));
    [attempted].into_iter().chain(fates).chain(others).collect()
}

fn messages(report: &Report, scenario: &Scenario) -> Vec<Line> {
    let messages = &report.messages;
    let mut lines = vec![
        ("sent", grouped(messages.sent)),
        ("received", grouped(messages.received)),
        ("wrong", figure(messages.wrong)),
        ("lost", figure(messages.lost)),
    ];
    if matches!(scenario.target.address, Address::Udp(_)) {
        lines.push(("late", figure(messages.late)));
        lines.push(("duplicate", figure(messages.duplicate)));
    } else if scenario.is_http() {
        lines.push(("refused", figure(messages.refused)));
    } else {
        lines.push(("", String::new()));
    }
    let rate = report.rate_per_s().round() as u64;
    lines.push(("rate", if rate == 0 { "-".to_owned() } else { format!("{}/s", grouped(rate)) }));
    lines.push(("bytes out", bytes(report.bytes_sent)));
    lines.push(("bytes in", bytes(report.bytes_received)));
    lines
}

fn times(report: &Report) -> Vec<Line> {
    let quantile = |quantile| report.percentile_us(quantile).map_or("-".to_owned(), latency);
    vec![
        ("p50", quantile(0.5)),
        ("p90", quantile(0.9)),
        ("p99", quantile(0.99)),
        ("p99.9", quantile(0.999)),
        ("max", report.latency_max_us().map_or("-".to_owned(), latency)),
        ("", String::new()),
        ("settled in", format!("{:.2} s", report.settle.as_secs_f64())),
        ("measured", format!("{:.2} s", report.measured.as_secs_f64())),
        ("own CPU", format!("{:.2} s", report.cpu.as_secs_f64())),
    ]
}

/// A count that is best at zero: shown so that another stands out.
fn figure(count: u64) -> String {
    if count == 0 { "-".to_owned() } else { grouped(count) }
}

/// Microseconds with three digits and a unit that fits.
pub(in crate::cli) fn latency(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 1_000.0 => (us, "us"),
        us if us < 1_000_000.0 => (us / 1_000.0, "ms"),
        us => (us / 1_000_000.0, "s"),
    };
    let digits = match value {
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests;
