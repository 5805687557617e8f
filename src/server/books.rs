//! The books: what must add up.
//!
//! **What.** [`Books`] is a worker's account at one moment: its counters, what is open, what it
//! used. It is written as JSON when SIGUSR1 asks for it and at the end.
//!
//! **Why this way.** A leak is a difference between two numbers that should be equal, so both are
//! always shown: descriptors open against connections in the table plus those known at the start,
//! deliveries due against delivered, dropped and queued. The JSON is written by hand because every
//! value is a number and every name is ours.
//!
//! **Costs.** Reads `/proc/self/fd`, so only when asked.
//!
//! **Read next.** `src/metrics.rs`.

use super::worker::Worker;
use crate::clock::Time;
use crate::metrics::Metrics;
use crate::service::Service;
use crate::sys;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

/// A worker's account at one moment.
#[derive(Clone, Debug)]
pub struct Books {
    /// Everything counted since the start.
    pub metrics: Metrics,
    /// Connections in the table.
    pub connections: usize,
    /// Connections that may be in it.
    pub cap: usize,
    /// Descriptors open now, or `None` where `/proc` does not tell.
    pub descriptors: Option<usize>,
    /// Descriptors that should be open now.
    pub descriptors_expected: usize,
    /// Blocks held by stuck connections.
    pub blocks: usize,
    /// Connections that take compression context over.
    pub deflate_takeovers: usize,
    /// Copies of broadcasts that are still to be delivered.
    pub deliveries_queued: u64,
    /// Datagrams the kernel dropped because a receive queue was full.
    pub datagrams_dropped_by_kernel: u64,
    /// CPU time of the process.
    pub cpu: Duration,
    /// Since the start.
    pub uptime_ms: u64,
}

impl Books {
    /// What does not add up, in words; empty if all does.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut must_equal = |what: &str, is: u64, should: u64| {
            if is != should {
                faults.push(format!("{what}: {is}, should be {should}"));
            }
        };
        let metrics = &self.metrics;
        must_equal("connections", self.connections as u64, metrics.open());
        if let Some(open) = self.descriptors {
            must_equal("open descriptors", open as u64, self.descriptors_expected as u64);
        }
        let accounted = metrics.delivered + metrics.deliveries_dropped + self.deliveries_queued;
        must_equal("deliveries", metrics.deliveries, accounted);
        faults
    }

    /// One JSON object in one line.
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        let gauges = [
            ("uptime_ms", self.uptime_ms),
            ("cpu_us", self.cpu.as_micros() as u64),
            ("connections", self.connections as u64),
            ("cap", self.cap as u64),
            ("descriptors", self.descriptors.unwrap_or(0) as u64),
            ("descriptors_expected", self.descriptors_expected as u64),
            ("blocks", self.blocks as u64),
            ("deflate_takeovers", self.deflate_takeovers as u64),
            ("deliveries_queued", self.deliveries_queued),
            ("datagrams_dropped_by_kernel", self.datagrams_dropped_by_kernel),
        ];
        let gauges = gauges.into_iter().map(|(name, value)| (name.to_owned(), value));
        for (name, value) in gauges.chain(self.metrics.each()) {
            let _ = write!(json, "\"{name}\":{value},");
        }
        let _ = write!(json, "\"faults\":{}}}", self.faults().len());
        json
    }
}

impl<S: Service> Worker<S> {
    pub(super) fn books(&self, now: Time) -> Books {
        let listeners = self.listeners.iter().filter(|listener| listener.acceptor.is_some());
        let datagrams = self.datagrams.iter().filter(|datagrams| datagrams.socket.is_some());
        let expected = self.fixed_descriptors
            + listeners.count()
            + datagrams.count()
            + usize::from(self.spare.is_some())
            + self.conns.len();
        let (messages_in, deflated) = (self.desk.messages, self.desk.deflate.counts());
        Books {
            metrics: Metrics { messages_in, deflated, ..self.metrics.clone() },
            connections: self.conns.len(),
            cap: self.admission.cap(),
            // Of those of a process with several workers nobody knows whose they are.
            descriptors: match self.crew.as_ref().is_some_and(|crew| crew.is_threads) {
                true => None,
                false => sys::process::open_descriptors().ok(),
            },
            descriptors_expected: expected,
            blocks: self.desk.pool.blocks_out(),
            deflate_takeovers: self.desk.deflate.takeovers(),
            deliveries_queued: self.deliveries_queued(),
            datagrams_dropped_by_kernel: self.datagrams_dropped_by_kernel(),
            cpu: sys::process::cpu_time().unwrap_or_default(),
            uptime_ms: now.as_ms(),
        }
    }

    /// Appends the books to the metrics file, if there is one, and names what does not add up.
    pub(super) fn write_metrics(&self, now: Time) {
        let books = self.books(now);
        for fault in books.faults() {
            tracing::error!("the books do not balance: {fault}");
        }
        let Some(path) = &self.control.metrics_file else {
            return tracing::info!("{}", books.to_json());
        };
        let line = books.to_json() + "\n";
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::error!("metrics_file {}: {error}; {}", path.display(), line.trim_end());
        }
    }
}
