//! What one of several processes takes of a scenario.
//!
//! **What.** [`Scenario::shares`] cuts a scenario into one [`Share`] a process, [`Share::of`] makes
//! a scenario of each again.
//!
//! **Why this way.** A process has a limit of descriptors and one thread; a large load is several
//! of them, each with an even part of the connections and of the rate, and with source addresses
//! that no other uses, so that each stays below the port cliff (`src/load/sources.rs`). All else is
//! the same, and a child reads it from the same command line: a share holds only what differs. The
//! first message of each is due one step of the common schedule after that of the one before, or
//! all would send at once.
//!
//! **Costs.** A few hundred bytes, once.
//!
//! **Read next.** `src/cli/load/procs.rs`, which hands them out.

use super::sources;
use super::{LoadError, Scenario, Shape, usage};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The part of a scenario that is one process's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Its connections; at least 1.
    pub connections: u32,
    /// Its messages a second, at a constant rate.
    pub rate_per_s: Option<u64>,
    /// Its first message is due so many nanoseconds after the measured time began.
    pub first_due_ns: u64,
    /// The connections that it opens a second, if there is a rate for it.
    pub connect_rate_per_s: Option<u64>,
    /// The addresses that it connects from; empty: the system's choice.
    pub sources: Vec<IpAddr>,
    /// How long it measures, in milliseconds.
    pub duration_ms: u64,
}

impl Scenario {
    /// One share for each of `procs` processes; at least one.
    ///
    /// # Errors
    /// There are more processes than connections, messages a second or connects a second; or a
    /// source address cannot reach the target.
    pub fn shares(&self, procs: u32) -> Result<Vec<Share>, LoadError> {
        let procs = procs.max(1);
        let wholes = [
            ("connections", Some(u64::from(self.connections))),
            ("rate", self.rate_per_s),
            ("connect-rate", self.connect_rate_per_s),
        ];
        for (name, whole) in wholes {
            if let Some(whole) = whole.filter(|whole| *whole < u64::from(procs)) {
                return usage(format!(
                    "procs {procs}: {name} is {whole}, and each process needs at least 1 of it; \
                     use --procs {whole} or less"
                ));
            }
        }
        let part = |whole: u64, n: u32| {
            let (each, rest) = (whole / u64::from(procs), whole % u64::from(procs));
            each + u64::from(u64::from(n) < rest)
        };
        let connections = |n| part(u64::from(self.connections), n) as u32;
        let counts: Vec<u32> = (0..procs).map(connections).collect();
        let churns = matches!(self.shape, Shape::Churn { .. });
        let sources = sources::dealt(&self.target.address, &counts, &self.sources, churns)?;
        let shares = sources.into_iter().zip(0..).map(|(sources, n)| Share {
            connections: connections(n),
            rate_per_s: self.rate_per_s.map(|rate| part(rate, n)),
            first_due_ns: self.rate_per_s.map_or(0, |rate| u64::from(n) * 1_000_000_000 / rate),
            connect_rate_per_s: self.connect_rate_per_s.map(|rate| part(rate, n)),
            sources,
            duration_ms: self.duration_ms,
        });
        Ok(shares.collect())
    }
}

impl Share {
    /// The scenario of the process that has this share of `whole`. Its measured time begins when
    /// whoever holds its standard input says so, and ends at the latest when that ends.
    pub fn of(&self, whole: &Scenario) -> Scenario {
        Scenario {
            connections: self.connections,
            rate_per_s: self.rate_per_s,
            first_due_ns: self.first_due_ns,
            connect_rate_per_s: self.connect_rate_per_s,
            sources: self.sources.clone(),
            duration_ms: self.duration_ms,
            begin_on_stdin: true,
            stop_on_stdin_end: true,
            ..whole.clone()
        }
    }
}

#[cfg(test)]
mod tests;
