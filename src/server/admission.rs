//! The one gate that decides whether a new connection may stay.
//!
//! **What.** [`Admission`] knows the cap, and by which of the limits it is set; it says yes, or why
//! not. What is then done with a connection that may not stay is `src/server/gate.rs`.
//!
//! **Why this way.** The cap is computed, not configured: what the process may open, less what it
//! needs itself, so that `accept` never runs into EMFILE and the last connection is known
//! beforehand. The reserve is counted from what is open once everything is bound, not guessed.
//!
//! **Costs.** A comparison an accept. The limit is read again (`prlimit`) at most once a second,
//! and only before an accept, so that `prlimit --pid` moves the cap of a running server.
//!
//! **Read next.** `src/server/gate.rs`.

use super::conn::PeerSlot;
use super::limits::{Limits, Nofile};
use super::peers::Peers;
use super::start::StartError;
use crate::clock::Time;
use crate::metrics::RefuseReason;
use crate::proto::ws::deflate::TAKEOVER_BYTES;
use crate::sys;
use crate::sys::rlimit::Rlimit;
use std::fmt;
use std::net::IpAddr;

/// Descriptors kept free beside those that are open at the start, and what for.
pub const SPARE_DESCRIPTORS: [(usize, &str); 3] = [
    (1, "a connection that is accepted only to be told no"),
    (2, "a listener that is opened again"),
    (5, "reading /proc and files"),
];

/// Descriptors that every server has open beside its sockets: the three standard streams, epoll,
/// the waker's eventfd, signalfd and the spare one.
const OPEN_ALWAYS: usize = 7;

/// Descriptors that a server with so many listeners will reserve, if it inherits none but the
/// standard streams. The exact number is counted at its start.
pub fn reserve(listeners: usize) -> usize {
    let open = open_at_start(listeners);
    Descriptors { soft_before: 0, soft: 0, hard: 0, open }.reserve()
}

/// Descriptors that such a server has open before the first connection.
pub(super) fn open_at_start(listeners: usize) -> usize {
    OPEN_ALWAYS + listeners
}

/// Memory one plain connection costs at this end: about 5 KB in the kernel, 200 bytes here, and a
/// page of data on its way.
pub const BYTES_PER_CONNECTION: u64 = 10 * 1024;

/// What one with TLS costs beside: its keys, 3.6 KB.
const BYTES_PER_TLS: u64 = 4 * 1024;

/// What connections cost in memory at this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Bytes of each.
    each: u64,
    /// So many of them may take compression context over, for [`TAKEOVER_BYTES`] more.
    takeovers_max: u64,
}

impl Price {
    /// Of the connections of a worker with these limits.
    pub fn of(limits: &Limits, has_tls: bool) -> Price {
        let takeovers_max = if limits.deflate { limits.deflate_takeover_max as u64 } else { 0 };
        let each = BYTES_PER_CONNECTION + if has_tls { BYTES_PER_TLS } else { 0 };
        Price { each, takeovers_max }
    }

    /// Bytes that so many connections take at the most.
    pub fn bytes(self, connections: u64) -> u64 {
        let takeovers = connections.min(self.takeovers_max);
        let plain = connections.saturating_mul(self.each);
        plain.saturating_add(takeovers.saturating_mul(TAKEOVER_BYTES))
    }

    /// Connections that fit into so many bytes. Either all of them take context over, or as many
    /// as may do and others: of the two counts the larger is the one that holds.
    pub fn fit(self, bytes: u64) -> u64 {
        let contexts = self.takeovers_max.saturating_mul(TAKEOVER_BYTES);
        let with_others = bytes.saturating_sub(contexts) / self.each;
        with_others.max(bytes / (self.each + TAKEOVER_BYTES))
    }
}

/// How often the limit is read again while the loop is awake.
const REREAD_MS: u64 = 1_000;

/// Which limit sets the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapBy {
    /// `max_connections`.
    Configured,
    /// RLIMIT_NOFILE less the reserve.
    Descriptors,
    /// Memory that was available at the start.
    Memory,
}

impl fmt::Display for CapBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CapBy::Configured => "max_connections",
            CapBy::Descriptors => "open files",
            CapBy::Memory => "available memory",
        })
    }
}

/// The descriptor limit as it was found and as it is now.
#[derive(Clone, Copy, Debug)]
pub struct Descriptors {
    /// The soft limit before the start.
    pub soft_before: u64,
    /// The soft limit now.
    pub soft: u64,
    /// The hard limit.
    pub hard: u64,
    /// Open before the first connection.
    pub open: usize,
}

impl Descriptors {
    /// What is open and what is kept free.
    pub fn reserve(&self) -> usize {
        self.open + SPARE_DESCRIPTORS.iter().map(|(count, _)| count).sum::<usize>()
    }
}

