//! **What.** The memory limit and the CPU quota that bind this process through its cgroups.
//!
//! **Why this way.** A cgroup is bound by every group above it, so the tightest one on the way up
//! counts; the walk ends at the mount point, which is all a container can see. Version 1 and 2 may
//! be mounted at once, each with its own controllers, so both are asked. Rejected: the version 2
//! unified tree alone (many machines still carry memory on version 1).
//!
//! **Costs.** Three small reads a level.
//!
//! **Read next.** `src/limits/limit.rs`: what each of these numbers means for connections.

use super::facts::{Fact, Table, number, numbers, reason};
use super::limit::UNLIMITED_FROM;
use procfs::ProcessCGroups;
use procfs::process::{MountInfo, MountInfos, Process};
use std::fs;
use std::path::{Path, PathBuf};

/// The memory limit of one cgroup, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgroupMemory {
    /// The limit, and its use without the page cache that the kernel would drop first.
    pub bytes: Table,
    /// The file that holds the limit.
    pub file: PathBuf,
}

/// Where the cgroups of a process are mounted.
pub(super) struct Groups {
    cgroups: ProcessCGroups,
    mounts: MountInfos,
}

impl Groups {
    pub(super) fn of(process: &Process) -> Fact<Self> {
        let cgroups = process.cgroups().map_err(|e| reason(&e))?;
        let mounts = process.mountinfo().map_err(|e| reason(&e))?;
        Ok(Self { cgroups, mounts })
    }

    /// The limit with the least room, if any group has one.
    pub(super) fn memory(&self) -> Fact<Option<CgroupMemory>> {
        let limits = self.dirs("memory").map(|dir| memory(&dir)).collect::<Fact<Vec<_>>>()?;
        let room = |group: &CgroupMemory| group.bytes.max.saturating_sub(group.bytes.used);
        Ok(limits.into_iter().flatten().min_by_key(room))
    }

    /// The smallest quota, in CPUs, if any group has one.
    pub(super) fn cpu_quota(&self) -> Fact<Option<f64>> {
        let quotas = self.dirs("cpu").map(|dir| cpu_quota(&dir)).collect::<Fact<Vec<_>>>()?;
        Ok(quotas.into_iter().flatten().min_by(f64::total_cmp))
    }

    /// Every directory on the way up, under each mount that may hold this controller.
    fn dirs(&self, controller: &str) -> impl Iterator<Item = PathBuf> {
        let group_in = move |mount: &MountInfo| {
            let mut groups = self.cgroups.0.iter();
            match mount.fs_type.as_str() {
                "cgroup2" => groups.find(|group| group.hierarchy == 0),
                "cgroup" if mount.super_options.contains_key(controller) => {
                    groups.find(|group| group.controllers.iter().any(|name| name == controller))
                }
                _ => None,
            }
        };
        self.mounts
            .0
            .iter()
            .flat_map(move |mount| {
                let group = group_in(mount);
                group.map(|group| upwards(&mount.mount_point, &mount.root, &group.pathname))
            })
            .flatten()
    }
}

/// From the group's directory up to the mount point. A path outside the mount (a container that
/// kept the host's cgroup namespace) leaves the mount point alone.
fn upwards(mount_point: &Path, root: &str, pathname: &str) -> Vec<PathBuf> {
    let inside = Path::new(pathname).strip_prefix(root).unwrap_or(Path::new(""));
    let escapes = inside.components().any(|part| part.as_os_str() == "..");
    let inside = if escapes { Path::new("") } else { inside };
    inside.ancestors().map(|part| mount_point.join(part)).collect()
}

/// A file of a group, or `None` where the group lacks it: root groups do, and so do groups whose
/// parent did not hand the controller down.
fn read(dir: &Path, file: &str) -> Fact<Option<String>> {
    let path = dir.join(file);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("{}: {e}", path.display())),
    }
}

/// The limit of one group: version 2 says `max` for none, version 1 a number near 2^63.
fn memory(dir: &Path) -> Fact<Option<CgroupMemory>> {
    const V2: [&str; 3] = ["memory.max", "memory.current", "inactive_file"];
    const V1: [&str; 3] = ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"];
    for [limit, usage, cache] in [V2, V1] {
        let Some(text) = read(dir, limit)?.filter(|text| text.trim() != "max") else { continue };
        let max = number(&text)?;
        if max < UNLIMITED_FROM {
            let used = used_bytes(dir, usage, cache)?;
            return Ok(Some(CgroupMemory { bytes: Table { max, used }, file: dir.join(limit) }));
        }
    }
    Ok(None)
}

/// The use of a group without its inactive page cache, which is dropped before anyone is killed.
fn used_bytes(dir: &Path, usage: &str, cache: &str) -> Fact<u64> {
    let used = read(dir, usage)?.ok_or_else(|| format!("{}: no {usage}", dir.display()))?;
    let stat = read(dir, "memory.stat")?.unwrap_or_default();
    let cache = stat.lines().find_map(|line| line.strip_prefix(cache)?.strip_prefix(' '));
    Ok(number(&used)?.saturating_sub(cache.map(number).transpose()?.unwrap_or(0)))
}

/// The quota of one group: `cpu.max` is `QUOTA PERIOD` or `max PERIOD`, version 1 has two files.
fn cpu_quota(dir: &Path) -> Fact<Option<f64>> {
    let pair = match read(dir, "cpu.max")? {
        Some(both) => both,
        None => {
            let quota = read(dir, "cpu.cfs_quota_us")?.unwrap_or_default();
            quota + " " + &read(dir, "cpu.cfs_period_us")?.unwrap_or_default()
        }
    };
    // `max`, `-1` and nothing at all are no quota.
    Ok(numbers(&pair).ok().map(|[quota, period]| quota as f64 / period.max(1) as f64))
}

#[cfg(test)]
mod tests;
