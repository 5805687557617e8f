//! A comparison in words and figures.
//!
//! **What.** [`table()`] for the terminal; [`verdicts`] and [`noted`], which the page has too.
//!
//! **Why this way.** A side takes two lines, its figures and below them the ratios, so that eight
//! sides are read down and fit 100 columns. `~` marks what may be chance, because that is what one
//! should stumble over; the words say it again.
//!
//! **Costs.** A kilobyte of text.
//!
//! **Read next.** `src/report/compare.rs`.

use super::compare::{Figure, Ratio, basis, compare};
use super::{Side, page::time};
use crate::limits::words::grouped;
use comfy_table::{CellAlignment, Table, presets};

/// The comparison as text, at most 100 columns wide if the labels are short.
pub fn table(sides: &[Side]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let names = Figure::ALL.map(|figure| figure.name().to_uppercase());
    table.set_header(["RUN".to_owned()].into_iter().chain(names));
    for (n, side) in sides.iter().enumerate() {
        let figures = Figure::ALL.map(|figure| written(figure, side));
        table.add_row([side.label.clone()].into_iter().chain(figures));
        if n > 0 {
            let ratios = Figure::ALL.map(|figure| {
                compare(figure, &sides[0], side).map_or(String::new(), |ratio| short(&ratio))
            });
            table.add_row([String::new()].into_iter().chain(ratios));
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
        if column.index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = verdicts(sides).into_iter().chain(noted(sides)).chain(invalid(sides));
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    format!("{}\n\n{lines}", table.trim_fmt())
}

/// A figure with its unit.
pub(super) fn written(figure: Figure, side: &Side) -> String {
    match (figure, figure.of(side)) {
        (_, None) => "-".to_owned(),
        (Figure::Rate, Some(rate)) => format!("{}/s", grouped(rate as u64)),
        (_, Some(us)) => time(us),
    }
}

/// `x1.20 ±0.03`; `~` if it may be chance, `?` if nobody can tell.
pub(super) fn short(ratio: &Ratio) -> String {
    let value = ratio.ratio;
    match (ratio.noise, ratio.within_noise) {
        (Some(noise), Some(true)) => format!("~ x{value:.2} ±{noise:.2}"),
        (Some(noise), _) => format!("x{value:.2} ±{noise:.2}"),
        (None, _) => format!("? x{value:.2}"),
    }
}

/// For each side but the first, what is different and what may be chance.
pub(super) fn verdicts(sides: &[Side]) -> Vec<String> {
    let Some((first, others)) = sides.split_first() else { return Vec::new() };
    let verdict = |side: &Side| {
        let ratios = Figure::ALL
            .into_iter()
            .filter_map(|figure| Some((figure.name(), compare(figure, first, side)?)));
        verdict(&side.label, &first.label, &ratios.collect::<Vec<_>>())
    };
    others.iter().map(verdict).collect()
}

/// What is different and what may be chance, in a sentence.
pub(super) fn verdict(label: &str, first: &str, ratios: &[(&str, Ratio)]) -> String {
    let mut parts = [
        (Some(false), "differs in", vec![]),
        (Some(true), "within the noise:", vec![]),
        (None, "too few samples to tell:", vec![]),
    ];
    for (name, ratio) in ratios {
        let percent = (ratio.ratio - 1.0) * 100.0;
        let part = parts.iter_mut().find(|(known, _, _)| *known == ratio.within_noise);
        part.into_iter().for_each(|(_, _, list)| list.push(format!("{name} ({percent:+.1} %)")));
    }
    let parts = parts.into_iter().filter(|(_, _, list)| !list.is_empty());
    let parts: Vec<String> =
        parts.map(|(_, words, list)| format!("{words} {}", list.join(", "))).collect();
    let found = if parts.is_empty() { "nothing to compare".to_owned() } else { parts.join("; ") };
    format!("{label} against {first}: {found}.")
}

/// How noise was estimated, and where the runs did not do the same.
pub(super) fn noted(sides: &[Side]) -> Vec<String> {
    let bases: Vec<String> = sides.iter().map(basis).collect();
    let mut lines = vec![format!(
        "Noise (±, 95 %) is what the samples' spread lets two means differ by; ~ is within it. {}.",
        bases.join("; ")
    )];
    if sides.iter().any(|side| side.runs.len() == 1) {
        lines.push(
            "Seconds of one run resemble each other more than runs do: repeat before you believe \
             (LABEL=FILE, several files of one label)."
                .to_owned(),
        );
    }
    let Some((first, others)) = sides.split_first() else { return lines };
    for side in others {
        lines.extend(other_scenario(first, side));
        let (ours, theirs) = (first.connections(), side.connections());
        if ours != theirs {
            let (label, first) = (&side.label, &first.label);
            let (ours, theirs) = (grouped(ours), grouped(theirs));
            lines.push(format!("{label} had {theirs} connections, {first} had {ours}."));
        }
        if let (Some(ours), Some(theirs)) = (first.asked_per_s(), side.asked_per_s())
            && ours != theirs
        {
            lines.push(format!(
                "{} was asked for {}/s, {} for {}/s: their rates differ for that reason.",
                side.label,
                grouped(theirs),
                first.label,
                grouped(ours)
            ));
        }
    }
    lines
}

/// Which sides are not to be believed, and why.
pub(super) fn invalid(sides: &[Side]) -> Vec<String> {
    let doubted = sides.iter().map(|side| (&side.label, side.sum.report.doubts()));
    let doubted = doubted.filter(|(_, doubts)| !doubts.is_empty());
    doubted.map(|(label, doubts)| format!("{label} is INVALID: {}.", doubts.join("; "))).collect()
}

/// What a side did that the first did not do, if there is something.
pub(super) fn other_scenario(first: &Side, side: &Side) -> Option<String> {
    let pairs = first.sum.scenario().into_iter().zip(side.sum.scenario());
    let other = pairs.filter(|((_, ours), (_, theirs))| ours != theirs);
    let other: Vec<String> =
        other.map(|((name, ours), (_, theirs))| format!("{name} {theirs}, not {ours}")).collect();
    let (label, first) = (&side.label, &first.label);
    (!other.is_empty())
        .then(|| format!("{label} did not do the same as {first}: {}.", other.join("; ")))
}

#[cfg(test)]
mod tests;
