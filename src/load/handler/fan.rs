//! Sending to all.
//!
//! **What.** While connections open they are greeted until each is known to be a member; then
//! messages are sent, as many at once as the depth allows, or as are due.
//!
//! **Why this way.** Each receiver must expect a message before it is sent, for its first answer
//! may come in the same turn; so it is the run that sends, in its own step of the turn, and not the
//! sender when it is ready.
//!
//! **Costs.** A look at each connection a message.
//!
//! **Read next.** `src/load/shape/fan.rs`.

use super::{GREET, Load, id_of};
use crate::load::Stage;
use crate::load::client::{Client, timer_of};
use crate::load::in_flight::Stamp;
use crate::load::shape::Announcement;
use crate::reactor::Cx;

/// How often those who may have become members are greeted.
const GREET_MS: u64 = 50;
/// Messages that are sent in one turn before connections are read again.
const SENDS_PER_TURN: u32 = 64;
/// The seat of the connection that sends.
const SENDER: u32 = 0;

impl<C: Client> Load<C> {
    /// Does what the sender has to do. True if the budget ended it.
    pub(super) fn fan_out(&mut self, cx: &mut Cx) -> bool {
        if self.shared.fan.is_none() {
            return false;
        }
        match self.stage {
            Stage::Opening if !cx.timers.is_armed(GREET) && self.unsettled > 0 => {
                cx.timers.arm(GREET, cx.now.plus_ms(GREET_MS));
                self.announce(cx, Announcement::Greeting);
                false
            }
            Stage::Measuring if !matches!(self.seats.first(), Some(Some(_))) => {
                self.wind_up(cx, self.shared.answer_timeout_ms);
                false
            }
            Stage::Measuring | Stage::Ending => self.send_messages(cx),
            _ => false,
        }
    }

    fn send_messages(&mut self, cx: &mut Cx) -> bool {
        for _ in 0..SENDS_PER_TURN {
            let now = self.shared.clock.now();
            let Some(Some(sender)) = self.seats.first() else { return false };
            let may_send = sender.client.may_send();
            let Some(fan) = self.shared.fan.as_ref().filter(|_| may_send) else { return false };
            if !fan.has_room(self.shared.depth) {
                return false;
            }
            let free_since = fan.free_since;
            let stamp = match (self.shared.take_due(now, free_since), self.shared.sends) {
                (Some(due_at), _) => Stamp { due_at, sent_at: now },
                (None, true) => Stamp::on_time(now),
                (None, false) => {
                    self.wake_for_next(now, cx);
                    return false;
                }
            };
            let receivers = self.expect(cx, stamp);
            if let Some(fan) = &mut self.shared.fan {
                let number = fan.sends(stamp, receivers);
                self.announce(cx, Announcement::Message(number));
            }
        }
        true
    }

    /// Tells every connection that a message is about to come. How many there are.
    fn expect(&mut self, cx: &mut Cx, stamp: Stamp) -> u32 {
        let mut receivers = 0;
        for slot in 0..self.seats.len() {
            let Some(seat) = &mut self.seats[slot] else { continue };
            seat.client.expect(stamp);
            receivers += 1;
            let id = id_of(slot as u32);
            if !cx.timers.is_armed(timer_of(id)) {
                self.look(cx, id);
            }
        }
        self.shared.tally.messages.sent += u64::from(receivers);
        receivers
    }

    fn announce(&mut self, cx: &mut Cx, what: Announcement) {
        let id = id_of(SENDER);
        self.with(cx, id, |client, shared, cx| client.announce(id, what, shared, cx));
    }
}
