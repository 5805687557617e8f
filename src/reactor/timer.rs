//! Timers: a hierarchical wheel.
//!
//! **What.** [`TimerWheel`] holds at most one deadline a key. Arming, moving and disarming are
//! O(1); the next deadline is found by a few bit scans.
//!
//! **Why this way.** A binary heap costs O(log n) for each of the many timers that never fire (an
//! idle timeout is pushed back all its life). A plain hashed wheel must tick to find what is due,
//! so an idle server would keep waking. Here each level keeps a 64-bit map of its occupied slots:
//! the next deadline is known without a tick, and an idle loop sleeps until then. Callers re-arm
//! lazily ([`TimerWheel::arm_by`]): a connection notes when it was last active, and only when its
//! timer fires is the rest armed.
//!
//! **Costs.** 24 bytes a key, no allocation beyond the table, no syscall. A far deadline is handled
//! once a level as it comes closer (at most 6 extra wake-ups for one that is years away; 2 for a
//! minute).
//!
//! **Read next.** `src/reactor/mod.rs`, step 8 of the turn.

use crate::clock::Time;

/// Names a timer. The handler gives the numbers their meaning; small ones keep the table small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey(pub u32);

/// 64 slots a level, so that one word maps the occupied ones.
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// 7 levels of 64 slots of 1 ms span 139 years.
const LEVELS: usize = 7;
/// No deadline is armed further away than this (35 years), which keeps all of them on the wheel.
const AHEAD_MS_MAX: u64 = 1 << 40;

/// Nothing is armed.
const NEVER: Time = Time::from_ns(u64::MAX);
/// End of a list.
const NIL: u32 = u32::MAX;
/// A node that is on no list.
const UNARMED: u16 = u16::MAX;
/// The list of timers whose time has come.
const DUE: u16 = (LEVELS * SLOTS) as u16;

#[derive(Clone, Copy)]
struct Node {
    due_ms: u64,
    prev: u32,
    next: u32,
    /// Which list the node is on: `level * 64 + slot`, [`DUE`] or [`UNARMED`].
    list: u16,
}

/// At most one deadline for each key; see the module's header.
pub struct TimerWheel {
    /// Indexed by key.
    nodes: Vec<Node>,
    /// First node of each list, the due list last.
    heads: [u32; LEVELS * SLOTS + 1],
    /// One bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    /// Every deadline at or before this millisecond is on the due list or gone.
    elapsed_ms: u64,
    /// To where the wheel has been advanced. `elapsed_ms` follows when a timer is armed or expires,
    /// and not each turn, for that would be a division a turn.
    now: Time,
    /// When the wheel next has work: the time of the first occupied slot begins, or a timer is due.
    /// [`NEVER`] if none is armed. Kept, because it is asked for twice a turn and seldom changes.
    work_at: Time,
    armed: usize,
}

impl TimerWheel {
    /// An empty wheel with room for `keys` keys before its table must grow.
    pub fn with_capacity(keys: usize) -> TimerWheel {
        TimerWheel {
            nodes: Vec::with_capacity(keys),
            heads: [NIL; LEVELS * SLOTS + 1],
            occupied: [0; LEVELS],
            elapsed_ms: 0,
            now: Time::ZERO,
            work_at: NEVER,
            armed: 0,
        }
    }

    /// How many timers are armed.
    pub fn len(&self) -> usize {
        self.armed
    }

    /// Whether no timer is armed.
    pub fn is_empty(&self) -> bool {
        self.armed == 0
    }

    /// Sets `key`'s deadline, replacing the one it had. It fires at the first millisecond at or
    /// after `due`.
    pub fn arm(&mut self, key: TimerKey, due: Time) {
        self.disarm(key);
        if self.now < self.work_at {
            self.elapsed_ms = self.now.as_ms();
        }
        let index = key.0 as usize;
        if index >= self.nodes.len() {
            let empty = Node { due_ms: 0, prev: NIL, next: NIL, list: UNARMED };
            self.nodes.resize(index + 1, empty);
        }
        let due_ms = due.as_ns().div_ceil(1_000_000).min(self.elapsed_ms + AHEAD_MS_MAX);
        self.nodes[index].due_ms = due_ms;
        let list = self.list_for(due_ms);
        self.link(key.0, list);
        self.armed += 1;
        self.work_at = self.work_at.min(Time::from_ms(self.begins_ms(list)));
    }

    /// Sees to it that `key` fires at `due` at the latest: an earlier deadline stays. For those who
    /// look anew what is due when it fires.
    #[inline]
    pub fn arm_by(&mut self, key: TimerKey, due: Time) {
        let is_early = |node: &Node| node.list != UNARMED && node.due_ms <= due.as_ms();
        if !self.nodes.get(key.0 as usize).is_some_and(is_early) {
            self.arm(key, due);
        }
    }

