//! Whether knees differ, and by how much.
//!
//! **What.** [`Knees`] is one side of a comparison of searches; [`versus`] is its ratio to the
//! first, [`knee_table`] all of it in words.
//!
//! **Why this way.** A search knows its knee to between the rate that was kept and the next that
//! was missed, so two knees within this step may be one. That much is noise even if repetitions
//! agree to the last digit, which they do, for all try the same rates; if repetitions are further
//! apart, their spread is the noise. Beyond a step one search says nothing: two of the same server
//! were once 15,750/s and 54,000/s. Knees of different objectives are refused: their ratio would be
//! no figure of a server.
//!
//! **Costs.** Nothing to speak of.
//!
//! **Read next.** `src/report/compare.rs`, `src/report/knee.rs`.

use super::compare::{Ratio, chance};
use super::knee::{Ending, Kept, Knee};
use super::page::time;
use super::table::{other_scenario, short, verdict};
use super::{Run, Side};
use crate::limits::words::grouped;
use comfy_table::{CellAlignment, Table, presets};

/// One or more searches of the same thing under one name.
#[derive(Clone, Debug)]
pub struct Knees {
    /// What it is called.
    pub label: String,
    /// Its repetitions; never empty.
    pub searches: Vec<Knee>,
    /// The runs that confirm what was found, if anything was.
    pub side: Option<Side>,
}

impl Knees {
    /// Puts together what belongs together; each search has the name of its file.
    ///
    /// # Errors
    /// There is none; one had another objective; or as of [`merge()`](super::merge()).
    pub fn new(label: String, files: Vec<(String, Knee)>) -> Result<Knees, String> {
        let all = files.iter().map(|(name, it)| (name.as_str(), &it.objective));
        same_objective(all)?;
        let runs = files
            .iter()
            .flat_map(|(name, knee)| knee.runs.iter().map(move |run| (name.clone(), run.clone())));
        let runs: Vec<(String, Run)> = runs.collect();
        let side = match runs.is_empty() {
            true => None,
            false => Some(Side::new(label.clone(), runs)?),
        };
        Ok(Knees { label, searches: files.into_iter().map(|(_, knee)| knee).collect(), side })
    }

    /// What was to be kept.
    pub fn objective(&self) -> &Kept {
        &self.searches[0].objective
    }

    /// The knee, in messages a second: the mean of the repetitions. `None` if one has found none.
    pub fn rate_per_s(&self) -> Option<f64> {
        self.rates().map(|rates| mean(&rates))
    }

    fn rates(&self) -> Option<Vec<f64>> {
        self.searches.iter().map(|it| it.rate_per_s.map(|rate| rate as f64)).collect()
    }

    /// What was missed, on the mean; `None` if a search missed nothing.
    fn missed_per_s(&self) -> Option<f64> {
        let missed = self.searches.iter().map(|it| it.missed_from_per_s.map(|rate| rate as f64));
        missed.collect::<Option<Vec<f64>>>().map(|rates| mean(&rates))
    }

    /// How far the knee may be above what was found.
    fn step_per_s(&self) -> f64 {
        let step = |knee: &Knee| Some(knee.missed_from_per_s?.saturating_sub(knee.rate_per_s?));
        self.searches.iter().filter_map(step).max().unwrap_or(0) as f64
    }

    /// The least, the middle and the largest figure of the runs that confirm; of repetitions the
    /// middle of the middles.
    pub(super) fn confirmed_us(&self) -> Option<[f64; 3]> {
        let all: Vec<[f64; 3]> = self.searches.iter().filter_map(|it| it.confirmed_us).collect();
        let mut middles: Vec<f64> = all.iter().map(|us| us[1]).collect();
        middles.sort_by(f64::total_cmp);
        let least = all.iter().map(|us| us[0]).reduce(f64::min)?;
        let most = all.iter().map(|us| us[2]).reduce(f64::max)?;
        Some([least, middles[middles.len() / 2], most])
    }

    /// Why there is no knee, if there is none.
    fn lacks(&self) -> Option<String> {
        let knee = self.searches.iter().find(|it| it.outcome != Ending::Found)?;
        let kept = match knee.kept_up_to_per_s {
            Some(rate) => format!("it was kept at {}/s", grouped(rate)),
            None => "it was kept at no rate".to_owned(),
        };
        Some(match knee.outcome {
            Ending::Generator => format!("the generator was the limit, and not the server; {kept}"),
            Ending::Never => "it was kept at no rate that has answers enough to tell".to_owned(),
            _ => format!("the search was broken off, or did not settle; {kept}"),
        })
    }
}

