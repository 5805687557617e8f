//! The parts of the page that only a search has.
//!
//! **What.** The knees and their ratios, latency by rate, and each run of a search in a line.
//!
//! **Why this way.** That a server has a knee, and whether it is one or a slope, is seen where its
//! latency is drawn over the rate; the runs that confirm it are drawn like all others.
//!
//! **Costs.** A few kilobytes.
//!
//! **Read next.** `src/report/page.rs`, `src/report/versus.rs`.

use super::{Chart, Knees, Line, Scale, escaped, legend, parts, section, short, time};
use crate::limits::words::grouped;
use crate::report::chart::{COLOURS, round_up};
use crate::report::knee::{Knee, Probe, Verdict};
use crate::report::versus::for_page;

/// All of it.
pub(super) fn intro(knees: &[Knees]) -> String {
    let (rows, lines) = for_page(knees);
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| escaped(cell)).collect()).collect();
    let lines = lines.iter().map(|line| format!("<p>{}</p>\n", escaped(line)));
    let entries = knees.iter().enumerate().map(|(n, it)| (n, false, it.label.clone()));
    let key = legend(&entries.collect::<Vec<_>>());
    let chart = key + "<p>Each run of a search is a point; dashed: what was to be kept.</p>\n";
    let tables = knees.iter().map(|it| runs(it, knees.len() == 1));
    parts::table("", &rows)
        + &lines.collect::<String>()
        + &section("Latency by rate", &(chart + &by_rate(knees).svg()))
        + &section("The runs of the search", &tables.collect::<String>())
}

/// What the objective is about, over the rate that was asked for.
fn by_rate(knees: &[Knees]) -> Chart<'static> {
    let searches = knees.iter().enumerate();
    let searches = searches
        .flat_map(|(colour, it)| it.searches.iter().map(move |knee| (colour, &it.label, knee)));
    let dots = |(colour, label, knee): (usize, &String, &Knee)| {
        let dot = |probe: &Probe| {
            let point = (probe.rate_asked_per_s as f64, probe.figure_us?);
            let label = format!("{label}: {}/s {}", grouped(probe.rate_asked_per_s), words(probe));
            Some(Line { label, colour, dashed: false, points: vec![point] })
        };
        knee.probes.iter().filter_map(dot).collect::<Vec<_>>()
    };
    let mut lines: Vec<Line> = searches.flat_map(dots).collect();
    let rates = lines.iter().flat_map(|line| &line.points).map(|(rate, _)| *rate);
    let most = rates.fold(0.0, f64::max);
    if let Some(below_us) = knees.first().map(|it| it.objective().below_us).filter(|_| most > 0.0) {
        let points = vec![(0.0, below_us), (most, below_us)];
        lines.push(Line {
            label: "to be kept".to_owned(),
            colour: COLOURS - 1,
            dashed: true,
            points,
        });
    }
    let step = round_up(most / 5.0);
    let ticks = (0..=5).map(|n| f64::from(n) * step);
    Chart {
        title: "Latency over the rate that was asked for",
        x_label: "messages a second that were asked for",
        x_ticks: Some(ticks.map(|rate| (rate, short(rate))).collect()),
        y_scale: Scale::Log,
        y_text: time,
        y_at_least: 0.0,
        lines,
    }
}

/// The runs of a side, in the order in which they were made.
fn runs(knees: &Knees, is_alone: bool) -> String {
    let label = if is_alone { "" } else { &knees.label };
    let head = [label, "asked/s", "answered/s", &knees.objective().figure, "verdict"];
    let mut rows = vec![head.map(escaped).to_vec()];
    for (probe, n) in knees.searches.iter().flat_map(|it| it.probes.iter().zip(1..)) {
        rows.push(vec![
            n.to_string(),
            grouped(probe.rate_asked_per_s),
            grouped(probe.rate_per_s.round() as u64),
            probe.figure_us.map_or("-".to_owned(), time),
            escaped(&words(probe)),
        ]);
    }
    parts::table("said", &rows)
}

fn words(probe: &Probe) -> String {
    let reasons = probe.reasons.join("; ");
    match probe.verdict {
        Verdict::Kept if probe.confirms => "kept again".to_owned(),
        Verdict::Kept => "kept".to_owned(),
        Verdict::Missed => format!("missed: {reasons}"),
        Verdict::Invalid => format!("INVALID: {reasons}"),
    }
}
