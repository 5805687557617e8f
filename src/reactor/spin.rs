//! How long to look before it sleeps.
//!
//! **What.** [`Spin`] says for how long a loop that has nothing to do asks the kernel again and
//! again (polls) before it sleeps. It learns from what came of it.
//!
//! **Why this way.** Waking a core that sleeps takes tens of microseconds, which is most of the
//! latency of a lone message; a loop that looks is not asleep. But looking in vain is work for
//! nothing. So each time in vain halves the next, the fourth in a row ends it, and there are two
//! proofs that restore it: an event that was found, and a sleep so short that a look would have
//! spared it. This is how Linux halts a virtual CPU (`halt_poll_ns`). Rejected: that any event
//! restores it, for then a message each millisecond would keep it looking and never finding; and
//! counting polls instead of time, which are as long as the kernel and the machine make them.
//!
//! **Costs.** Off: one comparison a turn. On: less than twice the full time in vain after each
//! proof, and then nothing; while it looks an `epoll_wait` and a clock reading (vDSO) each third
//! of a microsecond. The core is busy meanwhile, so it should have nobody else waiting for it.
//!
//! **Read next.** `src/reactor/mod.rs`, which looks and sleeps.

use crate::clock::Time;
use std::time::Duration;

/// So many times in vain in a row, and the loop sleeps at once.
const IN_VAIN_MAX: u32 = 4;

/// See the module's header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spin {
    /// The longest look; 0 if there is none.
    full_ns: u64,
    /// Looks in vain since the last proof, at most [`IN_VAIN_MAX`].
    in_vain: u32,
}

impl Spin {
    /// Looks for up to `full_us` microseconds; 0 is off. It wants a proof before the first.
    pub(super) fn new(full_us: u32) -> Spin {
        Spin { full_ns: u64::from(full_us) * 1_000, in_vain: IN_VAIN_MAX }
    }

    /// Whether it ever looks.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.full_ns != 0
    }

    /// When to stop a look that begins `now`.
    pub(super) fn until(&self, now: Time) -> Time {
        match self.in_vain {
            IN_VAIN_MAX => now,
            times => Time::from_ns(now.as_ns().saturating_add(self.full_ns >> times)),
        }
    }

    /// Something was found.
    pub(super) fn found(&mut self) {
        self.in_vain = 0;
    }

    /// Nothing was found in all the time there was.
    pub(super) fn found_nothing(&mut self) {
        self.in_vain = (self.in_vain + 1).min(IN_VAIN_MAX);
    }

    /// Something came after a wait of `waited`, the look and the sleep. That is with the waking,
    /// which takes about as long as what is worth looking for: so up to twice the full time.
    pub(super) fn slept(&mut self, waited: Duration) {
        if waited.as_nanos() <= u128::from(self.full_ns) * 2 {
            self.found();
        }
    }
}

#[cfg(test)]
mod tests;
