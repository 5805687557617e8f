//! Adding up what several generators found.
//!
//! **What.** [`merge()`] makes one run of several, which knows how much of the time they had in
//! common.
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

/// Adds up runs, each with its name.
///
/// # Errors
/// There is none to add; or the name of the one that does not fit, the field, and why.
pub fn merge(runs: &[(String, Run)]) -> Result<Run, String> {
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
    let are_several = spans.len() > 1;
    sum.report.common = are_several.then(|| Duration::from_secs_f64(common_s(&spans)));
    Ok(sum)
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
