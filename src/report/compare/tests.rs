use super::super::run::tests::run;
use super::*;

/// A side of one run for each list of rates.
fn side(label: &str, runs: &[&[u64]]) -> Side {
    let run =
        |(n, rates): (usize, &&[u64])| (n.to_string(), run(1e9 + 100.0 * n as f64, rates, 10));
    Side::new(label.to_owned(), runs.iter().enumerate().map(run).collect()).expect("fits")
}

#[test]
fn a_difference_beyond_the_seconds_is_one_and_within_them_is_noise() {
    let first = side("first", &[&[100, 110, 90, 105, 95]]);
    let close = side("close", &[&[104, 92, 108, 101, 99]]);
    let twice = side("twice", &[&[200, 210, 190, 205, 195]]);
    let ratio = compare(Figure::Rate, &first, &close).expect("measured");
    assert_eq!(ratio.within_noise, Some(true), "{ratio:?}");
    let ratio = compare(Figure::Rate, &first, &twice).expect("measured");
    assert_eq!((ratio.ratio, ratio.within_noise), (2.0, Some(false)));
    // By hand: both have a standard error of sqrt(62.5 / 5), 8 degrees of freedom, t = 2.31.
    let noise = ratio.noise.expect("enough samples");
    assert!((noise - 2.31 * 5.0 / 100.0).abs() < 1e-9, "{noise}");
}

#[test]
fn repetitions_decide_and_not_their_seconds() {
    // Within each run every second is the same: by its seconds anything would be a difference.
    let first = side("first", &[&[100, 100, 100], &[130, 130, 130], &[90, 90, 90]]);
    let other = side("other", &[&[120, 120, 120], &[95, 95, 95], &[118, 118, 118]]);
    let by_runs = compare(Figure::Rate, &first, &other).expect("measured");
    assert_eq!(by_runs.within_noise, Some(true), "{by_runs:?}");
    let one = |rate| side("one", &[&[rate, rate, rate]]);
    let by_seconds = compare(Figure::Rate, &one(100), &one(104)).expect("measured");
    assert_eq!((by_seconds.within_noise, by_seconds.noise), (Some(false), Some(0.0)));
    assert_eq!(basis(&first), "first: between 3 repetitions");
    assert_eq!(basis(&one(1)), "one: between the 3 seconds of one run");
}

#[test]
fn too_few_samples_tell_nothing() {
    let short = side("short", &[&[100]]);
    let ratio = compare(Figure::Rate, &short, &side("long", &[&[90, 80]])).expect("measured");
    assert_eq!((ratio.noise, ratio.within_noise), (None, None));
    let tail =
        compare(Figure::P999, &side("a", &[&[9_000, 9_000]]), &side("b", &[&[9_000, 9_000]]));
    assert_eq!(tail.expect("measured").within_noise, None, "seconds have no p99.9");
    assert_eq!(compare(Figure::P50, &short, &side("none", &[&[0]])), None, "nothing was measured");
}

#[test]
fn t_is_never_smaller_than_it_should_be() {
    let cases = [(0.5, 12.71), (1.0, 12.71), (4.9, 2.78), (9.0, 2.31), (1e9, 1.98)];
    for (freedom, t) in cases {
        assert_eq!(student(freedom), t, "{freedom}");
    }
    assert_eq!(student(f64::INFINITY), 1.98);
}
