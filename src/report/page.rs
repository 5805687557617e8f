//! The results as a page to look at, to print, to send by mail.
//!
//! **What.** [`page()`] writes one HTML file with everything in it: figures, latency by percentile,
//! rate and latency over time, what became of connections, CPU, machines, commands.
//!
//! **Why this way.** A file that needs nothing else can still be opened in ten years: no script, no
//! font, no address of another host, only SVG and a style. Latency by percentile counts in nines,
//! because what users feel lies where a linear axis ends. Everything that comes out of a file is
//! escaped.
//!
//! **Costs.** 20 KB, and 50 bytes a second of the run.
//!
//! **Read next.** `src/report/chart.rs`, `src/report/page/style.css`.

mod knee;
mod parts;

use super::chart::{COLOURS, Chart, Line, Scale};
use super::{Knees, Run, Side};
use crate::load::Row;
use hdrhistogram::Histogram;

const STYLE: &str = include_str!("page/style.css");

/// The page of one side, or of several beside each other.
pub fn page(sides: &[Side]) -> String {
    match sides {
        [only] => {
            let title = format!("Load on {}", only.sum.report.url);
            document(&title, &parts::summary(&only.sum), sides)
        }
        _ => {
            let title = format!("{} runs compared{}", sides.len(), on(sides));
            document(&title, &parts::comparison(sides), sides)
        }
    }
}

/// What all sides were put on, if it was the same.
fn on(sides: &[Side]) -> String {
    let mut urls = sides.iter().map(|side| &side.sum.report.url);
    match urls.next() {
        Some(first) if urls.all(|url| url == first) => format!(", on {first}"),
        _ => String::new(),
    }
}

/// The page of a search, or of several beside each other: the knees, what led to them, and the runs
/// that confirm them.
pub fn page_of_knees(knees: &[Knees]) -> String {
    let sides: Vec<Side> = knees.iter().filter_map(|it| it.side.clone()).collect();
    let title = match knees {
        [only] => only
            .side
            .as_ref()
            .map_or("A search".to_owned(), |side| format!("The knee of {}", side.sum.report.url)),
        _ => format!("{} searches compared{}", knees.len(), on(&sides)),
    };
    document(&title, &knee::intro(knees), &sides)
}

/// A page with an introduction of its own; below it what holds for all runs.
fn document(title: &str, intro: &str, sides: &[Side]) -> String {
    let title = escaped(title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n<h1>{title}</h1>\n{intro}"
    );
    if sides.is_empty() {
        return html;
    }
    let key_of_percentiles = match sides.iter().any(|side| side.sum.report.paced.is_some()) {
        true => key(sides) + "<p>Since it was due; dashed: since it was sent.</p>\n",
        false => key(sides),
    };
    let by_percentile = key_of_percentiles + &by_percentile(sides).svg();
    html += &section("Latency by percentile", &by_percentile);
    html += &section("Figures", &parts::figures(sides));
    html += &section("Rate over time", &(key(sides) + &rates(sides).svg()));
    html += &latency_over_time(sides);
    html += &reopened(sides);
    html += &cpu(sides);
    html += &section("What became of the connections", &parts::fates(sides));
    if sides.iter().any(|side| side.runs.iter().any(|run| run.generators.len() > 1)) {
        html += &section("Generators", &parts::generators(sides));
    }
    html += &section("Where it ran", &parts::environments(sides));
    html += &section("To repeat it", &parts::commands(sides));
    html + &parts::footer(sides)
}

fn section(title: &str, body: &str) -> String {
    format!("<section>\n<h2>{title}</h2>\n{body}</section>\n")
}

