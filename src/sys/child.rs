//! Child processes that start under a limit of their own and end with their parent.
//!
//! **What.** [`prepare`] sets what a child is to find when it starts: its soft limit of open files,
//! no blocked signals, and its own end when the parent's comes; [`hand_down`] gives it descriptors.
//! [`send`] sends it a signal, and [`PidFd`] is a process to wait for on a loop.
//!
//! **Why this way.** The limit is set between `fork` and `exec`, as a shell's `ulimit -Sn` does, so
//! that the program under test meets it as it would meet a user's. A parent that is killed cannot
//! clean up: the kernel does it (`PR_SET_PDEATHSIG`). Rejected: a process group (whoever starts the
//! parent may already use it) and a pipe to watch (a program under test must not have to know).
//!
//! **Costs.** Four or five syscalls a child.
//!
//! **Read next.** `src/ladder/children.rs`.

use super::rlimit::{self, Rlimit};
use super::signals::{self, Signal};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// Prepares a command: with `nofile_soft`, if given, as its soft limit of open files, with every
/// signal unblocked, and to be killed when the thread that spawns it ends.
///
/// # Errors
/// None here; `spawn` fails with those of `prlimit(2)` and `prctl(2)`, or with ESRCH if the parent
/// is gone by then.
pub fn prepare(command: &mut Command, nofile_soft: Option<u64>) {
    let parent = std::process::id();
    let in_child = move || {
        signals::unblock_all();
        if let Some(soft) = nofile_soft {
            rlimit::set_nofile(Rlimit { soft, ..rlimit::nofile()? })?;
        }
        // SAFETY: takes integers only.
        super::check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
        // A parent that ended before that call will not be told of any more.
        // SAFETY: no preconditions.
        if unsafe { libc::getppid() }.cast_unsigned() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: between `fork` and `exec` only async-signal-safe calls are allowed: the closure makes
    // plain syscalls, does not allocate, and takes no lock.
    unsafe { command.pre_exec(in_child) };
}

/// Sends a signal to a child (`kill(2)`). Its id cannot be another's: it is ours until waited for.
///
/// # Errors
/// `kill(2)`: EPERM if the child changed its user.
pub fn send(child: &Child, signal: Signal) -> io::Result<()> {
    // SAFETY: takes integers only.
    super::check(unsafe { libc::kill(child.id().cast_signed(), signal.number()) }).map(drop)
}

/// Prepares a command: the child gets `fds` under the same numbers, and every signal unblocked.
///
/// Moving them to the numbers from 3 on, as systemd does, was rejected: `spawn` may have its own
/// pipe there, by which it tells of a failed `exec`.
pub fn hand_down(command: &mut Command, fds: Vec<RawFd>) {
    let in_child = move || {
        signals::unblock_all();
        for &fd in &fds {
            // SAFETY: plain numbers.
            super::check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })?;
        }
        Ok(())
    };
    // SAFETY: as in `prepare`: plain syscalls, no allocation, no lock.
    unsafe { command.pre_exec(in_child) };
}

/// A process as a descriptor, which becomes readable when the process ends (`pidfd_open(2)`).
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// The process with this id. A child's id is its own until it is waited for.
    ///
    /// # Errors
    /// ESRCH: there is none.
    pub fn open(pid: u32) -> io::Result<PidFd> {
        // SAFETY: plain numbers.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.cast_signed(), 0) };
        let fd = super::check(fd as libc::c_int)?;
        // SAFETY: `fd` was just opened and nobody else owns it.
        Ok(PidFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Sends this very process a signal, whoever has its number by now.
    ///
    /// # Errors
    /// `pidfd_send_signal(2)`: ESRCH if it has ended, EPERM if it is somebody else's.
    pub fn send(&self, signal: Signal) -> io::Result<()> {
        let none = std::ptr::null::<libc::siginfo_t>();
        let (fd, number) = (self.0.as_raw_fd(), signal.number());
        // SAFETY: no information is passed; the rest is numbers.
        let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, number, none, 0) };
        super::check(sent as libc::c_int).map(drop)
    }
}

impl AsRawFd for PidFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests;
