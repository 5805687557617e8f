//! One rung: a server under one limit, driven past its cap.
//!
//! **What.** [`measure`] fills a server to the cap it predicts, sends clients beyond it, lets some
//! go and sees whether others take their places. [`Rung::faults`] judges.
//!
//! **Why this way.** First exactly as many as predicted, then the extra ones, in processes of their
//! own: so what each extra client saw is known for certain, and a cap that is wrong shows either
//! way, as a place in the first crowd that was not had or one in the second that was. Who is served
//! is counted by the clients, not by the server. All at once was rejected: it finds the same cap,
//! but not who was too many.
//!
//! **Costs.** A second or two, one of them to see what the full server does with its CPU.
//!
//! **Read next.** `src/server/gate.rs`, which does what is measured here.

use super::children::Children;
use super::clients::{Crowd, LONG_MS, Route};
use super::server::{Books, Server};
use super::{EVICT_IDLE_AFTER_MS, LadderError};
use crate::load::Connections;
use crate::server::AtLimit;
use serde::Serialize;

/// How long an extra client waits under `pause` before it counts as hanging.
const HANGS_AFTER_MS: u64 = 1_000;

/// How long clients get to reach the queue of a full server.
const QUEUES_WITHIN_MS: u64 = 100;

/// How long the full server is watched.
const WATCHED_MS: u64 = 1_000;

/// How long the server may take to notice that clients have left.
const NOTICE_MS: u64 = 30_000;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Soft limit of open files of the server.
    pub(super) nofile: u64,
    pub(super) at_limit: AtLimit,
    /// Clients beyond the cap; `None` lets [`default_extra`] choose.
    pub(super) extra: Option<u64>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rung {
    /// Soft limit of open files of the server.
    pub nofile: u64,
    /// The policy's name.
    pub at_limit: &'static str,
    /// The cap that the server named before the first client came.
    pub predicted: u64,
    /// Clients that were served at once.
    pub measured: u64,
    /// What became of the clients beyond the cap.
    pub extra: Connections,
    /// Clients served before that were told why they had to go.
    pub evicted: u64,
    /// `accept4(2)` failed for want of descriptors.
    pub accept_failures: u64,
    /// CPU used while full and idle, in percent of one.
    pub cpu_full_percent: f64,
    /// Clients that left when the server was full.
    pub left: u64,
    /// Clients served in their places.
    pub replaced: u64,
    /// From the leaving until the last of those was served.
    pub replaced_after_ms: u64,
    /// What did not add up in the server's books.
    pub books_faults: u64,
}

/// A tenth more than fit: enough to see, not so many that they take longer than the rest. Never
/// more than fit, because `evict-idle` can give so many places and then finds nobody idle.
pub(super) fn default_extra(cap: u64) -> u64 {
    (cap / 10).clamp(16, 1_000).min(cap)
}

/// Measures a rung. `progress` is told what is being done.
///
/// # Errors
/// The server or the clients cannot be run.
pub(super) fn measure(
    children: &mut Children,
    step: Step,
    progress: &dyn Fn(&str),
) -> Result<Rung, LadderError> {
    progress("starting the server");
    let server = Server::start(children, step.nofile, step.at_limit)?;
    let mut route = Route::to(&server.url);
    let predicted = server.books::<Books>(children)?.cap;
    let extra = step.extra.unwrap_or_else(|| default_extra(predicted));
    let leaving = extra.min(predicted / 2).max(1);

    progress(&format!("{predicted} clients fill it"));
    let first = Crowd::start(children, &mut route, predicted - leaving, LONG_MS)?;
    let second = Crowd::start(children, &mut route, leaving, LONG_MS)?;
    first.settle(children)?;
    second.settle(children)?;
    if step.at_limit == AtLimit::EvictIdle {
        children.let_pass(2 * EVICT_IDLE_AFTER_MS)?;
    }

    progress(&format!("{extra} more come"));
    let pauses = step.at_limit == AtLimit::Pause;
    let patience_ms = if pauses { HANGS_AFTER_MS } else { LONG_MS };
    let beyond = Crowd::start(children, &mut route, extra, patience_ms)?;
    let met = beyond.settle(children)?;

    progress("watching it idle");
    let cpu_full_percent = watch(children, &server)?;

    progress(&format!("{leaving} leave"));
    let waiting = match pauses {
        true => Some(queue(children, &mut route, leaving)?),
        false => None,
    };
    let left_at = children.now();
    let gone = second.leave(children)?;
    let replacing = match waiting {
        Some(waiting) => waiting,
        None => {
            wait_for_room(children, &server, predicted.saturating_sub(gone.connected))?;
            Crowd::start(children, &mut route, gone.connected, LONG_MS)?
        }
    };
    let replaced = replacing.settle(children)?.connected;
    let replaced_after_ms = children.now().ms_since(left_at);

    progress("all leave");
    let books = server.books::<Books>(children)?;
    let stayed = first.leave(children)?;
    let beyond = beyond.leave(children)?;
    replacing.leave(children)?;
    server.stop(children)?;
    Ok(Rung {
        nofile: step.nofile,
        at_limit: step.at_limit.name(),
        predicted,
        measured: stayed.connected + gone.connected + beyond.connected,
        extra: met,
        evicted: stayed.told_why + gone.told_why,
        accept_failures: books.accept_failures,
        cpu_full_percent,
        left: gone.connected,
        replaced,
        replaced_after_ms,
        books_faults: books.faults,
    })
}

