//! When each of a row of things is due: a constant rate.
//!
//! **What.** A [`Pacer`] is told the time and says which of its things are due and not yet taken:
//! they wait in line, each with the moment it was due.
//!
//! **Why this way.** The line needs no memory: number `n` is due `n / rate` after the start, so
//! what waits is the difference of two counts. What is late never moves what comes after: the
//! schedule does not know how the server fares, and that is what makes its latencies whole
//! (coordinated omission). Time comes in as a value, so it is tested without waiting. Rejected:
//! random (exponential) gaps as of independent users, because two runs would then not offer the
//! same load.
//!
//! **Costs.** 40 bytes; two divisions a question.
//!
//! **Read next.** `src/load/handler/paced.rs`, which asks.

use crate::clock::Time;

const NS_PER_S: u64 = 1_000_000_000;
/// A faster pace than a thing every 100 ns is a typing error.
pub(super) const RATE_MAX: u64 = 10_000_000;

/// A constant rate, for so many things.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    start: Time,
    /// Things a second: 1 to [`RATE_MAX`].
    rate: u64,
    /// Things in all.
    total: u64,
    /// Those that were taken from the line; at most `total`.
    taken: u64,
}

impl Pacer {
    /// The first of `total` is due at `start`, then `rate` a second.
    pub(super) fn new(start: Time, rate: u64, total: u64) -> Pacer {
        Pacer { start, rate, total, taken: 0 }
    }

    /// The pace of a stretch of time: what is due within `duration_ms`, and at least one.
    pub(super) fn for_ms(start: Time, rate: u64, duration_ms: u64) -> Pacer {
        let (seconds, ms) = (duration_ms / 1_000, duration_ms % 1_000);
        let total = seconds.saturating_mul(rate).saturating_add(ms * rate / 1_000);
        Pacer::new(start, rate, total.max(1))
    }

    /// When the next one is, or was, due; `None` after the last.
    pub(super) fn next_due(&self) -> Option<Time> {
        let (seconds, part) = (self.taken / self.rate, self.taken % self.rate);
        let after_ns = seconds.saturating_mul(NS_PER_S).saturating_add(part * NS_PER_S / self.rate);
        let due = Time::from_ns(self.start.as_ns().saturating_add(after_ns));
        (self.taken < self.total).then_some(due)
    }

    /// How many are due at `now` and were not taken.
    pub(super) fn in_line(&self, now: Time) -> u64 {
        self.due_at(now).saturating_sub(self.taken)
    }

    /// Takes the first of the line, if anything is due: when it was due.
    pub(super) fn take(&mut self, now: Time) -> Option<Time> {
        let due = self.next_due().filter(|&due| due <= now)?;
        self.taken += 1;
        Some(due)
    }

    /// No more will be due than is now.
    pub(super) fn stop(&mut self, now: Time) {
        self.total = self.due_at(now).max(self.taken);
    }

    /// Gives up what is in line, and all that would follow: how many were in line.
    pub(super) fn give_up(&mut self, now: Time) -> u64 {
        let in_line = self.in_line(now);
        self.total = self.taken;
        in_line
    }

    /// How many of all have been due by `now`: the smallest number that is due later.
    fn due_at(&self, now: Time) -> u64 {
        if now < self.start {
            return 0;
        }
        let ns = now.as_ns() - self.start.as_ns() + 1;
        let (seconds, part) = (ns / NS_PER_S, ns % NS_PER_S);
        let due = seconds.saturating_mul(self.rate);
        due.saturating_add((part * self.rate).div_ceil(NS_PER_S)).min(self.total)
    }
}

#[cfg(test)]
mod tests;
