//! What became of each connection.
//!
//! **What.** A [`Fate`] is how a connection ended; [`Connections`] counts them. Each connection has
//! exactly one, so they add up to those attempted.
//!
//! **Why this way.** "Errors: 17" is no finding. A server at its limit may say so, refuse, reset,
//! close without a word or leave the client hanging, and these are what its users live with: they
//! are kept apart. A refusal that gives its reason is worth most, so the reasons are kept too.
//!
//! **Costs.** Nothing until a connection ends early; then a short string.
//!
//! **Read next.** `src/load/stream.rs`, which finds out.

use crate::metrics::TlsFault;
use crate::net::ReceiveError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// How a line begins that a server says before it closes.
const REFUSAL: &[u8] = b"-ERR ";
/// Bytes of such a line that are kept.
pub(super) const REASON_BYTES_MAX: usize = 120;
/// Different reasons that are told apart; the rest is counted together.
const REASONS_MAX: usize = 16;
/// The same for ends by phase.
const ENDS_MAX: usize = 32;
/// What the rest is called.
const OTHER: &str = "other";

/// What those say that found no room in the queue of a Unix listener.
pub(super) const BACKLOG_FULL: &str = "EAGAIN (the server's backlog is full)";

/// What a connection was doing when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not established.
    Connect,
    /// Established, and agreeing on keys.
    Tls,
    /// Established, and being upgraded.
    Handshake,
    /// Not all of a message was sent.
    Send,
    /// Everything was sent.
    Receive,
    /// The closing handshake had begun.
    Close,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Connect => "connect",
            Phase::Tls => "tls",
            Phase::Handshake => "handshake",
            Phase::Send => "send",
            Phase::Receive => "receive",
            Phase::Close => "close",
        }
    }
}

/// How a connection ended before the run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// As agreed, when all was said: it counts as connected.
    Done,
    /// The server said why and closed: a line, a status, a close code, an alert.
    ToldWhy(String),
    /// Nobody listens (ECONNREFUSED).
    Refused,
    /// Cut off (ECONNRESET), or given up by the kernel.
    Reset,
    /// Ended by the server without a word.
    Closed,
    /// Not established in time.
    TimedOut,
    /// Established, but no answer in time.
    Hung,
    /// It failed on this side, or in a way that fits nowhere else: what it was.
    Failed(String),
}

impl Fate {
    /// What an error of a socket means for its connection.
    pub(super) fn of(error: &io::Error) -> Fate {
        match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => Fate::Refused,
            Some(libc::ECONNRESET | libc::EPIPE) => Fate::Reset,
            Some(libc::ETIMEDOUT) => Fate::TimedOut,
            _ => Fate::Failed(named(error)),
        }
    }

    /// The fate with its errno, or with what went wrong.
    fn name(&self) -> &str {
        match self {
            Fate::Done => "done",
            Fate::ToldWhy(_) => "told why",
            Fate::Refused => "refused (ECONNREFUSED)",
            Fate::Reset => "reset (ECONNRESET)",
            Fate::Closed => "closed",
            Fate::TimedOut => "timed out",
            Fate::Hung => "hung",
            Fate::Failed(reason) => reason,
        }
    }

    /// What it means that nothing more can be received.
    pub(super) fn of_receiving(error: ReceiveError) -> Fate {
        let what = match error {
            ReceiveError::Reset { errno } => {
                return match Fate::of(&io::Error::from_raw_os_error(errno)) {
                    // The kernel gave up on a peer that is gone.
                    Fate::TimedOut => Fate::Reset,
                    fate => fate,
                };
            }
            ReceiveError::Send(_) => return Fate::out_of_buffers(),
            ReceiveError::Truncated => "cut off: it ended without close_notify",
            ReceiveError::PlainOnTls => "the server answers in plain text",
            ReceiveError::Tls(fault) => match fault {
                TlsFault::Alert => {
                    return Fate::ToldWhy("TLS: the server says no by an alert".to_owned());
                }
                TlsFault::Incompatible => "no version, cipher or protocol in common",
                TlsFault::Malformed => "what the server sends is no TLS",
                TlsFault::Misbehaved => "the server sends what may not come at this point",
                TlsFault::Undecipherable => "a record that cannot be deciphered",
                TlsFault::Certificate => "the certificate is not trusted (see --tls-ca)",
                TlsFault::CertificateName => "the certificate is for another host",
                TlsFault::Unfinished => "ended within the handshake",
                TlsFault::Other => "failed on this side",
            },
        };
        Fate::Failed(format!("TLS: {what}"))
    }

    /// What is to be sent finds no room to wait.
    pub(super) fn out_of_buffers() -> Fate {
        Fate::Failed("out of buffers for what is to be sent".to_owned())
    }

    /// The listener's queue is full and stays so (EAGAIN of a Unix socket).
    pub(super) fn backlog_full() -> Fate {
        Fate::Failed(BACKLOG_FULL.to_owned())
    }

    /// What a line that [began like a refusal](may_be_refusal) says, if it is one.
    pub(super) fn told(line: &[u8]) -> Option<Fate> {
        let text = line.strip_prefix(REFUSAL)?;
        let text = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        Some(Fate::ToldWhy(String::from_utf8_lossy(text).trim_end().escape_debug().to_string()))
    }
}

