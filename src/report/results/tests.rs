use super::super::run::tests::{file, run};
use super::*;
use serde_json::json;

fn steps(rates: &[u64], us: u64) -> Results {
    let runs = rates.iter().map(|rate| run(1e9, &[*rate], us)).collect();
    Results { command: "oneloop load --steps".to_owned(), are_steps: true, runs }
}

#[test]
fn steps_come_back_as_they_were() {
    let text = steps(&[100, 200], 250).to_json().expect("JSON");
    let back = Results::parse(&text).expect("our own");
    assert_eq!(back.to_json().expect("JSON"), text);
    assert_eq!(
        (back.runs.len(), back.are_steps, &*back.command),
        (2, true, "oneloop load --steps")
    );
    assert!(Run::parse(&text).is_err_and(|error| error.contains("has 2 runs")));
    let one = steps(&[100], 250).to_json().expect("JSON");
    assert!(Results::parse(&one).expect("our own").are_steps, "a step alone is one");
}

#[test]
fn a_bad_step_is_named() {
    let mut bad = file(1e9, &[100], 250);
    bad["depth"] = "deep".into();
    let json = json!({"format": STEPS_FORMAT, "steps": [file(1e9, &[100], 250), bad]});
    let error = Results::parse(&json.to_string()).expect_err("bad");
    assert!(error.starts_with("step 2: field `depth`: "), "{error}");
    let none = json!({"format": STEPS_FORMAT, "steps": []});
    assert!(Results::parse(&none.to_string()).is_err_and(|it| it == "field `steps`: empty"));
}

#[test]
fn each_step_is_added_up_by_itself() {
    let mut second = steps(&[10, 20], 50);
    second.runs.iter_mut().for_each(|run| run.generators[0].pid = Some(2));
    let named = |it: Results, name: &str| (name.to_owned(), it);
    let files = [named(steps(&[100, 200], 50), "a"), named(second, "b")];
    let sum = Results::merge(&files).expect("they fit");
    let answers: Vec<u64> = sum.runs.iter().map(|it| it.report.measured_answers).collect();
    assert_eq!((answers, sum.are_steps), (vec![110, 220], true));
    let files = [named(steps(&[100, 200], 50), "a"), named(steps(&[1], 50), "b")];
    let error = Results::merge(&files).expect_err("other steps");
    assert!(error.starts_with("b: has 1 steps, but a has 2 steps"), "{error}");
    assert!(Results::merge(&[]).is_err());
}
