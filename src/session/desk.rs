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
use crate::proto::http1::{Date, Kept};
use crate::proto::ws::{Assembly, deflate};
use std::ops::Range;

/// The write scratch keeps this much; what one huge answer needed beyond it is given back.
const WRITE_KEPT_BYTES: usize = 256 * 1024;

/// What a session works with while it handles a read; the worker's.
pub struct Desk {
    /// All answers to one read, to be sent by one write. Empty between connections.
    pub write: Vec<u8>,
    /// Or where they lie in the read itself. Empty if anything is written.
    pub(super) in_place: Range<usize>,
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
    /// What `/healthz` answers: machines ask for it again and again.
    pub(super) healthz: Kept,
    /// The time of this turn.
    pub now: Time,
    /// Messages that services were given.
    pub messages: u64,
    /// The connection is to go: an HTTP response says that it is the last.
    pub is_ending: bool,
}

impl Desk {
    /// With nothing begun.
    pub fn new(limits: SessionLimits, pool: Pool, deflate: deflate::Shared, date: Date) -> Desk {
        let assembly = Assembly::new(limits.ws);
        let (write, now, in_place) = (Vec::new(), Time::ZERO, 0..0);
        let (healthz, messages, is_ending) = (Kept::default(), 0, false);
        Desk {
            write,
            in_place,
            pool,
            assembly,
            deflate,
            limits,
            date,
            healthz,
            now,
            messages,
            is_ending,
        }
    }

    /// All answers to `read`, and the pool, which what cannot be sent goes to.
    #[inline(always)]
    pub fn answers<'a>(&'a mut self, read: &'a [u8]) -> (&'a [u8], &'a mut Pool) {
        let answers = match self.in_place.is_empty() {
            true => &self.write[..],
            false => &read[self.in_place.clone()],
        };
        (answers, &mut self.pool)
    }

    /// They are out.
    #[inline(always)]
    pub fn clear_answers(&mut self) {
        self.in_place = 0..0;
        self.write.clear();
        if self.write.capacity() > WRITE_KEPT_BYTES {
            self.write.shrink_to(WRITE_KEPT_BYTES);
        }
    }

    /// What was answered before anything was written goes before it.
    #[inline(always)]
    pub(super) fn write_first(&mut self, answers: &[u8]) {
        if !answers.is_empty() {
            self.write.splice(..0, answers.iter().copied());
        }
    }
}
