use super::super::run::tests::run;
use super::*;

fn side(label: &str, rates: &[u64], us: u64) -> Side {
    Side::new(label.to_owned(), vec![(label.to_owned(), run(1e9, rates, us))]).expect("fits")
}

#[test]
fn the_table_has_ratios_and_says_what_is_noise() {
    let sides = [
        side("before", &[100_000, 110_000, 90_000, 105_000, 95_000], 250),
        side("same", &[104_000, 92_000, 108_000, 101_000, 99_000], 250),
        side("after", &[200_000, 210_000, 190_000, 205_000, 195_000], 125),
    ];
    let text = table(&sides);
    for part in [
        "RUN",
        "P99.9",
        "100,000/s",
        "~ x1.01 ±",
        "x2.00 ±0.12",
        "x0.50 ±0.00",
        "? x0.50",
        "same against before: within the noise: rate (+0.8 %), p50 (+0.0 %), p99 (+0.0 %); ",
        "after against before: differs in rate (+100.0 %), p50 (-5",
        "too few samples to tell: p99.9 (-5",
        "before: between the 5 seconds of one run;",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let rows = text.split("\n\n").next().expect("a table");
    assert!(rows.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn who_did_something_else_is_named() {
    let mut deeper = side("deeper", &[100, 100], 250);
    deeper.sum.report.depth = 4;
    let text = table(&[side("first", &[100, 100], 250), deeper]);
    assert!(text.contains("deeper did not do the same as first: depth 4, not 1."), "{text}");
}

#[test]
fn who_had_more_connections_is_named_and_who_had_nothing_too() {
    let mut many = side("many", &[100, 100], 250);
    many.runs[0].report.connections.attempted = 1_000;
    let text = table(&[side("few", &[100, 100], 250), many]);
    assert!(text.contains("many had 1,000 connections, few had 3."), "{text}");
    let text = table(&[side("one", &[100, 100], 250), side("two", &[100, 100], 250)]);
    assert!(!text.contains("connections"), "{text}");
    let text = table(&[side("some", &[100, 100], 250), side("none", &[0], 250)]);
    assert!(text.contains("none against some: nothing to compare."), "{text}");
}

#[test]
fn who_was_asked_for_another_rate_is_named() {
    let paced = |label: &str, rate: u64| {
        let mut side = side(label, &[100, 100], 250);
        side.runs[0].report.paced = Some(crate::load::Paced::new(rate));
        side
    };
    let text = table(&[paced("slow", 10_000), paced("fast", 20_000)]);
    assert!(text.contains("fast was asked for 20,000/s, slow for 10,000/s"), "{text}");
    let mut twice = paced("other", 10_000);
    twice.runs.push(twice.runs[0].clone());
    let text = table(&[paced("one", 10_000), twice]);
    assert!(!text.contains("asked for"), "{text}");
}
