//! Socket options that socket2 and std lack.
//!
//! **What.** `TCP_DEFER_ACCEPT`, `IP_BIND_ADDRESS_NO_PORT`, `SO_PEERCRED`, `SO_MEMINFO`; `recv` and
//! `send`; `connect` to nowhere.
//!
//! **Why this way.** One generic `setsockopt` and `getsockopt`, private to this file, and a named
//! function for each option, so that callers cannot pass a wrong type. Each message is received and
//! sent, so these two are rustix's, which puts the `syscall` instruction where the call is written:
//! libc's look for threads to cancel, and are calls before which the loop puts its registers away.
//! That is 13 of 229 instructions of an echo (`scripts/instructions.sh`).
//!
//! **Costs.** One syscall each.
//!
//! **Read next.** `src/net/acceptor.rs`.

use super::check;
use rustix::net::{RecvFlags, SendFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Wakes the acceptor only when data has arrived, for at most `seconds` (`tcp(7)`).
///
/// # Errors
/// `setsockopt(2)`.
pub fn set_defer_accept(socket: &impl AsFd, seconds: i32) -> io::Result<()> {
    set(socket, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds)
}

/// Lets `bind` to port 0 choose the port at `connect`, when the destination is known, so that one
/// port can serve many destinations (`ip(7)`).
///
/// # Errors
/// `setsockopt(2)`.
pub fn set_bind_address_no_port(socket: &impl AsFd) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// The process that listens at the other end of a connected Unix socket (`unix(7)`).
///
/// # Errors
/// `getsockopt(2)`.
pub fn peer_pid(socket: &impl AsFd) -> io::Result<i32> {
    let none = libc::ucred { pid: 0, uid: 0, gid: 0 };
    get(socket, libc::SOL_SOCKET, libc::SO_PEERCRED, none).map(|peer| peer.pid)
}

/// Receives what there is, as much as fits (`recv(2)`).
///
/// # Errors
/// `recv(2)`.
#[inline]
pub fn receive(socket: &impl AsFd, bytes: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, bytes, RecvFlags::empty())?.1)
}

/// Sends what the socket takes of `bytes` at once (`send(2)`); a connection that is gone is an
/// error and no signal.
///
/// # Errors
/// `send(2)`.
#[inline]
pub fn send(socket: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)?)
}

/// A TCP socket listens no more, wherever it is open, but stays bound. It is told so by an address
/// of no family (`connect(2)`).
///
/// # Errors
/// EINVAL: it is a Unix socket.
pub fn stop_listening(socket: &impl AsRawFd) -> io::Result<()> {
    let family = libc::AF_UNSPEC as libc::sa_family_t;
    let nowhere = libc::sockaddr { sa_family: family, sa_data: [0; 14] };
    let len = size_of_val(&nowhere) as libc::socklen_t;
    // SAFETY: `nowhere` is valid for reading `len` bytes.
    check(unsafe { libc::connect(socket.as_raw_fd(), &raw const nowhere, len) }).map(drop)
}

/// Packets the kernel dropped at this socket because its receive queue was full.
///
/// # Errors
/// `getsockopt(2)`.
pub fn kernel_drops(socket: &impl AsFd) -> io::Result<u32> {
    /// `SK_MEMINFO_DROPS` of `linux/sock_diag.h`: index of the drop count.
    const DROPS: usize = 8;
    get(socket, libc::SOL_SOCKET, libc::SO_MEMINFO, [0u32; 9]).map(|info| info[DROPS])
}

fn set<T>(socket: &impl AsFd, level: i32, name: i32, value: T) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is valid for reading `len` bytes.
    check(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), len) }).map(drop)
}

fn get<T: Copy>(socket: &impl AsFd, level: i32, name: i32, mut value: T) -> io::Result<T> {
    let fd = socket.as_fd().as_raw_fd();
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is valid for writing `len` bytes, and any bytes are a valid `T`: the callers
    // above use plain integers only.
    check(unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &mut len) })?;
    Ok(value)
}
