//! The way out of a service.
//!
//! **What.** [`Outbound`] encodes answers straight into the worker's write scratch; [`Mail`]
//! collects what is meant for everybody on a channel.
//!
//! **Why this way.** All answers to one read leave in one write (the cork), whatever their number,
//! and a broadcast is encoded once and not once a receiver. Handing out `Vec`s per message was
//! rejected: an allocation each.
//!
//! **Costs.** One copy a message.
//!
//! **Read next.** `src/server/mail.rs`, which delivers.

use super::Framing;
use crate::proto::ws::Kind;
use crate::proto::ws::deflate::{Codec, Compressing};
use crate::proto::{http1, line, ws};

/// Encoded messages that wait to be delivered to every connection of one channel.
#[derive(Debug, Default)]
pub struct Mail {
    /// The messages, encoded, in the order in which they were sent.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub messages: u64,
}

/// How messages become bytes on the wire.
#[derive(Debug)]
pub enum Encoding<'a> {
    /// As they are: byte streams, datagrams.
    Bytes,
    /// With a line ending.
    Lines,
    /// In a frame of a server. An answer is a text if the question was.
    WebSocket(Kind),
    /// The same, compressed if that is of use.
    Deflate(Kind, &'a mut Codec, &'a mut Compressing),
    /// As a chunk of an HTTP body.
    Chunks,
    /// As a part of an HTTP body that ends with the connection.
    Rest,
}

impl From<Framing> for Encoding<'_> {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Bytes => Encoding::Bytes,
            Framing::Lines => Encoding::Lines,
        }
    }
}

/// Takes what a service says in answer to one message (or one read's worth of them).
#[derive(Debug)]
pub struct Outbound<'a> {
    encoding: Encoding<'a>,
    bytes: &'a mut Vec<u8>,
    mail: &'a mut Mail,
    answered: bool,
    close: bool,
}

impl<'a> Outbound<'a> {
    /// Collects into `bytes` and `mail`.
    pub fn new(encoding: Encoding<'a>, bytes: &'a mut Vec<u8>, mail: &'a mut Mail) -> Outbound<'a> {
        Outbound { encoding, bytes, mail, answered: false, close: false }
    }

    /// Answers the connection that the message came from. An answer to a text over WebSocket must
    /// be UTF-8.
    #[inline]
    pub fn send(&mut self, message: &[u8]) {
        self.answered = true;
        self.encoding.append(message, self.bytes);
    }

    /// Whether anything was answered, be it an empty message.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// Sends to every connection of this listener and path, the sender included, each once and in
    /// order. A datagram socket has no connections: there it does nothing.
    #[inline(never)]
    pub fn broadcast(&mut self, message: &[u8]) {
        self.encoding.of_mail().append(message, &mut self.mail.bytes);
        self.mail.messages += 1;
    }

    /// Ends the connection once all that was sent is out. What it says from now on is ignored.
    pub fn close(&mut self) {
        self.close = true;
    }

    /// Whether the service has ended the connection.
    pub fn is_closed(&self) -> bool {
        self.close
    }
}

impl Encoding<'_> {
    /// How those hear a message to whom it was not an answer. Nobody is joined to a channel by
    /// HTTP alone, and a part of a body need not be text. What is compressed is not decided here:
    /// they have not all agreed on the same.
    fn of_mail(&self) -> Encoding<'static> {
        match self {
            Encoding::Bytes => Encoding::Bytes,
            Encoding::Lines => Encoding::Lines,
            Encoding::WebSocket(kind) | Encoding::Deflate(kind, ..) => Encoding::WebSocket(*kind),
            Encoding::Chunks | Encoding::Rest => Encoding::WebSocket(Kind::Binary),
        }
    }

    #[inline(always)]
    fn append(&mut self, message: &[u8], out: &mut Vec<u8>) {
        match self {
            Encoding::Bytes | Encoding::Rest => out.extend_from_slice(message),
            Encoding::Lines => line::encode(message, out),
            Encoding::WebSocket(kind) => ws::encode::message(*kind, message, None, out),
            Encoding::Deflate(kind, codec, compressing) => {
                codec.encode(*kind, message, None, compressing, out);
            }
            Encoding::Chunks => http1::encode_chunk(message, out),
        }
    }
}
