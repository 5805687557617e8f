use super::super::run::tests::run;
use super::*;

#[test]
fn rates_of_generators_that_do_not_begin_together_add_up() {
    let runs = [("a", run(1e9, &[100, 100, 100], 10)), ("b", run(1e9 + 0.5, &[10, 30, 10], 10))];
    let sum = merge(&runs.map(|(name, run)| (name.to_owned(), run))).expect("fits");
    // Half a second of nothing and half of 10/s, then half of 10/s and half of 30/s.
    assert_eq!(sum.rates(), [(0.5, 105.0), (1.5, 120.0), (2.5, 120.0)]);
    assert_eq!(run(1e9, &[7], 10).rates(), [(0.5, 7.0)]);
}

#[test]
fn a_side_is_the_mean_of_its_repetitions() {
    let runs = [("a", run(1e9, &[100], 10)), ("b", run(2e9, &[300, 300], 20))];
    let runs = runs.map(|(name, run)| (name.to_owned(), run)).to_vec();
    let side = Side::new("both".to_owned(), runs).expect("fits");
    assert_eq!((side.rate_per_s(), side.rows().count()), (200.0, 3));
    assert_eq!(side.sum.report.latency_ns().len(), 700);
    assert_eq!(side.sum.report.common, None, "they are not meant to run together");
}
