//! Protocols: bytes to messages and back, without I/O.
//!
//! **What.** One module a protocol. A decoder is given bytes and says what they mean; an encoder
//! appends bytes to a buffer. Neither sees a socket or a clock.
//!
//! **Why this way.** Sans-I/O: every rule can be tested on plain slices, at every split, and the
//! server and the load generator share the code.
//!
//! **Costs.** Messages are borrowed from the bytes they arrived in; no copy, no allocation. Only a
//! WebSocket message that comes in pieces is copied, once, into pooled memory.
//!
//! **Read next.** `src/proto/line.rs`, then `src/proto/http1/mod.rs` and `src/proto/ws/mod.rs`.

pub mod http1;
pub mod line;
pub mod ws;
