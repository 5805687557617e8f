//! Several workers on one port, and servers that follow each other, as real processes.
#![cfg(feature = "cli")]

mod broadcast;
mod cap;
#[cfg(feature = "tls")]
mod certificate;
mod death;
mod inherited;
mod serving;
mod support;
mod upgrade;
