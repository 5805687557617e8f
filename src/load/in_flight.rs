//! Messages that wait for their answers.
//!
//! **What.** [`InFlight`] knows when each message in flight was sent. Answers come in the order of
//! the messages: that is what streams, HTTP pipelines and an echoing WebSocket have in common.
//!
//! **Why this way.** Two counters and a ring: what a message is, where its bytes are and how its
//! answer is recognised is the speech's matter.
//!
//! **Costs.** 8 bytes a message in flight, allocated when the connection is opened.
//!
//! **Read next.** `src/load/speech.rs`.

use crate::clock::Time;

/// The messages of one connection.
pub(super) struct InFlight {
    /// When each was sent, a ring by number: room for `depth` of them.
    sent_at: Box<[Time]>,
    /// Messages sent, or about to be.
    asked: u64,
    /// Those of them that were answered, rightly or not.
    answered: u64,
}

impl InFlight {
    /// Room for `depth` messages, none of them sent.
    pub(super) fn new(depth: u64) -> InFlight {
        let sent_at = vec![Time::ZERO; depth as usize].into_boxed_slice();
        InFlight { sent_at, asked: 0, answered: 0 }
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
    pub(super) fn ask(&mut self, now: Time) {
        let slot = self.asked as usize % self.sent_at.len();
        self.sent_at[slot] = now;
        self.asked += 1;
    }

    /// The oldest is answered; when it was sent.
    pub(super) fn answer(&mut self) -> Time {
        let slot = self.answered as usize % self.sent_at.len();
        self.answered += 1;
        self.sent_at[slot]
    }
}
