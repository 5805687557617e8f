//! One sends, all receive.
//!
//! **What.** [`Fan`] makes the messages of a broadcast and knows how far each has come: to its
//! first receiver, to half of them, to the last. An [`Ear`] is a receiver: it compares every byte
//! and notices what is missing, doubled or out of order.
//!
//! **Why this way.** To a receiver a broadcast is an echo that somebody else asked for. So when a
//! message is sent each connection is told to expect it, the sender included, and books, latencies,
//! fates and patience hold as they are. Who reads first, half and last is counted, not sorted: one
//! clock sees all arrivals in order. A server joins a connection when it accepts it, and nobody
//! hears of that; so greetings are sent until every connection has heard one, and only then is
//! measured.
//!
//! **Costs.** A look at each connection a message; 16 bytes a connection and 40 a message in
//! flight.
//!
//! **Read next.** `src/load/handler/fan.rs`, `src/load/speech/fan.rs`.

use crate::clock::Time;
use crate::load::client::{Life, Tally, Words};
use crate::load::fates::Fate;
use crate::load::in_flight::{InFlight, Stamp};
use crate::load::report::Messages;
use crate::load::times::Times;
use crate::load::{LoadError, Scenario, usage};
use crate::net::Dialect;
use crate::reactor::ConnId;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::ControlFlow::{Break, Continue};

/// What every message begins with: what it is, whose, and its number, the latter two as hex digits.
const HEADER_BYTES: usize = 1 + 8 + 16;
/// The longest line of our server, its ending included.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// The longest message: one that is sent in one piece.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// All say the same, so that what is compared depends on the number alone.
const SENDER: ConnId = ConnId { slot: 0, generation: 1 };

/// What is sent to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum Announcement {
    /// Says to who hears it that he is a member.
    Greeting,
    /// The message with this number.
    Message(u64),
}

/// A message on its way.
struct Flight {
    due_at: Time,
    first_at: Time,
    last_at: Time,
    /// Who is to have it.
    receivers: u32,
    arrived: u32,
    /// Receivers that will not have it any more.
    gone: u32,
}

/// The broadcast of a run.
pub(in crate::load) struct Fan {
    /// Tells ours from what others say on the same channel.
    token: u32,
    /// Bytes of a message, without a line's ending.
    bytes: usize,
    /// Oldest first; never more than the depth. Receivers may still lack some of each.
    flights: VecDeque<Flight>,
    /// Messages sent.
    sent: u64,
    /// Since when another may be sent.
    pub(in crate::load) free_since: Time,
    /// What is being encoded.
    pub(in crate::load) draft: Vec<u8>,
    figures: FanFigures,
}

/// What came of it in the measured time. Times count from the moment a message was due.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FanFigures {
    /// Messages sent, each to all.
    pub messages: u64,
    /// Receivers of the last one; of several generators the sum.
    pub receivers: u64,
    /// To the first receiver.
    pub first_us: Times,
    /// To half of the receivers.
    pub median_us: Times,
    /// To the last receiver that was reached.
    pub last_us: Times,
    /// From the first receiver to the last.
    pub skew_us: Times,
}

impl FanFigures {
    pub(super) fn merge(&mut self, other: &FanFigures) {
        self.messages += other.messages;
        self.receivers += other.receivers;
        self.first_us.add(&other.first_us);
        self.median_us.add(&other.median_us);
        self.last_us.add(&other.last_us);
        self.skew_us.add(&other.skew_us);
    }
}

/// Whether a broadcast can be driven.
pub(super) fn check(scenario: &Scenario) -> Result<(), LoadError> {
    let bytes = match scenario.target.dialect {
        Dialect::Http => {
            let line = "fan: HTTP has no broadcast; use ws:// or tcp:// and the service broadcast";
            return usage(line.to_owned());
        }
        Dialect::Bytes => HEADER_BYTES + 1..=LINE_BYTES_MAX,
        Dialect::WebSocket => HEADER_BYTES..=MESSAGE_BYTES_MAX,
    };
    let size = scenario.size_bytes;
    if !bytes.contains(&size) {
        return usage(format!(
            "size {size}: with --fan a message carries its number: use {} to {} bytes",
            bytes.start(),
            bytes.end()
        ));
    }
    if scenario.connections < 2 {
        return usage(format!(
            "fan: one sends and all receive; with -c {} there is nobody else: give -c 2 or more",
            scenario.connections
        ));
    }
    Ok(())
}

impl Fan {
    pub(in crate::load) fn new(scenario: &Scenario, unix_ms: u64) -> Fan {
        let is_lines = scenario.target.dialect == Dialect::Bytes;
        let token = (unix_ms as u32).wrapping_mul(40_503) ^ std::process::id().rotate_left(16);
        Fan {
            token,
            bytes: scenario.size_bytes - usize::from(is_lines),
            flights: VecDeque::with_capacity(scenario.depth as usize),
            sent: 0,
            free_since: Time::ZERO,
            draft: Vec::with_capacity(scenario.size_bytes),
            figures: FanFigures::default(),
        }
    }

    /// Writes an announcement into the draft.
    pub(in crate::load) fn write(&mut self, what: Announcement, words: &Words) {
        let (kind, number) = match what {
            Announcement::Greeting => ('h', 0),
            Announcement::Message(number) => ('m', number),
        };
        self.draft.clear();
        let header = format_args!("{kind}{:08x}{number:016x}", self.token).to_string();
        self.draft.extend_from_slice(header.as_bytes());
        self.draft.extend_from_slice(self.body(number, words));
    }