/// CPU that a server uses when nobody asks it for anything, in percent of one.
fn watch(children: &mut Children, server: &Server) -> Result<f64, LadderError> {
    let before = server.cpu(children)?;
    children.let_pass(WATCHED_MS)?;
    let cpu = server.cpu(children)?.saturating_sub(before);
    let percent = 100.0 * cpu.as_secs_f64() * 1_000.0 / WATCHED_MS as f64;
    Ok((percent * 1_000.0).round() / 1_000.0)
}

/// Clients that come when a pausing server is full and wait in the kernel's queue, where they must
/// not be forgotten.
fn queue(
    children: &mut Children,
    route: &mut Route<'_>,
    clients: u64,
) -> Result<Crowd, LadderError> {
    let crowd = Crowd::start(children, route, clients, LONG_MS)?;
    // Nothing tells that they are in it. Who is late finds room at once, which is as good.
    children.let_pass(QUEUES_WITHIN_MS)?;
    Ok(crowd)
}

/// Waits until the server has at most `connections`.
fn wait_for_room(
    children: &mut Children,
    server: &Server,
    connections: u64,
) -> Result<(), LadderError> {
    let due = children.now().plus_ms(NOTICE_MS);
    while server.books::<Books>(children)?.connections > connections {
        if children.now() > due {
            let reason = "the server does not notice that clients have left".to_owned();
            return Err(LadderError::Run(reason));
        }
        children.let_pass(5)?;
    }
    Ok(())
}

impl Rung {
    /// What is not as it should be, in words; empty if all is well.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut must_equal = |what: &str, is: u64, should: u64| {
            if is != should {
                let (nofile, at_limit) = (self.nofile, self.at_limit);
                faults.push(format!("nofile {nofile}, {at_limit}: {what} {is}, not {should}"));
            }
        };
        let extra = &self.extra;
        must_equal("measured cap is", self.measured, self.predicted);
        let (as_promised, promise) = match self.at_limit {
            "shed" => (extra.told_why, "extra clients told why:"),
            // Those for whom the queue had no room were left waiting by the kernel.
            "pause" => (extra.hung + extra.timed_out, "extra clients left waiting:"),
            "refuse" => (extra.refused + extra.reset, "extra clients refused:"),
            // More than there are places: the last of them find nobody idle.
            _ if extra.attempted > self.predicted => {
                (extra.connected + extra.told_why, "extra clients served or told why:")
            }
            _ => (extra.connected, "extra clients served:"),
        };
        must_equal(promise, as_promised, extra.attempted);
        let evicted = if self.at_limit == AtLimit::EvictIdle.name() { extra.connected } else { 0 };
        must_equal("old clients told why they go:", self.evicted, evicted);
        must_equal("places taken again after a leave:", self.replaced, self.left);
        must_equal("faults in the server's books:", self.books_faults, 0);
        faults
    }
}

#[cfg(test)]
mod tests;
