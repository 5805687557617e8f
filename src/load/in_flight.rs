//! Messages that wait for their answers.
//!
//! **What.** [`InFlight`] knows when each message in flight was due and when it was sent. Answers
//! come in the order of the messages: that is what streams, HTTP pipelines and an echoing WebSocket
//! have in common.
//!
//! **Why this way.** Two counters and a ring: what a message is, where its bytes are and how its
//! answer is recognised is the speech's matter. Messages that began together share a place: they
//! are asked and booked together, however many they are.
//!
//! **Costs.** 24 bytes a message in flight, allocated when the connection is opened. Numbers become
//! places by a mask: a division takes longer than all the rest.
//!
//! **Read next.** `src/load/speech.rs`.

use crate::clock::Time;

/// When a message began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// When it should have been sent. Without a rate that is when it was.
    pub(super) due_at: Time,
    /// When it was sent: not before it was due.
    pub(super) sent_at: Time,
}

impl Stamp {
    /// Sent when it was due.
    pub(super) fn on_time(now: Time) -> Stamp {
        Stamp { due_at: now, sent_at: now }
    }
}

/// Messages that began together.
#[derive(Clone, Copy, Default)]
struct Run {
    stamp: Stamp,
    /// How many were asked until its last, that included.
    end: u64,
}

/// The messages of one connection.
pub(super) struct InFlight {
    /// A ring by number. As many as a power of two.
    runs: Box<[Run]>,
    /// Runs that have begun, modulo 2^32.
    runs_asked: u32,
    /// Those of them that were answered to the end.
    runs_answered: u32,
    /// Messages sent, or about to be.
    asked: u64,
    /// Those of them that were answered, rightly or not.
    answered: u64,
}

impl InFlight {
    /// Room for `depth` messages, none of them sent.
    pub(super) fn new(depth: u64) -> InFlight {
        let runs = vec![Run::default(); depth.next_power_of_two() as usize].into_boxed_slice();
        InFlight { runs, runs_asked: 0, runs_answered: 0, asked: 0, answered: 0 }
    }

    fn run(&mut self, number: u32) -> &mut Run {
        let mask = self.runs.len() - 1;
        &mut self.runs[number as usize & mask]
    }

    /// Messages that are not answered yet.
    pub(super) fn len(&self) -> u64 {
        self.asked - self.answered
    }

    /// Messages of all time.
    pub(super) fn asked(&self) -> u64 {
        self.asked
    }

    /// Answers of all time.
    pub(super) fn answered(&self) -> u64 {
        self.answered
    }

    /// So many more are sent, one at least. There is room for them.
    #[inline]
    pub(super) fn ask(&mut self, stamp: Stamp, count: u64) {
        self.asked += count;
        let end = self.asked;
        if self.runs_answered != self.runs_asked {
            let last = self.run(self.runs_asked.wrapping_sub(1));
            if last.stamp == stamp {
                last.end = end;
                return;
            }
        }
        *self.run(self.runs_asked) = Run { stamp, end };
        self.runs_asked = self.runs_asked.wrapping_add(1);
    }

    /// The oldest is answered, and of the `most` oldest all others that began with it: when that
    /// was, and how many they are. So many are in flight.
    #[inline]
    pub(super) fn answer(&mut self, most: u64) -> (Stamp, u64) {
        let Run { stamp, end } = *self.run(self.runs_answered);
        let count = most.min(end - self.answered);
        self.answered += count;
        if self.answered == end {
            self.runs_answered = self.runs_answered.wrapping_add(1);
        }
        (stamp, count)
    }
}

#[cfg(test)]
mod tests;