    /// What stands behind the header of a message.
    fn body<'a>(&self, number: u64, words: &'a Words) -> &'a [u8] {
        &words.at(SENDER, number.wrapping_mul(self.bytes as u64))[..self.bytes - HEADER_BYTES]
    }

    /// What a message says it is, if it is ours.
    fn parse(&self, message: &[u8]) -> Option<Announcement> {
        let header = str::from_utf8(message.get(..HEADER_BYTES)?).ok()?;
        let is_ours = u32::from_str_radix(header.get(1..9)?, 16) == Ok(self.token);
        let number = u64::from_str_radix(header.get(9..)?, 16).ok().filter(|_| is_ours)?;
        match header.as_bytes()[0] {
            b'h' => Some(Announcement::Greeting),
            b'm' => Some(Announcement::Message(number)),
            _ => None,
        }
    }

    /// Another message may be sent.
    pub(in crate::load) fn has_room(&self, depth: u64) -> bool {
        (self.flights.len() as u64) < depth
    }

    /// A message is about to be sent to so many. Its number.
    pub(in crate::load) fn sends(&mut self, stamp: Stamp, receivers: u32) -> u64 {
        let (due_at, never) = (stamp.due_at, Time::ZERO);
        let (arrived, gone) = (0, 0);
        let flight = Flight { due_at, first_at: never, last_at: never, receivers, arrived, gone };
        self.flights.push_back(flight);
        self.figures.receivers = u64::from(receivers);
        self.sent += 1;
        self.sent - 1
    }

    /// A receiver that lacks the last `n` messages is gone.
    pub(in crate::load) fn leaves(&mut self, n: u64, now: Time) {
        let known = self.flights.len();
        self.flights.iter_mut().skip(known.saturating_sub(n as usize)).for_each(|it| it.gone += 1);
        self.retire(now);
    }

    /// A receiver has message `number`, or will not have it any more.
    fn settle(&mut self, number: u64, has_it: bool, now: Time) {
        let first = self.sent - self.flights.len() as u64;
        let index = number.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        let Some(flight) = index.and_then(|index| self.flights.get_mut(index)) else { return };
        if has_it {
            flight.arrived += 1;
            flight.last_at = now;
            if flight.arrived == 1 {
                flight.first_at = now;
                self.figures.first_us.record(flight.due_at, now);
            }
            if flight.arrived == flight.receivers.div_ceil(2) {
                self.figures.median_us.record(flight.due_at, now);
            }
        } else {
            flight.gone += 1;
        }
        self.retire(now);
    }

    /// Forgets the oldest messages, as far as nobody waits for them. Only here is known who was the
    /// last: whoever has yet to come may leave instead.
    fn retire(&mut self, now: Time) {
        let is_done = |it: &mut Flight| it.arrived + it.gone >= it.receivers;
        while let Some(flight) = self.flights.pop_front_if(is_done) {
            if flight.arrived > 0 {
                self.figures.last_us.record(flight.due_at, flight.last_at);
                self.figures.skew_us.record(flight.first_at, flight.last_at);
            }
            self.free_since = now;
        }
    }

    pub(in crate::load) fn figures(&self) -> FanFigures {
        FanFigures { messages: self.sent, ..self.figures.clone() }
    }
}

/// A receiver.
#[derive(Default)]
pub(in crate::load) struct Ear {
    /// It has heard a greeting.
    pub(in crate::load) is_member: bool,
    /// Bit `n`: the message that came `n + 1` before the one expected next was skipped.
    skipped: u64,
}

/// What a receiver works with while it takes a message.
pub(in crate::load) struct Hearing<'a> {
    pub(in crate::load) fan: &'a mut Option<Fan>,
    pub(in crate::load) words: &'a Words,
    pub(in crate::load) tally: &'a mut Tally,
    pub(in crate::load) in_flight: &'a mut InFlight,
    pub(in crate::load) now: Time,
}

impl Ear {
    /// Takes a message. What others say on the channel is no matter.
    pub(in crate::load) fn take(&mut self, message: &[u8], hearing: Hearing<'_>) -> Life {
        let Hearing { fan, words, tally, in_flight, now } = hearing;
        let Some(fan) = fan else { return Continue(()) };
        let number = match fan.parse(message) {
            None => return Continue(()),
            Some(Announcement::Greeting) => {
                self.is_member = true;
                return Continue(());
            }
            Some(Announcement::Message(number)) => number,
        };
        let next = in_flight.answered();
        if let Some(behind @ 1..) = next.checked_sub(number) {
            self.comes_again(behind, &mut tally.messages);
            return Continue(());
        }
        if number >= in_flight.asked() {
            return Break(Fate::Failed("fan: a message came that was never sent".to_owned()));
        }
        for skipped in next..number {
            in_flight.answer(1);
            tally.messages.lost += 1;
            self.skipped = self.skipped << 1 | 1;
            fan.settle(skipped, false, now);
        }
        let right = message[HEADER_BYTES..] == *fan.body(number, words);
        tally.count_answers(1, right, in_flight.answer(1).0, now);
        self.skipped <<= 1;
        fan.settle(number, true, now);
        Continue(())
    }

    /// A message came that is so far behind the one that is expected.
    fn comes_again(&mut self, behind: u64, messages: &mut Messages) {
        let bit = u32::try_from(behind - 1).ok().and_then(|n| 1u64.checked_shl(n)).unwrap_or(0);
        match self.skipped & bit {
            0 => messages.duplicate += 1,
            _ => messages.late += 1,
        }
        self.skipped &= !bit;
    }
}

#[cfg(test)]
mod tests;
