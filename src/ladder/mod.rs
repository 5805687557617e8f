//! The ladder, `oneloop ladder`: the same server under one limit of open files after another.
//!
//! **What.** [`climb`] starts the server under each limit and policy, drives it past its cap and
//! finds out whether the cap it predicted is the one it has, and what every client beyond it saw.
//! [`render`] prints what was found, [`plot`] draws it. [`balance`] compares numbers of workers.
//!
//! **Why this way.** A limit is known when it has been run into. Server and clients are children of
//! our own binary, started as a user starts them: the limit is the process's, so each needs one of
//! its own, and nothing is measured that a user does not get. One file for each part:
//! `children.rs` (processes), `server.rs` and `clients.rs` (the two kinds of them), `rung.rs` (one
//! measurement and its verdict).
//!
//! **Costs.** A second or two a rung and policy; 10 KB of kernel memory a connection.
//!
//! **Read next.** `src/ladder/rung.rs`.

pub mod balance;
pub(crate) mod children;
mod clients;
pub mod plot;
pub mod render;
mod rung;
mod server;

pub use rung::Rung;

use crate::net::unknown;
use crate::server::AtLimit;
use crate::sys;
use crate::sys::signals::Signal;
use children::Children;
use rung::Step;
use std::fmt;

/// `evict-idle` may close a connection that was idle for so long; short, to be waited for.
const EVICT_IDLE_AFTER_MS: u64 = 100;

/// The smallest rung: what the server keeps for itself is a little less.
pub const NOFILE_MIN: u64 = 32;

/// What `max` stops at, where the hard limit is higher: the clients are on this machine too, and
/// this many connections take a few seconds and 700 MB.
pub const NOFILE_MAX: u64 = 65_536;

/// What to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Soft limits of open files, in the order of their measurement.
    pub nofile: Vec<u64>,
    /// Policies, each tried on each rung.
    pub at_limit: Vec<AtLimit>,
    /// Clients beyond the cap; `None`: a tenth of it, 16 to 1,000, at most as many as fit.
    pub extra: Option<u64>,
}

/// Why there is no ladder.
#[derive(Debug)]
pub enum LadderError {
    /// It was asked for what cannot be; the text says what can.
    Usage(String),
    /// Something that it needs failed.
    Run(String),
    /// A signal came.
    Interrupted(Signal),
}

impl fmt::Display for LadderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LadderError::Usage(line) | LadderError::Run(line) => f.write_str(line),
            LadderError::Interrupted(signal) => write!(f, "ended by signal {}", signal.number()),
        }
    }
}

impl std::error::Error for LadderError {}

/// The rungs of a ladder that nobody described, as far as the hard limit reaches.
///
/// # Errors
/// `prlimit(2)`.
pub fn default_rungs() -> Result<Vec<u64>, String> {
    let top = parse_rung("max")?;
    let below = [64, 256, 1_024, 4_096].into_iter().filter(|&rung| rung < top);
    Ok(below.chain([top]).collect())
}

/// The number of open files that a rung means: a number, or `max`.
///
/// # Errors
/// Neither of them, or out of reach: what is possible instead.
pub fn parse_rung(text: &str) -> Result<u64, String> {
    let hard = sys::rlimit::nofile().map_err(|error| format!("prlimit: {error}"))?.hard;
    let number = if text == "max" { Some(hard.min(NOFILE_MAX)) } else { text.parse().ok() };
    match number {
        None => {
            Err(format!("rung `{text}`: give a number of open files ({NOFILE_MIN}..{hard}) or max"))
        }
        Some(n) if n < NOFILE_MIN => Err(format!(
            "rung {n}: the server keeps nearly as many for itself; the lowest is {NOFILE_MIN}"
        )),
        Some(n) if n > hard => Err(format!(
            "rung {n}: the hard limit is {hard}; climb to that (max), or raise it (`ulimit -Hn`, \
             LimitNOFILE=)"
        )),
        Some(n) => Ok(n),
    }
}

/// The policy of a name.
///
/// # Errors
/// There is none: which there are.
pub fn parse_policy(text: &str) -> Result<AtLimit, String> {
    let found = AtLimit::NAMES.into_iter().find(|(name, _)| *name == text);
    let names = AtLimit::NAMES.iter().map(|(name, _)| *name);
    found.map(|(_, policy)| policy).ok_or_else(|| unknown("policy", text, names))
}

/// Measures every rung under every policy, in that order. `progress` is told which rung is being
/// measured and what is going on, `done` what was found.
///
/// # Errors
/// See [`LadderError`]. No child process stays, with or without one.
pub fn climb(
    plan: &Plan,
    progress: &dyn Fn(&str),
    done: &mut dyn FnMut(&Rung),
) -> Result<Vec<Rung>, LadderError> {
    let mut children =
        Children::new().map_err(|error| LadderError::Run(format!("epoll, signalfd: {error}")))?;
    let mut rungs = Vec::new();
    for &nofile in &plan.nofile {
        for &at_limit in &plan.at_limit {
            let step = Step { nofile, at_limit, extra: plan.extra };
            let rung = rung::measure(&mut children, step, &|what| {
                progress(&format!("nofile {nofile}, {}: {what}", at_limit.name()));
            })?;
            done(&rung);
            rungs.push(rung);
        }
    }
    Ok(rungs)
}

/// What is wrong with the ladder, in one line; `None` if every cap is as predicted and every client
/// beyond it was treated as promised.
pub fn verdict(rungs: &[Rung]) -> Option<String> {
    let faults: Vec<String> = rungs.iter().flat_map(Rung::faults).collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}

#[cfg(test)]
mod tests;
