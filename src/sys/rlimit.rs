//! placeholder until merge
use std::io;

/// Limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// soft
    pub soft: u64,
    /// hard
    pub hard: u64,
}

/// nofile
pub fn nofile() -> io::Result<Rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit to write to.
    super::check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    Ok(Rlimit { soft: limit.rlim_cur, hard: limit.rlim_max })
}

/// set
pub fn set_nofile(limit: Rlimit) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: limit.soft, rlim_max: limit.hard };
    // SAFETY: `limit` is a valid rlimit to read from.
    super::check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }).map(drop)
}
