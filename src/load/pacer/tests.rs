use super::*;
use proptest::prelude::*;

fn us(us: u64) -> Time {
    Time::from_ns(us * 1_000)
}

#[test]
fn each_is_due_at_its_own_time_however_late_it_is_taken() {
    let mut pacer = Pacer::new(us(500), 1_000, 4);
    assert_eq!((pacer.take(us(499)), pacer.in_line(us(499))), (None, 0));
    assert_eq!(pacer.take(us(500)), Some(us(500)));
    assert_eq!((pacer.take(us(1_499)), pacer.next_due()), (None, Some(us(1_500))));
    assert_eq!(pacer.in_line(us(9_000)), 3, "there are no more than four");
    let late = [0; 4].map(|_| pacer.take(us(9_000)));
    assert_eq!(late, [Some(us(1_500)), Some(us(2_500)), Some(us(3_500)), None]);
    assert_eq!((pacer.next_due(), pacer.in_line(us(99_000))), (None, 0));
}

#[test]
fn a_stretch_of_time_has_what_fits_and_at_least_one() {
    for (rate, ms, total) in [(100, 1_000, 100), (3, 1_500, 4), (200_000, 10, 2_000), (1, 10, 1)] {
        let pacer = Pacer::for_ms(Time::ZERO, rate, ms);
        assert_eq!(pacer.in_line(Time::from_ms(1 << 40)), total, "{rate} for {ms} ms");
    }
}

#[test]
fn stopping_keeps_what_is_in_line_and_giving_up_does_not() {
    let mut pacer = Pacer::for_ms(Time::ZERO, 1_000, 60_000);
    pacer.stop(us(2_500));
    assert_eq!(pacer.in_line(Time::from_ms(60_000)), 3);
    assert_eq!(pacer.take(us(2_500)), Some(us(0)));
    assert_eq!((pacer.give_up(us(2_500)), pacer.in_line(us(9_000))), (2, 0));
}

proptest! {
    /// The count and the moments agree at every nanosecond, and after years.
    #[test]
    fn what_is_in_line_is_what_can_be_taken(
        rate in 1..=RATE_MAX,
        taken in prop_oneof![0..1_000u64, 0..1u64 << 40],
        offset in -1i64..=1,
    ) {
        let mut pacer = Pacer::new(Time::from_ms(7), rate, u64::MAX);
        pacer.taken = taken;
        let due = pacer.next_due().expect("endless");
        let now = Time::from_ns(due.as_ns().saturating_add_signed(offset));
        prop_assert_eq!(pacer.in_line(now) > 0, now >= due);
        prop_assert_eq!(pacer.take(now), (now >= due).then_some(due));
    }

    /// A rate is exact over any whole second.
    #[test]
    fn a_second_holds_as_many_as_the_rate_says(rate in 1..=RATE_MAX, seconds in 1..100_000u64) {
        let pacer = Pacer::new(Time::ZERO, rate, u64::MAX);
        let end = Time::from_ns(seconds * NS_PER_S - 1);
        prop_assert_eq!(pacer.in_line(end), seconds * rate);
    }
}