/// Text that HTML and its attributes take as text.
pub(super) fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Microseconds with a unit that fits, short.
pub(super) fn time(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 1_000.0 => (us, "us"),
        us if us < 1_000_000.0 => (us / 1_000.0, "ms"),
        us => (us / 1_000_000.0, "s"),
    };
    let digits = 2_i32.saturating_sub(value.max(0.01).log10().floor() as i32).clamp(0, 2) as usize;
    let text = format!("{value:.digits$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

/// A rate, short: `200k`.
fn short(rate: f64) -> String {
    match rate {
        rate if rate >= 1e6 => format!("{}M", rate / 1e6),
        rate if rate >= 1e3 => format!("{}k", rate / 1e3),
        rate => format!("{rate}"),
    }
}

fn cores(cores: f64) -> String {
    format!("{:.0} %", cores * 100.0)
}

/// What each line is; one alone is what the heading says.
fn legend(lines: &[(usize, bool, String)]) -> String {
    let entry = |(colour, dashed, label): &(usize, bool, String)| {
        let dashed = if *dashed { " dashed" } else { "" };
        format!(
            "<li><svg viewBox=\"0 0 22 8\" aria-hidden=\"true\"><path class=\"line s{}{dashed}\" \
             d=\"M0 4H22\"/></svg>{}</li>",
            colour % COLOURS,
            escaped(label)
        )
    };
    match lines {
        [] | [_] => String::new(),
        _ => format!("<ul class=\"key\">{}</ul>\n", lines.iter().map(entry).collect::<String>()),
    }
}

/// Colours of the sides.
fn key(sides: &[Side]) -> String {
    let lines = sides.iter().enumerate().map(|(n, side)| (n, false, side.label.clone()));
    legend(&lines.collect::<Vec<_>>())
}

/// The share of answers that took longer, in powers of ten, over what they took; dashed, at a
/// constant rate, the same without the waiting in line.
fn by_percentile(sides: &[Side]) -> Chart<'static> {
    let line = |(colour, side): (usize, &Side)| {
        let report = &side.sum.report;
        let service = report.paced.as_ref().map(|paced| Line {
            label: format!("{}: since it was sent", side.label),
            colour,
            dashed: true,
            points: nines(paced.service_ns()),
        });
        let points = nines(report.latency_ns());
        let latency = Line { label: side.label.clone(), colour, dashed: false, points };
        [latency].into_iter().chain(service)
    };
    let ticks = (1..9).map(|nines| match nines {
        1 => (1.0, "90 %".to_owned()),
        2 => (2.0, "99 %".to_owned()),
        _ => (f64::from(nines), format!("99.{} %", "9".repeat(nines as usize - 2))),
    });
    let half = (0.5_f64.log10().abs(), "50 %".to_owned());
    Chart {
        title: "Latency that a share of the answers did not exceed",
        x_label: "share of the answers that took no longer",
        x_ticks: Some(ticks.chain([half]).collect()),
        y_scale: Scale::Log,
        y_text: time,
        y_at_least: 0.0,
        lines: sides.iter().enumerate().flat_map(line).collect(),
    }
}

/// A histogram as points: powers of ten of the share above, and microseconds. It ends where one
/// answer is the share.
fn nines(latency: &Histogram<u64>) -> Vec<(f64, f64)> {
    if latency.is_empty() {
        return Vec::new();
    }
    let most = (latency.len() as f64).log10();
    let steps = (most / 0.05).ceil() as u32;
    let at = (0..=steps).map(|step| (f64::from(step) * 0.05).min(most));
    let us = |nines: f64| latency.value_at_quantile(1.0 - 10_f64.powf(-nines)) as f64 / 1_000.0;
    at.map(|nines| (nines, us(nines))).collect()
}

fn rates(sides: &[Side]) -> Chart<'static> {
    let runs = sides.iter().enumerate();
    let runs = runs.flat_map(|(colour, side)| side.runs.iter().map(move |run| (colour, side, run)));
    let line = |(colour, side, run): (usize, &Side, &Run)| Line {
        label: side.label.clone(),
        colour,
        dashed: false,
        points: run.rates(),
    };
    Chart {
        title: "Right answers a second, over time",
        x_label: "seconds of the measured time; right answers a second",
        x_ticks: None,
        y_scale: Scale::Linear,
        y_text: short,
        y_at_least: 1.0,
        lines: runs.map(line).collect(),
    }
}

/// What a row says of something, if it does.
type Figure = fn(&Row) -> Option<f64>;

