//! What stopped connections.
//!
//! **What.** A [`Limit`] is what a connection ran into, on which side it is, and what lifts it;
//! [`Connections::limits`] finds those that a run met.
//!
//! **Why this way.** "47 failed" sends the reader to a search engine, and to the wrong machine half
//! of the time. An errno of `connect` or of a socket tells which limit it was. What has no limit in
//! it (a reset, a silence) is not guessed at.
//!
//! **Costs.** A look at 16 reasons.
//!
//! **Read next.** `src/load/fates.rs`, `src/load/validity.rs`.

use super::fates::{BACKLOG_FULL, Connections};
use serde::{Deserialize, Serialize};

/// A limit that ended connections, or kept them waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// EADDRNOTAVAIL: no port is left.
    Ports,
    /// EMFILE: no descriptor is left in this process.
    Descriptors,
    /// ENFILE: none is left on this machine.
    AllDescriptors,
    /// ENOBUFS, ENOMEM: no memory for sockets is left.
    Memory,
    /// EAGAIN of a Unix socket: the listener's queue is full.
    Backlog,
    /// Nobody answers to a SYN.
    Unanswered,
    /// ECONNREFUSED, or ENOENT of a Unix socket: nobody listens.
    Nobody,
    /// ENETUNREACH, EHOSTUNREACH: no way leads there.
    Unreachable,
    /// The server said why.
    Server,
}

impl Limit {
    /// Which limit, and on which side.
    pub fn what(self) -> &'static str {
        match self {
            Limit::Ports => "this side: no port is left to that address (EADDRNOTAVAIL)",
            Limit::Descriptors => "this side: no descriptor is left in the process (EMFILE)",
            Limit::AllDescriptors => "this machine: no descriptor is left on it (ENFILE)",
            Limit::Memory => "this machine: no memory is left for sockets (ENOBUFS, ENOMEM)",
            Limit::Backlog => "the server's side: its listen queue is full (EAGAIN of connect)",
            Limit::Unanswered => "the server's side: connecting is not answered",
            Limit::Nobody => "the server's side: nobody listens there (ECONNREFUSED, ENOENT)",
            Limit::Unreachable => "this side: no way leads there (ENETUNREACH, EHOSTUNREACH)",
            Limit::Server => "the server's side: its own limit, see what it says",
        }
    }

    /// What lifts it.
    pub fn lifted_by(self) -> &'static str {
        match self {
            Limit::Ports => "--source A,B; sysctl -w net.ipv4.ip_local_port_range='1024 65535'",
            Limit::Descriptors => "ulimit -n 1000000, or more processes (--procs)",
            Limit::AllDescriptors => "sysctl -w fs.file-max=2000000",
            Limit::Memory => "sysctl -w net.ipv4.tcp_mem=..., or more memory (oneloop limits)",
            Limit::Backlog => "its backlog (ours: ?backlog=N); sysctl -w net.core.somaxconn=65535",
            Limit::Unanswered => "its backlog; sysctl -w net.core.somaxconn=65535; its firewall",
            Limit::Nobody => "a server that is started there, or another address or port",
            Limit::Unreachable => "a route to it (ip route get ADDRESS), or another address",
            Limit::Server => "the setting that its reason names",
        }
    }
}

impl Connections {
    /// The limits that connections met, those of this side first, and how many met each.
    pub fn limits(&self) -> Vec<(Limit, u64)> {
        let failed = |errno: &str| {
            let reasons = self.reasons.iter().filter(|(reason, _)| reason.starts_with(errno));
            reasons.map(|(_, count)| count).sum::<u64>()
        };
        let limits = [
            (Limit::Ports, failed("EADDRNOTAVAIL ")),
            (Limit::Descriptors, failed("EMFILE ")),
            (Limit::AllDescriptors, failed("ENFILE ")),
            (Limit::Memory, failed("ENOBUFS ") + failed("ENOMEM ")),
            // Who never got in was turned away before, but for the first of a crowd.
            (Limit::Backlog, self.backlog_full.max(failed(BACKLOG_FULL))),
            (Limit::Unanswered, self.timed_out.min(self.phases.connect)),
            (Limit::Nobody, self.refused + failed("ENOENT ")),
            (Limit::Unreachable, failed("ENETUNREACH ") + failed("EHOSTUNREACH ")),
            (Limit::Server, self.told_why),
        ];
        limits.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests;
