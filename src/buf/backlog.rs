//! Output that the socket did not take.
//!
//! **What.** A [`Backlog`] is a queue of bytes in pooled blocks: appended at the end, written from
//! the front by one `writev`.
//!
//! **Why this way.** A chain of equal blocks grows without copying what is already queued and
//! gives each block back as soon as it is out. Rejected: one growing buffer (copies, and stays
//! large), and a list of the messages themselves (one allocation each; a thousand small ones
//! would be a thousand slices to write).
//!
//! **Costs.** Boxed, so that a connection without one pays 8 bytes. One copy of each byte queued.
//!
//! **Read next.** `src/net/link.rs`.

use super::pool::{BLOCK_BYTES, Block, Exhausted, Pool};
use std::collections::VecDeque;
use std::io::IoSlice;

/// A queue of unsent bytes.
#[derive(Debug, Default)]
pub struct Backlog {
    /// No block is empty; all but the last are full.
    blocks: VecDeque<Block>,
    /// Bytes of the first block that are already sent; less than its length.
    sent: usize,
    /// Bytes that wait.
    len: usize,
}

impl Backlog {
    /// Bytes that wait to be sent.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Queues `bytes` behind the rest.
    ///
    /// # Errors
    /// [`Exhausted`]: the pool ran out of blocks; part of `bytes` may be queued, so the stream is
    /// no longer whole and the connection must end.
    pub fn push(&mut self, mut bytes: &[u8], pool: &mut Pool) -> Result<(), Exhausted> {
        while !bytes.is_empty() {
            let room = match self.blocks.back() {
                Some(block) => BLOCK_BYTES - block.len(),
                None => 0,
            };
            if room == 0 {
                self.blocks.push_back(pool.take()?);
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(block) = self.blocks.back_mut() {
                block.extend_from_slice(now);
            }
            self.len += now.len();
            bytes = later;
        }
        Ok(())
    }

    /// Points `slices` at the first bytes in order; returns how many slices were set.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut from = self.sent;
        let mut count = 0;
        for (slice, block) in slices.iter_mut().zip(&self.blocks) {
            *slice = IoSlice::new(&block[std::mem::take(&mut from)..]);
            count += 1;
        }
        count
    }

    /// Drops the first `n` bytes, which are sent, and gives emptied blocks back.
    pub fn consume(&mut self, n: usize, pool: &mut Pool) {
        debug_assert!(n <= self.len);
        self.len -= n;
        self.sent += n;
        while let Some(block) = self.blocks.pop_front_if(|block| block.len() <= self.sent) {
            self.sent -= block.len();
            pool.give(block);
        }
    }

    /// Drops everything.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.consume(self.len, pool);
    }
}

#[cfg(test)]
mod tests;
