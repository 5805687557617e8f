//! A timer that is a descriptor (`timerfd_create(2)`).
//!
//! **What.** [`TimerFd`] becomes readable once, so many nanoseconds from now.
//!
//! **Why this way.** `epoll_wait` sleeps whole milliseconds, which is enough for a timeout and far
//! too coarse for a pace of 100,000 messages a second. A descriptor on the same loop fires within
//! some microseconds. Rejected: `epoll_pwait2(2)`, which mio does not call; turning without sleep,
//! which takes a whole core from whoever is measured.
//!
//! **Costs.** One descriptor; one syscall to arm it. It is never read: arming it anew also clears
//! it, and an edge is reported for each time it fires.
//!
//! **Read next.** `src/load/handler/paced.rs`.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Fires once each time it is armed.
#[derive(Debug)]
pub struct TimerFd(OwnedFd);

impl TimerFd {
    /// A timer that is not armed, on the clock of [`monotonic_ns`](super::time::monotonic_ns).
    ///
    /// # Errors
    /// `timerfd_create(2)`: no descriptor or memory is left.
    pub fn new() -> io::Result<TimerFd> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: no pointers.
        let fd = check(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) })?;
        // SAFETY: `fd` was just opened and nobody else owns it.
        Ok(TimerFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Fires in `ns` nanoseconds (at least one), and no more at the time it was armed for before.
    ///
    /// # Errors
    /// None that the manual page names for these arguments.
    pub fn fire_in(&self, ns: u64) -> io::Result<()> {
        let ns = ns.max(1);
        let once = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: libc::timespec {
                tv_sec: (ns / 1_000_000_000) as libc::time_t,
                tv_nsec: (ns % 1_000_000_000) as libc::c_long,
            },
        };
        let fd = self.0.as_raw_fd();
        // SAFETY: `once` is initialised; the old setting is not asked for.
        check(unsafe { libc::timerfd_settime(fd, 0, &once, std::ptr::null_mut()) })?;
        Ok(())
    }
}

impl AsRawFd for TimerFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
