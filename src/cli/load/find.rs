//! The knee: the highest rate at which a server keeps an objective.
//!
//! **What.** [`find`] makes runs until [`Search`] knows; [`Found`] is what came of it, as a table
//! and as a [`Knee`].
//!
//! **Why this way.** Each probe is a run of its own with new connections, so that the line which
//! one leaves is not the next one's. A run that the generator itself spoilt is made again, for on a
//! busy machine that may be chance; if that is spoilt too, and a third, the search ends there: what
//! lies beyond would be the generator's knee. The spread of the runs that confirm is told: a rate
//! without it looks more certain than it is.
//!
//! **Costs.** About 20 times `--duration`.
//!
//! **Read next.** `src/cli/load/find/search.rs`, `src/cli/load/find/objective.rs`,
//! `src/report/knee.rs`.

mod objective;
mod search;

use super::Failure;
use super::render::{fates, latency};
use crate::limits::words::grouped;
use crate::load::Report;
use crate::report::{self, Ending, From, Knee, Run};
use comfy_table::{CellAlignment, Table, presets};
pub(super) use objective::Objective;
use objective::Verdict;
use search::{Next, Search};
use std::process::ExitCode;
use std::time::Duration;

/// A search that takes more runs than this does not settle.
const RUNS_MAX: usize = 64;
/// A rate at which so many runs in a row were spoilt by the generator is its limit.
const SPOILT_MAX: usize = 3;
/// Where it begins, unless `--rate` says it.
const START_PER_S: u64 = 1_000;

/// One run of the search.
pub(super) struct Probe {
    rate_per_s: u64,
    /// It tried a rate again that was kept before.
    confirms: bool,
    verdict: Verdict,
    run: Run,
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// At a rate that is confirmed.
    Found(u64),
    /// At the generator's limit.
    Generator(u64),
    /// No rate is kept.
    Never(u64),
    /// It was broken off, or does not settle.
    Unfinished(String),
}

/// What a search found.
pub(super) struct Found {
    objective: Objective,
    outcome: Outcome,
    /// The highest rate that was kept, and the lowest that was not.
    between: (Option<u64>, Option<u64>),
    probes: Vec<Probe>,
}

/// Searches from `start` on, and not below `floor`, by runs of `duration` which `measure` makes.
pub(super) fn find(
    objective: &Objective,
    start: Option<u64>,
    floor: u64,
    duration: Duration,
    mut measure: impl FnMut(u64) -> Result<Run, Failure>,
    mut tell: impl FnMut(&str),
) -> Result<Found, Failure> {
    let mut search =
        Search::new(start.unwrap_or(START_PER_S), floor.max(objective.rate_min(duration)));
    let mut probes: Vec<Probe> = Vec::new();
    let outcome = loop {
        let (rate, confirms) = match search.next() {
            Next::Probe(rate) => (rate, false),
            Next::Confirm(rate) => (rate, true),
            Next::Found(rate) => break Outcome::Found(rate),
            Next::Never => break Outcome::Never(search.missed().unwrap_or_default()),
        };
        if probes.len() >= RUNS_MAX {
            let why = "the runs contradict each other; use a longer --duration";
            break Outcome::Unfinished(why.to_owned());
        }
        let run = measure(rate)?;
        let Report { measured, connections, .. } = &run.report;
        let is_whole = *measured >= duration || connections.connected == 0;
        let nobody = (measured.is_zero() && connections.attempted > 0).then(|| fates(&run.report));
        let probe =
            Probe { rate_per_s: rate, confirms, verdict: objective.judge(&run.report), run };
        tell(&probe.line(probes.len() + 1, objective));
        let verdict = probe.verdict.clone();
        probes.push(probe);
        let is_spoilt =
            |it: &&Probe| it.rate_per_s == rate && matches!(it.verdict, Verdict::Spoilt(_));
        let spoilt = probes.iter().rev().take_while(is_spoilt).count();
        match verdict {
            Verdict::Spoilt(_) if spoilt >= SPOILT_MAX => break Outcome::Generator(rate),
            Verdict::Missed(_) if let Some(fates) = nobody => {
                break Outcome::Unfinished(format!("nobody was served: {fates}"));
            }
            _ if !is_whole => break Outcome::Unfinished("it was interrupted".to_owned()),
            Verdict::Kept => search.note(rate, true),
            Verdict::Missed(_) => search.note(rate, false),
            Verdict::Spoilt(_) => {}
        }
    };
    let (objective, between) = (objective.clone(), (search.best(), search.missed()));
    Ok(Found { objective, outcome, between, probes })
}

impl Probe {
    fn figure(&self, objective: &Objective) -> String {
        objective.of(&self.run.report).map_or("-".to_owned(), latency)
    }

    /// What came of it, in words.
    fn words(&self) -> String {
        match &self.verdict {
            Verdict::Kept if self.confirms => "kept again".to_owned(),
            Verdict::Kept => "kept".to_owned(),
            Verdict::Missed(why) => format!("missed: {why}"),
            Verdict::Spoilt(_) => "INVALID".to_owned(),
        }
    }

    fn line(&self, number: usize, objective: &Objective) -> String {
        let (rate, figure) = (grouped(self.rate_per_s), self.figure(objective));
        format!("run {number}: {rate}/s: {} {figure}, {}", objective.figure, self.words())
    }

