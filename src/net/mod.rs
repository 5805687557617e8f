//! Sockets: from an address to bytes.
//!
//! **What.** [`Endpoint`] is where to listen or connect and how; an [`Acceptor`] listens, a
//! [`connect`] begins a connection, a [`Link`] moves bytes, through [`Tls`] where it is wanted.
//!
//! **Why this way.** Everything the kernel can say comes out as a value with a name (`Short`,
//! `Eof`, `NoDescriptor`), so that no caller handles raw `io::Error`s of normal life.
//!
//! **Costs.** Said at each of them.
//!
//! **Read next.** `src/net/endpoint.rs`, `src/net/acceptor.rs`, `src/net/link.rs`,
//! `src/net/tls/mod.rs`.

mod acceptor;
mod connector;
mod endpoint;
mod holder;
mod link;
mod stream;
mod target;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;

pub use acceptor::{Accept, Acceptor, bind_datagram, bind_group, clear_away};
pub use connector::{Connect, connect, connect_again, connect_datagram, connected};
#[cfg(feature = "cli")]
pub(crate) use endpoint::unknown;
pub use endpoint::{
    Address, Endpoint, EndpointError, OPTIONS, OptionDoc, Protocol, SocketOptions, TlsOptions,
    format_bytes, format_duration, parse_bytes,
};
#[cfg(feature = "cli")]
pub(crate) use holder::tcp_listeners;
pub use link::{Link, LinkIo, ReceiveError, Received, SendError, Sent};
pub use stream::Stream;
pub use target::{Dialect, Target};
pub use tls::{SelfSigned, Tls, TlsClient, TlsScratch, TlsServer};

use std::fmt;
use std::path::PathBuf;

/// Which certificates a client takes for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those signed by one in this PEM file, or in it themselves.
    File(PathBuf),
    /// All: who answers may be anybody.
    Anybody,
}

/// Why TLS cannot be prepared: what is wrong, and the fix. Never what is in a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSetupError(String);

impl fmt::Display for TlsSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsSetupError {}
