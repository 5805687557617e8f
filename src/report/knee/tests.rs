use super::super::run::tests::file;
use super::*;
use serde_json::json;

/// A search that found `rate` below `missed`, with latencies of `us` microseconds there.
pub(in crate::report) fn found(rate: u64, missed: u64, us: u64) -> Value {
    let probe = |rate: u64, confirms: bool, verdict: &str| {
        json!({
            "rate_asked_per_s": rate, "rate_per_s": rate as f64, "figure_us": us as f64,
            "confirms": confirms, "verdict": verdict,
            "reasons": if verdict == "kept" { json!([]) } else { json!(["p99 was <long>"]) },
        })
    };
    let run = |n: u32| {
        let mut run = file(1e9 + f64::from(n) * 10.0, &[rate, rate], us);
        run["rate_asked_per_s"] = rate.into();
        run["unsent"] = 0.into();
        run["service_ns_histogram"] = run["latency_ns_histogram"].clone();
        run["lateness_ns_histogram"] = run["latency_ns_histogram"].clone();
        run
    };
    let confirming = (0..3).map(|_| probe(rate, true, "kept"));
    let probes: Vec<Value> = [probe(rate, false, "kept"), probe(missed, false, "missed")]
        .into_iter()
        .chain(confirming)
        .collect();
    json!({
        "format": FORMAT, "command": "oneloop load --find 'p99<5ms'",
        "objective": {"figure": "p99", "counts_from": "due", "below_us": 5_000.0},
        "outcome": "found", "rate_per_s": rate, "kept_up_to_per_s": rate,
        "missed_from_per_s": missed, "confirmed_us": [us as f64, us as f64, us as f64],
        "probes": probes, "runs": [run(0), run(1), run(2)],
    })
}

/// One that found none, for it ended so.
pub(in crate::report) fn none(outcome: &str) -> Value {
    let mut json = found(1_000, 2_000, 250);
    json["outcome"] = outcome.into();
    json["rate_per_s"] = Value::Null;
    json["confirmed_us"] = Value::Null;
    json["runs"] = json!([]);
    json
}

/// The same, read.
pub(in crate::report) fn knee(json: &Value) -> Knee {
    Knee::parse(&json.to_string()).expect("our own")
}

#[test]
fn what_is_written_comes_back() {
    for json in [found(10_000, 10_300, 250), none("generator"), none("never"), none("unfinished")] {
        let text = knee(&json).to_json().expect("JSON");
        assert_eq!(Knee::parse(&text).expect("our own").to_json().expect("JSON"), text);
    }
    let knee = knee(&found(10_000, 10_300, 250));
    assert_eq!((knee.rate_per_s, knee.probes.len(), knee.runs.len()), (Some(10_000), 5, 3));
    assert_eq!(knee.objective.to_string(), "response p99 < 5 ms");
}

#[test]
fn what_contradicts_itself_is_refused_with_its_field() {
    type Spoil = fn(&mut Value);
    let cases: [(Spoil, &str); 19] = [
        (|it| it["format"] = json!("x"), "field `format`: "),
        (|it| it["outcome"] = json!("lucky"), "field `outcome`: unknown variant"),
        (|it| it["probes"] = Value::Null, "field `probes`: missing"),
        (|it| it["runs"] = Value::Null, "field `runs`: missing"),
        (|it| it["runs"][1]["depth"] = json!("x"), "run 2: field `depth`: "),
        (|it| it["objective"]["figure"] = json!("p98"), "field `objective`: no figure \"p98\""),
        (
            |it| it["objective"]["figure"] = json!("p9\u{1b}[2J"),
            "field `objective`: no figure \"p9\\u{1b}",
        ),
        (|it| it["objective"]["counts_from"] = json!("now"), "field `objective`: unknown variant"),
        (|it| it["objective"]["below_us"] = json!(-1), "field `objective`: `below_us`"),
        (|it| it["rate_per_s"] = Value::Null, "field `rate_per_s`: missing, though found"),
        (|it| it["rate_per_s"] = json!(0), "a rate is below 1"),
        (|it| it["missed_from_per_s"] = json!(u64::MAX), "a rate is below 1 a second, or above"),
        (|it| it["missed_from_per_s"] = json!(9_999), "field `rate_per_s`: 10000 is not the"),
        (|it| it["rate_per_s"] = json!(9_000), "field `runs`: they do not confirm the 9000/s"),
        (|it| it["runs"] = json!([]), "field `runs`: they do not confirm"),
        (|it| it["probes"] = json!([]), "field `probes`: 0 confirm the rate, but there are 3"),
        (|it| it["probes"][0]["rate_per_s"] = json!(-1), "field `probes`: a figure is none"),
        (|it| it["confirmed_us"] = json!([250, 250, 6_000]), "field `confirmed_us`: "),
        (|it| it["outcome"] = json!("never"), "field `rate_per_s`: has a rate, though none"),
    ];
    for (spoil, reason) in cases {
        let mut json = found(10_000, 10_300, 250);
        spoil(&mut json);
        let error = Knee::parse(&json.to_string()).expect_err(reason);
        assert!(error.starts_with(reason) && !error.contains('\n'), "{reason} is not: {error}");
    }
    let text = found(10_000, 10_300, 250).to_string();
    for end in [1, text.len() / 2, text.len() - 1] {
        let error = Knee::parse(&text[..end]).expect_err("half a file");
        assert!(error.starts_with("is cut off: "), "{error}");
    }
    let mut leftover = none("generator");
    leftover["runs"] = found(1_000, 2_000, 250)["runs"].clone();
    assert!(Knee::parse(&leftover.to_string()).is_err_and(|it| it.starts_with("field `runs`: ")));
}