    fn written(&self, objective: &Objective) -> report::Probe {
        let (verdict, reasons) = match &self.verdict {
            Verdict::Kept => (report::Verdict::Kept, Vec::new()),
            Verdict::Missed(why) => (report::Verdict::Missed, vec![why.clone()]),
            Verdict::Spoilt(reasons) => (report::Verdict::Invalid, reasons.clone()),
        };
        report::Probe {
            rate_asked_per_s: self.rate_per_s,
            rate_per_s: self.run.report.rate_per_s(),
            figure_us: objective.of(&self.run.report),
            confirms: self.confirms,
            verdict,
            reasons,
        }
    }
}

impl Found {
    /// The runs that confirmed the rate.
    fn confirming(&self) -> impl Iterator<Item = &Probe> {
        let rate = match self.outcome {
            Outcome::Found(rate) => Some(rate),
            _ => None,
        };
        self.probes.iter().filter(move |it| {
            it.confirms && Some(it.rate_per_s) == rate && it.verdict == Verdict::Kept
        })
    }

    /// The smallest, the middle and the largest of what the confirming runs had, in microseconds.
    fn spread_us(&self) -> Option<[f64; 3]> {
        let figures = self.confirming().filter_map(|it| self.objective.of(&it.run.report));
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        Some([*figures.first()?, figures[figures.len() / 2], *figures.last()?])
    }

    /// 0: found; 3: the generator was the limit; 1: no rate, or it does not know.
    pub(super) fn status(&self) -> ExitCode {
        match self.outcome {
            Outcome::Found(_) => ExitCode::SUCCESS,
            Outcome::Generator(_) => ExitCode::from(super::STATUS_INVALID),
            Outcome::Never(_) | Outcome::Unfinished(_) => ExitCode::FAILURE,
        }
    }

    /// All of it, as it is written, with the whole runs that confirm.
    pub(super) fn knee(&self, command: String) -> Knee {
        let (outcome, rate_per_s) = match self.outcome {
            Outcome::Found(rate) => (Ending::Found, Some(rate)),
            Outcome::Generator(_) => (Ending::Generator, None),
            Outcome::Never(_) => (Ending::Never, None),
            Outcome::Unfinished(_) => (Ending::Unfinished, None),
        };
        let it = &self.objective;
        Knee {
            command,
            objective: report::Kept {
                figure: it.figure.to_owned(),
                counts_from: if it.is_service { From::Sent } else { From::Due },
                below_us: it.below_us,
            },
            outcome,
            rate_per_s,
            kept_up_to_per_s: self.between.0,
            missed_from_per_s: self.between.1,
            confirmed_us: self.spread_us(),
            probes: self.probes.iter().map(|probe| probe.written(it)).collect(),
            runs: self.confirming().map(|it| it.run.clone()).collect(),
        }
    }

    /// The answer, then a row for each run.
    pub(super) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let figure = self.objective.figure;
        table.set_header(["RUN", "ASKED/s", "ANSWERED/s", figure, "CPU", ""]);
        for (n, probe) in self.probes.iter().enumerate() {
            let report = &probe.run.report;
            table.add_row([
                (n + 1).to_string(),
                grouped(probe.rate_per_s),
                grouped(report.rate_per_s().round() as u64),
                probe.figure(&self.objective),
                format!("{:.0} %", report.cpu_share * 100.0),
                probe.words(),
            ]);
        }
        for column in table.column_iter_mut().take(5) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("\n{}\n\n{}\n", self.answer(), table.trim_fmt())
    }

    fn answer(&self) -> String {
        let url = self.probes.first().map_or("", |probe| &probe.run.report.url);
        let objective = &self.objective;
        let kept = match self.between.0 {
            Some(rate) => format!("It was kept at {}/s.", grouped(rate)),
            None => "It was kept at no rate.".to_owned(),
        };
        match &self.outcome {
            Outcome::Found(rate) => {
                let missed = match self.between.1 {
                    Some(missed) => format!("at {}/s it is not", grouped(missed)),
                    None => "higher rates are not tried".to_owned(),
                };
                let [least, middle, most] = self.spread_us().unwrap_or_default().map(latency);
                format!(
                    "{}/s is the highest rate at which {objective} is kept by\n{url}; {missed}.\n\
                     {} more runs at that rate had a {} of {least}, {middle} and {most}\n\
                     (least, middle, most).",
                    grouped(*rate),
                    self.confirming().count(),
                    objective.figure
                )
            }
            Outcome::Generator(rate) => {
                let reasons = self.probes.last().map(|probe| match &probe.verdict {
                    Verdict::Spoilt(reasons) => reasons.join(";\n"),
                    _ => String::new(),
                });
                format!(
                    "THE GENERATOR IS THE LIMIT at {}/s, and not {url}:\n{}.\n{kept}\n\
                     To go on: more processes (--procs), a quieter machine, or a longer -d.",
                    grouped(*rate),
                    reasons.unwrap_or_default()
                )
            }
            Outcome::Never(rate) => format!(
                "NO RATE: {objective} is not kept by {url},\nnot even at {}/s. Lower ones have \
                 too few answers to tell: use a longer -d.",
                grouped(*rate)
            ),
            Outcome::Unfinished(why) => format!("NOT FOUND: {why}. {kept}"),
        }
    }
}