/// Sets the soft limit of open files as asked.
///
/// # Errors
/// `setrlimit(2)`: above the hard limit without the privilege to raise that.
pub(super) fn apply(nofile: Nofile) -> Result<Descriptors, StartError> {
    let before = sys::rlimit::nofile().map_err(|e| StartError::System("prlimit", e))?;
    let wanted = match nofile {
        Nofile::Keep => before,
        Nofile::Max => Rlimit { soft: before.hard, hard: before.hard },
        Nofile::Set(n) => Rlimit { soft: n, hard: before.hard.max(n) },
    };
    if wanted != before {
        let hard = before.hard;
        sys::rlimit::set_nofile(wanted).map_err(|error| StartError::Nofile {
            wanted: wanted.soft,
            hard,
            error,
        })?;
    }
    Ok(Descriptors { soft_before: before.soft, soft: wanted.soft, hard: wanted.hard, open: 0 })
}

/// Decides who may stay.
pub(super) struct Admission {
    descriptors: Descriptors,
    max_connections: usize,
    memory_connections: usize,
    /// Kept only if a limit by address is set.
    peers: Option<Peers>,
    /// Connections that may be open at once.
    cap: usize,
    cap_by: CapBy,
    /// When the descriptor limit is to be read again.
    read_again_at: Time,
    /// Workers that have the descriptors in common: this one has its part of them.
    sharers: usize,
}

impl Admission {
    /// The gate for these limits, of one of so many `workers` that have the memory in common. Until
    /// [`opened`](Admission::opened) says what else is open the cap is an upper bound.
    pub(super) fn new(
        descriptors: Descriptors,
        limits: &Limits,
        price: Price,
        workers: usize,
    ) -> Admission {
        let by_address = limits.per_ip_max != 0 || limits.accept_rate != 0;
        let mut admission = Admission {
            descriptors,
            max_connections: match limits.max_connections {
                0 => usize::MAX,
                max => max,
            },
            memory_connections: memory_connections(price, workers).unwrap_or(usize::MAX),
            peers: by_address.then(|| Peers::new(limits.per_ip_max, limits.accept_rate)),
            cap: 0,
            cap_by: CapBy::Descriptors,
            read_again_at: Time::ZERO,
            sharers: 1,
        };
        admission.set_cap();
        admission
    }

    /// So many descriptors are open before the first connection.
    pub(super) fn opened(&mut self, open: usize) {
        self.descriptors.open = open;
        self.set_cap();
    }

    /// So many workers, this one among them, are threads of this process, in which `open`
    /// descriptors are for all of them.
    pub(super) fn share(&mut self, sharers: usize, open: usize) -> usize {
        self.sharers = sharers;
        open
    }

    pub(super) fn cap_by(&self) -> CapBy {
        self.cap_by
    }

    pub(super) fn descriptors(&self) -> Descriptors {
        self.descriptors
    }

    pub(super) fn cap(&self) -> usize {
        self.cap
    }

    /// Counts a new connection's address, or says why the connection may not stay. Room under the
    /// cap is the caller's matter.
    pub(super) fn admit(
        &mut self,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<Option<PeerSlot>, RefuseReason> {
        match (&mut self.peers, address) {
            (Some(peers), Some(address)) => peers.admit(address, now).map(Some),
            _ => Ok(None),
        }
    }

    /// A connection has ended.
    pub(super) fn release(&mut self, peer: Option<PeerSlot>) {
        if let (Some(peers), Some(peer)) = (&mut self.peers, peer) {
            peers.release(peer);
        }
    }

    /// Reads the descriptor limit again if that is due. True if the cap has changed.
    #[cold]
    pub(super) fn reread(&mut self, now: Time) -> bool {
        if now < self.read_again_at {
            return false;
        }
        self.read_again_at = now.plus_ms(REREAD_MS);
        let Ok(limit) = sys::rlimit::nofile() else { return false };
        (self.descriptors.soft, self.descriptors.hard) = (limit.soft, limit.hard);
        let before = self.cap;
        self.set_cap();
        self.cap != before
    }

    /// One line: what was raised, reserved and capped.
    pub(super) fn describe(&self) -> String {
        let Descriptors { soft_before, soft, hard, open } = self.descriptors;
        let raised = if soft_before == soft {
            format!("{soft} open files (hard limit {hard})")
        } else {
            format!("open files {soft_before} -> {soft} (hard limit {hard})")
        };
        let spare = self.descriptors.reserve() - open;
        format!(
            "{raised}, {} reserved ({open} open, {spare} spare), cap {} connections by {}",
            self.descriptors.reserve(),
            self.cap,
            self.cap_by,
        )
    }

    fn set_cap(&mut self) {
        let soft = usize::try_from(self.descriptors.soft).unwrap_or(usize::MAX);
        let bounds = [
            (soft.saturating_sub(self.descriptors.reserve()) / self.sharers, CapBy::Descriptors),
            (self.memory_connections, CapBy::Memory),
            (self.max_connections, CapBy::Configured),
        ];
        // Of equal bounds the first is named: it is the hardest to move.
        let lowest = bounds.into_iter().min_by_key(|(bound, _)| *bound);
        if let Some((cap, by)) = lowest {
            (self.cap, self.cap_by) = (cap, by);
        }
    }
}

/// Connections that a worker's part of three quarters of the available memory holds
/// (`/proc/meminfo`).
fn memory_connections(price: Price, workers: usize) -> Option<usize> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    usize::try_from(price.fit(kib * 1024 / 4 * 3 / workers as u64)).ok()
}

#[cfg(test)]
mod tests;
