//! Broadcasts to those who are connected to siblings.
//!
//! **What.** At the end of a turn, what was said to all on a channel goes to the other workers too,
//! in packets ([`Outbox`]); what comes from them ([`Inbox`]) becomes mail of that channel here.
//!
//! **Why this way.** A sequenced-packet socket keeps the order of each sender and the borders of
//! what was sent, and many may write to one inbox. What is too long for a packet goes in several,
//! and is put together again by sender. The kernel's queue is bounded, and so is what waits here
//! behind it: a sibling that does not read, or is dead, costs memory up to a limit and then copies,
//! which are counted. A batch is relayed whole or not at all. Rejected: shared memory with a ring a
//! pair (fast, and a protocol of its own for who is dead); the supervisor in between (each message
//! twice, and all of them through one).
//!
//! **Costs.** A `send` a sibling and turn in which something was said, a `recv` there: once for
//! all receivers. 64 KiB to read into.
//!
//! **Read next.** `src/server/mail.rs`.

use super::channel::Channel;
use super::limits::MAIL_HIGH_BYTES;
use super::worker::Worker;
use crate::service::Service;
use socket2::Socket;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};

/// Bytes of a packet, its header among them.
const PACKET_BYTES: usize = 64 * 1024;

/// What waits for a sibling beyond what the kernel holds for it.
const OUTBOX_BYTES_MAX: usize = 4 * MAIL_HIGH_BYTES;

/// Packets read in a turn; more wait for the next.
const PACKETS_PER_TURN: usize = 64;

const HEADER_BYTES: usize = 9;

/// What stands in front of each packet.
struct Header {
    from: u16,
    channel: u16,
    /// Messages in the batch. 0 if the next packet of the same sender goes on with it.
    messages: u32,
    /// A batch begins. What was begun before will never be whole: its sender has died over it.
    is_first: bool,
}

impl Header {
    fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let ([a, b], [c, d]) = (self.from.to_ne_bytes(), self.channel.to_ne_bytes());
        let [e, f, g, h] = self.messages.to_ne_bytes();
        [a, b, c, d, e, f, g, h, u8::from(self.is_first)]
    }

    fn parse(packet: &[u8]) -> Option<(Header, &[u8])> {
        let (&[a, b, c, d, e, f, g, h, first], bytes) = packet.split_first_chunk()?;
        let (from, channel) = (u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]));
        let messages = u32::from_ne_bytes([e, f, g, h]);
        Some((Header { from, channel, messages, is_first: first != 0 }, bytes))
    }
}

/// The way to a sibling's inbox.
pub(super) struct Outbox {
    socket: Socket,
    /// Packets that the socket did not take.
    queue: VecDeque<Vec<u8>>,
    queue_bytes: usize,
}

impl Outbox {
    pub(super) fn new(socket: Socket) -> Outbox {
        Outbox { socket, queue: VecDeque::new(), queue_bytes: 0 }
    }

    /// Sends packets, all of them or none. False if there is no room.
    fn post(&mut self, packets: &[Vec<u8>]) -> bool {
        if self.queue_bytes >= OUTBOX_BYTES_MAX {
            return false;
        }
        for packet in packets {
            if !self.queue.is_empty() || self.socket.send(packet).is_err() {
                self.queue_bytes += packet.len();
                self.queue.push_back(packet.clone());
            }
        }
        true
    }

    /// Sends what waits, as far as it goes.
    fn flush(&mut self) {
        while let Some(packet) = self.queue.front() {
            if self.socket.send(packet).is_err() {
                return;
            }
            self.queue_bytes -= packet.len();
            self.queue.pop_front();
        }
    }
}

/// Where siblings' messages arrive.
pub(super) struct Inbox {
    socket: Socket,
    packet: Box<[u8]>,
    /// By sender: the beginning of what is not whole yet.
    partial: Vec<Vec<u8>>,
    /// The last look left something there.
    pub(super) is_waiting: bool,
}

impl Inbox {
    pub(super) fn new(socket: Socket, workers: usize) -> Inbox {
        let packet = vec![0; PACKET_BYTES].into_boxed_slice();
        Inbox { socket, packet, partial: vec![Vec::new(); workers], is_waiting: false }
    }

