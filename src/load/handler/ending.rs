//! How a run ends.
//!
//! **What.** No more is sent, the last answers are waited for, the connections take leave one after
//! the other, and who is late is ended.
//!
//! **Why this way.** Whoever ends at once counts as lost what was on its way, and leaves the server
//! resets to clean up. Each step has a deadline, so a run ends whatever the server does.
//!
//! **Costs.** A look at each connection a step.
//!
//! **Read next.** `src/load/handler/figures.rs`.

use super::Seat;
use super::figures::Cpu;
use super::{BEGINS_PER_TURN, END, Load, OPEN, id_of};
use crate::clock::Time;
use crate::load::Stage;
use crate::load::client::Client;
use crate::reactor::Cx;
use std::ops::ControlFlow;

impl<C: Client> Load<C> {
    /// No more messages; the last answers have `patience_ms` to come.
    pub(super) fn wind_up(&mut self, cx: &mut Cx, patience_ms: u64) {
        if self.stage == Stage::Measuring {
            self.measured_until = Some((cx.now, self.shared.tally.messages.received));
            self.shared.tally.series.end(cx.now);
            self.cpu_until = Some(Cpu::now());
        }
        if let Some(idle) = &mut self.shared.idle {
            idle.end(self.settled);
        }
        self.stage = Stage::Ending;
        self.patience_ms = patience_ms;
        if let Some(pacer) = &mut self.shared.pacer {
            pacer.stop(cx.now);
        }
        let is_line_empty = self.in_line(cx.now) == 0;
        (self.shared.sends, self.shared.reopens) = (false, !is_line_empty);
        self.target = self.seats.len() as u32;
        cx.timers.arm(END, cx.now.plus_ms(patience_ms));
    }

    /// All is answered, or was waited for: the connections take leave, and have `patience_ms` to
    /// hear that the other side does too.
    pub(super) fn close(&mut self, cx: &mut Cx) {
        self.stage = Stage::Closing;
        cx.timers.arm(END, cx.now.plus_ms(self.patience_ms));
        cx.timers.arm(OPEN, cx.now);
    }

    /// Nothing waits in line that somebody could send, and nothing is in flight.
    pub(super) fn is_all_answered(&self, now: Time) -> bool {
        let all_sent = self.settled == 0 || self.in_line(now) == 0;
        all_sent && self.shared.tally.messages.in_flight() == 0
    }

    /// Who has not heard it by now will not. Some may have said goodbye later than others.
    pub(super) fn give_up(&mut self, cx: &mut Cx) {
        cx.timers.arm(END, cx.now.plus_ms(self.patience_ms));
        self.end_where(cx, |seat| seat.is_leaving);
    }

    /// Ends those who are late.
    pub(super) fn end_where(&mut self, cx: &mut Cx, is_late: impl Fn(&Seat<C>) -> bool) {
        for slot in 0..self.seats.len() {
            let late = self.seats[slot].as_ref().filter(|seat| is_late(seat));
            if let Some(fate) = late.map(|seat| seat.client.overdue()) {
                self.end(cx, id_of(slot as u32), fate);
            }
        }
    }

    /// Lets settled connections take leave. True if the budget ended it.
    pub(super) fn leave_more(&mut self, cx: &mut Cx) -> bool {
        for _ in 0..BEGINS_PER_TURN {
            if self.stage != Stage::Closing || self.leaves_at as usize >= self.seats.len() {
                return false;
            }
            let id = id_of(self.leaves_at);
            self.leaves_at += 1;
            let Some(Some(seat)) = self.seats.get_mut(id.slot as usize) else { continue };
            if !seat.client.is_settled() {
                continue;
            }
            match seat.client.leave(id, &mut self.shared, cx) {
                ControlFlow::Continue(waits) => {
                    seat.is_leaving = waits;
                    self.leaving += u32::from(waits);
                }
                ControlFlow::Break(fate) => self.end(cx, id, fate),
            }
        }
        true
    }
}
