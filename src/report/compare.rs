//! Whether runs differ, and by how much.
//!
//! **What.** [`compare()`] puts the figures of each side beside those of the first: the ratio, and
//! how much of it may be noise.
//!
//! **Why this way.** A ratio without its noise is an invitation to believe in luck. Noise is how
//! much a figure differs between repetitions of a run; where there is one run only, between its
//! seconds. Two sides differ if they are further apart than the 95 % interval that this spread
//! gives to a difference of means (Welch's, with Student's t, for few samples). Seconds
//! of one run resemble each other more than two runs do, so they find differences that a repetition
//! would not: the text says which of the two it was. Rejected: bootstrap (random numbers in a
//! report), comparing p99.9 by seconds (too few answers in each).
//!
//! **Costs.** Nothing to speak of.
//!
//! **Read next.** `src/report/side.rs`.

use super::{Run, Side};
use crate::load::Row;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Right answers a second.
    Rate,
    /// Latency that half the answers did not exceed, in microseconds.
    P50,
    /// The same for 99 of 100.
    P99,
    /// The same for 999 of 1000.
    P999,
}

impl Figure {
    /// All of them, in the order of the report.
    pub const ALL: [Figure; 4] = [Figure::Rate, Figure::P50, Figure::P99, Figure::P999];

    /// What reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Figure::Rate => "rate",
            Figure::P50 => "p50",
            Figure::P99 => "p99",
            Figure::P999 => "p99.9",
        }
    }

    fn quantile(self) -> f64 {
        match self {
            Figure::Rate | Figure::P50 => 0.5,
            Figure::P99 => 0.99,
            Figure::P999 => 0.999,
        }
    }

    /// Of a whole side; `None` if it has too few answers to tell.
    pub fn of(self, side: &Side) -> Option<f64> {
        match self {
            Figure::Rate => Some(side.rate_per_s()).filter(|rate| *rate > 0.0),
            _ => side.sum.report.percentile_us(self.quantile()),
        }
    }

    fn of_run(self, run: &Run) -> Option<f64> {
        match self {
            Figure::Rate => Some(run.report.rate_per_s()),
            _ => run.report.percentile_us(self.quantile()),
        }
    }

    /// Of a second; a thousandth of its answers are too few to tell.
    fn of_row(self, row: &Row) -> Option<f64> {
        match self {
            Figure::Rate => Some(row.rate_per_s()),
            Figure::P50 => row.p50_us,
            Figure::P99 => row.p99_us,
            Figure::P999 => None,
        }
    }

    /// What shows its noise: the repetitions, or the whole rows of the only run.
    fn samples(self, side: &Side) -> Vec<f64> {
        if let [_, _, ..] = side.runs[..] {
            return side.runs.iter().filter_map(|run| self.of_run(run)).collect();
        }
        // Of several generators the rates add up, but percentiles of rows do not.
        let rates = side.sum.rates();
        let (rows, width_s) = match &side.sum.generators[..] {
            [only] => {
                (&only.rows[..], only.rows.iter().map(|row| row.length_s).fold(0.0, f64::max))
            }
            _ if self == Figure::Rate => return rates.into_iter().map(|(_, rate)| rate).collect(),
            _ => return Vec::new(),
        };
        let whole = rows.iter().filter(|row| row.length_s > 0.9 * width_s);
        whole.filter_map(|row| self.of_row(row)).collect()
    }
}

/// How a figure of a side compares with that of the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// This side's figure over the first's.
    pub ratio: f64,
    /// The ratio may be so much larger or smaller, by chance (95 %); `None` if there are too few
    /// samples to tell.
    pub noise: Option<f64>,
    /// The difference may be chance; `None` if nobody can tell.
    pub within_noise: Option<bool>,
}

/// The ratio of `side` to `first`; `None` if one of them has too few answers to tell.
pub fn compare(figure: Figure, first: &Side, side: &Side) -> Option<Ratio> {
    let (base, own) = (figure.of(first)?, figure.of(side)?);
    let ratio = own / base;
    let chance = chance(&figure.samples(first), &figure.samples(side));
    Some(Ratio {
        ratio,
        noise: chance.map(|chance| chance / base),
        within_noise: chance.map(|chance| (own - base).abs() <= chance),
    })
}

/// How far apart the means of two samples may be by chance: half the 95 % interval of their
/// difference, after Welch. `None` with less than two values on a side.
pub(super) fn chance(a: &[f64], b: &[f64]) -> Option<f64> {
    let (square_a, square_b) = (squared_error(a)?, squared_error(b)?);
    let sum = square_a + square_b;
    let part = |square: f64, values: &[f64]| square * square / (values.len() - 1) as f64;
    let parts = part(square_a, a) + part(square_b, b);
    // Without any spread every difference is one.
    let freedom = if parts > 0.0 { sum * sum / parts } else { f64::INFINITY };
    Some(student(freedom) * sum.sqrt())
}

/// The standard error of the mean, squared.
fn squared_error(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| squares / (n - 1.0) / n)
}

/// Student's t for 95 %, two-sided, rounded to the safe side between the lines of the table.
fn student(freedom: f64) -> f64 {
    const TABLE: [(f64, f64); 14] = [
        (1.0, 12.71),
        (2.0, 4.30),
        (3.0, 3.18),
        (4.0, 2.78),
        (5.0, 2.57),
        (6.0, 2.45),
        (7.0, 2.36),
        (8.0, 2.31),
        (10.0, 2.23),
        (15.0, 2.13),
        (20.0, 2.09),
        (30.0, 2.04),
        (60.0, 2.00),
        (120.0, 1.98),
    ];
    let line = TABLE.iter().rev().find(|(least, _)| freedom >= *least);
    line.map_or(TABLE[0].1, |(_, t)| *t)
}

/// How the noise was estimated, for each side.
pub(super) fn basis(side: &Side) -> String {
    match side.runs.len() {
        1 => {
            let seconds = Figure::Rate.samples(side).len();
            format!("{}: between the {seconds} seconds of one run", side.label)
        }
        runs => format!("{}: between {runs} repetitions", side.label),
    }
}

#[cfg(test)]
mod tests;
