//! Starting: what can go wrong, and what to do about it.
//!
//! **What.** [`StartError`] says in one line which setting cannot hold, its value, why, and the
//! fix.
//!
//! **Why this way.** A server fails at its start or not at all: everything that can be checked or
//! taken is checked and taken before `ready`.
//!
//! **Costs.** Nothing.
//!
//! **Read next.** `src/server/mod.rs`.

use super::admission::Descriptors;
use super::limits::LimitError;
use crate::net::{Endpoint, TlsSetupError};
use std::fmt;
use std::io;

/// Why a server does not start.
#[derive(Debug)]
pub enum StartError {
    /// The limits contradict each other.
    Limit(LimitError),
    /// The limit of open files cannot be set.
    Nofile {
        /// What was asked for.
        wanted: u64,
        /// The most that is possible.
        hard: u64,
        /// What the system said.
        error: io::Error,
    },
    /// Not one connection fits.
    NoRoom(Descriptors),
    /// An address cannot be listened on.
    Listen(Box<Endpoint>, io::Error),
    /// A listener's TLS cannot be prepared.
    Tls(Box<Endpoint>, TlsSetupError),
    /// A worker cannot be started, or ended before it was ready. It has its number, from 0.
    Worker(usize, io::Error),
    /// Nothing to listen on was given.
    NoListener,
    /// The system refused something every server needs.
    System(&'static str, io::Error),
}

impl StartError {
    /// The settings are wrong, whatever the machine: a matter of usage (exit code 2).
    pub fn is_usage(&self) -> bool {
        match self {
            StartError::Limit(_) | StartError::NoListener => true,
            StartError::Nofile { .. } | StartError::NoRoom(_) | StartError::Tls(..) => true,
            StartError::Listen(..) | StartError::System(..) | StartError::Worker(..) => false,
        }
    }

    /// No descriptor was left for something that every server needs.
    pub(super) fn is_out_of_descriptors(&self) -> bool {
        match self {
            StartError::Listen(_, error) | StartError::System(_, error) => {
                error.raw_os_error() == Some(libc::EMFILE)
            }
            _ => false,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Limit(error) => error.fmt(f),
            StartError::Nofile { wanted, hard, error } => write!(
                f,
                "nofile: {wanted} open files cannot be had ({error}); the hard limit is {hard}: \
                 ask for that or less, or raise it (`ulimit -Hn`, LimitNOFILE=)"
            ),
            StartError::NoRoom(descriptors) => write!(
                f,
                "nofile: {} open files leave no room for a connection: {} are reserved; \
                 allow at least {}",
                descriptors.soft,
                descriptors.reserve(),
                descriptors.reserve() + 1,
            ),
            StartError::Listen(endpoint, error) => {
                write!(f, "cannot listen on {endpoint}: {error}")
            }
            StartError::Tls(endpoint, error) => write!(f, "{endpoint}: {error}"),
            StartError::Worker(number, error) => write!(
                f,
                "workers: number {} cannot be started: {error}; ask for fewer, or mend what it \
                 says",
                number + 1
            ),
            StartError::NoListener => f.write_str("listen: nothing to listen on was given"),
            StartError::System(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
