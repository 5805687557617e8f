//! What a server does with a message.
//!
//! **What.** Implement [`Service`] to make a server of your own; [`Builtin`] holds those that the
//! command line offers. A service is given messages and answers through [`Outbound`].
//!
//! **Why this way.** A service sees no socket and no clock, so it is a few lines to write and to
//! test, and the same one serves lines, byte streams, datagrams and WebSocket messages. It is a
//! type parameter of the server: calls are static, and its state for a connection lives inline in
//! the connection. Async functions were rejected: they would hide when work happens, which is
//! what this project shows.
//!
//! **Costs.** What the service costs; one copy of each answer, into the worker's write scratch.
//!
//! **Read next.** `src/service/builtin.rs`, `examples/your_service.rs`.

mod builtin;
mod outbound;

pub use builtin::Builtin;
pub use outbound::{Encoding, Mail, Outbound};

use crate::metrics::CloseReason;

/// How the bytes of a stream become messages. WebSocket and UDP have messages already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Bytes as they arrive; a "message" is whatever one read brought.
    Bytes,
    /// Lines. The service sees them without their ending, and its messages get one.
    Lines,
}

/// What a server does with messages. One value of it serves all connections of one listener, or of
/// one path of an HTTP listener.
pub trait Service {
    /// What the service remembers of one connection; `()` if nothing.
    type State: Default;

    /// How a stream's bytes become messages. Asked once a listener. A datagram is always one.
    fn framing(&self) -> Framing {
        Framing::Lines
    }

    /// The WebSocket subprotocols that it speaks (RFC 6455 1.9): tokens, compared byte by byte. Of
    /// those that a client lists, its first that is among them is agreed on; if there is none,
    /// the connection has no subprotocol, and the client decides whether it stays.
    fn subprotocols(&self) -> &[&'static str] {
        &[]
    }

    /// A WebSocket has agreed on one of [`Service::subprotocols`]. Comes before
    /// [`Service::connected`].
    fn agreed(&mut self, _state: &mut Self::State, _subprotocol: &'static str) {}

    /// A connection was admitted: a chance to greet.
    fn connected(&mut self, _state: &mut Self::State, _out: &mut Outbound<'_>) {}

    /// A message arrived. For a datagram the state is fresh, and an answer longer than the datagram
    /// is cut.
    fn message(&mut self, state: &mut Self::State, message: &[u8], out: &mut Outbound<'_>);

    /// A connection ended.
    fn closed(&mut self, _state: Self::State, _reason: CloseReason) {}
}
