//! The measured time, row by row.
//!
//! **What.** A [`Series`] keeps a [`Row`] for each second of the measured time: answers, their
//! latencies, CPU time of the generator and, if it is on this machine, of the server.
//!
//! **Why this way.** One figure for a whole run hides a pause, a warm-up, a leak; and without the
//! rows nobody could say how much of a difference between two runs is noise. Percentiles cannot be
//! taken apart again, so a row has a histogram of its own, which is added to that of the run when
//! it is over: an answer is recorded once. A long run has longer rows, so that there are never more
//! than 600 or so.
//!
//! **Costs.** A row adds up and clears 264 KiB, asks `getrusage` and reads a small file.
//!
//! **Read next.** `src/report/compare.rs`, which takes its noise from them.

use super::report::latencies;
use crate::clock::Time;
use crate::net::{Address, tcp_listeners};
use crate::sys::{process, rlimit};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Rows of a run, about; the shortest is a second.
const ROWS_MAX: u64 = 600;

const SAME_BOUNDS: &str = "both have the bounds of `latencies`";

/// A second of the measured time; of a run of more than ten minutes, several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Seconds from the begin of the measured time to that of the row.
    pub at_s: f64,
    /// Seconds that the row lasted. The last may be shorter than the others.
    pub length_s: f64,
    /// Right answers that arrived in it.
    pub answers: u64,
    /// Half of them took no longer, in microseconds; `None` if there were none.
    pub p50_us: Option<f64>,
    /// 99 of 100 took no longer.
    pub p99_us: Option<f64>,
    /// The longest.
    pub max_us: Option<f64>,
    /// Sockets that were opened again in it: how clients come back to a server that drains.
    #[serde(default)]
    pub reopened: u64,
    /// CPU time of the generator, in seconds.
    pub cpu_s: f64,
    /// CPU time of the server, in seconds; `None` if it is elsewhere, or hidden from us.
    pub server_cpu_s: Option<f64>,
}

impl Row {
    /// Right answers a second.
    pub fn rate_per_s(&self) -> f64 {
        self.answers as f64 / self.length_s.max(f64::MIN_POSITIVE)
    }
}

/// Makes the rows.
pub(super) struct Series {
    rows: Vec<Row>,
    width_ms: u64,
    /// When the measured time and the present row began; `None` outside of it.
    since: Option<(Time, Time)>,
    /// Nanoseconds that answers took, before the present row.
    before: Histogram<u64>,
    /// The same of the present row; outside of the measured time, of what came since.
    latency: Histogram<u64>,
    /// Of the present row.
    reopened: u64,
    /// CPU time when the present row began: ours, the server's.
    cpu: (Duration, Option<Duration>),
    /// The server's processes, if they are on this machine.
    server: Vec<u32>,
}

impl Series {
    /// For a run of `duration_ms` against `address`.
    pub(super) fn new(address: &Address, duration_ms: u64) -> Series {
        let server = match address {
            Address::Tcp(address) if address.ip().is_loopback() => tcp_listeners(*address),
            _ => Vec::new(),
        };
        // A server in a thread beside us cannot be told from ourselves.
        let server = if server.contains(&std::process::id()) { Vec::new() } else { server };
        let width_ms = duration_ms.div_ceil(ROWS_MAX).next_multiple_of(1_000).max(1_000);
        Series {
            rows: Vec::with_capacity(duration_ms.div_ceil(width_ms).min(ROWS_MAX) as usize + 1),
            width_ms,
            since: None,
            before: latencies(),
            latency: latencies(),
            reopened: 0,
            cpu: Default::default(),
            server,
        }
    }

    /// Forgets the answers so far.
    pub(super) fn forget(&mut self) {
        self.before.reset();
        self.latency.reset();
    }

    /// The measured time begins; what came before it is forgotten. When its first row ends.
    pub(super) fn begin(&mut self, now: Time) -> Time {
        self.reopened = 0;
        self.since = Some((now, now));
        self.cpu = self.cpu_now();
        now.plus_ms(self.width_ms)
    }

    /// Books the latency that `count` right answers had.
    #[inline]
    pub(super) fn record(&mut self, latency_ns: u64, count: u64) {
        self.latency.saturating_record_n(latency_ns, count);
    }

    /// A socket is opened again in the place of another.
    pub(super) fn count_reopened(&mut self) {
        self.reopened += 1;
    }

    /// A row ends. When the next one does.
    pub(super) fn end_row(&mut self, now: Time) -> Option<Time> {
        let (begin, since) = self.since?;
        let row = self.row(begin, since, now);
        self.rows.push(row);
        self.before.add(&self.latency).expect(SAME_BOUNDS);
        self.latency.reset();
        self.reopened = 0;
        self.since = Some((begin, now));
        self.cpu = self.cpu_now();
        Some(now.plus_ms(self.width_ms))
    }

    /// The measured time ends, and with it the last row.
    pub(super) fn end(&mut self, now: Time) {
        self.end_row(now);
        self.since = None;
    }

    /// What all answers took that came since the measured time began, in nanoseconds.
    pub(super) fn latencies(&self) -> Histogram<u64> {
        let mut all = self.before.clone();
        all.add(&self.latency).expect(SAME_BOUNDS);
        all
    }

    /// The rows so far. One that has hardly begun is left out.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.rows.iter().filter(|row| row.length_s >= 0.01).cloned().collect()
    }

    fn row(&self, begin: Time, since: Time, now: Time) -> Row {
        let (cpu, server_cpu) = self.cpu_now();
        let latency = &self.latency;
        let us = |ns: u64| (!latency.is_empty()).then_some(ns as f64 / 1_000.0);
        let server_cpu = server_cpu.zip(self.cpu.1).map(|(now, then)| now.saturating_sub(then));
        Row {
            at_s: since.since(begin).as_secs_f64(),
            length_s: now.since(since).as_secs_f64(),
            answers: latency.len(),
            p50_us: us(latency.value_at_quantile(0.5)),
            p99_us: us(latency.value_at_quantile(0.99)),
            max_us: us(latency.max()),
            reopened: self.reopened,
            cpu_s: cpu.saturating_sub(self.cpu.0).as_secs_f64(),
            server_cpu_s: server_cpu.map(|time| time.as_secs_f64()),
        }
    }

    /// A process of the server has all the descriptors that it may have: whom the kernel connects
    /// now it cannot accept.
    pub(super) fn is_server_out_of_files(&self) -> bool {
        self.server.iter().any(|&pid| {
            let (open, limit) = (process::open_descriptors_of(pid), rlimit::nofile_of(pid as i32));
            matches!((open, limit), (Ok(open), Ok(limit)) if open as u64 >= limit.soft)
        })
    }

    fn cpu_now(&self) -> (Duration, Option<Duration>) {
        let server = self.server.iter().filter_map(|&pid| process::cpu_time_of_process(pid));
        let server = server.reduce(|sum, time| sum + time);
        (process::cpu_time().unwrap_or_default(), server)
    }
}
