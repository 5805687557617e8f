//! Messages that wait for their answers.
//!
//! **What.** [`InFlight`] knows when each message in flight was due and when it was sent. Answers
//! come in the order of the messages: that is what streams, HTTP pipelines and an echoing WebSocket
//! have in common.
//!
//! **Why this way.** Two counters and a ring: what a message is, where its bytes are and how its
//! answer is recognised is the speech's matter.
//!
//! **Costs.** 16 bytes a message in flight, allocated when the connection is opened. Numbers become
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

/// The messages of one connection.
pub(super) struct InFlight {
    /// When each began, a ring by number. As many as a power of two.
    stamps: Box<[Stamp]>,
    /// Messages sent, or about to be.
    asked: u64,
    /// Those of them that were answered, rightly or not.
    answered: u64,
}

impl InFlight {
    /// Room for `depth` messages, none of them sent.
    pub(super) fn new(depth: u64) -> InFlight {
        let stamps = vec![Stamp::default(); depth.next_power_of_two() as usize];
        InFlight { stamps: stamps.into_boxed_slice(), asked: 0, answered: 0 }
    }

    /// Where message `number` has its stamp.
    fn place(&self, number: u64) -> usize {
        number as usize & (self.stamps.len() - 1)
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

    /// One more is sent. There is room for it.
    pub(super) fn ask(&mut self, stamp: Stamp) {
        let place = self.place(self.asked);
        self.stamps[place] = stamp;
        self.asked += 1;
    }

    /// The oldest is answered, and of the `most` oldest all others that began with it: when that
    /// was, and how many they are. So many are in flight.
    #[inline]
    pub(super) fn answer(&mut self, most: u64) -> (Stamp, u64) {
        let stamp = self.stamps[self.place(self.answered)];
        let is_alike = |&next: &u64| self.stamps[self.place(self.answered + next)] == stamp;
        let count = 1 + (1..most).take_while(is_alike).count() as u64;
        self.answered += count;
        (stamp, count)
    }
}