    /// Forgets `key`'s deadline, if it has one.
    pub fn disarm(&mut self, key: TimerKey) {
        if self.nodes.get(key.0 as usize).is_some_and(|node| node.list != UNARMED) {
            self.unlink(key.0);
            self.armed -= 1;
            self.work_at = self.first_work();
        }
    }

    /// Whether `key` has a deadline.
    pub fn is_armed(&self, key: TimerKey) -> bool {
        self.nodes.get(key.0 as usize).is_some_and(|node| node.list != UNARMED)
    }

    /// When the wheel next has work: a whole millisecond, never later than the earliest deadline.
    pub fn next_due(&self) -> Option<Time> {
        (self.work_at != NEVER).then_some(self.work_at)
    }

    /// It is `now`. Whether there is work for [`pop_expired`](TimerWheel::pop_expired).
    #[inline]
    pub fn advance(&mut self, now: Time) -> bool {
        self.now = now;
        self.work_at <= now
    }

    /// Takes one timer whose deadline is at or before the millisecond to which the wheel was
    /// [advanced](TimerWheel::advance). Every timer that is touched costs one of `budget`; `None`
    /// means that nothing is due or that the budget is spent.
    pub fn pop_expired(&mut self, budget: &mut u32) -> Option<TimerKey> {
        let expired = self.pop_due(self.now.as_ms(), budget);
        self.work_at = self.first_work();
        expired
    }

    fn pop_due(&mut self, now_ms: u64, budget: &mut u32) -> Option<TimerKey> {
        while *budget > 0 {
            let due = self.heads[DUE as usize];
            if due != NIL {
                *budget -= 1;
                self.unlink(due);
                self.armed -= 1;
                return Some(TimerKey(due));
            }
            let Some(list) = self.first_slot().filter(|&list| self.begins_ms(list) <= now_ms)
            else {
                self.elapsed_ms = self.elapsed_ms.max(now_ms);
                return None;
            };
            // The slot's time has begun: its timers go to finer slots, or are due.
            self.elapsed_ms = self.elapsed_ms.max(self.begins_ms(list));
            while self.heads[list as usize] != NIL && *budget > 0 {
                *budget -= 1;
                let key = self.heads[list as usize];
                self.unlink(key);
                self.link(key, self.list_for(self.nodes[key as usize].due_ms));
            }
        }
        None
    }

    /// The list that a deadline belongs on, seen from `elapsed_ms`: the level is that of the
    /// highest bit in which the two differ.
    fn list_for(&self, due_ms: u64) -> u16 {
        if due_ms <= self.elapsed_ms {
            return DUE;
        }
        let level = (63 - (self.elapsed_ms ^ due_ms).leading_zeros()) / SLOT_BITS;
        let slot = (due_ms >> (level * SLOT_BITS)) as usize % SLOTS;
        (level as usize * SLOTS + slot) as u16
    }

    /// The occupied slot whose time begins first. Its slots lie within the current slot of the
    /// level above, so that is on the lowest level, unless the budget ended while a slot was
    /// being emptied.
    fn first_slot(&self) -> Option<u16> {
        let first = |(level, map): (usize, &u64)| {
            (*map != 0).then(|| (level * SLOTS) as u16 + map.trailing_zeros() as u16)
        };
        self.occupied.iter().enumerate().filter_map(first).min_by_key(|&list| self.begins_ms(list))
    }

    /// When the time of a list begins; that of the due list has.
    fn begins_ms(&self, list: u16) -> u64 {
        if list == DUE {
            return self.elapsed_ms;
        }
        let shift = list as u32 / SLOTS as u32 * SLOT_BITS;
        let above = self.elapsed_ms >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
        above + ((list as u64 % SLOTS as u64) << shift)
    }

    fn first_work(&self) -> Time {
        if self.heads[DUE as usize] != NIL {
            return Time::from_ms(self.elapsed_ms);
        }
        self.first_slot().map_or(NEVER, |list| Time::from_ms(self.begins_ms(list)))
    }

    fn link(&mut self, key: u32, list: u16) {
        let head = std::mem::replace(&mut self.heads[list as usize], key);
        let node = &mut self.nodes[key as usize];
        (node.prev, node.next, node.list) = (NIL, head, list);
        if head != NIL {
            self.nodes[head as usize].prev = key;
        }
        if list != DUE {
            self.occupied[list as usize / SLOTS] |= 1 << (list as usize % SLOTS);
        }
    }

    fn unlink(&mut self, key: u32) {
        let Node { prev, next, list, .. } = self.nodes[key as usize];
        match prev {
            NIL => self.heads[list as usize] = next,
            prev => self.nodes[prev as usize].next = next,
        }
        if next != NIL {
            self.nodes[next as usize].prev = prev;
        }
        if list != DUE && self.heads[list as usize] == NIL {
            self.occupied[list as usize / SLOTS] &= !(1 << (list as usize % SLOTS));
        }
        self.nodes[key as usize].list = UNARMED;
    }
}

#[cfg(test)]
mod tests;
