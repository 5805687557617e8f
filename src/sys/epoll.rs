//! What mio cannot ask of epoll: one listener watched by several workers.
//!
//! **What.** [`watch_shared`] adds a descriptor with `EPOLLEXCLUSIVE` to an epoll instance of
//! mio's; [`unwatch`] takes it out.
//!
//! **Why this way.** A socket that several processes watch wakes all of them for each connection,
//! and all but one wake in vain. With `EPOLLEXCLUSIVE` the kernel wakes one, or a few. mio has no
//! name for the flag, but lends its descriptor, and what is added there arrives among its events.
//! Taking out must be done by hand: epoll watches the open file, not the descriptor, and the file
//! stays open as long as any process holds it.
//!
//! **Costs.** One `epoll_ctl` each.
//!
//! **Read next.** `src/server/crew.rs`.

use super::check;
use std::io;
use std::os::fd::AsRawFd;

/// Watches `fd` for input, edge-triggered, without waking others that watch it so too.
///
/// # Errors
/// `epoll_ctl(2)`: EEXIST if it is watched already; ENOSPC, ENOMEM.
pub fn watch_shared(epoll: &impl AsRawFd, fd: &impl AsRawFd, token: usize) -> io::Result<()> {
    let events = (libc::EPOLLIN | libc::EPOLLET | libc::EPOLLEXCLUSIVE).cast_unsigned();
    let mut event = libc::epoll_event { events, u64: token as u64 };
    let (epoll, fd) = (epoll.as_raw_fd(), fd.as_raw_fd());
    // SAFETY: `event` is valid to read; the rest is numbers.
    check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) }).map(drop)
}

/// Watches `fd` no more.
///
/// # Errors
/// `epoll_ctl(2)`: ENOENT if it is not watched.
pub fn unwatch(epoll: &impl AsRawFd, fd: &impl AsRawFd) -> io::Result<()> {
    let (epoll, fd) = (epoll.as_raw_fd(), fd.as_raw_fd());
    // SAFETY: the event may be null for this operation (`epoll_ctl(2)`).
    let done = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) };
    check(done).map(drop)
}
