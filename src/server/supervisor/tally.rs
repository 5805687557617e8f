//! What all workers did, and how evenly.
//!
//! **What.** [`Told`] is each worker's account, those who died before it included, and the sum.
//!
//! **Why this way.** One line of JSON as from a single server, with the same names, and beside it
//! what only several have: their shares, and Jain's index of them. So what reads the books of one
//! server reads those of several.
//!
//! **Costs.** Reads the shared pages: no worker is asked.
//!
//! **Read next.** `src/server/page.rs`.

use super::Office;
use crate::server::page::{Account, jain};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;

/// What is told of each worker beside the sum.
const SHARES: [&str; 5] = ["connections", "cap", "accepted", "messages_in", "faults"];

/// The accounts of several workers at one moment.
#[derive(Clone, Debug)]
pub struct Told {
    /// All together.
    pub sum: Account,
    /// By worker: its account and those of its dead predecessors.
    pub workers: Vec<Account>,
    /// By worker: how often it was started again.
    pub restarts: Vec<u32>,
    /// By worker: its process, if it has one of its own and is running.
    pub pids: Vec<Option<u32>>,
}

impl Told {
    /// Jain's index of connections taken in, and of messages.
    pub fn evenness(&self) -> (f64, f64) {
        let of = |name| self.workers.iter().map(|worker| worker.get(name)).collect::<Vec<u64>>();
        (jain(&of("accepted")), jain(&of("messages_in")))
    }

    /// One JSON object in one line.
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (name, value) in self.sum.each() {
            let _ = write!(json, "\"{name}\":{value},");
        }
        let (connections, messages) = self.evenness();
        let _ = write!(json, "\"jain_connections\":{connections:.4},");
        let _ = write!(json, "\"jain_messages\":{messages:.4},\"workers\":[");
        for (number, worker) in self.workers.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            let _ = write!(json, "{comma}{{\"restarts\":{}", self.restarts[number]);
            if let Some(pid) = self.pids[number] {
                let _ = write!(json, ",\"pid\":{pid}");
            }
            for name in SHARES {
                let _ = write!(json, ",\"{name}\":{}", worker.get(name));
            }
            json.push('}');
        }
        json + "]}"
    }

    /// Writes a line for each worker, and one for all, into the log.
    pub(super) fn log(&self) {
        for (number, worker) in self.workers.iter().enumerate() {
            tracing::info!(
                accepted = worker.get("accepted"),
                messages = worker.get("messages_in"),
                restarts = self.restarts[number],
                "worker {}",
                number + 1
            );
        }
        let (connections, messages) = self.evenness();
        tracing::info!(
            accepted = self.sum.get("accepted"),
            messages = self.sum.get("messages_in"),
            "Jain's index of connections {connections:.3}, of messages {messages:.3}"
        );
    }
}

impl<R> Office<R> {
    pub(super) fn tally(&self) -> Told {
        let account = |number: usize| {
            let mut account = Account::read(&self.pages, number);
            account.add(&self.posts[number].retired);
            account
        };
        let workers: Vec<Account> = (0..self.posts.len()).map(account).collect();
        let mut sum = Account::default();
        workers.iter().for_each(|worker| sum.add(worker));
        let restarts = self.posts.iter().map(|post| post.starts.saturating_sub(1)).collect();
        Told { sum, workers, restarts, pids: self.posts.iter().map(|post| post.pid()).collect() }
    }

    /// Appends the accounts to the metrics file, or to the log if there is none.
    pub(super) fn write_metrics(&self, told: &Told) {
        let Some(path) = &self.plan.metrics_file else {
            return tracing::info!("{}", told.to_json());
        };
        let line = told.to_json() + "\n";
        let file = OpenOptions::new().append(true).create(true).open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::error!("metrics_file {}: {error}; {}", path.display(), line.trim_end());
        }
    }
}
