//! Which rate to try next.
//!
//! **What.** [`Search`] is told whether a rate was kept, and says what to do [`Next`]: double until
//! one is missed (or halve until one is kept), halve what is between, then try the best again,
//! [`CONFIRMATIONS`] times. A miss counts when it is made twice.
//!
//! **Why this way.** Where a server bends is known to nobody before, and may be anywhere over four
//! powers of ten: doubling finds the place in few runs, halving narrows it down. One run may be
//! lucky, so the rate that is found must be kept again and again; if once it is not, it is no
//! longer the rate. And one may be unlucky: a run that missed 16,000/s by chance once hid that
//! 54,000/s are kept, so what is to bound the search must be missed again. It is pure, so that it
//! is tested against servers which are a line of code.
//!
//! **Costs.** About 20 runs.
//!
//! **Read next.** `src/cli/load/find.rs`, which makes the runs.

/// Runs that must keep the rate which was found.
pub(super) const CONFIRMATIONS: usize = 3;
/// The highest rate that is tried.
const RATE_MAX: u64 = 10_000_000;
/// The rates between which it bends are this part of each other apart, at the end.
const NEAR: u64 = 32;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Try this rate.
    Probe(u64),
    /// Try the best rate again.
    Confirm(u64),
    /// It was kept as often as it must be.
    Found(u64),
    /// Not even the lowest rate is kept.
    Never,
}

/// What is known.
#[derive(Clone, Debug)]
pub(super) struct Search {
    start: u64,
    /// Below it a run has too few answers to tell.
    floor: u64,
    /// Rates that were kept and not missed since, rising; all below `missed`.
    kept: Vec<u64>,
    /// The lowest rate that was missed.
    missed: Option<u64>,
    /// A rate that was missed once; it is tried again.
    doubted: Option<u64>,
    /// How often the last of `kept` was kept again.
    confirmed: usize,
}

impl Search {
    /// Begins at `start`, and goes down to `floor` at most.
    pub(super) fn new(start: u64, floor: u64) -> Search {
        let floor = floor.clamp(1, RATE_MAX);
        let start = start.clamp(floor, RATE_MAX);
        Search { start, floor, kept: Vec::new(), missed: None, doubted: None, confirmed: 0 }
    }

    /// The highest rate that was kept, so far.
    pub(super) fn best(&self) -> Option<u64> {
        self.kept.last().copied()
    }

    /// The lowest rate that was missed, so far.
    pub(super) fn missed(&self) -> Option<u64> {
        self.missed
    }

    pub(super) fn next(&self) -> Next {
        if let Some(rate) = self.doubted {
            return Next::Probe(rate);
        }
        match (self.best(), self.missed) {
            (None, None) => Next::Probe(self.start),
            (None, Some(missed)) if missed <= self.floor => Next::Never,
            (None, Some(missed)) => Next::Probe((missed / 2).max(self.floor)),
            (Some(best), None) if best < RATE_MAX => Next::Probe((best * 2).min(RATE_MAX)),
            (Some(best), Some(missed)) if missed - best > (best / NEAR).max(1) => {
                Next::Probe(best + (missed - best) / 2)
            }
            (Some(best), _) if self.confirmed < CONFIRMATIONS => Next::Confirm(best),
            (Some(best), _) => Next::Found(best),
        }
    }

    /// A rate was tried.
    pub(super) fn note(&mut self, rate: u64, is_kept: bool) {
        let is_doubted = self.doubted.take().is_some();
        match is_kept {
            true if self.best() == Some(rate) => self.confirmed += 1,
            true => {
                self.kept.push(rate);
                self.confirmed = 0;
            }
            false if !is_doubted && self.best() != Some(rate) => self.doubted = Some(rate),
            false => {
                self.missed = Some(self.missed.map_or(rate, |missed| missed.min(rate)));
                self.kept.retain(|kept| *kept < rate);
                self.confirmed = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests;
