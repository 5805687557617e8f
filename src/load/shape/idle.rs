//! Connections that are held and hardly speak.
//!
//! **What.** [`Idle`] says when each connection is to be pinged, and what holding all of them came
//! to.
//!
//! **Why this way.** Most connections of the world are idle: what they cost, whether they are still
//! there after an hour, and how fast one of them answers is a question of its own. A connection's
//! pings stand on a grid that its number and the clock give, so nothing is stored, the pings of all
//! are spread over the interval, and none drifts. A WebSocket is asked by its own ping, so it may
//! be any server's; elsewhere it takes a message that comes back.
//!
//! **Costs.** A timer a ping. At most 400 bytes a connection in all (`tests/costs/memory.rs`).
//!
//! **Read next.** `src/load/stream.rs`, which asks.

use crate::clock::Time;
use crate::load::report::Messages;
use crate::load::{LoadError, Scenario, usage};
use crate::reactor::ConnId;
use crate::sys::process;
use serde::{Deserialize, Serialize};

/// The longest time between two pings, in milliseconds.
pub const PING_EVERY_MS_MAX: u64 = 900_000;
/// Below so many connections the memory of one cannot be told from that of the run.
const CONNECTIONS_MIN: u64 = 1_000;

/// The pings of a run.
pub(in crate::load) struct Idle {
    ping_every_ms: u64,
    connections: u64,
    /// When the holding began, and what was sent and received before; `None` when none are due.
    since: Option<Time>,
    before: Messages,
    /// Anonymous memory of the process before the first connection.
    memory_before: Option<u64>,
    figures: IdleFigures,
}

/// What holding connections came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdleFigures {
    /// Each connection is pinged once in so many milliseconds.
    pub ping_every_ms: u64,
    /// Connections that were open and answered when the holding began.
    pub settled: u64,
    /// Those of them that were still open when it ended.
    pub held: u64,
    /// Pings sent while holding.
    pub pings: u64,
    /// Those that were answered, and rightly; the others were missed.
    pub answered: u64,
    /// What the connections took of the generator's memory, in bytes; 0 if it is not known.
    pub memory_bytes: u64,
}

impl IdleFigures {
    /// Bytes of the generator's memory for each connection; `None` if there are too few to tell.
    pub fn bytes_per_connection(&self) -> Option<u64> {
        let is_known = self.memory_bytes > 0 && self.settled >= CONNECTIONS_MIN;
        is_known.then(|| self.memory_bytes / self.settled)
    }

    pub(super) fn merge(&mut self, other: &IdleFigures) {
        self.settled += other.settled;
        self.held += other.held;
        self.pings += other.pings;
        self.answered += other.answered;
        self.memory_bytes += other.memory_bytes;
    }
}

/// Whether connections can be pinged every so many milliseconds.
pub(super) fn check(ping_every_ms: u64, scenario: &Scenario) -> Result<(), LoadError> {
    if scenario.rate_per_s.is_some() {
        let line = "idle: pings are due at --ping-every, and not at a --rate; leave one of the two \
                    out";
        return usage(line.to_owned());
    }
    if scenario.depth != 1 {
        return usage(format!(
            "idle: sends one ping at a time, and not a --depth of {}; leave --depth out",
            scenario.depth
        ));
    }
    if !(1..=PING_EVERY_MS_MAX).contains(&ping_every_ms) {
        return usage(format!("ping-every {ping_every_ms}ms: use 1ms to 15m"));
    }
    if ping_every_ms > scenario.duration_ms {
        return usage(format!(
            "ping-every {ping_every_ms}ms: longer than --duration, so some would never be pinged; \
             give -d {ping_every_ms}ms or more"
        ));
    }
    Ok(())
}

impl Idle {
    /// Before the first connection.
    pub(in crate::load) fn new(ping_every_ms: u64, connections: u32) -> Idle {
        Idle {
            ping_every_ms,
            connections: u64::from(connections),
            since: None,
            before: Messages::default(),
            memory_before: process::anonymous_bytes(),
            figures: IdleFigures { ping_every_ms, ..IdleFigures::default() },
        }
    }

    /// The holding begins, with so many connections.
    pub(in crate::load) fn begin(&mut self, now: Time, settled: u32, messages: Messages) {
        (self.since, self.before) = (Some(now), messages);
        self.figures.settled = u64::from(settled);
    }

    /// It ends, with so many.
    pub(in crate::load) fn end(&mut self, held: u32) {
        self.since = None;
        self.figures = self.so_far(held);
    }

    /// When connection `id` is pinged next after a moment; never if nothing is held.
    pub(in crate::load) fn next_ping(&self, id: ConnId, after: Time) -> Option<Time> {
        let first = self.since?.plus_ms(self.ping_every_ms * u64::from(id.slot) / self.connections);
        let rounds = match after < first {
            true => 0,
            false => after.ms_since(first) / self.ping_every_ms + 1,
        };
        Some(first.plus_ms(rounds * self.ping_every_ms))
    }

    /// What came of it so far, if so many connections are open.
    pub(in crate::load) fn figures(&self, open: u32, messages: &Messages) -> IdleFigures {
        let figures = if self.since.is_some() { self.so_far(open) } else { self.figures.clone() };
        let (pings, answered) =
            (messages.sent - self.before.sent, messages.received - self.before.received);
        IdleFigures { pings, answered, ..figures }
    }

    fn so_far(&self, held: u32) -> IdleFigures {
        let memory = process::anonymous_bytes().zip(self.memory_before);
        let memory_bytes = memory.map_or(0, |(now, before)| now.saturating_sub(before));
        IdleFigures { held: u64::from(held), memory_bytes, ..self.figures.clone() }
    }
}

#[cfg(test)]
mod tests;
