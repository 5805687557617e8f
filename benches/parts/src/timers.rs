//! The wheel of deadlines, a thousand at once.

use gungraun::{library_benchmark, library_benchmark_group};
use oneloop::clock::Time;
use oneloop::reactor::{TimerKey, TimerWheel};
use std::hint::black_box;

const KEYS: u32 = 1_000;
/// Deadlines lie within so much, as those of idle connections do.
const SPREAD_MS: u64 = 60_000;

/// Deadlines that come in no order.
fn due(key: u32) -> Time {
    Time::from_ms(1 + u64::from(key) * 7919 % SPREAD_MS)
}

fn arm_all(wheel: &mut TimerWheel) {
    (0..KEYS).for_each(|key| wheel.arm(TimerKey(key), due(key)));
}

/// A wheel that has a node for each key.
fn disarmed() -> Box<TimerWheel> {
    let mut wheel = armed();
    (0..KEYS).for_each(|key| wheel.disarm(TimerKey(key)));
    wheel
}

fn armed() -> Box<TimerWheel> {
    let mut wheel = Box::new(TimerWheel::with_capacity(KEYS as usize));
    arm_all(&mut wheel);
    wheel
}

#[library_benchmark]
#[bench::x1000(disarmed())]
fn arm(mut wheel: Box<TimerWheel>) -> Box<TimerWheel> {
    arm_all(&mut wheel);
    wheel
}

// What a connection does at each event: it has a deadline already, and that stays.
#[library_benchmark]
#[bench::that_stays_x1000(armed())]
fn arm_by(mut wheel: Box<TimerWheel>) -> Box<TimerWheel> {
    let late = Time::from_ms(2 * SPREAD_MS);
    (0..KEYS).for_each(|key| wheel.arm_by(TimerKey(key), black_box(late)));
    wheel
}

#[library_benchmark]
#[bench::x1000(armed())]
fn disarm(mut wheel: Box<TimerWheel>) -> Box<TimerWheel> {
    (0..KEYS).for_each(|key| wheel.disarm(TimerKey(key)));
    wheel
}

// A minute in turns of 10 ms, in which all of them fire: most turns find nothing due.
#[library_benchmark]
#[bench::a_minute(armed())]
fn advance(mut wheel: Box<TimerWheel>) -> Box<TimerWheel> {
    let mut fired = 0;
    for now_ms in (0..=SPREAD_MS).step_by(10) {
        if wheel.advance(black_box(Time::from_ms(now_ms))) {
            let mut budget = 4_096;
            while wheel.pop_expired(&mut budget).is_some() {
                fired += 1;
            }
        }
    }
    assert_eq!(fired, KEYS);
    wheel
}

library_benchmark_group!(name = timer, benchmarks = [arm, arm_by, disarm, advance]);