/// Whether `bytes` are a refusal, or may become one when more arrives.
pub(super) fn may_be_refusal(bytes: &[u8]) -> bool {
    bytes.starts_with(REFUSAL) || REFUSAL.starts_with(bytes)
}

/// Connections that ended early, by what they were doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// They were not established.
    pub connect: u64,
    /// They were agreeing on keys (TLS). A report that was written before there was TLS has none.
    #[serde(default)]
    pub tls: u64,
    /// They were being upgraded.
    pub handshake: u64,
    /// Not all of a message was sent.
    pub send: u64,
    /// Everything was sent, or there was nothing to send.
    pub receive: u64,
    /// The closing handshake had begun.
    pub close: u64,
}

impl Phases {
    /// Each phase with its name, in the order of a connection's life.
    pub fn by_name(&self) -> [(&'static str, u64); 6] {
        [
            (Phase::Connect.name(), self.connect),
            (Phase::Tls.name(), self.tls),
            (Phase::Handshake.name(), self.handshake),
            (Phase::Send.name(), self.send),
            (Phase::Receive.name(), self.receive),
            (Phase::Close.name(), self.close),
        ]
    }

    fn of(&mut self, phase: Phase) -> &mut u64 {
        match phase {
            Phase::Connect => &mut self.connect,
            Phase::Tls => &mut self.tls,
            Phase::Handshake => &mut self.handshake,
            Phase::Send => &mut self.send,
            Phase::Receive => &mut self.receive,
            Phase::Close => &mut self.close,
        }
    }
}

/// Connections by fate. The fields add up to `attempted`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Connections whose fate is known: all of them, unless the run was broken off early.
    pub attempted: u64,
    /// Answered and still open when the run ended.
    pub connected: u64,
    /// Told why not: a line that begins with `-ERR `, an HTTP status, a close code or an alert of
    /// TLS, then the end.
    pub told_why: u64,
    /// Nobody listens (ECONNREFUSED).
    pub refused: u64,
    /// Cut off (ECONNRESET).
    pub reset: u64,
    /// Ended by the server without a word.
    pub closed: u64,
    /// Not established in time.
    pub timed_out: u64,
    /// Established, but without an answer for too long.
    pub hung: u64,
    /// Failed on this side (out of ports or descriptors), or in a way that fits nowhere else.
    pub failed: u64,
    /// What those that ended early were doing.
    pub phases: Phases,
    /// The same with how they ended: `receive: reset (ECONNRESET)`. Bounded: beyond 32 different
    /// ends, the rest is counted as `other`. A report that was written before has none.
    #[serde(default)]
    pub ended: BTreeMap<String, u64>,
    /// Connections opened in place of one that had ended in agreement: the server had announced it
    /// (HTTP), or that is the shape of the run. They are not attempted again: the new one is the
    /// same connection, in another socket.
    pub reopened: u64,
    /// Connects that found the queue of a Unix listener full (EAGAIN), and asked again until there
    /// was room. A report that was written before has none.
    #[serde(default)]
    pub backlog_full: u64,
    /// Those that were never answered while a process of the server had as many files open as it
    /// may, where it is on this machine. A report that was written before has none.
    #[serde(default)]
    pub server_out_of_files: u64,
    /// What those who were told why were told, and why the failed ones failed. Bounded: beyond 16
    /// different reasons, the rest is counted as `other`.
    pub reasons: BTreeMap<String, u64>,
}

impl Connections {
    /// Counts connections that are open and well.
    pub(super) fn count_connected(&mut self, connections: u64) {
        self.attempted += connections;
        self.connected += connections;
    }

