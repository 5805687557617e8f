//! Sockets: from an address to bytes.
//!
//! **What.** [`Endpoint`] is where to listen or connect and how; an [`Acceptor`] listens, a
//! [`connect`] begins a connection, a [`Link`] moves bytes.
//!
//! **Why this way.** Everything the kernel can say comes out as a value with a name (`Short`,
//! `Eof`, `NoDescriptor`), so that no caller handles raw `io::Error`s of normal life.
//!
//! **Costs.** Said at each of them.
//!
//! **Read next.** `src/net/endpoint.rs`, `src/net/acceptor.rs`, `src/net/link.rs`.

mod acceptor;
mod connector;
mod endpoint;
mod holder;
mod link;
mod stream;
mod target;

pub use acceptor::{Accept, Acceptor, bind_datagram, clear_away};
pub use connector::{Connect, connect, connect_datagram, connected};
#[cfg(feature = "cli")]
pub(crate) use endpoint::unknown;
pub use endpoint::{
    Address, Endpoint, EndpointError, OPTIONS, OptionDoc, Protocol, SocketOptions, format_bytes,
    format_duration, parse_bytes,
};
pub use link::{Link, LinkIo, Received, SendError, Sent};
pub use stream::Stream;
pub use target::{Dialect, Target};
