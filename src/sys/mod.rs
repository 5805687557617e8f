//! The syscalls that no safe crate offers.
//!
//! **What.** Thin functions named as the man pages are: resource limits, signalfd, child processes
//! and what they inherit, shared memory, `epoll_wait`, `EPOLLEXCLUSIVE`, `recvmmsg` and
//! `sendmmsg`, a few socket options, the clock, a fine timer.
//!
//! **Why this way.** Every `unsafe` line of the crate is in this folder, each with the reason why
//! it is sound, so that a reader can check all of them in one sitting. What mio, socket2 or std
//! offer is repeated only where a count says what it gains.
//!
//! **Costs.** One syscall each, as named.
//!
//! **Read next.** `src/sys/signals.rs`, `src/sys/datagram.rs`.

pub mod child;
pub mod datagram;
pub mod epoll;
pub mod inherit;
pub mod memory;
pub mod process;
pub mod rlimit;
pub mod signals;
pub mod socket;
pub mod time;
pub mod timerfd;

use std::io;

/// Turns a `-1` into the error that `errno` holds.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
