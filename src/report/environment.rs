//! Where a load ran.
//!
//! **What.** [`Environment`]: the machine and the limits that a generator had.
//!
//! **Why this way.** A figure without its machine cannot be compared. What cannot be read (as
//! containers do it) is left out, not guessed.
//!
//! **Costs.** Some 20 small files, read once, after the run.
//!
//! **Read next.** `src/limits/facts.rs`, which reads most of it.

use crate::limits::facts::Facts;
use crate::limits::words::{bytes, grouped};
use serde::{Deserialize, Serialize};
use std::fs;

/// The machine and the limits of a generator. `None`: the system does not tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Version and build of the generator: `0.1.0 release`.
    pub oneloop: String,
    /// The machine's name.
    pub host: Option<String>,
    /// `uname -r`.
    pub kernel: Option<String>,
    /// The processor's model.
    pub cpu: Option<String>,
    /// CPUs that the generator may run on.
    pub cores: Option<u64>,
    /// CPUs that its cgroup allows, if that is limited.
    pub cpu_quota: Option<f64>,
    /// Memory that was available after the run, in bytes.
    pub memory_available_bytes: Option<u64>,
    /// RLIMIT_NOFILE, soft and hard, as the generator had raised it.
    pub nofile: Option<[u64; 2]>,
    /// `net.ipv4.ip_local_port_range`.
    pub ports: Option<[u16; 2]>,
    /// `net.core.somaxconn`.
    pub somaxconn: Option<u64>,
    /// `net.ipv4.tcp_max_syn_backlog`.
    pub syn_backlog: Option<u64>,
}

impl Environment {
    /// This machine, as this process sees it.
    pub fn read() -> Environment {
        let facts = Facts::read();
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let cpus = facts.cpus.ok();
        Environment {
            oneloop: format!("{} {build}", env!("CARGO_PKG_VERSION")),
            host: line("/proc/sys/kernel/hostname"),
            kernel: line("/proc/sys/kernel/osrelease"),
            cpu: cpu(),
            cores: cpus.map(|cpus| cpus.allowed),
            cpu_quota: cpus.and_then(|cpus| cpus.quota),
            memory_available_bytes: facts.memory_available_bytes.ok(),
            nofile: facts.nofile.ok().map(|limit| [limit.soft, limit.hard]),
            ports: facts.ports.ok().map(|range| [range.low, range.high]),
            somaxconn: facts.somaxconn.ok(),
            syn_backlog: facts.syn_backlog.ok(),
        }
    }

    /// Each fact that is known, with its name, for people.
    pub fn by_name(&self) -> Vec<(&'static str, String)> {
        let nofile = self
            .nofile
            .map(|[soft, hard]| format!("{} soft, {} hard", grouped(soft), grouped(hard)));
        let facts = [
            ("oneloop", Some(self.oneloop.clone())),
            ("host", self.host.clone()),
            ("kernel", self.kernel.clone()),
            ("CPU", self.cpu.clone()),
            ("cores", self.cores.map(|cores| cores.to_string())),
            ("CPU quota", self.cpu_quota.map(|quota| format!("{quota} CPUs"))),
            ("memory available", self.memory_available_bytes.map(bytes)),
            ("open files", nofile),
            ("ports", self.ports.map(|[low, high]| format!("{low} to {high}"))),
            ("somaxconn", self.somaxconn.map(grouped)),
            ("tcp_max_syn_backlog", self.syn_backlog.map(grouped)),
        ];
        facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))).collect()
    }
}

fn line(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let model = text.lines().find(|line| line.starts_with("model name"))?;
    Some(model.split_once(':')?.1.trim().to_owned())
}