/// All have the same.
///
/// # Errors
/// The name of the first that has another, and both.
fn same_objective<'a>(mut all: impl Iterator<Item = (&'a str, &'a Kept)>) -> Result<(), String> {
    let Some((first_name, first)) = all.next() else {
        return Err("no file: name at least one".to_owned());
    };
    match all.find(|(_, other)| *other != first) {
        None => Ok(()),
        Some((name, other)) => Err(format!(
            "{name}: field `objective`: {other}, but {first} in {first_name}: only knees of the \
             same objective compare"
        )),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// How the knee of `side` compares with that of the first; `None` if one of them has none.
pub fn versus(first: &Knees, side: &Knees) -> Option<Ratio> {
    let (bases, owns) = (first.rates()?, side.rates()?);
    let (base, own) = (mean(&bases), mean(&owns));
    let step = first.step_per_s().max(side.step_per_s());
    let apart = (own - base).abs();
    // Within a step it is no matter how far repetitions would be apart.
    let noise = chance(&bases, &owns).map(|chance| chance.max(step));
    let noise = noise.or((apart <= step).then_some(step));
    Some(Ratio {
        ratio: own / base,
        noise: noise.map(|noise| noise / base),
        within_noise: noise.map(|noise| apart <= noise),
    })
}

/// The comparison as text.
///
/// # Errors
/// The sides had different objectives.
pub fn knee_table(sides: &[Knees]) -> Result<String, String> {
    same_objective(sides.iter().map(|it| (it.label.as_str(), it.objective())))?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let [head, rows @ ..] = &cells(sides)[..] else { return Ok(String::new()) };
    table.set_header(head);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
        if column.index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: String = noted(sides).into_iter().map(|line| format!("{line}\n")).collect();
    Ok(format!("{}\n\n{lines}", table.trim_fmt()))
}

/// A row for each side below a head, and a row for its ratio to the first.
fn cells(sides: &[Knees]) -> Vec<Vec<String>> {
    let Some(first) = sides.first() else { return Vec::new() };
    let figure = format!("{} THERE", first.objective().figure.to_uppercase());
    let head = ["RUN", "KNEE", "MISSED AT", &figure, "SEARCHES"].map(str::to_owned).to_vec();
    let rate = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| grouped(rate as u64) + "/s");
    let mut rows = vec![head];
    for (n, side) in sides.iter().enumerate() {
        rows.push(vec![
            side.label.clone(),
            rate(side.rate_per_s()),
            rate(side.missed_per_s()),
            side.confirmed_us().map_or("-".to_owned(), |us| us.map(time).join(", ")),
            side.searches.len().to_string(),
        ]);
        if let Some(ratio) = versus(first, side).filter(|_| n > 0) {
            rows.push(["", &short(&ratio), "", "", ""].map(str::to_owned).to_vec());
        }
    }
    rows
}

/// What differs, what nobody knows, and how it is known.
pub(super) fn noted(sides: &[Knees]) -> Vec<String> {
    let Some((first, others)) = sides.split_first() else { return Vec::new() };
    let mut lines = Vec::new();
    for side in others {
        if let Some(ratio) = versus(first, side) {
            lines.push(verdict(&side.label, &first.label, &[("knee", ratio)]));
        }
    }
    for side in sides {
        if let Some(why) = side.lacks() {
            lines.push(format!("{} has no knee: {why}.", side.label));
        }
    }
    lines.push(format!(
        "The knee is the highest rate at which {} is kept; the runs that confirm it had the {} \
         that stands there (least, middle, most).",
        first.objective(),
        first.objective().figure
    ));
    if !others.is_empty() {
        lines.push(
            "Noise (±) is the step from a knee to the rate that was missed, or what repetitions \
             let two means differ by (95 %), if that is more; ~ is within it."
                .to_owned(),
        );
        if sides.iter().any(|side| side.searches.len() == 1) {
            lines.push(
                "How far two searches of the same are apart only repetitions show: ? is where they \
                 are missing (LABEL=FILE, several files of one label)."
                    .to_owned(),
            );
        }
    }
    let ours = first.side.as_ref();
    let theirs = others.iter().filter_map(|side| side.side.as_ref());
    lines.extend(theirs.filter_map(|theirs| other_scenario(ours?, theirs)));
    lines
}

/// The same as [`knee_table`], as cells of a page, and what is to be said of them.
pub(super) fn for_page(sides: &[Knees]) -> (Vec<Vec<String>>, Vec<String>) {
    (cells(sides), noted(sides))
}

#[cfg(test)]
mod tests;
