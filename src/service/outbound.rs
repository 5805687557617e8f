//! The way out of a service.
//!
//! **What.** [`Outbound`] encodes answers straight into the worker's write scratch; [`Mail`]
//! collects what is meant for everybody on a listener.
//!
//! **Why this way.** All answers to one read leave in one write (the cork), whatever their number,
//! and a broadcast is encoded once and not once a receiver. Handing out `Vec`s per message was
//! rejected: an allocation each.
//!
//! **Costs.** One copy a message.
//!
//! **Read next.** `src/server/mail.rs`, which delivers.

use super::Framing;
use crate::proto::line;

/// Encoded messages that wait to be delivered to every connection of one listener.
#[derive(Debug, Default)]
pub struct Mail {
    /// The messages, encoded, in the order in which they were sent.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub messages: u64,
}

/// Takes what a service says in answer to one message (or one read's worth of them).
#[derive(Debug)]
pub struct Outbound<'a> {
    framing: Framing,
    bytes: &'a mut Vec<u8>,
    mail: &'a mut Mail,
    answered: bool,
    close: bool,
}

impl<'a> Outbound<'a> {
    /// Collects into `bytes` and `mail`.
    pub fn new(framing: Framing, bytes: &'a mut Vec<u8>, mail: &'a mut Mail) -> Outbound<'a> {
        Outbound { framing, bytes, mail, answered: false, close: false }
    }

    /// Answers the connection that the message came from.
    pub fn send(&mut self, message: &[u8]) {
        self.answered = true;
        encode(self.framing, message, self.bytes);
    }

    /// Whether anything was answered, be it an empty message.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// Sends to every connection of this listener, the sender included, each once and in order.
    /// A datagram socket has no connections: there it does nothing.
    pub fn broadcast(&mut self, message: &[u8]) {
        encode(self.framing, message, &mut self.mail.bytes);
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

fn encode(framing: Framing, message: &[u8], out: &mut Vec<u8>) {
    match framing {
        Framing::Bytes => out.extend_from_slice(message),
        Framing::Lines => line::encode(message, out),
    }
}
