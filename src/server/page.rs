//! What a worker shows of itself: a page of shared memory.
//!
//! **What.** Each worker writes its counters into its page in each turn; the supervisor reads
//! them as [`Account`]s, adds them up ([`Account::add`]), and says how evenly the workers share
//! ([`jain`]).
//!
//! **Why this way.** A worker that was killed cannot be asked any more, but its page is there. Each
//! word is whole; between two words a turn may lie, so sums of a running server are off by what a
//! turn does, and right once it rests.
//!
//! **Costs.** About a hundred stores a turn, and nothing for a single worker, which has no page.
//!
//! **Read next.** `src/sys/memory.rs`, `src/server/supervisor/tally.rs`.

use super::books::Books;
use super::worker::Worker;
use crate::metrics::Metrics;
use crate::service::Service;
use crate::sys::memory::Shared;
use std::sync::atomic::{AtomicU64, Ordering};

/// Words of a worker's page: 4 KiB.
const WORDS: usize = 512;

/// The word of a page that tells whether its worker takes part, behind the counters.
const TAKES_PART: usize = WORDS - 1;

/// The words of `workers` pages.
pub fn words_of(workers: usize) -> usize {
    workers * WORDS
}

/// What stands in a page before the counters.
const GAUGES: [&str; 5] =
    ["connections", "cap", "deliveries_queued", "deflate_takeovers", "faults"];

/// What one worker has counted, or several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// [`GAUGES`], then the counters in the order of [`Metrics::each`].
    values: Vec<u64>,
}

impl Account {
    /// What stands in the page of worker `number`.
    pub fn read(pages: &Shared, number: usize) -> Account {
        let words = GAUGES.len() + Metrics::default().values().count();
        let values = page(pages, number)[..words].iter().map(|word| word.load(Ordering::Relaxed));
        Account { values: values.collect() }
    }

    /// Each value with its name.
    pub fn each(&self) -> impl Iterator<Item = (String, u64)> {
        let counters: Vec<String> = Metrics::default().each().map(|(name, _)| name).collect();
        let names = GAUGES.iter().map(|name| (*name).to_owned()).chain(counters);
        names.zip(self.values.iter().copied())
    }

    /// The value called `name`; 0 if there is none.
    pub fn get(&self, name: &str) -> u64 {
        self.each().find(|(known, _)| known == name).map_or(0, |(_, value)| value)
    }

    /// Adds another account, value by value.
    pub fn add(&mut self, other: &Account) {
        self.values.resize(self.values.len().max(other.values.len()), 0);
        for (value, more) in self.values.iter_mut().zip(&other.values) {
            *value += more;
        }
    }

    /// Its counters without its gauges: what is left to tell of a worker that has ended.
    pub(super) fn retire(mut self) -> Account {
        self.values.iter_mut().take(GAUGES.len()).for_each(|gauge| *gauge = 0);
        self
    }
}

/// Shows whether worker `number` takes part. Seen by siblings before the roster tells them.
pub(super) fn show_part(pages: &Shared, number: usize, takes_part: bool) {
    page(pages, number)[TAKES_PART].store(u64::from(takes_part), Ordering::Release);
}

/// Whether worker `number` takes part by its own account.
pub(super) fn takes_part(pages: &Shared, number: usize) -> bool {
    page(pages, number)[TAKES_PART].load(Ordering::Acquire) != 0
}

/// Empties the page of worker `number` for the next who has it.
pub(super) fn clear(pages: &Shared, number: usize) {
    page(pages, number).iter().for_each(|word| word.store(0, Ordering::Relaxed));
}

/// How evenly `shares` are shared (Jain, Chiu, Hawe 1984): 1 if all have the same, 1/n if one has
/// all; 1 if there is nothing to share.
pub fn jain(shares: &[u64]) -> f64 {
    let sum: f64 = shares.iter().map(|&share| share as f64).sum();
    let squares: f64 = shares.iter().map(|&share| (share as f64).powi(2)).sum();
    if squares == 0.0 { 1.0 } else { sum * sum / (squares * shares.len() as f64) }
}

fn page(pages: &Shared, number: usize) -> &[AtomicU64] {
    &pages.words()[number * WORDS..][..WORDS]
}

fn write(page: &[AtomicU64], gauges: [u64; GAUGES.len()], metrics: &Metrics) {
    for (word, value) in page.iter().zip(gauges.into_iter().chain(metrics.values())) {
        word.store(value, Ordering::Relaxed);
    }
}

impl<S: Service> Worker<S> {
    /// Shows the counters of a worker that has siblings.
    #[cold]
    #[inline(never)]
    pub(super) fn publish(&self) {
        let Some(crew) = &self.crew else { return };
        let (messages_in, deflated) = (self.desk.messages, self.desk.deflate.counts());
        let metrics = Metrics { messages_in, deflated, ..self.metrics.clone() };
        let (connections, cap) = (self.conns.len() as u64, self.admission.cap() as u64);
        let takeovers = self.desk.deflate.takeovers() as u64;
        let gauges = [connections, cap, self.deliveries_queued(), takeovers, 0];
        write(page(&crew.pages, crew.number), gauges, &metrics);
    }

    /// The last that is shown, and whether it adds up.
    pub(super) fn publish_last(&self, books: &Books) {
        let Some(crew) = &self.crew else { return };
        let (connections, cap) = (books.connections as u64, books.cap as u64);
        let (takeovers, faults) = (books.deflate_takeovers as u64, books.faults().len() as u64);
        let gauges = [connections, cap, books.deliveries_queued, takeovers, faults];
        write(page(&crew.pages, crew.number), gauges, &books.metrics);
    }
}

#[cfg(test)]
mod tests;
