//! What mio does not ask of epoll, or asks at a price.
//!
//! **What.** [`wait`] waits for events on an epoll instance of mio's. [`watch_shared`] adds a
//! descriptor to one with `EPOLLEXCLUSIVE`; [`unwatch`] takes it out.
//!
//! **Why this way.** mio registers sockets, and its own wait would do; but it takes the timeout as
//! a `Duration` and shows events through a portable lens: 18 instructions for a turn of one
//! event, 48 with a timer armed. This one is told milliseconds and brings what the kernel wrote.
//!
//! A socket that several processes watch wakes all of them for each connection,
//! and all but one wake in vain. With `EPOLLEXCLUSIVE` the kernel wakes one, or a few. mio has no
//! name for the flag, but lends its descriptor, and what is added there arrives among its events.
//! Taking out must be done by hand: epoll watches the open file, not the descriptor, and the file
//! stays open as long as any process holds it.
//!
//! **Costs.** One `epoll_wait`; one `epoll_ctl` each.
//!
//! **Read next.** `src/server/crew.rs`.

use super::check;
use std::io;
use std::os::fd::AsRawFd;

/// What became of a socket, and the token that it is registered with (`u64`).
pub use libc::epoll_event as Event;

/// There is something to read, or the stream has ended.
pub const IN: u32 = libc::EPOLLIN.cast_unsigned();
/// There is room to write.
pub const OUT: u32 = libc::EPOLLOUT.cast_unsigned();
/// An error is pending.
pub const ERR: u32 = libc::EPOLLERR.cast_unsigned();
/// Both directions are down.
pub const HUP: u32 = libc::EPOLLHUP.cast_unsigned();
/// The peer will send no more.
pub const RDHUP: u32 = libc::EPOLLRDHUP.cast_unsigned();

/// Waits until something is ready, a signal comes, or `timeout_ms` are over; -1 is never, 0 is a
/// look. Puts up to as many events as there is room for into `events`, in place of those before.
///
/// # Errors
/// `epoll_wait(2)`, for another reason than a signal.
#[inline]
pub fn wait(epoll: &impl AsRawFd, events: &mut Vec<Event>, timeout_ms: i32) -> io::Result<()> {
    let (epoll, room) = (epoll.as_raw_fd(), events.capacity() as i32);
    // SAFETY: the kernel writes `count` events, at most `room`, where there is room for so many.
    let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), room, timeout_ms) };
    match usize::try_from(count) {
        // SAFETY: so many have been written.
        Ok(count) => unsafe { events.set_len(count) },
        Err(_) => return ignore_signals(events),
    }
    Ok(())
}

/// No wait that a signal ends has brought anything.
#[cold]
fn ignore_signals(events: &mut Vec<Event>) -> io::Result<()> {
    events.clear();
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

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
