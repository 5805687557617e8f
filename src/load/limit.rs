//! What stopped connections.
//!
//! **What.** A [`Limit`] is what a connection ran into, on which side it is, and what lifts it;
//! [`Connections::limits`] finds those that a run met.
//!
//! **Why this way.** "47 failed" sends the reader to a search engine, and to the wrong machine half
//! of the time. An errno of `connect` or of a socket tells which limit it was. What has no limit in
//! it (a reset, a silence) is not guessed at; but where the server is on this machine its
//! descriptors are looked at.
//!
//! **Costs.** A look at 16 reasons for each.
//!
//! **Read next.** `src/load/fates.rs`, `src/load/validity.rs`.

use super::fates::{BACKLOG_FULL, Connections};
use serde::{Deserialize, Serialize};

/// How servers of ours say that they are at a limit (`src/server/gate.rs`), over HTTP behind a
/// status.
const SAID: [(&str, Limit); 3] = [
    ("full: ", Limit::ServerFull),
    ("too many connections from your address", Limit::PerAddress),
    ("too many new connections from your address", Limit::AcceptRate),
];

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
    /// Connected by the kernel, and never accepted: the server has no descriptor left.
    ServerFiles,
    /// The server said that it is full: its cap, which its descriptors or a setting make.
    ServerFull,
    /// The server said that this address has connections enough.
    PerAddress,
    /// The server said that connections come too fast from this address.
    AcceptRate,
    /// The server said why, in words that we do not know.
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
            Limit::ServerFiles => "the server's side: it has all files open that it may (EMFILE)",
            Limit::ServerFull => "the server's side: its cap of connections (it says: full)",
            Limit::PerAddress => "the server's side: connections from one address (--per-ip-max)",
            Limit::AcceptRate => "the server's side: new ones from one address (--accept-rate)",
            Limit::Server => "the server's side: it says why, see REASONS",
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
            Limit::ServerFiles => "prlimit --pid PID --nofile=1000000 there, or its ulimit -n",
            Limit::ServerFull => "prlimit --pid PID --nofile=1000000 there, or --max-connections N",
            Limit::PerAddress => "oneloop serve --per-ip-max N there, or --source A,B here",
            Limit::AcceptRate => "--connect-rate N or --source A,B here, or --accept-rate N there",
            Limit::Server => "what the reason names, on the server",
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
        let said = |said: &str| {
            let reasons = self.reasons.iter().filter(|(reason, _)| is_said(said, reason));
            reasons.map(|(_, count)| count).sum::<u64>()
        };
        let known = SAID.map(|(words, limit)| (limit, said(words)));
        let others = self.told_why.saturating_sub(known.iter().map(|(_, count)| count).sum());
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
            (Limit::ServerFiles, self.server_out_of_files),
        ];
        let limits = limits.into_iter().chain(known).chain([(Limit::Server, others)]);
        limits.filter(|(_, count)| *count > 0).collect()
    }
}

/// Whether a reason is these words, bare or behind `503 Service Unavailable: ` or `close 1013: `.
fn is_said(words: &str, reason: &str) -> bool {
    let bare = reason.split_once(": ").map_or("", |(_, rest)| rest);
    reason.starts_with(words) || bare.starts_with(words)
}

#[cfg(test)]
mod tests;
