//! The parts of the page that are words and figures.
//!
//! **What.** Summary, table of figures, fates, machines, commands, footer.
//!
//! **Why this way.** What a chart shows stands in a table too: exact, for who copies it, and for
//! who does not see the chart.
//!
//! **Costs.** A few kilobytes.
//!
//! **Read next.** `src/report/page.rs`.

use super::{Run, Side, escaped, time};
use crate::limits::words::grouped as count;
use crate::load::Messages;
use crate::report::compare::{Figure, compare};
use crate::report::table as words;
use std::fmt::Display;

/// Figures side by side, and what was done to get them.
pub(super) fn summary(run: &Run) -> String {
    let report = &run.report;
    let latency = |quantile| report.percentile_us(quantile).map_or("-".to_owned(), time);
    let tile =
        |(name, figure): (&str, String)| format!("<div><b>{figure}</b><span>{name}</span></div>");
    let tiles = [
        ("right answers a second", count(report.rate_per_s() as u64)),
        ("p50", latency(0.5)),
        ("p99", latency(0.99)),
        ("longest", report.latency_max_us().map_or("-".to_owned(), time)),
        (
            "of connections served",
            share(report.connections.connected, report.connections.attempted),
        ),
    ];
    let doubts = report.doubts().join("; ");
    let doubts = match doubts.is_empty() {
        true => String::new(),
        false => format!("<p class=\"bad\">INVALID: {}.</p>\n", escaped(&doubts)),
    };
    let wrong = match report.messages.wrong {
        0 => String::new(),
        wrong => format!("<p class=\"bad\">Wrong bytes in {} answers.</p>\n", count(wrong)),
    };
    let nobody = match report.connections.connected {
        0 => "<p class=\"bad\">Nobody was served.</p>\n",
        _ => "",
    };
    let tiles: String = tiles.into_iter().map(tile).collect();
    format!("{nobody}{wrong}{doubts}<p>{}</p>\n<div class=\"tiles\">{tiles}</div>\n", asked(run))
}

/// The figures of each side, their ratios to the first, and what may be noise.
pub(super) fn comparison(sides: &[Side]) -> String {
    let names = Figure::ALL.map(|figure| figure.name().to_owned());
    let mut rows = vec![[String::new()].into_iter().chain(names).collect::<Vec<_>>()];
    for (n, side) in sides.iter().enumerate() {
        let cell = |figure| {
            let ratio = if n == 0 { None } else { compare(figure, &sides[0], side) };
            let ratio = ratio.map_or(String::new(), |ratio| {
                let class = if ratio.within_noise == Some(false) { "differs" } else { "noise" };
                format!("<br/><span class=\"{class}\">{}</span>", words::short(&ratio))
            });
            words::written(figure, side) + &ratio
        };
        rows.push([escaped(&side.label)].into_iter().chain(Figure::ALL.map(cell)).collect());
    }
    let invalid = words::invalid(sides).into_iter();
    let invalid = invalid.map(|line| format!("<p class=\"bad\">{}</p>\n", escaped(&line)));
    let lines = words::verdicts(sides).into_iter().chain(words::noted(sides));
    let lines = lines.map(|line| format!("<p>{}</p>\n", escaped(&line)));
    table("", &rows) + &invalid.chain(lines).collect::<String>()
}

/// What a run did, in a sentence.
fn asked(run: &Run) -> String {
    let report = &run.report;
    let what = match (report.method, report.size_bytes) {
        (Some(method), 0) => format!("{} requests", escaped(method)),
        (Some(method), bytes) => format!("{} requests of {} bytes", escaped(method), count(bytes)),
        (None, bytes) => format!("messages of {} bytes", count(bytes)),
    };
    let generators = match run.generators.len() {
        1 => String::new(),
        n => format!(", by {n} generators"),
    };
    let pace = match &report.paced {
        None => format!("{} in flight on each", count(report.depth.into())),
        Some(paced) => format!("{} a second were asked for", count(paced.rate_per_s)),
    };
    let compressed = match report.deflate_agreed {
        None => String::new(),
        Some(agreed) => format!(", compression agreed on with {}", count(agreed)),
    };
    format!(
        "{} connections, {what}{compressed}, {pace}, measured for {:.1} s{generators}",
        count(report.connections.attempted),
        report.measured.as_secs_f64()
    )
}

fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        _ if part == whole => "100 %".to_owned(),
        // Rounded, almost all would be all.
        _ => format!("{:.2} %", (part as f64 / whole as f64 * 1e4).floor() / 100.0),
    }
}

/// A table; the first row is its head. Cells are HTML.
pub(super) fn table<T: Display>(class: &str, rows: &[Vec<T>]) -> String {
    let row = |(n, cells): (usize, &Vec<T>)| {
        let cell = if n == 0 { "th" } else { "td" };
        let cells: String = cells.iter().map(|it| format!("<{cell}>{it}</{cell}>")).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = rows.iter().enumerate().map(row).collect();
    format!("<div class=\"wide\"><table class=\"{class}\">\n{rows}</table></div>\n")
}

/// A row of names over a column for each side; one alone is named by the page.
fn head(sides: &[Side]) -> Vec<String> {
    let label = |side: &Side| if sides.len() == 1 { String::new() } else { escaped(&side.label) };
    [String::new()].into_iter().chain(sides.iter().map(label)).collect()
}

/// A line of the table of figures.
fn line(sides: &[Side], name: &str, figure: impl Fn(&Side) -> String) -> Vec<String> {
    [name.to_owned()].into_iter().chain(sides.iter().map(figure)).collect()
}

pub(super) fn figures(sides: &[Side]) -> String {
    let mut rows = vec![head(sides)];
    rows.push(line(sides, "right answers a second", |side| count(side.rate_per_s() as u64)));
    let quantiles =
        [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];
    for (name, quantile) in quantiles {
        rows.push(line(sides, name, |side| {
            side.sum.report.percentile_us(quantile).map_or("-".to_owned(), time)
        }));
    }
    let longest = |side: &Side| side.sum.report.latency_max_us().map_or("-".to_owned(), time);
    rows.push(line(sides, "longest", longest));
    let mut messages = |name: &str, figure: fn(&Messages) -> u64| {
        rows.push(line(sides, name, |side| count(figure(&side.sum.report.messages))));
    };
    messages("messages sent", |messages| messages.sent);
    messages("right answers", |messages| messages.received);
    messages("wrong", |messages| messages.wrong);
    messages("refused", |messages| messages.refused);
    messages("lost", |messages| messages.lost);
    rows.push(line(sides, "measured", |side| {
        format!("{:.1} s", side.sum.report.measured.as_secs_f64())
    }));
    rows.push(line(sides, "CPU of the generator, connecting included", |side| {
        format!("{:.1} s", side.sum.report.cpu.as_secs_f64())
    }));
    if sides.len() > 1 {
        rows.push(line(sides, "repetitions", |side| side.runs.len().to_string()));
    }
    table("", &rows)
}

/// Each fate that occurred, with its share as a bar.
pub(super) fn fates(sides: &[Side]) -> String {
    let part = |side: &Side| {
        let connections = &side.sum.report.connections;
        let label = if sides.len() == 1 { String::new() } else { escaped(&side.label) };
        let mut rows = vec![vec![label, "connections".into(), "share".into(), String::new()]];
        for (fate, n) in connections.by_fate().into_iter().filter(|(_, n)| *n > 0) {
            let percent = n as f64 / connections.attempted as f64 * 100.0;
            let bar = format!("<i style=\"width:{percent:.2}%\"></i>");
            rows.push(vec![fate.to_owned(), count(n), share(n, connections.attempted), bar]);
        }
        let reasons = connections.reasons.iter().map(|(name, n)| (name.clone(), *n));
        let why = |(kind, name, n): (&str, String, u64)| {
            (n > 0).then(|| format!("<li>{}: {kind}{}</li>", count(n), escaped(&name)))
        };
        let ends = connections.ends().into_iter();
        let ends = ends.map(|(name, n)| ("ended in ", name, n)).filter_map(why);
        let reasons = reasons.map(|(name, n)| ("", name, n)).filter_map(why);
        let limits = connections.limits().into_iter().map(|(limit, n)| {
            let (what, lifted) = (escaped(limit.what()), escaped(limit.lifted_by()));
            format!("<li>{}: {what}; lifted by {lifted}</li>", count(n))
        });
        let why: String = ends.chain(reasons).chain(limits).collect();
        let why = if why.is_empty() { why } else { format!("<ul>{why}</ul>\n") };
        table("fates", &rows).replace("<td><i", "<td class=\"bar\"><i") + &why
    };
    sides.iter().map(part).collect()
}

/// A row for each generator: one that was late, or that nobody served, hides in a sum.
pub(super) fn generators(sides: &[Side]) -> String {
    let head = ["", "connections served", "answers/s", "p50", "p99", "late, p99", "CPU", ""];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let us = |figure: Option<f64>| figure.map_or("-".to_owned(), time);
    for side in sides {
        let generators = side.runs.iter().flat_map(|run| &run.generators);
        for (generator, n) in generators.zip(1..) {
            let host = generator.environment.host.as_deref().unwrap_or("-");
            let pid = generator.pid.map_or(String::new(), |pid| format!(", process {pid}"));
            let name = match sides.len() {
                1 => format!("{n}: {host}{pid}"),
                _ => format!("{} {n}: {host}{pid}", side.label),
            };
            let mut row = vec![escaped(&name)];
            if let Some(own) = &generator.own {
                let verdict = match own.reasons.is_empty() {
                    true => "VALID".to_owned(),
                    false => format!("INVALID: {}", escaped(&own.reasons.join("; "))),
                };
                row.extend([
                    format!("{} of {}", count(own.connected), count(own.attempted)),
                    count(own.rate_per_s as u64),
                    us(own.p50_us),
                    us(own.p99_us),
                    us(own.lateness_p99_us),
                    format!("{:.0} %", own.cpu_share * 100.0),
                    verdict,
                ]);
            }
            rows.push(row);
        }
    }
    table("", &rows)
}

/// Who ran on it, and its facts by name.
type Machine<'a> = (Vec<&'a str>, Vec<(&'static str, String)>);

/// A column for each machine; equal ones are one column.
pub(super) fn environments(sides: &[Side]) -> String {
    let generators = sides.iter().flat_map(|side| {
        let generators = side.runs.iter().flat_map(|run| &run.generators);
        generators.map(|generator| (side.label.as_str(), generator.environment.by_name()))
    });
    // Available memory is never twice the same.
    let same = |a: &(&str, String), b: &(&str, String)| a == b || a.0 == "memory available";
    let mut columns: Vec<Machine<'_>> = Vec::new();
    for (label, facts) in generators {
        let is_known = |column: &&mut Machine<'_>| {
            column.1.len() == facts.len() && column.1.iter().zip(&facts).all(|(a, b)| same(a, b))
        };
        match columns.iter_mut().find(is_known) {
            Some((labels, _)) if labels.contains(&label) => {}
            Some((labels, _)) => labels.push(label),
            None => columns.push((vec![label], facts)),
        }
    }
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in columns.iter().flat_map(|(_, facts)| facts) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let labels = columns.iter().map(|(labels, _)| match sides.len() {
        1 => String::new(),
        _ => escaped(&labels.join(", ")),
    });
    let mut rows = vec![[String::new()].into_iter().chain(labels).collect::<Vec<_>>()];
    for name in names {
        let fact = |(_, facts): &Machine<'_>| {
            let fact = facts.iter().find(|(known, _)| *known == name);
            fact.map_or("-".to_owned(), |(_, fact)| escaped(fact))
        };
        rows.push([name.to_owned()].into_iter().chain(columns.iter().map(fact)).collect());
    }
    table("facts", &rows)
}

pub(super) fn commands(sides: &[Side]) -> String {
    let generators = sides.iter().flat_map(|side| side.runs.iter().flat_map(|run| &run.generators));
    let mut commands: Vec<&str> = generators.map(|it| it.command.as_str()).collect();
    // Processes of one command have it in common.
    commands.dedup();
    commands.iter().map(|it| format!("<pre>{}</pre>\n", escaped(it))).collect()
}

/// When it was, and how to read it.
pub(super) fn footer(sides: &[Side]) -> String {
    let began = sides.iter().flat_map(|side| &side.runs).flat_map(|run| &run.generators);
    let began = began.map(|it| it.measured_from_unix_s).fold(f64::INFINITY, f64::min);
    let since_1970 = std::time::Duration::try_from_secs_f64(began).unwrap_or_default();
    let began = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since_1970);
    format!(
        "<footer>Measured from {began}. Latency is from sending a message (at a constant rate: \
         from when it was due) to the last byte of its answer, once the fate of every connection \
         was known.</footer>\n"
    )
}
