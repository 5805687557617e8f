//! A bounded pool of equal blocks.
//!
//! **What.** [`Pool::take`] hands out a block of [`BLOCK_BYTES`], [`Pool::give`] takes it back. The
//! number that may be out at once is fixed: it is the memory limit for all that is stuck.
//! [`Pool::take_run`] hands out several as one piece, for a message that must lie in one.
//!
//! **Why this way.** Equal blocks fit every hole, so nothing fragments and one number bounds the
//! memory. A few are kept for the next stall; the rest goes back to the allocator and, by a timer
//! of the worker, from there to the kernel: after a burst the memory returns to where it was. A
//! block is a plain `Vec<u8>` that never grows: filling it appends, so it is never zeroed first.
//!
//! **Costs.** One `malloc` when a connection gets stuck while the pool is empty, none in steady
//! work.
//!
//! **Read next.** `src/buf/backlog.rs`, `src/buf/gather.rs`.

/// Bytes in a block: the longest line or an HTTP head fits into one.
pub const BLOCK_BYTES: usize = 16 * 1024;

/// Blocks kept for the next stall: 1 MiB.
const SPARE_MAX: usize = 64;

/// Bytes of the runs that are kept for the next large message.
const SPARE_RUN_BYTES_MAX: usize = 1024 * 1024;

/// When stuck connections have given back so much memory, the allocator is to be told to give it to
/// the kernel: it would keep it otherwise.
const TRIM_BYTES: usize = 1024 * 1024;

/// Up to [`BLOCK_BYTES`] bytes. Its capacity is exactly that and never changes.
pub type Block = Vec<u8>;

/// Blocks in one piece: a capacity of a power of two times [`BLOCK_BYTES`], which never changes.
pub type Run = Vec<u8>;

/// All blocks that may be out are out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// Hands out blocks, and runs of them, up to a limit.
#[derive(Debug)]
pub struct Pool {
    /// Empty blocks, at most [`SPARE_MAX`].
    spare: Vec<Block>,
    /// Empty runs of more than one block; together at most [`SPARE_RUN_BYTES_MAX`].
    spare_runs: Vec<Run>,
    /// Blocks handed out and not yet given back; at most `out_max`.
    out: usize,
    out_max: usize,
    /// Blocks given back to the allocator since it was told last.
    released: usize,
    /// They come to [`TRIM_BYTES`].
    is_grown: bool,
}

impl Pool {
    /// A pool that hands out at most `bytes_max` bytes (rounded down to whole blocks, at least
    /// one).
    pub fn new(bytes_max: u64) -> Pool {
        let blocks = usize::try_from(bytes_max / BLOCK_BYTES as u64).unwrap_or(usize::MAX);
        let (spare, spare_runs) = (Vec::new(), Vec::new());
        Pool { spare, spare_runs, out: 0, out_max: blocks.max(1), released: 0, is_grown: false }
    }

    /// An empty block.
    ///
    /// # Errors
    /// [`Exhausted`]: the limit is reached; the caller's connection is the one that must give way.
    pub fn take(&mut self) -> Result<Block, Exhausted> {
        if self.out == self.out_max {
            return Err(Exhausted);
        }
        self.out += 1;
        Ok(self.spare.pop().unwrap_or_else(|| Block::with_capacity(BLOCK_BYTES)))
    }

    /// Takes a block back.
    pub fn give(&mut self, mut block: Block) {
        debug_assert_eq!(block.capacity(), BLOCK_BYTES);
        self.out -= 1;
        if self.spare.len() < SPARE_MAX {
            block.clear();
            self.spare.push(block);
        } else {
            self.release(1);
        }
    }

    /// An empty run with room for `bytes`, which counts as the blocks that would fit into it.
    ///
    /// # Errors
    /// [`Exhausted`], as for a block.
    pub fn take_run(&mut self, bytes: usize) -> Result<Run, Exhausted> {
        let blocks = bytes.div_ceil(BLOCK_BYTES).checked_next_power_of_two().ok_or(Exhausted)?;
        if blocks == 1 {
            return self.take();
        }
        if blocks > self.out_max - self.out {
            return Err(Exhausted);
        }
        self.out += blocks;
        let capacity = blocks * BLOCK_BYTES;
        Ok(match self.spare_runs.iter().position(|run| run.capacity() == capacity) {
            Some(at) => self.spare_runs.swap_remove(at),
            None => Run::with_capacity(capacity),
        })
    }

    /// Takes a run back.
    pub fn give_run(&mut self, mut run: Run) {
        if run.capacity() == BLOCK_BYTES {
            return self.give(run);
        }
        let blocks = run.capacity() / BLOCK_BYTES;
        debug_assert!(blocks.is_power_of_two() && run.capacity().is_multiple_of(BLOCK_BYTES));
        self.out -= blocks;
        let kept: usize = self.spare_runs.iter().map(Vec::capacity).sum();
        if kept + run.capacity() <= SPARE_RUN_BYTES_MAX {
            run.clear();
            self.spare_runs.push(run);
        } else {
            self.release(blocks);
        }
    }

    fn release(&mut self, blocks: usize) {
        self.released += blocks;
        self.is_grown = self.released * BLOCK_BYTES >= TRIM_BYTES;
    }

    /// So much went back to the allocator that it should be told to give it to the kernel.
    pub fn is_grown(&self) -> bool {
        self.is_grown
    }

    /// The allocator has been told.
    pub fn trimmed(&mut self) {
        (self.released, self.is_grown) = (0, false);
    }

    /// Blocks that are out now.
    pub fn blocks_out(&self) -> usize {
        self.out
    }
}

#[cfg(test)]
mod tests;
