//! What this process holds and used.
//!
//! **What.** The number of open descriptors, CPU time, and giving freed memory back.
//!
//! **Why this way.** Descriptors are counted, not assumed: a shell, a supervisor or a library may
//! have left some open, and the connection cap must be exact.
//!
//! **Costs.** [`open_descriptors`] reads a directory: one entry a descriptor, so not on a hot path.
//!
//! **Read next.** `src/server/admission.rs`, which sets the cap.

use std::io;
use std::time::Duration;

/// Descriptors this process has open (`/proc/self/fd`, less the one that reads it).
///
/// # Errors
/// `/proc` is not mounted, or no descriptor is left to read it.
pub fn open_descriptors() -> io::Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        entry?;
        count += 1;
    }
    Ok(count - 1)
}

/// Descriptors that another process has open.
///
/// # Errors
/// It is gone, or another user's.
pub fn open_descriptors_of(pid: u32) -> io::Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// User and system CPU time of this process so far (`getrusage(2)`).
///
/// # Errors
/// None that the manual page names for these arguments.
pub fn cpu_time() -> io::Result<Duration> {
    cpu_time_of(libc::RUSAGE_SELF)
}

/// User and system CPU time of this thread so far (`getrusage(2)`). Zero if the system does not
/// tell, which the manual page does not foresee.
pub fn thread_cpu_time() -> Duration {
    cpu_time_of(libc::RUSAGE_THREAD).unwrap_or_default()
}

fn cpu_time_of(who: libc::c_int) -> io::Result<Duration> {
    // SAFETY: all-zero is a valid `rusage`, plain integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is valid to write to.
    super::check(unsafe { libc::getrusage(who, &mut usage) })?;
    let of = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    Ok(of(usage.ru_utime) + of(usage.ru_stime))
}

/// User and system CPU time of another process so far, all its threads together, in ticks of 10 ms
/// as a rule (`proc_pid_stat(5)`). `None` if it is gone.
pub fn cpu_time_of_process(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, parentheses too.
    let fields = stat.rsplit_once(')')?.1;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    // SAFETY: no preconditions.
    let ticks_per_s = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    (ticks_per_s > 0).then(|| Duration::from_secs_f64(ticks as f64 / ticks_per_s as f64))
}

/// How long this thread was ready to run and had to wait for a CPU (`/proc/thread-self/schedstat`,
/// the second number). Zero if the kernel does not count it.
pub fn thread_cpu_wait() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split_whitespace().nth(1).and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

/// Asks the allocator to give free memory back to the kernel (`malloc_trim(3)`, glibc).
pub fn trim_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Memory of this process that is neither a file's nor shared, and real: `RssAnon` of
/// `proc_pid_status(5)`, in bytes. `None` if the kernel does not tell.
pub fn anonymous_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}
