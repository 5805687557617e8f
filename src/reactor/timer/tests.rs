use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn drain(wheel: &mut TimerWheel, now_ms: u64) -> Vec<u32> {
    let mut budget = u32::MAX;
    let mut keys = Vec::new();
    let has_work = wheel.advance(Time::from_ms(now_ms));
    while let Some(key) = wheel.pop_expired(&mut budget) {
        keys.push(key.0);
    }
    assert!(has_work || keys.is_empty(), "work is announced");
    keys.sort_unstable();
    keys
}

#[test]
fn fires_at_its_millisecond_and_not_before() {
    for due_ms in [1, 63, 64, 65, 4_095, 4_096, 60_000, 3_600_000, 1 << 36] {
        let mut wheel = TimerWheel::with_capacity(1);
        wheel.arm(TimerKey(0), Time::from_ms(due_ms));
        assert!(drain(&mut wheel, due_ms - 1).is_empty(), "{due_ms} ms");
        assert_eq!(drain(&mut wheel, due_ms), [0], "{due_ms} ms");
        assert!(wheel.is_empty());
    }
}

#[test]
fn part_of_a_millisecond_rounds_up() {
    let mut wheel = TimerWheel::with_capacity(1);
    wheel.arm(TimerKey(0), Time::from_ns(1));
    assert!(drain(&mut wheel, 0).is_empty());
    assert_eq!(drain(&mut wheel, 1), [0]);
}

#[test]
fn past_deadlines_are_due_at_once() {
    let mut wheel = TimerWheel::with_capacity(1);
    drain(&mut wheel, 1_000);
    wheel.arm(TimerKey(0), Time::from_ms(10));
    assert!(wheel.next_due().is_some_and(|due| due <= Time::from_ms(1_000)));
    assert_eq!(drain(&mut wheel, 1_000), [0]);
}

#[test]
fn by_a_time_at_the_latest() {
    let mut wheel = TimerWheel::with_capacity(2);
    for due_ms in [50, 70, 20, 30] {
        wheel.arm_by(TimerKey(1), Time::from_ms(due_ms));
    }
    assert!(drain(&mut wheel, 19).is_empty());
    assert_eq!(drain(&mut wheel, 20), [1], "the earliest of all");
    assert!(wheel.is_empty());
    wheel.arm_by(TimerKey(1), Time::from_ms(70));
    assert!(drain(&mut wheel, 69).is_empty(), "what has fired is not in the way");
    assert_eq!(drain(&mut wheel, 70), [1]);
}

#[test]
fn budget_bounds_the_work_and_nothing_is_lost() {
    let mut wheel = TimerWheel::with_capacity(1_000);
    for key in 0..1_000 {
        wheel.arm(TimerKey(key), Time::from_ms(10_000));
    }
    let now = Time::from_ms(10_000);
    let (mut popped, mut calls) = (0, 0);
    while !wheel.is_empty() {
        let mut budget = 10;
        assert!(wheel.advance(now));
        while wheel.pop_expired(&mut budget).is_some() {
            popped += 1;
        }
        calls += 1;
        assert!(wheel.is_empty() || wheel.next_due().is_some_and(|due| due <= now));
    }
    assert_eq!(popped, 1_000);
    assert!(calls >= 100, "a budget of 10 cannot move 1,000 timers in {calls} calls");
}

#[test]
fn a_minute_away_wakes_the_loop_at_most_thrice() {
    let mut wheel = TimerWheel::with_capacity(1);
    wheel.arm(TimerKey(0), Time::from_ms(60_000));
    let mut wakeups = 0;
    while let Some(due) = wheel.next_due() {
        drain(&mut wheel, due.as_ms());
        wakeups += 1;
    }
    assert!(wakeups <= 3, "{wakeups} wake-ups");
}

proptest! {
    /// The wheel against the plainest twin: a map that is searched from end to end.
    #[test]
    fn agrees_with_a_sorted_map(
        steps in prop::collection::vec((0u32..8, 0u64..5_000, 0u64..300, 0u8..4), 1..200)
    ) {
        let mut wheel = TimerWheel::with_capacity(8);
        let mut twin = BTreeMap::new();
        let mut now_ms = 0;
        for (key, ahead_ms, step_ms, what) in steps {
            match what {
                0 => { wheel.disarm(TimerKey(key)); twin.remove(&key); }
                1 | 2 => {
                    let due_ms = now_ms + ahead_ms;
                    wheel.arm(TimerKey(key), Time::from_ms(due_ms));
                    twin.insert(key, due_ms);
                }
                _ => now_ms += step_ms,
            }
            if let Some(first) = twin.values().min() {
                let next = wheel.next_due().expect("a timer is armed");
                prop_assert!(next <= Time::from_ms((*first).max(now_ms)));
            } else {
                prop_assert!(wheel.next_due().is_none());
            }
            let expected: Vec<u32> =
                twin.iter().filter(|(_, due)| **due <= now_ms).map(|(key, _)| *key).collect();
            twin.retain(|_, due| *due > now_ms);
            prop_assert_eq!(drain(&mut wheel, now_ms), expected);
            prop_assert_eq!(wheel.len(), twin.len());
        }
    }
}

/// A slot that the budget left half emptied holds the earliest timers, above later ones on the
/// finer levels.
#[test]
fn a_budget_that_ends_within_a_slot_makes_no_timer_late() {
    let mut wheel = TimerWheel::with_capacity(101);
    wheel.arm(TimerKey(0), Time::from_ms(9_000));
    (1..=100).for_each(|key| wheel.arm(TimerKey(key), Time::from_ms(12_000)));
    let mut budget = 10;
    assert!(wheel.advance(Time::from_ms(8_192)));
    assert_eq!(wheel.pop_expired(&mut budget), None);
    assert_eq!(budget, 0, "the slot that begins at 8,192 ms is on its way down");
    assert!(wheel.next_due().is_some_and(|due| due <= Time::from_ms(9_000)));
    assert_eq!(drain(&mut wheel, 9_000), [0]);
    assert_eq!(drain(&mut wheel, 12_000).len(), 100);
}
