//! A large message that comes in pieces and is needed in one.
//!
//! **What.** A [`Gather`] appends pieces to a [`Run`] of pooled blocks and moves to a larger run
//! when they no longer fit.
//!
//! **Why this way.** A service gets a message as one slice, so the bytes must end up side by side;
//! a chain of blocks would have to be copied whole at the end, into memory of that size besides
//! the chain. The run grows as bytes arrive, not as a header promises: whoever announces a
//! megabyte and sends nothing holds one block. Where the length is known the last run is no larger
//! than it must be.
//!
//! **Costs.** 24 bytes; a run of at most twice the bytes that have arrived (one block at least).
//! Each byte is copied once on arrival and, as runs double, less than once more in all.
//!
//! **Read next.** `src/proto/ws/message.rs`, which gathers messages.

use super::pool::{Exhausted, Pool, Run};

/// The beginning of a message, or nothing.
#[derive(Debug, Default)]
pub struct Gather {
    /// Without capacity: nothing is held. Otherwise it is the pool's.
    run: Run,
}

impl Gather {
    /// What has arrived.
    pub fn bytes(&self) -> &[u8] {
        &self.run
    }

    /// What has arrived, to be worked on in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.run
    }

    /// Appends `piece`, of a message that will have at least `total` bytes as far as is known.
    ///
    /// # Errors
    /// [`Exhausted`]: the pool has no run of that size left.
    pub fn append(&mut self, piece: &[u8], total: usize, pool: &mut Pool) -> Result<(), Exhausted> {
        let len = self.run.len() + piece.len();
        if len > self.run.capacity() {
            let mut run = pool.take_run(total.clamp(len, 2 * len))?;
            run.extend_from_slice(&self.run);
            self.clear(pool);
            self.run = run;
        }
        self.run.extend_from_slice(piece);
        Ok(())
    }

    /// Forgets what is held and gives the run back.
    pub fn clear(&mut self, pool: &mut Pool) {
        let run = std::mem::take(&mut self.run);
        if run.capacity() > 0 {
            pool.give_run(run);
        }
    }
}

#[cfg(test)]
mod tests;
