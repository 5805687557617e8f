//! Sending at a constant rate.
//!
//! **What.** [`Line`] is what a paced run has beside another: connections with room, in the order
//! in which they came by it, and an alarm for the next message. [`Load::pace`] brings the two
//! together.
//!
//! **Why this way.** A message is sent when it is due on the connection that is free for longest.
//! If none is free it waits in line, and its latency counts from the moment it was due. After a
//! stall many are due at once: each free connection then takes its share in one write, so that
//! catching up costs less a message than keeping up. What was due in the measured time is sent even
//! when that is over, or the waiting of the last messages would be missing; if that takes too long,
//! the rest is counted as unsent.
//!
//! **Costs.** A `send` a message where the server keeps up; a `timerfd_settime` a wake-up, of which
//! there are at most 20,000 a second. No allocation.
//!
//! **Read next.** `src/load/pacer.rs`, `src/sys/timerfd.rs`.

use super::{Load, OPEN, id_of};
use crate::clock::Time;
use crate::load::Stage;
use crate::load::client::{Client, Share, timer_of};
use crate::load::pacer::Pacer;
use crate::load::report::Paced;
use crate::reactor::{ConnId, Cx, Source};
use crate::sys::timerfd::TimerFd;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;

/// The alarm's number among the control sources; smaller ones are those of `Stops`.
const ALARM: u16 = 2;
/// Messages due within so long of each other share a wake-up.
const FINENESS_NS: u64 = 50_000;
/// Connections that send in one turn before others are read again.
const SENDS_PER_TURN: u32 = 256;

/// What is needed to send at a constant rate.
pub(super) struct Line {
    rate_per_s: u64,
    alarm: TimerFd,
    /// When it fires, or has fired.
    alarm_at: Time,
    /// Slots of connections with room, each once: those whose seats say `free_since`.
    free: VecDeque<u32>,
}

impl Line {
    pub(super) fn new(rate_per_s: u64, connections: u32, registry: &Registry) -> io::Result<Line> {
        let alarm = TimerFd::new()?;
        let token = Source::Control(ALARM).token();
        registry.register(&mut SourceFd(&alarm.as_raw_fd()), token, Interest::READABLE)?;
        let free = VecDeque::with_capacity(connections as usize);
        Ok(Line { rate_per_s, alarm, alarm_at: Time::ZERO, free })
    }
}

impl<C: Client> Load<C> {
    /// The measured time begins, at a constant rate; false if that is not asked for.
    pub(super) fn begin_pace(&mut self, now: Time) -> bool {
        let Some(rate_per_s) = self.line.as_ref().map(|line| line.rate_per_s) else { return false };
        let first = Time::from_ns(now.as_ns().saturating_add(self.first_due_ns));
        self.shared.pacer = Some(Pacer::for_ms(first, rate_per_s, self.duration_ms));
        self.shared.tally.paced = Some(Paced::new(rate_per_s));
        (0..self.seats.len()).for_each(|slot| self.note_room(id_of(slot as u32), now));
        true
    }

    /// Messages that are due and wait for a connection.
    pub(super) fn in_line(&self, now: Time) -> u64 {
        self.shared.pacer.map_or(0, |pacer| pacer.in_line(now))
    }

    /// Who waits in line has waited for long enough; false if nobody does.
    pub(super) fn give_up_line(&mut self, now: Time) -> bool {
        let unsent = self.shared.pacer.as_mut().map_or(0, |pacer| pacer.give_up(now));
        if let Some(paced) = &mut self.shared.tally.paced {
            paced.unsent += unsent;
        }
        unsent > 0
    }

    /// Something has happened to a connection: it may have room now.
    #[inline]
    pub(super) fn note_room(&mut self, id: ConnId, now: Time) {
        if self.shared.pacer.is_some() {
            self.line_up(id, now);
        }
    }

    /// If it has room, it is on the list.
    fn line_up(&mut self, id: ConnId, now: Time) {
        let Some(line) = &mut self.line else { return };
        let Some(Some(seat)) = self.seats.get_mut(id.slot as usize) else { return };
        if seat.free_since.is_none() && seat.client.has_room(id, &self.shared) {
            seat.free_since = Some(now);
            line.free.push_back(id.slot);
        }
    }

    /// Sends what is due, if there is a rate. True if the budget ended it.
    #[inline]
    pub(super) fn pace(&mut self, cx: &mut Cx) -> bool {
        let is_line_used = self.shared.pacer.is_some() && self.shared.fan.is_none();
        let is_time = matches!(self.stage, Stage::Measuring | Stage::Ending);
        is_line_used && is_time && self.serve_line(cx)
    }

    /// Sends what is due on connections that are free. True if the budget ended it.
    fn serve_line(&mut self, cx: &mut Cx) -> bool {
        for _ in 0..SENDS_PER_TURN {
            let now = self.shared.clock.now();
            let in_line = self.in_line(now);
            if in_line == 0 {
                self.wake_for_next(now, cx);
                return false;
            }
            let Some(line) = &mut self.line else { return false };
            let free = line.free.len() as u64;
            let Some(slot) = line.free.pop_front() else { return false };
            self.send_share(cx, id_of(slot), in_line.div_ceil(free));
        }
        true
    }

    /// Wakes the loop when the next message is due, if any is.
    pub(super) fn wake_for_next(&mut self, now: Time, cx: &mut Cx) {
        let due = self.shared.pacer.as_ref().and_then(Pacer::next_due);
        if let (Some(line), Some(due)) = (&mut self.line, due) {
            line.wake_at(due, now, cx);
        }
    }

    /// Gives a connection that was free its share of the line.
    fn send_share(&mut self, cx: &mut Cx, id: ConnId, messages: u64) {
        let Some(Some(seat)) = self.seats.get_mut(id.slot as usize) else { return };
        let free_since = seat.free_since.filter(|_| seat.client.has_room(id, &self.shared));
        let Some(free_since) = free_since else {
            seat.free_since = None;
            return;
        };
        let share = Share { messages, free_since };
        self.with(cx, id, |client, shared, cx| client.send_due(id, share, shared, cx));
        if !cx.timers.is_armed(timer_of(id)) {
            self.look(cx, id);
        }
        // With room for more it is as free as it was.
        let (Some(line), Some(Some(seat))) = (&mut self.line, self.seats.get_mut(id.slot as usize))
        else {
            return;
        };
        match seat.client.has_room(id, &self.shared) {
            true => line.free.push_back(id.slot),
            false => seat.free_since = None,
        }
    }
}

impl Line {
    /// Wakes the loop when the next message is due, unless it will be woken anyway.
    fn wake_at(&mut self, due: Time, now: Time, cx: &mut Cx) {
        if self.alarm_at > now {
            return;
        }
        let in_ns = (due.as_ns().saturating_sub(now.as_ns())).max(FINENESS_NS);
        self.alarm_at = Time::from_ns(now.as_ns() + in_ns);
        if self.alarm.fire_in(in_ns).is_err() {
            cx.timers.arm(OPEN, self.alarm_at);
        }
    }
}
