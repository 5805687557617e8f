//! One side of a comparison.
//!
//! **What.** A [`Side`]: the repetitions of one run under one name, and what they add up to.
//!
//! **Why this way.** A report of one run is a comparison with one side: one page draws both.
//!
//! **Costs.** A merge.
//!
//! **Read next.** `src/report/page.rs`.

use super::{Results, Run, merge};
use crate::load::Row;

/// One or more runs of the same scenario against the same thing.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is called.
    pub label: String,
    /// Its repetitions; never empty.
    pub runs: Vec<Run>,
    /// All of them added up: the percentiles are those of all answers.
    pub sum: Run,
}

impl Side {
    /// Puts together what belongs together; each run has the name of its file.
    ///
    /// # Errors
    /// As of [`merge()`]: they are not repetitions of each other.
    pub fn new(label: String, runs: Vec<(String, Run)>) -> Result<Side, String> {
        let mut sum = merge(&runs)?;
        if runs.len() > 1 {
            // Repetitions have no time in common, and are not meant to.
            sum.report.common = None;
        }
        Ok(Side { label, runs: runs.into_iter().map(|(_, run)| run).collect(), sum })
    }

    /// One run, named after what it was put on.
    pub fn of(run: Run) -> Side {
        Side { label: run.report.url.clone(), runs: vec![run.clone()], sum: run }
    }

    /// The runs of a file, each as a side; steps are called as their rates are.
    pub fn each(results: &Results) -> Vec<Side> {
        let sides = results.runs.iter().map(|run| match results.are_steps {
            true => Side { label: run.step_name(), ..Side::of(run.clone()) },
            false => Side::of(run.clone()),
        });
        sides.collect()
    }

    /// Right answers a second: the mean of the repetitions.
    pub fn rate_per_s(&self) -> f64 {
        let rates = self.runs.iter().map(|run| run.report.rate_per_s());
        rates.sum::<f64>() / self.runs.len() as f64
    }

    /// Messages a second that were asked for, the mean of the repetitions; `None` in a closed loop.
    pub fn asked_per_s(&self) -> Option<u64> {
        let asked: Option<Vec<u64>> = self.runs.iter().map(Run::asked_per_s).collect();
        asked.map(|asked| asked.iter().sum::<u64>() / asked.len() as u64)
    }

    /// Connections that were tried, the mean of the repetitions.
    pub fn connections(&self) -> u64 {
        let tried = self.runs.iter().map(|run| run.report.connections.attempted);
        tried.sum::<u64>() / self.runs.len() as u64
    }

    /// The rows of all its generators.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.runs.iter().flat_map(|run| run.generators.iter().flat_map(|it| &it.rows))
    }
}

impl Run {
    /// Answers a second over time, by all generators together: points of seconds since the first
    /// began, and rate.
    pub(super) fn rates(&self) -> Vec<(f64, f64)> {
        let begin = self.generators.iter().map(|it| it.measured_from_unix_s);
        let begin = begin.fold(f64::INFINITY, f64::min);
        let rows = || {
            self.generators.iter().flat_map(move |it| {
                let offset_s = it.measured_from_unix_s - begin;
                it.rows.iter().map(move |row| (offset_s + row.at_s, row))
            })
        };
        if self.generators.len() == 1 {
            return rows().map(|(at, row)| (at + row.length_s / 2.0, row.rate_per_s())).collect();
        }
        // The rows of several do not begin together: what a row counted is spread over the bins
        // that it lies in.
        let end_s = rows().map(|(at, row)| at + row.length_s).fold(0.0, f64::max);
        let longest_s = rows().map(|(_, row)| row.length_s).fold(0.0, f64::max);
        let width_s = longest_s.max(end_s / 600.0).max(1e-3);
        let mut bins = vec![0.0; (end_s / width_s).floor() as usize];
        for (at, row) in rows() {
            for (n, bin) in bins.iter_mut().enumerate() {
                let from = at.max(n as f64 * width_s);
                let until = (at + row.length_s).min((n + 1) as f64 * width_s);
                *bin += row.rate_per_s() * (until - from).max(0.0) / width_s;
            }
        }
        let points = bins.into_iter().enumerate();
        points.map(|(n, rate)| ((n as f64 + 0.5) * width_s, rate)).collect()
    }
}

#[cfg(test)]
mod tests;
