//! Input that is not yet a whole message.
//!
//! **What.** A [`Carry`] keeps the beginning of a message until the rest arrives.
//!
//! **Why this way.** The decoder reads fresh bytes where they are, in the worker's scratch, and
//! only the tail that is not a message yet is copied here. When more arrives, just the bytes that
//! finish the message are appended, so a message that comes byte by byte costs work linear in its
//! length. Rejected: copying the carry in front of each read, which is quadratic.
//!
//! **Costs.** 24 bytes a connection; one pooled block while something is carried.
//!
//! **Read next.** `src/proto/line.rs`, which carries lines.

use super::pool::{BLOCK_BYTES, Block, Exhausted, Pool};

/// The beginning of a message, or nothing.
#[derive(Debug, Default)]
pub struct Carry {
    /// Holds at least one byte if it is there.
    block: Option<Block>,
}

impl Carry {
    /// Whether nothing is carried.
    pub fn is_empty(&self) -> bool {
        self.block.is_none()
    }

    /// What is carried.
    pub fn bytes(&self) -> &[u8] {
        self.block.as_deref().unwrap_or_default()
    }

    /// Appends `bytes`. The caller checks its own limit first: in all at most [`BLOCK_BYTES`].
    ///
    /// # Errors
    /// [`Exhausted`]: the pool has no block left.
    pub fn append(&mut self, bytes: &[u8], pool: &mut Pool) -> Result<(), Exhausted> {
        debug_assert!(self.bytes().len() + bytes.len() <= BLOCK_BYTES);
        if bytes.is_empty() {
            return Ok(());
        }
        let block = match &mut self.block {
            Some(block) => block,
            none => none.insert(pool.take()?),
        };
        block.extend_from_slice(bytes);
        Ok(())
    }

    /// Forgets what is carried and gives the block back.
    pub fn clear(&mut self, pool: &mut Pool) {
        if let Some(block) = self.block.take() {
            pool.give(block);
        }
    }
}
