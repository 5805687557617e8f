use super::*;

#[test]
fn it_is_read_as_it_is_written() {
    let read = |text| Objective::parse(text).expect("an objective").to_string();
    assert_eq!(read("p99<5ms"), "response p99 < 5.00 ms");
    assert_eq!(read("service p99.9 < 800us"), "service p99.9 < 800 us");
    assert_eq!(read("response max<1s"), "response max < 1.00 s");
    for (text, reason) in [
        ("p99", "write a limit"),
        ("p98<5ms", "did you mean `p90`"),
        ("servce p99<5ms", "did you mean `service`"),
        ("p99<5", "stands a time"),
        ("p99<0ms", "stands a time"),
        ("<5ms", "figure"),
    ] {
        let error = Objective::parse(text).expect_err(reason);
        assert!(error.contains(reason) && !error.contains('\n'), "{text}: {error}");
    }
}

#[test]
fn the_lowest_rate_has_answers_enough() {
    let rate = |text, seconds| {
        let objective = Objective::parse(text).expect("an objective");
        objective.rate_min(Duration::from_secs(seconds))
    };
    assert_eq!((rate("p99<5ms", 10), rate("p99.9<5ms", 10)), (105, 1_050));
    assert_eq!((rate("p50<5ms", 1), rate("max<5ms", 1)), (21, 1_050));
}
