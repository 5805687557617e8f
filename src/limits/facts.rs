//! **What.** Reads from the machine every number that the doctor judges.
//!
//! **Why this way.** Facts are values: the doctor takes a [`Facts`] and needs no machine, so its
//! tests make up machines. What cannot be read is an `Err` with the reason, never a guess, because
//! containers hide files. Sysctls are plain reads; `procfs` parses the formats with corners
//! (mountinfo, status, meminfo). Rejected: `sysctl(8)` and `free(1)` as children.
//!
//! **Costs.** About 20 small files, read once. Nothing is written and no limit is moved.
//!
//! **Read next.** `src/limits/cgroup.rs`: the limits that containers add.

use super::cgroup::{self, CgroupMemory};
use crate::sys::rlimit::{self, Rlimit};
use procfs::{Current, process::Process};
use std::fs;
use std::path::Path;

/// A value read from the machine, or why it could not be read.
pub type Fact<T> = Result<T, String>;

/// A table with a ceiling of which a part is in use, in the table's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// The ceiling.
    pub max: u64,
    /// In use by everybody now. May be above `max`: ceilings can be lowered under load.
    pub used: u64,
}

/// The ports that the kernel picks from for outgoing connections, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first port. Never above `high`.
    pub low: u16,
    /// The last port.
    pub high: u16,
}

/// How much CPU this process may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cpus {
    /// CPUs in the affinity mask. Source: sched_setaffinity(2).
    pub allowed: u64,
    /// The tightest cgroup quota, in CPUs; `None` is no quota.
    pub quota: Option<f64>,
}

/// Every number the doctor judges, as read at one moment.
#[derive(Debug, Clone)]
pub struct Facts {
    /// RLIMIT_NOFILE of this process, in fds.
    pub nofile: Fact<Rlimit>,
    /// Whether this process may raise its hard limit: CAP_SYS_RESOURCE, in the first namespace.
    pub may_raise_hard: Fact<bool>,
    /// Whether this process may write sysctls, tried on `fs.nr_open` by opening it.
    pub may_write_sysctl: bool,
    /// `fs.nr_open`: the ceiling of every RLIMIT_NOFILE, in fds.
    pub nr_open: Fact<u64>,
    /// `fs.file-max` and the use of it: open files of the whole machine.
    pub files: Fact<Table>,
    /// `fs.epoll.max_user_watches`: fds one user may have registered in all epolls.
    pub epoll_watches: Fact<u64>,
    /// `nf_conntrack_max` and the use of it, in flows; `None` when the module is not loaded.
    pub conntrack: Fact<Option<Table>>,
    /// MemAvailable, in bytes.
    pub memory_available_bytes: Fact<u64>,
    /// The tightest memory limit on the way up the cgroup path; `None` when there is none.
    pub cgroup_memory: Fact<Option<CgroupMemory>>,
    /// The third number of `net.ipv4.tcp_mem` and the use of it, in pages.
    pub tcp_mem_pages: Fact<Table>,
    /// `net.core.somaxconn`: the ceiling of every listen backlog, in connections.
    pub somaxconn: Fact<u64>,
    /// `net.ipv4.tcp_max_syn_backlog`, in half-open connections.
    pub syn_backlog: Fact<u64>,
    /// `net.ipv4.tcp_syncookies`: whether SYNs past the queue are answered by cookies.
    pub syncookies: Fact<bool>,
    /// `net.ipv4.ip_local_port_range`.
    pub ports: Fact<PortRange>,
    /// CPUs: information only, no limit on connections.
    pub cpus: Fact<Cpus>,
}

impl Facts {
    /// Reads this machine as this process sees it.
    #[must_use]
    pub fn read() -> Self {
        let me = Process::myself();
        let groups = me.as_ref().map_err(reason).and_then(cgroup::Groups::of);
        let memory = groups.as_ref().map_err(Clone::clone).and_then(cgroup::Groups::memory);
        let quota = groups.as_ref().map_err(Clone::clone).and_then(cgroup::Groups::cpu_quota);
        let status = me.map_err(|e| reason(&e)).and_then(|me| me.status().map_err(|e| reason(&e)));
        let allowed = status
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|s| cpus_in(s.cpus_allowed.as_deref().ok_or("status has no Cpus_allowed")?));
        let capeff = status.map(|s| s.capeff);
        Self {
            nofile: rlimit::nofile().map_err(|e| format!("prlimit: {e}")),
            may_raise_hard: capeff
                .and_then(|caps| Ok(may_raise(caps, &text("/proc/self/uid_map")?))),
            may_write_sysctl: fs::OpenOptions::new()
                .write(true)
                .open("/proc/sys/fs/nr_open")
                .is_ok(),
            nr_open: sysctl("fs/nr_open"),
            files: text("/proc/sys/fs/file-nr").and_then(|t| file_table(&t)),
            epoll_watches: sysctl("fs/epoll/max_user_watches"),
            conntrack: conntrack(),
            memory_available_bytes: procfs::Meminfo::current()
                .map_err(|e| reason(&e))
                .and_then(|m| m.mem_available.ok_or_else(|| "no MemAvailable in meminfo".into())),
            cgroup_memory: memory,
            tcp_mem_pages: text("/proc/sys/net/ipv4/tcp_mem")
                .and_then(|limits| tcp_table(&limits, &text("/proc/net/sockstat")?)),
            somaxconn: sysctl("net/core/somaxconn"),
            syn_backlog: sysctl("net/ipv4/tcp_max_syn_backlog"),
            syncookies: sysctl("net/ipv4/tcp_syncookies").map(|mode| mode != 0),
            ports: text("/proc/sys/net/ipv4/ip_local_port_range").and_then(|t| port_range(&t)),
            cpus: allowed.and_then(|allowed| Ok(Cpus { allowed, quota: quota? })),
        }
    }

    /// Memory that this process may still take, in bytes: what the machine has available, or what
    /// is left of a cgroup's limit. `None` if neither is known.
    #[must_use]
    pub fn memory_room_bytes(&self) -> Option<u64> {
        let group = self.cgroup_memory.as_ref().ok().and_then(Option::as_ref);
        let group = group.map(|group| group.bytes.max.saturating_sub(group.bytes.used));
        self.memory_available_bytes.as_ref().ok().copied().into_iter().chain(group).min()
    }
}

