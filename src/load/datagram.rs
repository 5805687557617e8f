//! A "connection" over UDP: a socket that talks to one address.
//!
//! **What.** [`DatagramClient`] sends numbered datagrams and finds for each answer the message it
//! belongs to. A message without an answer for a tenth of the answer timeout is lost.
//!
//! **Why this way.** Datagrams may be lost, doubled and reordered, and none of that is wrong bytes.
//! So each carries its number, and a late or second answer is counted as such. Of the messages that
//! were given up a slot remembers the last 64, which tells late from doubled without a table.
//! Retransmission was rejected: loss is what is to be measured, so a lost message is followed by
//! the next one.
//!
//! **Costs.** One `recv` and one `send` a message; no allocation. 40 bytes a message in flight.
//!
//! **Read next.** `src/load/stream.rs`, its sibling.

use super::client::{Client, Life, Opened, Share, Shared};
use super::fates::{Fate, Phase};
use super::in_flight::Stamp;
use crate::clock::Time;
use crate::net::{self, Address};
use crate::reactor::{ConnId, Cx, Readiness, Source};
use mio::Interest;
use mio::net::UdpSocket;
use std::io::ErrorKind;
use std::ops::ControlFlow::{Break, Continue};

/// Every datagram begins with its number and its connection's, 8 bytes each.
pub(super) const HEADER_BYTES: usize = 16;
/// The largest datagram that IPv4 carries: 65,535 less the headers of IP and UDP.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_507;
/// Datagrams one event may bring; more wait for the next turn.
const READS_PER_EVENT: u32 = 64;
/// A message is lost after this part of the time in which a silent connection is hung.
const LOSS_PART: u64 = 10;

/// One place in the pipeline: at most one message in flight.
#[derive(Clone, Copy)]
struct Slot {
    /// Number of the message that was last sent from here. Modulo `depth` it is the slot's own.
    number: u64,
    stamp: Stamp,
    /// Its answer is still expected.
    is_waiting: bool,
    /// Bit `n`: the message `n` rounds ago was given up and has not come since.
    given_up: u64,
}

/// One datagram socket.
pub(super) struct DatagramClient {
    socket: UdpSocket,
    /// `depth` of them.
    slots: Box<[Slot]>,
    /// Slots that wait for an answer.
    waiting: u64,
    /// Since when nothing has come.
    quiet_since: Time,
    was_answered: bool,
    /// The socket took no more: wait until it has room.
    is_full: bool,
    /// It is on the again-queue, once.
    is_queued: bool,
}

impl Client for DatagramClient {
    fn open(id: ConnId, shared: &mut Shared, cx: &mut Cx) -> Opened<Self> {
        let Address::Udp(to) = shared.target.address else {
            return Opened::Ended(Fate::Failed("not a datagram address".to_owned()));
        };
        let both = Interest::READABLE | Interest::WRITABLE;
        let opened =
            net::connect_datagram(to, shared.connects(id, 0, cx.now)).and_then(|mut socket| {
                cx.registry().register(&mut socket, id.token(), both)?;
                Ok(socket)
            });
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) => return Opened::Ended(Fate::of(&error)),
        };
        // The first message of slot i has number `depth + i`: number 0 is never sent.
        let stamp = Stamp::default();
        let slot = |number| Slot { number, stamp, is_waiting: false, given_up: 0 };
        let mut client = DatagramClient {
            socket,
            slots: (0..shared.depth).map(slot).collect(),
            waiting: 0,
            quiet_since: cx.now,
            was_answered: false,
            is_full: false,
            is_queued: false,
        };
        match client.send(0, None, id, shared) {
            Break(fate) => Opened::Ended(fate),
            Continue(()) => Opened::Client(client),
        }
    }

    fn ready(&mut self, id: ConnId, ready: Readiness, shared: &mut Shared, cx: &mut Cx) -> Life {
        self.is_queued &= !ready.is_again();
        if ready.is_readable() || ready.is_broken() {
            self.receive(id, shared, cx)?;
        }
        if self.is_full && ready.is_writable() {
            self.fill(id, shared)?;
        }
        Continue(())
    }

    fn look(&mut self, id: ConnId, shared: &mut Shared, cx: &Cx) -> Life<Option<Time>> {
        let now = cx.now;
        let patience_ms = (shared.answer_timeout_ms / LOSS_PART).max(1);
        for slot in &mut self.slots {
            if slot.is_waiting && slot.stamp.sent_at.plus_ms(patience_ms) <= now {
                slot.is_waiting = false;
                slot.given_up |= 1;
                self.waiting -= 1;
                shared.tally.messages.lost += 1;
            }
        }
        if !shared.sends && self.was_answered && self.waiting == 0 {
            return Continue(None);
        }
        if self.quiet_since.plus_ms(shared.answer_timeout_ms) <= now {
            return Break(Fate::Hung);
        }
        self.fill(id, shared)?;
        let waiting = self.slots.iter().filter(|slot| slot.is_waiting);
        let oldest = waiting.map(|slot| slot.stamp.sent_at).min().unwrap_or(now);
        Continue(Some(oldest.plus_ms(patience_ms)))
    }

    fn begin(&mut self, id: ConnId, shared: &mut Shared, _cx: &mut Cx) -> Life {
        self.quiet_since = shared.clock.now();
        self.fill(id, shared)
    }

    fn has_room(&self, _id: ConnId, _shared: &Shared) -> bool {
        !self.is_full && self.waiting < self.slots.len() as u64
    }

    fn send_due(&mut self, id: ConnId, share: Share, shared: &mut Shared, _cx: &mut Cx) -> Life {
        if self.waiting == 0 {
            self.quiet_since = shared.clock.now();
        }
        let mut left = share.messages;
        for index in 0..self.slots.len() {
            if left == 0 || self.is_full {
                break;
            }
            if !self.slots[index].is_waiting {
                left -= 1;
                self.send(index, Some(share.free_since), id, shared)?;
            }
        }
        Continue(())
    }

    fn is_settled(&self) -> bool {
        self.was_answered
    }

    fn in_flight(&self) -> u64 {
        self.waiting
    }

    fn phase(&self, _id: ConnId, _shared: &Shared) -> Phase {
        if self.is_full { Phase::Send } else { Phase::Receive }
    }
}

