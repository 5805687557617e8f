//! What the kernel really does, as tests.
//!
//! **What.** Each test states one property of Linux sockets that the design of this crate stands
//! on. The name is the property; the doc comment gives the number of the fact in
//! `docs/kernel-facts.md` and what follows for the design.
//!
//! **Why this way.** Manual pages are silent or vague on most of these points, and blog posts age.
//! A claim that can be run is noticed when a new kernel differs. The tests use mio, socket2 and
//! libc and nothing of this crate: they are about the ground, not about the house. Events are
//! registered through mio but collected by `epoll_wait` itself, so that a test sees the kernel's
//! flags and not a summary of them. Rejected: fixed sleeps (slow and still wrong on a busy
//! machine) and packet captures (need privileges, show less).
//!
//! **Costs.** Under a second. "No event follows" is a wait of `QUIET_MS`; "this arrives" is a wait
//! for the condition, bounded by `PATIENCE_MS`. What would disturb other tests (a lowered
//! RLIMIT_NOFILE, sysctls) happens in a child process, see `child.rs`.
//!
//! **Read next.** `docs/kernel-facts.md`, then `reading.rs`.

mod child;
mod emfile;
mod listening;
mod page;
mod ports;
mod reading;
mod reuseport;
mod support;
mod timing;
mod udp;
mod writing;
