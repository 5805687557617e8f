use super::*;

#[test]
fn rungs_are_numbers_within_reach() {
    let hard = sys::rlimit::nofile().expect("readable").hard;
    assert_eq!(parse_rung("64"), Ok(64));
    assert_eq!(parse_rung("max"), Ok(hard.min(NOFILE_MAX)));
    for (text, phrase) in [("", "give a number"), ("6x", "give a number"), ("31", "lowest is 32")] {
        let error = parse_rung(text).expect_err(text);
        assert!(error.contains(phrase) && !error.contains('\n'), "{error}");
    }
    if let Some(above) = hard.checked_add(1) {
        let error = parse_rung(&above.to_string()).expect_err("above the hard limit");
        assert!(error.contains(&format!("hard limit is {hard}")), "{error}");
    }
}

#[test]
fn the_default_ladder_climbs() {
    let rungs = default_rungs().expect("readable");
    assert!(rungs.is_sorted_by(|a, b| a < b), "{rungs:?}");
    assert_eq!(rungs.last().copied(), parse_rung("max").ok());
}

#[test]
fn policies_have_names_and_near_misses_a_hint() {
    assert_eq!(parse_policy("evict-idle"), Ok(AtLimit::EvictIdle));
    let error = parse_policy("shedd").expect_err("no such policy");
    assert!(error.contains("did you mean `shed`?") && error.contains("refuse"), "{error}");
}
