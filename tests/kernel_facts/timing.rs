//! **What.** How finely the loop can wait (fact 13).
//!
//! **Why this way.** No timer ever fires early, so a lower bound on time is exact and cannot fail
//! on a busy machine. An upper bound can, so the best of many tries is what counts.
//!
//! **Costs.** A few milliseconds on a quiet machine, at most `TRIES_MAX` short waits on a busy one.
//!
//! **Read next.** `docs/kernel-facts.md`.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

const ASKED: Duration = Duration::from_micros(200);
const MILLISECOND: Duration = Duration::from_millis(1);
const TRIES_MAX: usize = 2_000;

/// Fact 13. mio rounds a poll timeout up to whole milliseconds, the unit of epoll_wait(2). So the
/// poll timeout is good enough for idle and handshake timers, and not for pacing.
#[test]
fn poll_timeout_rounds_up_to_a_millisecond() {
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(4));
    for _ in 0..20 {
        let start = Instant::now();
        poll.poll(&mut events, Some(ASKED)).unwrap();
        assert!(start.elapsed() >= MILLISECOND, "{:?} for {ASKED:?}", start.elapsed());
        assert!(events.is_empty());
    }
}

/// Fact 13. A timerfd registered with mio wakes the same poll well below a millisecond. So pacing
/// that is finer than a millisecond uses a timerfd.
#[test]
fn timerfd_wakes_below_a_millisecond() {
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(4));
    // SAFETY: timerfd_create takes numbers only.
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK) };
    assert!(fd >= 0, "timerfd_create: {}", io::Error::last_os_error());
    // SAFETY: `fd` was just created and has no other owner.
    let mut timer = unsafe { File::from_raw_fd(fd) };
    poll.registry().register(&mut SourceFd(&fd), Token(3), Interest::READABLE).unwrap();

    let mut best = Duration::MAX;
    for _ in 0..TRIES_MAX {
        let start = Instant::now();
        arm(&timer, ASKED);
        poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
        let took = start.elapsed();
        assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(3)]);
        assert!(took >= ASKED, "a timer fired early: {took:?}");
        timer.read_exact(&mut [0; 8]).unwrap();
        best = best.min(took);
        if best < MILLISECOND / 2 {
            break;
        }
    }
    println!("timerfd: {ASKED:?} asked, {best:?} at best");
    assert!(best < MILLISECOND, "{best:?} at best for {ASKED:?}");
}

/// One shot, `after` from now.
fn arm(timer: &File, after: Duration) {
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let it_value = libc::timespec { tv_nsec: after.subsec_nanos().into(), ..zero };
    let once = libc::itimerspec { it_interval: zero, it_value };
    // SAFETY: `once` is valid for the call, and null says that the old setting is not wanted.
    let done = unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &once, std::ptr::null_mut()) };
    assert_eq!(done, 0, "timerfd_settime: {}", io::Error::last_os_error());
}
