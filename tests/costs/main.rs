//! What the server costs, counted: syscalls, wake-ups, bytes. Wall time decides nothing here.
//!
//! All of it is asked of the real binary from outside: strace counts its syscalls, `/proc` tells
//! its memory and how often it woke. Allocations are counted in `tests/allocations.rs`.

mod cap;
#[cfg(feature = "tls")]
#[path = "../server/certs.rs"]
mod certs;
#[cfg(feature = "deflate")]
mod deflate;
mod load;
mod memory;
mod server;
mod syscalls;
#[cfg(feature = "tls")]
mod tls;
mod wakeups;
