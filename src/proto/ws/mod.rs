//! WebSocket (RFC 6455): messages in both directions over one connection, after an HTTP upgrade.
//!
//! **What.** Three floors, as the RFC has them: [`frame`] reads headers, [`Decoder`] makes messages
//! of frames, and the session above answers pings and closes. [`encode`] is the way back;
//! [`handshake`] is how it begins.
//!
//! **Why this way.** A [`Decoder`] is pulled: the caller asks for the next [`Event`] and may stop
//! between any two, because the service closed or the backlog is high. Rejected: a callback for
//! each event (it cannot stop), and a list of events (it allocates). Server and client share the
//! code; who masks is all that tells them apart. The decoder does not inflate: with
//! permessage-deflate (RFC 7692) it says that a message is compressed, and [`deflate`] says what it
//! means. Without the feature of that name another file stands in for it, with which nobody ever
//! agrees to compress; so nothing else asks for the feature.
//!
//! **Costs.** An idle connection: 8 bytes. A message that lies whole in one frame in the input is
//! unmasked and handed out where it lies; one that does not is copied once.
//!
//! **Read next.** `src/proto/ws/frame.rs`, then `src/proto/ws/message.rs`.
//!
//! ```
//! use oneloop::buf::Pool;
//! use oneloop::proto::ws::{Assembly, CloseCode, Decoder, Event, Limits, Role, encode};
//!
//! // A worker's.
//! let (mut assembly, mut pool) = (Assembly::new(Limits::default()), Pool::new(1 << 20));
//! // A connection's.
//! let mut decoder = Decoder::new(Role::Server);
//! // What one read brought: a text and a ping.
//! let mut fresh = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x89\x80\0\0\0\0";
//!
//! let (mut rest, mut out) = (&mut fresh[..], Vec::new());
//! loop {
//!     match decoder.next(&mut rest, &mut assembly, &mut pool) {
//!         Ok(None) => break, // until the next read
//!         Ok(Some(Event::Message(kind, it))) => encode::message(kind, it, None, &mut out),
//!         Ok(Some(Event::Compressed(..))) => {} // never, if it was not agreed on
//!         Ok(Some(Event::Ping(payload))) => encode::pong(payload, None, &mut out),
//!         Ok(Some(Event::Pong(_))) => {}
//!         Ok(Some(Event::Close(code, _))) => {
//!             encode::close(CloseCode::echo(code, Role::Server), "", None, &mut out);
//!         }
//!         Err(error) => {
//!             encode::close(Some(error.close_code()), error.reason(), None, &mut out);
//!             break; // and end the connection once that is out
//!         }
//!     }
//! }
//! assert_eq!(out, b"\x81\x05Hello\x8a\x00");
//! ```

mod close;
#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "no_deflate.rs"]
pub mod deflate;
pub mod encode;
mod error;
pub mod frame;
pub mod handshake;
mod mask;
mod message;
mod partial;
mod utf8;

pub use close::{CloseCode, REASON_BYTES_MAX};
pub use error::WsError;
pub use mask::Mask;
pub use message::{Assembly, Decoder, Whole, open_long, open_short};

use frame::OpCode;

/// Which end of the connection this is. It decides who masks (5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Accepted the upgrade.
    Server,
    /// Asked for it.
    Client,
}

impl Role {
    /// The other end.
    pub fn other(self) -> Role {
        match self {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        }
    }
}

/// The two kinds of messages (5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text = 1,
    /// Bytes.
    Binary = 2,
}

impl Kind {
    /// Of the message that a frame begins.
    #[inline]
    fn of(opcode: OpCode) -> Kind {
        if opcode == OpCode::Text { Kind::Text } else { Kind::Binary }
    }

    #[inline]
    fn opcode(self) -> OpCode {
        match self {
            Kind::Text => OpCode::Text,
            Kind::Binary => OpCode::Binary,
        }
    }
}

/// What arrived. Payloads are unmasked and borrowed until the next event is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message. A text is UTF-8: that has been checked.
    Message(Kind, &'a [u8]),
    /// A message that [`deflate::Codec::decode`] can read. None comes unless the decoder was
    /// [told so](Decoder::expect_compressed).
    Compressed(Kind, &'a [u8]),
    /// To be answered with [`encode::pong`] and the same payload, as soon as is practical (5.5.2).
    Ping(&'a [u8]),
    /// Answers a ping, or is a heartbeat (5.5.3).
    Pong(&'a [u8]),
    /// The peer's last word: code and reason. To be answered with [`encode::close`] and
    /// [`CloseCode::echo`], unless a close frame was sent before (5.5.1). Nothing follows.
    Close(Option<CloseCode>, &'a str),
}

/// What one connection may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of payload in a data frame.
    pub frame_bytes_max: usize,
    /// Bytes of a message.
    pub message_bytes_max: usize,
    /// Frames of a message.
    pub fragments_max: u32,
}

impl Default for Limits {
    /// 1 MiB in a frame and in a message, in at most 65,536 fragments (the conformance suite sends
    /// 4 MiB in so many).
    fn default() -> Self {
        Limits { frame_bytes_max: 1 << 20, message_bytes_max: 1 << 20, fragments_max: 1 << 16 }
    }
}
