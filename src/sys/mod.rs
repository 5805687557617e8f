//! Floor 1: every `unsafe` line of the crate, named as the system calls are named.

pub mod rlimit;
