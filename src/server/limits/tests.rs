use super::*;

#[test]
fn the_defaults_hold_and_each_relation_is_checked_at_its_edge() {
    assert_eq!(Limits::default().check(), Ok(()));
    let name = |limits: Limits| limits.check().map_err(|error| error.name);
    let with = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        name(limits)
    };
    assert_eq!(with(|l| l.line_bytes_max = BLOCK_BYTES + 1), Err("line_bytes_max"));
    assert_eq!(with(|l| l.line_bytes_max = 1), Err("line_bytes_max"));
    assert_eq!(with(|l| l.line_bytes_max = 2), Ok(()));
    assert_eq!(with(|l| l.backlog_bytes_max = 128 * 1024 - 1), Err("backlog_bytes_max"));
    assert_eq!(with(|l| l.backlog_bytes_max = 128 * 1024), Ok(()));
    assert_eq!(with(|l| l.buffers_bytes_max = 1024 * 1024 - 1), Err("buffers_bytes_max"));
    let built_in = if deflate::IS_BUILT_IN { Ok(()) } else { Err("deflate") };
    assert_eq!(with(|l| l.deflate = true), built_in);
    assert_eq!(with(|l| l.deflate = false), Ok(()));
    assert_eq!(with(|l| l.drain_ms = 0), Err("drain_ms"));
    assert_eq!(with(|l| l.spin_us = SPIN_US_MAX), Ok(()));
    assert_eq!(with(|l| l.spin_us = SPIN_US_MAX + 1), Err("spin_us"));
    assert_eq!(with(|l| l.linger_ms = 0), Err("linger_ms"));
}

#[test]
fn mail_has_as_much_of_a_turn_as_all_else() {
    let of = |us| deliveries_in_turn(Duration::from_micros(us));
    assert_eq!([of(0), of(100), of(1_000)], [DELIVERIES_PER_TURN, DELIVERIES_PER_TURN, 250]);
    assert_eq!(of(1_000_000), DELIVERIES_PER_TURN_MAX);
}
