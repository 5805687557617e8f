//! Memory without I/O: who owns a byte that could not be used at once.
//!
//! **What.** A [`Pool`] of equal [`Block`]s; a [`Carry`] for input that is not yet a whole message,
//! a [`Gather`] for one that may be larger than a block; a [`Backlog`] for output that the socket
//! did not take.
//!
//! **Why this way.** A server that gives each connection its own buffers pays for them 19,000 times
//! while all but a few are idle. Here a worker reads into one scratch and writes from another, and
//! a connection holds a block only while it is stuck: in the middle of a line, or behind a peer
//! that does not read. Rejected: buffers that grow by doubling (a copy each time, and one burst
//! leaves every connection with its largest buffer).
//!
//! **Costs.** An unstuck connection: 24 + 8 bytes, no allocation. A stuck one: 16 KiB for each
//! block, and for each block of its run.
//!
//! **Read next.** `src/buf/pool.rs`, `src/buf/backlog.rs`, then `src/net/link.rs` which uses both.

mod backlog;
mod carry;
mod gather;
mod pool;

pub use backlog::Backlog;
pub use carry::Carry;
pub use gather::Gather;
pub use pool::{BLOCK_BYTES, Block, Exhausted, Pool, Run};
