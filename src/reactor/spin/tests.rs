use super::*;

const START: Time = Time::from_ms(7);

/// How long it would look now.
fn look_ns(spin: &Spin) -> u64 {
    spin.until(START).as_ns() - START.as_ns()
}

/// One that has just found something.
fn proven(full_us: u32) -> Spin {
    let mut spin = Spin::new(full_us);
    spin.found();
    spin
}

#[test]
fn off_never_looks_whatever_happens() {
    let mut spin = Spin::new(0);
    assert!(!spin.is_on());
    spin.found();
    spin.slept(Duration::ZERO);
    assert_eq!(look_ns(&spin), 0);
}

#[test]
fn it_wants_a_proof_before_it_looks() {
    let mut spin = Spin::new(100);
    assert!(spin.is_on());
    assert_eq!(look_ns(&spin), 0);
    spin.slept(Duration::from_micros(150));
    assert_eq!(look_ns(&spin), 100_000);
}

#[test]
fn in_vain_it_halves_and_then_stops() {
    let mut spin = proven(100);
    let looks: Vec<u64> = std::iter::repeat_with(|| {
        let ns = look_ns(&spin);
        spin.found_nothing();
        ns
    })
    .take(1_000)
    .collect();
    assert_eq!(looks[..5], [100_000, 50_000, 25_000, 12_500, 0]);
    assert_eq!(looks[4..].iter().sum::<u64>(), 0);
    assert!(looks.iter().sum::<u64>() < 2 * 100_000);
}

#[test]
fn what_is_found_restores_all_of_it() {
    for times in 0..10 {
        let mut spin = proven(100);
        (0..times).for_each(|_| spin.found_nothing());
        spin.found();
        assert_eq!(look_ns(&spin), 100_000, "after {times} in vain");
    }
}

#[test]
fn a_short_sleep_restores_it_and_a_long_one_does_not() {
    let after = |waited_us| {
        let mut spin = Spin::new(50);
        spin.slept(Duration::from_micros(waited_us));
        look_ns(&spin)
    };
    assert_eq!([after(0), after(100), after(101), after(u64::MAX)], [50_000, 50_000, 0, 0]);
}

#[test]
fn a_message_each_millisecond_is_not_looked_for() {
    let mut spin = proven(200);
    let mut looked_ns = 0;
    for _ in 0..1_000 {
        looked_ns += look_ns(&spin);
        spin.found_nothing();
        spin.slept(Duration::from_millis(1));
    }
    assert!(looked_ns < 2 * 200_000, "{looked_ns} ns in a second");
}

#[test]
fn the_longest_look_does_not_overflow() {
    let spin = proven(u32::MAX);
    assert_eq!(look_ns(&spin), u64::from(u32::MAX) * 1_000);
    assert_eq!(spin.until(Time::from_ns(u64::MAX)), Time::from_ns(u64::MAX));
}
