use super::super::knee::tests::{found, knee, none};
use super::*;

fn knees(label: &str, rates: &[(u64, u64)]) -> Knees {
    let files = rates.iter().zip(0..).map(|((rate, missed), n): (_, u32)| {
        let mut json = found(*rate, *missed, 250);
        // Each of another process, or they were the same run twice.
        for run in json["runs"].as_array_mut().expect("runs") {
            run["generators"][0]["pid"] = n.into();
        }
        (label.to_owned(), knee(&json))
    });
    Knees::new(label.to_owned(), files.collect()).expect("fits")
}

fn ratio(first: &[(u64, u64)], other: &[(u64, u64)]) -> Ratio {
    versus(&knees("a", first), &knees("b", other)).expect("both found")
}

#[test]
fn within_a_step_two_knees_may_be_one() {
    let near = ratio(&[(10_000, 10_300)], &[(10_250, 10_500)]);
    assert_eq!((near.within_noise, near.noise), (Some(true), Some(0.03)));
    let far = ratio(&[(10_000, 10_300)], &[(20_000, 20_600)]);
    assert_eq!((far.ratio, far.within_noise, far.noise), (2.0, None, None), "nobody can tell");
    // A search that missed nothing knows its rate to be at least that.
    let mut most = found(10_000, 10_300, 250);
    most["missed_from_per_s"] = serde_json::Value::Null;
    let most = Knees::new("most".to_owned(), vec![(String::new(), knee(&most))]).expect("fits");
    assert_eq!(versus(&most, &most).and_then(|it| it.within_noise), Some(true));
}

#[test]
fn repetitions_tell_what_differs_and_what_is_noise() {
    let far = ratio(&[(10_000, 10_300); 2], &[(20_000, 20_600); 2]);
    assert_eq!((far.ratio, far.within_noise, far.noise), (2.0, Some(false), Some(0.06)));
    let first = [(10_000, 10_300), (14_000, 14_300), (9_000, 9_300)];
    let other = [(12_000, 12_300), (16_000, 16_300), (11_000, 11_300)];
    assert_eq!(ratio(&first, &other).within_noise, Some(true));
    let same = [(10_000, 10_300); 3];
    let other = [(10_200, 10_500); 3];
    let ratio = ratio(&same, &other);
    assert_eq!((ratio.within_noise, ratio.noise), (Some(true), Some(0.03)), "the step is left");
}

#[test]
fn the_table_has_knees_ratios_and_what_is_not_known() {
    let mut limited = none("generator");
    limited["kept_up_to_per_s"] = 1_000.into();
    let limited = Knees::new("limited".to_owned(), vec![(String::new(), knee(&limited))]);
    let sides = [
        knees("before", &[(10_000, 10_300); 2]),
        knees("same", &[(10_100, 10_400)]),
        knees("after", &[(15_000, 15_400); 2]),
        knees("once", &[(15_000, 15_400)]),
        limited.expect("fits"),
    ];
    let text = knee_table(&sides).expect("one objective");
    for part in [
        "P99 THERE",
        "10,300/s",
        "250 us, 250 us, 250 us",
        "~ x1.01 ±0.03",
        "x1.50 ±0.04",
        "same against before: within the noise: knee (+1.0 %).",
        "after against before: differs in knee (+50.0 %).",
        "limited has no knee: the generator was the limit, and not the server; it was kept at \
         1,000/s.",
        "at which response p99 < 5 ms is kept",
        "? x1.50",
        "once against before: too few samples to tell: knee (+50.0 %).",
        "only repetitions show",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("limited against"), "{text}");
    let rows = text.split("\n\n").next().expect("a table");
    assert!(rows.lines().all(|line| line.chars().count() <= 90), "{text}");
}

#[test]
fn other_objectives_and_scenarios_are_named() {
    let mut other = found(10_000, 10_300, 250);
    other["objective"]["below_us"] = 1_000.into();
    let files = |json| vec![("o.json".to_owned(), knee(json))];
    let other = Knees::new("other".to_owned(), files(&other)).expect("fits");
    let error = knee_table(&[knees("first", &[(10_000, 10_300)]), other]).expect_err("other");
    assert!(
        error.starts_with("other: field `objective`: response p99 < 1 ms, but response p99 < 5 ms"),
        "{error}"
    );
    let mut deeper = found(10_000, 10_300, 250);
    for run in deeper["runs"].as_array_mut().expect("runs") {
        run["depth"] = 4.into();
    }
    let deeper = Knees::new("deeper".to_owned(), files(&deeper)).expect("fits");
    let text = knee_table(&[knees("first", &[(10_000, 10_300)]), deeper]).expect("one objective");
    assert!(text.contains("deeper did not do the same as first: depth 4, not 1."), "{text}");
}
