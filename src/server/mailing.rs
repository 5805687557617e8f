//! A mailing: messages on their way round those who were there when it began.
//!
//! **What.** [`Mailing`] says who is next and what is due there. It sends nothing itself.
//!
//! **Why this way.** The list of receivers is taken when a mailing begins, so that those who come
//! and go meanwhile disturb nobody's order. A large audience takes many turns, and what is said
//! meanwhile joins where the mailing is: whoever is next gets it with the rest, in one write, and
//! it too goes once round. Nearly all of a delivery is the kernel's part of that write, and what a
//! sender says at once seldom comes in one read: eight messages to 1,000 took 2,000 writes, and
//! take 1,100. Rejected: waiting for more before beginning (for how long?); a place in the mail for
//! each member (8 bytes of every connection, for what a list of a few parts knows).
//!
//! **Costs.** 8 bytes a receiver for the list, 24 a part.
//!
//! **Read next.** `src/server/mail.rs`, which delivers.

use super::limits::MAIL_HIGH_BYTES;
use crate::proto::ws::deflate::Editions;
use crate::reactor::ConnId;
use crate::service::Mail;
use std::collections::VecDeque;

/// See the module's header.
#[derive(Debug, Default)]
pub(super) struct Mailing {
    pub(super) mail: Mail,
    /// What was due at the last visit, compressed, as far as somebody was to get that.
    pub(super) editions: Editions,
    to: Vec<ConnId>,
    /// The place in it of who is next. Behind the last comes the first again.
    next: usize,
    /// Visits made, and to be made until all is out.
    visits: usize,
    visits_due: usize,
    /// What is on its way, oldest first; the oldest may have come round.
    parts: VecDeque<Part>,
    /// Somebody has come, gone or ended, so what is said now is for others or must wait for them.
    is_sealed: bool,
    /// Connections that end when it is out.
    pub(super) leavers: Vec<ConnId>,
}

/// Mail that joined at once: all behind what is before it, up to the next part.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// Visits made before it joined. It has come round after as many more as there are receivers.
    joined_at: usize,
    bytes_before: usize,
    messages_before: u64,
}

/// A delivery that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    pub(super) to: ConnId,
    /// What is due begins here, and goes to the end.
    pub(super) from: usize,
    /// How many messages that is.
    pub(super) messages: u64,
}

impl Mailing {
    /// Begins with all of `mail`, round all of `to`; `leavers` end with it. The one before is out.
    pub(super) fn begin(&mut self, mail: &mut Mail, leavers: &mut Vec<ConnId>, to: &[ConnId]) {
        std::mem::swap(&mut self.mail, mail);
        std::mem::swap(&mut self.leavers, leavers);
        mail.bytes.clear();
        mail.bytes.shrink_to(MAIL_HIGH_BYTES);
        mail.messages = 0;
        self.editions.clear(MAIL_HIGH_BYTES);
        self.to.clear();
        self.to.extend_from_slice(to);
        (self.next, self.visits, self.visits_due) = (0, 0, to.len());
        self.parts.clear();
        self.parts.push_back(Part::default());
        self.is_sealed = !self.leavers.is_empty();
    }

    /// Lets all of `mail` join, if it may. What has been compressed would have to be again, and
    /// more than may wait is not taken up.
    pub(super) fn join(&mut self, mail: &mut Mail) -> bool {
        let is_open = self.is_under_way() && !self.is_sealed && self.editions.is_empty();
        let bytes_before = self.mail.bytes.len();
        if !is_open || bytes_before + mail.bytes.len() > MAIL_HIGH_BYTES {
            return false;
        }
        let (joined_at, messages_before) = (self.visits, self.mail.messages);
        self.parts.push_back(Part { joined_at, bytes_before, messages_before });
        self.visits_due = joined_at + self.to.len();
        self.mail.bytes.append(&mut mail.bytes);
        self.mail.messages += std::mem::take(&mut mail.messages);
        true
    }

    /// No more mail joins.
    pub(super) fn seal(&mut self) {
        self.is_sealed = true;
    }

    /// Somebody is still to be visited.
    #[inline]
    pub(super) fn is_under_way(&self) -> bool {
        self.visits < self.visits_due
    }

    #[inline]
    fn visits_left(&self, part: &Part) -> usize {
        (part.joined_at + self.to.len()).saturating_sub(self.visits)
    }

    /// How many there are to be visited.
    pub(super) fn audience(&self) -> u64 {
        self.to.len() as u64
    }

    /// Who is next.
    #[inline]
    pub(super) fn visit(&mut self) -> Option<Visit> {
        if !self.is_under_way() {
            return None;
        }
        while self.parts.front().is_some_and(|oldest| self.visits_left(oldest) == 0) {
            self.forget_oldest();
        }
        let (to, oldest) = (*self.to.get(self.next)?, self.parts.front()?);
        self.visits += 1;
        self.next += 1;
        if self.next == self.to.len() {
            self.next = 0;
        }
        let messages = self.mail.messages - oldest.messages_before;
        Some(Visit { to, from: oldest.bytes_before, messages })
    }

    #[cold]
    fn forget_oldest(&mut self) {
        self.parts.pop_front();
        self.editions.clear(MAIL_HIGH_BYTES);
    }

    /// Copies of messages that are still to be delivered.
    pub(super) fn copies_left(&self) -> u64 {
        let mut behind = self.mail.messages;
        let copies = |part: &Part| {
            let messages = std::mem::replace(&mut behind, part.messages_before) - behind;
            messages * self.visits_left(part) as u64
        };
        self.parts.iter().rev().map(copies).sum()
    }
}

#[cfg(test)]
mod tests;