impl DatagramClient {
    /// Sends from every idle slot, if the run sends; until the first answer, from the first.
    fn fill(&mut self, id: ConnId, shared: &mut Shared) -> Life {
        self.is_full = false;
        let slots = match (shared.sends, self.was_answered) {
            (true, _) => self.slots.len(),
            (false, true) => 0,
            (false, false) => 1,
        };
        for index in 0..slots {
            if !self.slots[index].is_waiting && !self.is_full {
                self.send(index, None, id, shared)?;
            }
        }
        Continue(())
    }

    /// Sends the next message of a slot; of the line, if it is for a connection that was free.
    fn send(
        &mut self,
        index: usize,
        free_since: Option<Time>,
        id: ConnId,
        shared: &mut Shared,
    ) -> Life {
        let number = self.slots[index].number + shared.depth;
        let size = shared.words.size_bytes as usize;
        let datagram = &mut shared.scratch[..size];
        datagram[..8].copy_from_slice(&number.to_le_bytes());
        datagram[8..HEADER_BYTES].copy_from_slice(&u64::from(id.slot).to_le_bytes());
        let body = shared.words.at(id, number);
        datagram[HEADER_BYTES..].copy_from_slice(&body[..size - HEADER_BYTES]);
        let now = shared.clock.now();
        match self.socket.send(datagram) {
            Ok(_) => {}
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {
                    self.is_full = true;
                    return Continue(());
                }
                // No buffer just now: the timer tries again.
                _ if error.raw_os_error() == Some(libc::ENOBUFS) => return Continue(()),
                ErrorKind::Interrupted => return Continue(()),
                _ => return Break(Fate::of(&error)),
            },
        }
        let due_at = free_since.and_then(|since| shared.take_due(now, since)).unwrap_or(now);
        let slot = &mut self.slots[index];
        let stamp = Stamp { due_at, sent_at: now };
        *slot = Slot { number, stamp, is_waiting: true, given_up: slot.given_up << 1 };
        self.waiting += 1;
        shared.tally.messages.sent += 1;
        shared.bytes_sent += size as u64;
        Continue(())
    }

    /// Reads until no answer is missing or nothing is there.
    fn receive(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx) -> Life {
        for _ in 0..READS_PER_EVENT {
            let n = match self.socket.recv(&mut shared.scratch) {
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Continue(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Break(Fate::of(&error)),
            };
            let now = shared.clock.now();
            self.quiet_since = now;
            shared.bytes_received += n as u64;
            if let Some(index) = self.take(n, id, shared, now) {
                self.was_answered = true;
                if shared.sends {
                    self.send(index, None, id, shared)?;
                }
            }
            if self.waiting == 0 {
                return Continue(());
            }
        }
        if !std::mem::replace(&mut self.is_queued, true) {
            cx.again.push_back(Source::Conn(id));
        }
        Continue(())
    }

    /// Books the datagram that lies in the scratch; the slot that it answered, if it did.
    fn take(&mut self, n: usize, id: ConnId, shared: &mut Shared, now: Time) -> Option<usize> {
        let datagram = &shared.scratch[..n];
        let depth = shared.depth;
        let index = match self.recognise(datagram, id) {
            Some((index, rounds_ago)) => {
                let slot = &mut self.slots[index];
                if rounds_ago > 0 || !slot.is_waiting {
                    let bit = 1u64.checked_shl(rounds_ago).unwrap_or(0);
                    match slot.given_up & bit {
                        0 => shared.tally.messages.duplicate += 1,
                        _ => shared.tally.messages.late += 1,
                    }
                    slot.given_up &= !bit;
                    return None;
                }
                index
            }
            // Its header is damaged: it can only be taken for the answer to the oldest message.
            None => {
                let waiting = (0..depth as usize).filter(|&index| self.slots[index].is_waiting);
                waiting.min_by_key(|&index| self.slots[index].stamp.sent_at)?
            }
        };
        let slot = &mut self.slots[index];
        let body = shared.words.at(id, slot.number);
        let right = n as u64 == shared.words.size_bytes
            && datagram[..8] == slot.number.to_le_bytes()
            && datagram[8..HEADER_BYTES] == u64::from(id.slot).to_le_bytes()
            && datagram[HEADER_BYTES..] == body[..n - HEADER_BYTES];
        slot.is_waiting = false;
        let stamp = slot.stamp;
        self.waiting -= 1;
        shared.tally.count_answers(1, right, stamp, now);
        Some(index)
    }

    /// The slot that a datagram's header names, and how many rounds ago it was sent from there.
    fn recognise(&self, datagram: &[u8], id: ConnId) -> Option<(usize, u32)> {
        let (number, rest) = datagram.split_first_chunk::<8>()?;
        let (connection, _) = rest.split_first_chunk::<8>()?;
        let number = u64::from_le_bytes(*number);
        let depth = self.slots.len() as u64;
        let index = (number % depth) as usize;
        let behind = self.slots[index].number.checked_sub(number)?;
        let ours = u64::from_le_bytes(*connection) == u64::from(id.slot) && number >= depth;
        ours.then(|| (index, u32::try_from(behind / depth).unwrap_or(u32::MAX)))
    }
}
