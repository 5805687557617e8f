//! What a worker's sessions work with, one after the other.
//!
//! **What.** [`Desk`]: the write scratch, the memory for what is unfinished, the limits, the time.
//!
//! **Why this way.** One thing, owned by whoever drives the sessions and passed to each by
//! reference. Rejected: borrowing its parts anew for each read, which costs more than an echo's
//! decoding does.
//!
//! **Costs.** Nothing a connection; buffers are the worker's.
//!
//! **Read next.** `src/session.rs`, `src/server/worker.rs`.

use super::SessionLimits;
use crate::buf::Pool;
use crate::clock::Time;
use crate::proto::http1::Date;
use crate::proto::ws::{Assembly, deflate};

/// What a session works with while it handles a read; the worker's.
pub struct Desk {
    /// All answers to one read, to be sent by one write. Empty between connections.
    pub write: Vec<u8>,
    /// Blocks for what must be carried, or is stuck.
    pub pool: Pool,
    /// WebSocket messages that have begun and not ended.
    pub assembly: Assembly,
    /// What compressed messages are made and read with.
    pub deflate: deflate::Shared,
    /// What bounds sessions.
    pub limits: SessionLimits,
    /// For responses.
    pub date: Date,
    /// The time of this turn.
    pub now: Time,
    /// Messages that services were given.
    pub messages: u64,
    /// Somebody else serves from now on: each HTTP response says that it is the connection's last.
    pub is_ending: bool,
}

impl Desk {
    /// With nothing begun.
    pub fn new(limits: SessionLimits, pool: Pool, deflate: deflate::Shared, date: Date) -> Desk {
        let assembly = Assembly::new(limits.ws);
        let (write, now) = (Vec::new(), Time::ZERO);
        Desk { write, pool, assembly, deflate, limits, date, now, messages: 0, is_ending: false }
    }
}