    /// Counts a connection that ended.
    pub(super) fn count(&mut self, fate: Fate, phase: Phase) {
        self.attempted += 1;
        if fate != Fate::Done {
            *self.phases.of(phase) += 1;
            add(&mut self.ended, format!("{}: {}", phase.name(), fate.name()), 1, ENDS_MAX);
        }
        let counter = match fate {
            Fate::Done => &mut self.connected,
            Fate::ToldWhy(reason) => {
                add(&mut self.reasons, reason, 1, REASONS_MAX);
                &mut self.told_why
            }
            Fate::Failed(reason) => {
                add(&mut self.reasons, reason, 1, REASONS_MAX);
                &mut self.failed
            }
            Fate::Refused => &mut self.refused,
            Fate::Reset => &mut self.reset,
            Fate::Closed => &mut self.closed,
            Fate::TimedOut => &mut self.timed_out,
            Fate::Hung => &mut self.hung,
        };
        *counter += 1;
    }

    /// Each fate with its name, in the order of the report.
    pub fn by_fate(&self) -> [(&'static str, u64); 8] {
        [
            ("connected", self.connected),
            ("told why", self.told_why),
            ("refused", self.refused),
            ("reset", self.reset),
            ("closed", self.closed),
            ("timed out", self.timed_out),
            ("hung", self.hung),
            ("failed", self.failed),
        ]
    }

    /// Adds what another generator counted.
    pub fn merge(&mut self, other: &Connections) {
        self.attempted += other.attempted;
        self.connected += other.connected;
        self.told_why += other.told_why;
        self.refused += other.refused;
        self.reset += other.reset;
        self.closed += other.closed;
        self.timed_out += other.timed_out;
        self.hung += other.hung;
        self.failed += other.failed;
        self.reopened += other.reopened;
        self.backlog_full += other.backlog_full;
        self.server_out_of_files += other.server_out_of_files;
        self.phases.connect += other.phases.connect;
        self.phases.tls += other.phases.tls;
        self.phases.handshake += other.phases.handshake;
        self.phases.send += other.phases.send;
        self.phases.receive += other.phases.receive;
        self.phases.close += other.phases.close;
        for (end, count) in &other.ended {
            add(&mut self.ended, end.clone(), *count, ENDS_MAX);
        }
        for (reason, count) in &other.reasons {
            add(&mut self.reasons, reason.clone(), *count, REASONS_MAX);
        }
    }

    /// How connections ended early, in the order of their life, and how many.
    pub fn ends(&self) -> Vec<(String, u64)> {
        let phases = self.phases.by_name();
        let ended: u64 = phases.iter().map(|(_, count)| count).sum();
        let are_all_there = self.ended.values().sum::<u64>() == ended;
        if !are_all_there {
            return phases.map(|(name, count)| (name.to_owned(), count)).into();
        }
        let place = |end: &str| {
            let phase = end.split(':').next();
            phases.iter().position(|(name, _)| Some(*name) == phase).unwrap_or(phases.len())
        };
        let mut ends: Vec<_> =
            self.ended.iter().map(|(end, count)| (end.clone(), *count)).collect();
        ends.sort_by_key(|(end, _)| place(end));
        ends
    }
}

/// Counts by name, of which there are at most `names_max` beside `other`.
fn add(counts: &mut BTreeMap<String, u64>, name: String, count: u64, names_max: usize) {
    let known = counts.len() < names_max || counts.contains_key(&name);
    let name = if known { name } else { OTHER.to_owned() };
    *counts.entry(name).or_default() += count;
}

/// An error with the name that man pages give it: `EMFILE (too many open files)`.
fn named(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
    let name = match error.raw_os_error() {
        Some(libc::EMFILE) => "EMFILE",
        Some(libc::ENFILE) => "ENFILE",
        Some(libc::ENOBUFS) => "ENOBUFS",
        Some(libc::ENOMEM) => "ENOMEM",
        Some(libc::EADDRNOTAVAIL) => "EADDRNOTAVAIL",
        Some(libc::EADDRINUSE) => "EADDRINUSE",
        Some(libc::EACCES) => "EACCES",
        Some(libc::EPERM) => "EPERM",
        Some(libc::ENOENT) => "ENOENT",
        Some(libc::EINVAL) => "EINVAL",
        Some(libc::ENOSPC) => "ENOSPC",
        Some(libc::EMSGSIZE) => "EMSGSIZE",
        Some(libc::ENETUNREACH) => "ENETUNREACH",
        Some(libc::EHOSTUNREACH) => "EHOSTUNREACH",
        Some(libc::EAFNOSUPPORT) => "EAFNOSUPPORT",
        Some(number) => return format!("errno {number} ({text})"),
        None => return text,
    };
    format!("{name} ({text})")
}

#[cfg(test)]
mod tests;
