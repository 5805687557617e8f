//! Adding up what several generators found.
//!
//! **What.** [`merge()`] makes one run of several; [`Merged`] also knows how much of the time they
//! had in common.
//!
//! **Why this way.** Histograms add up and percentiles do not, so histograms are added. Counts are
//! added; the rate is all answers over the union of the measured times, by the clocks of the
//! machines. Rates are not added: two generators that took turns are no load of both. Who did
//! something else cannot be added at all.
//!
//! **Costs.** 33,000 additions a file.
//!
//! **Read next.** `src/load/report.rs`, which adds.

use super::Run;
use std::time::Duration;

/// Several runs as one.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The sum.
    pub run: Run,
    /// Seconds in which all of them measured.
    pub common_s: f64,
}

impl Merged {
    /// What the reader should know before he believes the rate: that they did not run at the same
    /// time, or the clocks of the machines differ.
    pub fn doubt(&self) -> Option<String> {
        let measured_s = self.run.report.measured.as_secs_f64();
        (self.common_s < 0.9 * measured_s).then(|| {
            format!(
                "all measured at the same time for {:.1} of {measured_s:.1} s: the rate is that of \
                 the whole time; start them together, by clocks that agree",
                self.common_s
            )
        })
    }
}

/// Adds up runs, each with its name.
///
/// # Errors
/// There is none to add; or the name of the one that does not fit, the field, and why.
pub fn merge(runs: &[(String, Run)]) -> Result<Merged, String> {
    let [(first_name, first), rest @ ..] = runs else {
        return Err("no file: name at least one".to_owned());
    };
    let mut sum = first.clone();
    for (name, run) in rest {
        for ((field, ours), (_, theirs)) in first.scenario().into_iter().zip(run.scenario()) {
            if ours != theirs {
                return Err(format!(
                    "{name}: field `{field}`: {theirs}, but {ours} in {first_name}: only runs of \
                     the same scenario add up"
                ));
            }
        }
        let again = run.generators.iter().any(|it| sum.generators.contains(it));
        if again {
            return Err(format!("{name}: field `generators`: its run is in the sum already"));
        }
        sum.report.merge(&run.report);
        sum.generators.extend(run.generators.iter().cloned());
    }
    let spans: Vec<(f64, f64)> = sum.generators.iter().map(|it| it.span()).collect();
    sum.report.measured = Duration::from_secs_f64(union_s(&spans));
    Ok(Merged { run: sum, common_s: common_s(&spans) })
}

/// Seconds that are in at least one of the spans.
fn union_s(spans: &[(f64, f64)]) -> f64 {
    let mut spans = spans.to_vec();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut covered_until = f64::NEG_INFINITY;
    let new = spans.into_iter().map(|(begin, end)| {
        let new = (end - begin.max(covered_until)).max(0.0);
        covered_until = covered_until.max(end);
        new
    });
    new.sum()
}

/// Seconds that are in all of the spans.
fn common_s(spans: &[(f64, f64)]) -> f64 {
    let begin = spans.iter().map(|span| span.0).fold(f64::NEG_INFINITY, f64::max);
    let end = spans.iter().map(|span| span.1).fold(f64::INFINITY, f64::min);
    (end - begin).max(0.0)
}

#[cfg(test)]
mod tests;