/// A file as text; the reason names the file.
pub(super) fn text(path: &str) -> Fact<String> {
    fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))
}

/// The first number in `text`.
pub(super) fn number(text: &str) -> Fact<u64> {
    numbers::<1>(text).map(|[first]| first)
}

/// Like [`text`], for procfs.
pub(super) fn reason(error: &procfs::ProcError) -> String {
    format!("/proc: {error}")
}

fn sysctl(name: &str) -> Fact<u64> {
    let path = format!("/proc/sys/{name}");
    text(&path).and_then(|t| number(&t).map_err(|e| format!("{path}: {e}")))
}

/// The first `N` numbers in `text`, between spaces.
pub(super) fn numbers<const N: usize>(text: &str) -> Fact<[u64; N]> {
    let mut found = [0; N];
    let mut words = text.split_whitespace();
    for slot in &mut found {
        let word = words.next().ok_or_else(|| format!("fewer than {N} numbers"))?;
        *slot = word.parse().map_err(|_| format!("'{word}' is not a number"))?;
    }
    Ok(found)
}

/// `file-nr`: allocated, unused (always 0 since Linux 2.6), maximum. Source: proc(5).
fn file_table(file_nr: &str) -> Fact<Table> {
    numbers(file_nr).map(|[used, _unused, max]| Table { max, used })
}

fn port_range(range: &str) -> Fact<PortRange> {
    let [low, high] = numbers(range)?;
    match (u16::try_from(low), u16::try_from(high)) {
        (Ok(low), Ok(high)) if low <= high => Ok(PortRange { low, high }),
        _ => Err(format!("ip_local_port_range: '{}' is no range of ports", range.trim())),
    }
}

/// `tcp_mem` is low, pressure, max; sockstat says `TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 430`.
fn tcp_table(tcp_mem: &str, sockstat: &str) -> Fact<Table> {
    let [_low, _pressure, max] = numbers(tcp_mem)?;
    let used = sockstat
        .lines()
        .find_map(|line| line.strip_prefix("TCP:")?.split_once(" mem ").map(|(_, pages)| pages))
        .ok_or("/proc/net/sockstat: no 'TCP: ... mem' in it")?;
    Ok(Table { max, used: number(used)? })
}

/// The files are there when the module is loaded; a hidden `/proc/sys` is another matter.
fn conntrack() -> Fact<Option<Table>> {
    let sysctls = Path::new("/proc/sys/net");
    if sysctls.exists() && !sysctls.join("netfilter/nf_conntrack_max").exists() {
        return Ok(None);
    }
    Ok(Some(Table {
        max: sysctl("net/netfilter/nf_conntrack_max")?,
        used: sysctl("net/netfilter/nf_conntrack_count")?,
    }))
}

/// The mask of status' `Cpus_allowed`, counted.
fn cpus_in(mask: &[u32]) -> Fact<u64> {
    match mask.iter().map(|word| u64::from(word.count_ones())).sum() {
        0 => Err("status: Cpus_allowed is empty".into()),
        cpus => Ok(cpus),
    }
}

/// Root alone does not decide: containers often keep user 0 and drop the capability, and a user
/// namespace grants it without effect on limits (the kernel asks for it in the first namespace).
fn may_raise(effective_caps: u64, uid_map: &str) -> bool {
    const CAP_SYS_RESOURCE: u32 = 24; // linux/capability.h
    let first_namespace = [0, 0, u64::from(u32::MAX)];
    effective_caps >> CAP_SYS_RESOURCE & 1 == 1 && numbers(uid_map) == Ok(first_namespace)
}

#[cfg(test)]
mod tests;
