use super::super::run::tests::run;
use super::*;

fn named(runs: Vec<Run>) -> Vec<(String, Run)> {
    runs.into_iter().enumerate().map(|(n, run)| (format!("{n}.json"), run)).collect()
}

#[test]
fn counts_and_histograms_add_up_and_the_rate_is_over_the_union() {
    // 0 to 2 s and 1 to 3 s: 3 s in all.
    let merged = merge(&named(vec![run(1e9, &[100, 100], 10), run(1e9 + 1.0, &[50, 50], 1_000)]));
    let run = merged.expect("the same scenario");
    assert_eq!((run.report.connections.attempted, run.report.messages.sent), (6, 306));
    assert_eq!(run.report.connections.reasons["full"], 2);
    assert_eq!(run.report.rate_per_s(), 100.0);
    assert_eq!(run.report.common, Some(Duration::from_secs(1)));
    let apart = "the generators had 1.0 of 3.0 s in common: start them together";
    assert!(run.report.doubts().contains(&apart.to_owned()), "{:?}", run.report.doubts());
    let read = Run::parse(&run.to_line().expect("JSON")).expect("its own");
    assert!(read.report.doubts().contains(&apart.to_owned()), "the file knows it too");
    assert_eq!(run.generators.len(), 2);
    // 200 of 10 us, 100 of 1 ms: no average of percentiles is 10 us.
    let p50 = run.report.latency_us(0.5).expect("answers");
    let p90 = run.report.latency_us(0.9).expect("answers");
    assert!((9.9..10.1).contains(&p50) && (999.0..1_001.0).contains(&p90), "{p50} {p90}");
}

#[test]
fn a_sum_can_be_added_to() {
    let sum = merge(&named(vec![run(1e9, &[10], 10), run(2e9, &[20], 10)])).expect("fits");
    assert_eq!(sum.report.common, Some(Duration::ZERO), "they took turns");
    let again = merge(&named(vec![sum, run(1e9, &[30], 10)])).expect("fits");
    assert_eq!((again.generators.len(), again.report.measured_answers), (3, 60));
    assert_eq!(again.report.measured.as_secs(), 2);
    let one = merge(&named(vec![run(1e9, &[10], 10)])).expect("one is enough");
    assert_eq!((one.report.common, one.report.rate_per_s()), (None, 10.0));
}

#[test]
fn what_does_not_add_up_is_refused() {
    let error = |runs| merge(&named(runs)).expect_err("refused");
    assert_eq!(error(vec![]), "no file: name at least one");
    let mut deeper = run(1e9, &[10], 10);
    deeper.report.depth = 2;
    let text = error(vec![run(1e9, &[10], 10), deeper]);
    assert!(text.starts_with("1.json: field `depth`: 2, but 1 in 0.json"), "{text}");
    let text = error(vec![run(1e9, &[10], 10), run(1e9, &[10], 10)]);
    assert!(text.starts_with("1.json: field `generators`: its run is in the sum"), "{text}");
}

#[test]
fn spans_may_have_gaps_and_lie_in_each_other() {
    let spans = [(5.0, 6.0), (0.0, 3.0), (1.0, 2.0), (6.0, 6.5)];
    assert_eq!((union_s(&spans), common_s(&spans)), (4.5, 0.0));
    assert_eq!(common_s(&spans[1..3]), 1.0);
}