    /// Throws away what is there.
    pub(super) fn empty(&mut self) {
        while self.next().is_some() {}
    }

    fn next(&mut self) -> Option<usize> {
        loop {
            match self.socket.read(&mut self.packet) {
                Ok(0) => return None,
                Ok(len) => return Some(len),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
}

impl<S> Channel<S> {
    /// The packets of what was said here and not yet relayed, and how many messages that is.
    fn take_fresh(&mut self, from: usize, channel: usize) -> (Vec<Vec<u8>>, u64) {
        let (bytes, messages) = self.relayed;
        let fresh = self.mail.messages - messages;
        let chunks: Vec<&[u8]> =
            self.mail.bytes[bytes..].chunks(PACKET_BYTES - HEADER_BYTES).collect();
        let packet = |(nth, chunk): (usize, &&[u8])| {
            let ends = if nth + 1 == chunks.len() { fresh as u32 } else { 0 };
            let (from, channel) = (from as u16, channel as u16);
            let header = Header { from, channel, messages: ends, is_first: nth == 0 };
            [&header.to_bytes()[..], chunk].concat()
        };
        let packets = chunks.iter().enumerate().map(packet).collect();
        self.relayed = (self.mail.bytes.len(), self.mail.messages);
        (packets, fresh)
    }
}

impl<S: Service> Worker<S> {
    /// What is said to all goes to the siblings, and what they said comes in. True if some of that
    /// is left for the next turn.
    #[cold]
    #[inline(never)]
    pub(super) fn exchange_mail(&mut self) -> bool {
        self.relay_mail();
        if self.crew.as_ref().is_some_and(|crew| crew.inbox.is_waiting) {
            self.take_relayed();
        }
        self.crew.as_ref().is_some_and(|crew| crew.inbox.is_waiting)
    }

    /// Tells the siblings what was said to all in this turn.
    fn relay_mail(&mut self) {
        let Some(crew) = &mut self.crew else { return };
        for (index, channel) in self.channels.iter_mut().enumerate() {
            if channel.mail.messages == channel.relayed.1 {
                continue;
            }
            let (packets, messages) = channel.take_fresh(crew.number, index);
            for outbox in crew.outboxes.iter_mut().flatten() {
                match outbox.post(&packets) {
                    true => self.metrics.relayed_out += messages,
                    false => self.metrics.relay_dropped_full += messages,
                }
            }
        }
    }

    /// A sibling's inbox may have room again.
    pub(super) fn send_relayed(&mut self, to: usize) {
        let outbox = self.crew.as_mut().and_then(|crew| crew.outboxes.get_mut(to)?.as_mut());
        if let Some(outbox) = outbox {
            outbox.flush();
        }
    }

    /// Makes mail of what siblings relayed. It is not relayed again.
    pub(super) fn take_relayed(&mut self) {
        // Earlier in this turn something may have been said here.
        self.relay_mail();
        let Some(crew) = &mut self.crew else { return };
        let inbox = &mut crew.inbox;
        inbox.is_waiting = true;
        for _ in 0..PACKETS_PER_TURN {
            let Some(len) = inbox.next() else {
                inbox.is_waiting = false;
                break;
            };
            let Some((header, bytes)) = Header::parse(&inbox.packet[..len]) else { continue };
            let from = usize::from(header.from);
            let channel = self.channels.get_mut(usize::from(header.channel));
            let (Some(partial), Some(channel)) = (inbox.partial.get_mut(from), channel) else {
                continue;
            };
            if header.is_first {
                partial.clear();
            }
            partial.extend_from_slice(bytes);
            if header.messages == 0 {
                continue;
            }
            // All that was said here has been relayed, so this goes behind it.
            channel.mail.bytes.append(partial);
            channel.mail.messages += u64::from(header.messages);
            channel.relayed = (channel.mail.bytes.len(), channel.mail.messages);
            self.metrics.relayed_in += u64::from(header.messages);
            self.mail_waits = true;
            if channel.mail.bytes.len() > MAIL_HIGH_BYTES {
                // The rest waits at its sender's, not here.
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
