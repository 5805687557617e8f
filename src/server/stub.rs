//! STUB of the server's public interface, so that the command line compiles before the server is
//! there. The integrator replaces this file; nothing here serves.
//!
//! **What.** The types and signatures of [`Server`], no more.
//!
//! **Why this way.** Two halves are written at the same time.
//!
//! **Costs.** Nothing.
//!
//! **Read next.** `src/cli/serve.rs`, which calls it.

use super::Limits;
use crate::net::Endpoint;
use crate::service::Service;
use std::marker::PhantomData;
use std::{fmt, io};

/// Collects what a server is made of.
#[derive(Debug)]
pub struct Builder<S>(PhantomData<S>);

/// A server that is bound.
#[derive(Debug)]
pub struct Server<S>(Vec<Endpoint>, PhantomData<S>);

/// Why a server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was sent.
    Drained,
    /// Somebody asked for it.
    Stopped,
    /// The second signal ended it.
    Signalled(i32),
}

/// Why a server did not start.
#[derive(Debug)]
pub struct StartError;

impl StartError {
    /// Whether the user can mend it on the command line.
    pub fn is_usage(&self) -> bool {
        false
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("server: a stub, it cannot serve")
    }
}

impl std::error::Error for StartError {}

impl<S: Service> Server<S> {
    /// A builder.
    pub fn builder() -> Builder<S> {
        Builder(PhantomData)
    }

    /// Where it listens.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.iter()
    }

    /// What was raised, reserved and capped.
    pub fn start_line(&self) -> String {
        String::new()
    }

    /// Serves.
    ///
    /// # Errors
    /// The loop failed.
    pub fn run(self) -> io::Result<Exit> {
        Ok(Exit::Stopped)
    }
}

impl<S: Service> Builder<S> {
    /// One more listener.
    #[must_use]
    pub fn listen(self, _endpoint: Endpoint, _service: S) -> Self {
        self
    }

    /// Its limits.
    #[must_use]
    pub fn limits(self, _limits: Limits) -> Self {
        self
    }

    /// SIGTERM, SIGINT, SIGUSR1.
    #[must_use]
    pub fn handle_signals(self) -> Self {
        self
    }

    /// Opens the sockets.
    ///
    /// # Errors
    /// Always: a stub.
    pub fn bind(self) -> Result<Server<S>, StartError> {
        Err(StartError)
    }
}
