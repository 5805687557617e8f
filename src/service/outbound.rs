//! The way out of a service.
//!
//! **What.** [`Outbound`] encodes answers straight into the worker's write scratch; [`Mail`]
//! collects what is meant for everybody on a channel.
//!
//! **Why this way.** All answers to one read leave in one write (the cork), whatever their number,
//! and a broadcast is encoded once and not once a receiver. Handing out `Vec`s per message was
//! rejected: an allocation each.
//!
//! **Costs.** One copy a message; none of one that is sent back as it came, where it can be sent
//! from where it lies.
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

/// Whether the message that is being answered may be the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InPlace {
    /// It may not, or not any more.
    No,
    /// It may, if it is sent as it is.
    Offered,
    /// It is all of the answer so far.
    Taken,
}

/// Takes what a service says in answer to one message (or one read's worth of them).
#[derive(Debug)]
pub struct Outbound<'a> {
    encoding: Encoding<'a>,
    bytes: &'a mut Vec<u8>,
    mail: &'a mut Mail,
    /// The message that is being answered, if it is offered.
    question: &'a [u8],
    in_place: InPlace,
    answered: bool,
    close: bool,
}

impl<'a> Outbound<'a> {
    /// Collects into `bytes` and `mail`.
    pub fn new(encoding: Encoding<'a>, bytes: &'a mut Vec<u8>, mail: &'a mut Mail) -> Outbound<'a> {
        let (question, in_place) = (&[][..], InPlace::No);
        Outbound { encoding, bytes, mail, question, in_place, answered: false, close: false }
    }

    /// The same; but if `message` itself is the answer, and nothing is to be sent before it, it may
    /// stay where it lies: see [`Outbound::is_in_place`].
    #[inline(always)]
    pub fn in_place_of(mut self, message: &'a [u8]) -> Outbound<'a> {
        self.question = message;
        if self.bytes.is_empty() {
            self.in_place = InPlace::Offered;
        }
        self
    }

    /// Answers the connection that the message came from. An answer to a text over WebSocket must
    /// be UTF-8.
    #[inline(always)]
    pub fn send(&mut self, message: &[u8]) {
        self.answered = true;
        if self.in_place == InPlace::Offered && std::ptr::eq(self.question, message) {
            self.in_place = InPlace::Taken;
        } else {
            let first = self.is_in_place().then_some(self.question);
            self.in_place = InPlace::No;
            write(self.encoding.by_ref(), first, message, self.bytes);
        }
    }

    /// The answer is the message that was [offered](Outbound::in_place_of), and has been written
    /// nowhere.
    #[inline(always)]
    pub fn is_in_place(&self) -> bool {
        self.in_place == InPlace::Taken
    }

    /// Whether anything was answered, be it an empty message.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// Sends to every connection of this listener and path, the sender included, each once and in
    /// order. A datagram socket has no connections: there it does nothing.
    #[inline(always)]
    pub fn broadcast(&mut self, message: &[u8]) {
        self.mail.messages += 1;
        write(self.encoding.of_mail(), None, message, &mut self.mail.bytes);
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

/// Writes a message behind the one that stays in place no longer. It takes what it needs of an
/// [`Outbound`] and not the whole, which can so live in registers where nothing is written: 12
/// instructions of an echo.
#[inline(never)]
fn write(mut encoding: Encoding<'_>, first: Option<&[u8]>, message: &[u8], out: &mut Vec<u8>) {
    if let Some(first) = first {
        encoding.append(first, out);
    }
    encoding.append(message, out);
}

impl Encoding<'_> {
    /// The same, for a while.
    #[inline(always)]
    fn by_ref(&mut self) -> Encoding<'_> {
        match self {
            Encoding::Bytes => Encoding::Bytes,
            Encoding::Lines => Encoding::Lines,
            Encoding::WebSocket(kind) => Encoding::WebSocket(*kind),
            Encoding::Deflate(kind, codec, compressing) => {
                Encoding::Deflate(*kind, codec, compressing)
            }
            Encoding::Chunks => Encoding::Chunks,
            Encoding::Rest => Encoding::Rest,
        }
    }

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