/// One generator's percentiles of each row. Those of several cannot be added up without their
/// histograms, so each has its own line.
fn latency_over_time(sides: &[Side]) -> String {
    let alone = matches!(sides, [side] if side.sum.generators.len() == 1);
    let figures: &[(&str, Figure)] = match alone {
        true => &[("p50", |row| row.p50_us), ("p99", |row| row.p99_us), ("max", |row| row.max_us)],
        false => &[("p99", |row| row.p99_us)],
    };
    let mut lines = Vec::new();
    for (n, side) in sides.iter().enumerate() {
        for generator in side.runs.iter().flat_map(|run| &run.generators) {
            for (m, (name, figure)) in figures.iter().enumerate() {
                let at = |row: &Row| row.at_s + row.length_s / 2.0;
                let points = generator.rows.iter();
                let points = points.filter_map(|row| Some((at(row), figure(row)?))).collect();
                let label = if alone { (*name).to_owned() } else { side.label.clone() };
                lines.push(Line {
                    label,
                    colour: if alone { m } else { n },
                    dashed: false,
                    points,
                });
            }
        }
    }
    let names = figures.iter().enumerate().map(|(n, (name, _))| (n, false, (*name).to_owned()));
    let key = if alone { legend(&names.collect::<Vec<_>>()) } else { key(sides) };
    let chart = Chart {
        title: "Latency, over time",
        x_label: "seconds of the measured time",
        x_ticks: None,
        y_scale: Scale::Log,
        y_text: time,
        y_at_least: 0.0,
        lines,
    };
    let title = if alone { "Latency over time" } else { "Latency over time, p99" };
    section(title, &(key + &chart.svg()))
}

/// Sockets opened again, where any were: how clients come back to a server that drains.
fn reopened(sides: &[Side]) -> String {
    if !sides.iter().flat_map(Side::rows).any(|row| row.reopened > 0) {
        return String::new();
    }
    let line = |colour: usize, side: &Side, rows: &[Row]| {
        let rate = |row: &Row| row.reopened as f64 / row.length_s.max(f64::MIN_POSITIVE);
        let points = rows.iter().map(|row| (row.at_s + row.length_s / 2.0, rate(row))).collect();
        Line { label: side.label.clone(), colour, dashed: false, points }
    };
    let lines = sides.iter().enumerate().flat_map(|(colour, side)| {
        let generators = side.runs.iter().flat_map(|run| &run.generators);
        generators.map(move |generator| line(colour, side, &generator.rows))
    });
    let chart = Chart {
        title: "Sockets opened again a second, over time",
        x_label: "seconds of the measured time",
        x_ticks: None,
        y_scale: Scale::Linear,
        y_text: short,
        y_at_least: 1.0,
        lines: lines.collect(),
    };
    section("Sockets opened again, a second", &(key(sides) + &chart.svg()))
}

/// CPU of both ends; the server's where it is known.
fn cpu(sides: &[Side]) -> String {
    let mut lines = Vec::new();
    let mut entries = Vec::new();
    for (colour, side) in sides.iter().enumerate() {
        let prefix = if sides.len() == 1 { String::new() } else { format!("{}: ", side.label) };
        let ends: [(&str, bool, Figure); 2] =
            [("generator", false, |row| Some(row.cpu_s)), ("server", true, |row| row.server_cpu_s)];
        for (end, dashed, seconds) in ends {
            let label = format!("{prefix}{end}");
            if side.rows().any(|row| seconds(row).is_some()) {
                entries.push((colour, dashed, label.clone()));
            }
            for generator in side.runs.iter().flat_map(|run| &run.generators) {
                let points = generator.rows.iter().filter_map(|row| {
                    let share = seconds(row)? / row.length_s.max(f64::MIN_POSITIVE);
                    Some((row.at_s + row.length_s / 2.0, share))
                });
                let points = points.collect();
                lines.push(Line { label: label.clone(), colour, dashed, points });
            }
        }
    }
    let chart = Chart {
        title: "CPU time of the generator and the server, over time",
        x_label: "seconds of the measured time; 100 % is one core",
        x_ticks: None,
        y_scale: Scale::Linear,
        y_text: cores,
        y_at_least: 1.0,
        lines,
    };
    section("CPU", &(legend(&entries) + &chart.svg()))
}

#[cfg(test)]
mod tests;
