//! Plain bytes that come back.
//!
//! **What.** [`Echo`] compares what came in with what was sent, wherever reads cut it, and notices
//! when a server says why not.
//!
//! **Why this way.** A stream has no messages, only positions: what is sent and what must come back
//! are stretches of the connection's [`Pattern`](crate::load::pattern::Pattern). So there is
//! neither an output queue nor a reassembly buffer.
//!
//! **Costs.** A `memcmp` a read. 48 bytes.
//!
//! **Read next.** `src/load/pattern.rs`.

use super::{Desk, Ending, Say};
use crate::load::client::{Life, Shared};
use crate::load::fates::{Fate, REASON_BYTES_MAX, may_be_refusal};
use crate::load::in_flight::InFlight;
use crate::load::pattern::SPAN_BYTES;
use crate::reactor::ConnId;
use std::ops::ControlFlow::{Break, Continue};

/// One echoing stream.
#[derive(Default)]
pub(in crate::load) struct Echo {
    /// Position in the outgoing stream: what was said. At most `asked` messages.
    written: u64,
    /// Position in the incoming stream: what was compared. At most `written`.
    received: u64,
    /// What looks like a refusal so far. Empty if nothing does.
    told: Vec<u8>,
    /// A byte of the message that is coming in was wrong.
    is_damaged: bool,
}

impl Echo {
    /// Takes bytes that came in: answers, or the beginning of a refusal.
    pub(super) fn receive(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> Life {
        if !self.told.is_empty() {
            let room = REASON_BYTES_MAX.saturating_sub(self.told.len());
            self.told.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if may_be_refusal(&self.told) {
                return Continue(());
            }
            let line = std::mem::take(&mut self.told);
            return match desk.shared.words.ask {
                Some(_) => self.take_any(&line, desk),
                None => self.compare(&line, desk),
            };
        }
        if desk.shared.words.ask.is_some() {
            return self.take_any(bytes, desk);
        }
        let owed = usize::try_from(self.written - self.received).unwrap_or(usize::MAX);
        let asked_for = &bytes[..bytes.len().min(owed)];
        let expected = &desk.shared.words.at(desk.id, self.received)[..asked_for.len()];
        let right = match asked_for == expected {
            true => asked_for.len(),
            false => asked_for.iter().zip(expected).take_while(|(a, b)| a == b).count(),
        };
        self.advance(right, true, desk);
        let rest = &bytes[right..];
        if rest.is_empty() {
            Continue(())
        } else if may_be_refusal(rest) {
            self.told.extend_from_slice(&rest[..rest.len().min(REASON_BYTES_MAX)]);
            Continue(())
        } else {
            self.compare(rest, desk)
        }
    }

    /// Takes bytes that no rule foretells: the first are the answer, unless they refuse.
    fn take_any(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> Life {
        if may_be_refusal(bytes) {
            self.told.extend_from_slice(&bytes[..bytes.len().min(REASON_BYTES_MAX)]);
        } else if desk.in_flight.len() > 0 {
            self.advance(desk.shared.words.size_bytes as usize, true, desk);
        }
        Continue(())
    }

    /// The slow way, taken once something is wrong: message by message, so that the others still
    /// count as right.
    fn compare(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> Life {
        let mut rest = bytes;
        while !rest.is_empty() {
            let owed = self.written - self.received;
            if owed == 0 {
                return Break(Fate::Failed("more bytes came back than were sent".to_owned()));
            }
            let message_end = message_end(0, desk);
            let n = owed.min(message_end - self.received).min(rest.len() as u64) as usize;
            let right = rest[..n] == desk.shared.words.at(desk.id, self.received)[..n];
            self.advance(n, right, desk);
            rest = &rest[n..];
        }
        Continue(())
    }

    /// Moves on by `n` bytes that were right, or by wrong ones within one message.
    #[inline(always)]
    fn advance(&mut self, n: usize, right: bool, desk: &mut Desk<'_>) {
        self.received += n as u64;
        self.is_damaged |= !right;
        let mut ended = 0;
        while self.received >= message_end(ended, desk) {
            ended += 1;
        }
        if ended > 0 && std::mem::take(&mut self.is_damaged) {
            desk.answered(1, false);
            ended -= 1;
        }
        desk.answered(ended, true);
    }

    pub(super) fn say(&mut self, id: ConnId, in_flight: &InFlight, shared: &Shared) -> Say {
        let due = self.due(id, in_flight, shared);
        if due == 0 {
            return Say::Out;
        }
        let from = self.written;
        // A question of the user's may be longer than the pattern's stretches.
        let room = shared.words.ask.as_ref().map_or(SPAN_BYTES, Vec::len);
        let n = due.min(room as u64) as usize;
        self.written += n as u64;
        Say::Words(from, n)
    }

    fn due(&self, id: ConnId, in_flight: &InFlight, shared: &Shared) -> u64 {
        match self.is_open() {
            true => shared.words.begin(id, in_flight.asked()) - self.written,
            false => 0,
        }
    }

    pub(super) fn is_due(&self, id: ConnId, in_flight: &InFlight, shared: &Shared) -> bool {
        self.due(id, in_flight, shared) > 0
    }

    /// Nobody was told why not.
    pub(super) fn is_open(&self) -> bool {
        self.told.is_empty()
    }

    /// A byte of the message that is coming in was wrong.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.told.is_empty()
    }

    pub(super) fn end(&self) -> Ending {
        Fate::told(&self.told).map_or(Ending::Silent, Ending::Known)
    }
}

/// Where the message ends that comes in after `ahead` others.
fn message_end(ahead: u64, desk: &Desk<'_>) -> u64 {
    desk.shared.words.begin(desk.id, desk.in_flight.answered() + ahead + 1)
}
