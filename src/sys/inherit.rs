//! Descriptors that this process was started with.
//!
//! **What.** [`take`] makes an inherited descriptor ours; [`is_listening`] tells what it is.
//!
//! **Why this way.** All that this program opens is closed by `exec` (close-on-exec). So what is
//! open and lacks that flag was here before `main`, and nobody in this process owns it. Taking it
//! sets the flag, so that it is taken only once, and no child gets it by accident.
//!
//! **Costs.** Two `fcntl` a descriptor.
//!
//! **Read next.** `src/server/handover.rs`.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The first descriptor that systemd hands over (`sd_listen_fds(3)`).
pub const FIRST: RawFd = 3;

/// Takes the inherited descriptor `fd`.
///
/// # Errors
/// EBADF: it is not open, was not inherited, is taken already, or is a standard stream.
pub fn take(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    if fd < FIRST || flags & libc::FD_CLOEXEC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: plain numbers.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC) })?;
    // SAFETY: it is open, and lacked close-on-exec: nobody in this process opened it (see above).
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether a socket listens (`SO_ACCEPTCONN`).
///
/// # Errors
/// ENOTSOCK: it is no socket.
pub fn is_listening(fd: &impl AsRawFd) -> io::Result<bool> {
    let (mut listens, mut len) = (0i32, size_of::<i32>() as libc::socklen_t);
    let fd = fd.as_raw_fd();
    // SAFETY: `listens` is valid for writing `len` bytes.
    check(unsafe {
        let value = (&raw mut listens).cast();
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN, value, &mut len)
    })?;
    Ok(listens != 0)
}

#[cfg(test)]
mod tests;
