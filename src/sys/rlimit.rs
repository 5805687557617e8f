//! **What.** RLIMIT_NOFILE of this process or of another: read and set.
//!
//! **Why this way.** One call, `prlimit(2)`, reads and sets, for every pid (0 is the caller), and
//! is 64 bits wide everywhere. Rejected: getrlimit and setrlimit (the same twice, and own process
//! only); reading `/proc/PID/limits` (text to parse, and it cannot set).
//!
//! **Costs.** One system call each; no memory.
//!
//! **Read next.** `src/limits/mod.rs`: every other limit between a machine and N sockets.

use std::{io, ptr};

/// A limit as the kernel holds it: soft is what binds, hard is how far soft may be raised.
///
/// RLIMIT_NOFILE is one more than the highest fd that may be opened, so it is the number of fds.
/// Source: getrlimit(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rlimit {
    /// In force now, in fds. Never above `hard`.
    pub soft: u64,
    /// The ceiling, in fds. Raising it takes CAP_SYS_RESOURCE; lowering it is for good.
    pub hard: u64,
}

/// RLIMIT_NOFILE of this process.
///
/// # Errors
/// None that getrlimit(2) lists can happen here; a seccomp filter may still answer EPERM.
pub fn nofile() -> io::Result<Rlimit> {
    prlimit(0, None)
}

/// Sets RLIMIT_NOFILE of this process. Open fds above the new soft limit stay open.
///
/// # Errors
/// EINVAL: soft above hard. EPERM: hard raised without CAP_SYS_RESOURCE, or above `fs.nr_open`.
pub fn set_nofile(limit: Rlimit) -> io::Result<()> {
    prlimit(0, Some(limit)).map(|_| ())
}

/// RLIMIT_NOFILE of the process `pid`; 0 is this process.
///
/// # Errors
/// ESRCH: no such process. EPERM: another user's process, without CAP_SYS_RESOURCE.
pub fn nofile_of(pid: i32) -> io::Result<Rlimit> {
    prlimit(pid, None)
}

/// Sets when there is something to set, and returns what was in force before.
fn prlimit(pid: i32, new: Option<Rlimit>) -> io::Result<Rlimit> {
    let new = new.map(|limit| libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard });
    let new_ptr = new.as_ref().map_or(ptr::null(), ptr::from_ref);
    let mut old = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `new_ptr` is null or points into `new`, and `old` is a live, writable rlimit64; both
    // outlive the call, and the kernel keeps neither.
    let rc = unsafe { libc::prlimit64(pid, libc::RLIMIT_NOFILE, new_ptr, &raw mut old) };
    if rc == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(Rlimit { soft: old.rlim_cur, hard: old.rlim_max })
}

#[cfg(test)]
mod tests;
