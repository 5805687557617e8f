//! What a run found.
//!
//! **What.** A [`Report`] holds the counts and the whole histogram of latencies; it becomes JSON
//! (`serde`), [comes back](Report::from_json) from it, and can be [merged](Report::merge) with
//! those of other generators.
//!
//! **Why this way.** Percentiles cannot be averaged, so the histogram is kept until the end. The
//! books balance: messages sent = received + wrong + refused + lost. Rate and latency are of the
//! measured time only, which begins when the fate of every connection is known: a rate that
//! includes the connecting says nothing of either.
//!
//! **Costs.** 264 KiB for the histogram: 1 ns to 1 h at three digits.
//!
//! **Read next.** `src/load/fates.rs`, `src/cli/load/render.rs`.

mod read;

use super::fates::Connections;
use super::series::Row;
use super::shape::Figures;
use super::times::Times;
use super::validity::percentile_us;
use hdrhistogram::Histogram;
pub use read::field;
pub(super) use read::{Encoded, decoded};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// The largest latency that is told apart, in nanoseconds.
pub(super) const LATENCY_NS_MAX: u64 = 3_600 * 1_000_000_000;

/// What became of messages: sent = received + wrong + refused + lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Messages sent.
    pub sent: u64,
    /// Answers that were right to the last byte.
    pub received: u64,
    /// Answers with a wrong byte.
    pub wrong: u64,
    /// HTTP: requests that were answered with a status of 400 or above.
    pub refused: u64,
    /// Messages without an answer: the connection ended before, or (UDP) it took too long.
    pub lost: u64,
    /// UDP, fan: answers to messages that were already counted as lost, for they were skipped.
    pub late: u64,
    /// UDP, fan: second answers.
    pub duplicate: u64,
}

impl Messages {
    /// Messages whose answer is still to come.
    pub(super) fn in_flight(&self) -> u64 {
        self.sent - self.received - self.wrong - self.refused - self.lost
    }

    fn merge(&mut self, other: &Messages) {
        self.sent += other.sent;
        self.received += other.received;
        self.wrong += other.wrong;
        self.refused += other.refused;
        self.lost += other.lost;
        self.late += other.late;
        self.duplicate += other.duplicate;
    }
}

/// The figures of a run, or of several that ran at the same time.
#[derive(Clone, Debug)]
pub struct Report {
    /// The command that repeats the run; for who prints it to fill in, else left out.
    pub command: String,
    /// Where the load went.
    pub url: String,
    /// HTTP: the method.
    pub method: Option<&'static str>,
    /// Bytes of a message, of several sizes the largest; 0 if it is a request without a body.
    pub size_bytes: u64,
    /// Messages in flight on each connection.
    pub depth: u32,
    /// The connections were held, and nothing was measured.
    pub hold: bool,
    /// When the measured time began, in milliseconds since 1970.
    pub measured_from_unix_ms: u64,
    /// From the start until the fate of every connection was known.
    pub settle: Duration,
    /// The measured time: from then until the last message was sent. Zero with `hold`.
    pub measured: Duration,
    /// Of several generators: the part of that in which all of them measured.
    pub common: Option<Duration>,
    /// Right answers that arrived in the measured time.
    pub measured_answers: u64,
    /// Connections by fate.
    pub connections: Connections,
    /// All messages of the run.
    pub messages: Messages,
    /// HTTP: responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// With `deflate`: connections with which the server agreed to compress. `None`: not offered.
    pub deflate_agreed: Option<u64>,
    /// Bytes written to sockets; with TLS, what was in them.
    pub bytes_sent: u64,
    /// Bytes read from sockets; with TLS, what was in them.
    pub bytes_received: u64,
    /// CPU time of the generator, user and system, from the start to the end.
    pub cpu: Duration,
    /// CPU time of the generator's thread in the measured time, as a share of that; of several, of
    /// the one that had most to do.
    pub cpu_share: f64,
    /// The share of the measured time in which that thread had work and no CPU: others had it. Of
    /// several, of the same one.
    pub cpu_wait_share: f64,
    /// Nanoseconds from the moment a message was due to its last byte coming back, for the right
    /// answers of the measured time and after; with `hold`, for the one message of each connection.
    /// In a closed loop a message is due when it is sent.
    pub(super) latency: Histogram<u64>,
    /// At a constant rate: what goes with it.
    pub paced: Option<Paced>,
    /// What the shape of the run found beside; `None` if connections just stayed and sent.
    pub shape: Option<Figures>,
    /// With a mix: the answers by size, in the order that the mix was given in.
    pub sizes: Vec<OfSize>,
    /// The measured time, row by row. Not in the JSON, and not merged: percentiles of the same
    /// second do not add up.
    pub rows: Vec<Row>,
}

/// What a run at a constant rate found beside the latency.
#[derive(Clone, Debug)]
pub struct Paced {
    /// Messages a second that were asked for.
    pub rate_per_s: u64,
    /// Messages that were due and never sent, because no connection was free for too long.
    pub unsent: u64,
    /// Nanoseconds from sending a message to its last byte coming back: the latency without the
    /// waiting in line.
    pub(super) service: Histogram<u64>,
    /// Nanoseconds by which a message was sent late though a connection was free: what is the
    /// generator's own doing in the latency.
    pub(super) lateness: Histogram<u64>,
    /// Of several generators: the largest of their lateness at p99, in microseconds.
    pub(super) latest_p99_us: Option<f64>,
}

/// Messages of one size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OfSize {
    /// Their bytes.
    pub size_bytes: u64,
    /// How many there are, beside those of the other sizes.
    pub weight: u64,
    /// From when they were due to their last byte coming back, for right answers.
    pub latency_us: Times,
}

impl OfSize {
    pub(super) fn new(size_bytes: u64, weight: u64) -> OfSize {
        OfSize { size_bytes, weight, latency_us: Times::default() }
    }
}

impl Paced {
    /// Nothing found yet, at so many messages a second.
    pub fn new(rate_per_s: u64) -> Paced {
        Paced {
            rate_per_s,
            unsent: 0,
            service: latencies(),
            lateness: latencies(),
            latest_p99_us: None,
        }
    }

    /// Nanoseconds from sending a message to its last byte coming back.
    pub fn service_ns(&self) -> &Histogram<u64> {
        &self.service
    }

    fn merge(&mut self, other: &Paced) {
        self.rate_per_s += other.rate_per_s;
        self.unsent += other.unsent;
        self.service.add(&other.service).expect("all have the bounds of `latencies`");
        self.lateness.add(&other.lateness).expect("all have the bounds of `latencies`");
    }
}

impl Report {
    /// Right answers a second in the measured time; 0 if nothing was measured.
    pub fn rate_per_s(&self) -> f64 {
        match self.measured.as_secs_f64() {
            0.0 => 0.0,
            seconds => self.measured_answers as f64 / seconds,
        }
    }

    /// The latency that a share of the answers did not exceed, in microseconds; `None` if there
    /// were no answers.
    pub fn latency_us(&self, quantile: f64) -> Option<f64> {
        (!self.latency.is_empty()).then(|| us(self.latency.value_at_quantile(quantile)))
    }

    /// The longest latency in microseconds; `None` if there were no answers.
    pub fn latency_max_us(&self) -> Option<f64> {
        (!self.latency.is_empty()).then(|| us(self.latency.max()))
    }

    /// Nanoseconds from sending a message to its last byte coming back, for all right answers.
    pub fn latency_ns(&self) -> &Histogram<u64> {
        &self.latency
    }

    /// Adds the figures of a generator that ran at the same time.
    pub fn merge(&mut self, other: &Report) {
        self.settle = self.settle.max(other.settle);
        self.measured_from_unix_ms = self.measured_from_unix_ms.min(other.measured_from_unix_ms);
        self.measured = self.measured.max(other.measured);
        self.measured_answers += other.measured_answers;
        self.connections.merge(&other.connections);
        self.messages.merge(&other.messages);
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.deflate_agreed =
            self.deflate_agreed.into_iter().chain(other.deflate_agreed).reduce(|a, b| a + b);
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.cpu += other.cpu;
        if other.cpu_share + other.cpu_wait_share > self.cpu_share + self.cpu_wait_share {
            (self.cpu_share, self.cpu_wait_share) = (other.cpu_share, other.cpu_wait_share);
        }
        let late = [self.lateness_p99_us(), other.lateness_p99_us()];
        let latest_p99_us = late.into_iter().flatten().reduce(f64::max);
        match (&mut self.paced, &other.paced) {
            (Some(paced), Some(other)) => paced.merge(other),
            (paced @ None, Some(other)) => *paced = Some(other.clone()),
            (_, None) => {}
        }
        if let Some(paced) = &mut self.paced {
            paced.latest_p99_us = latest_p99_us;
        }
        for (size, other) in self.sizes.iter_mut().zip(&other.sizes) {
            size.latency_us.add(&other.latency_us);
        }
        if let (Some(shape), Some(other)) = (&mut self.shape, &other.shape) {
            shape.merge(other);
        }
        self.latency.add(&other.latency).expect("all have the bounds of `latencies`");
    }
}

/// An empty histogram for latencies in nanoseconds.
pub(super) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("constant bounds, in order")
}

/// Percentiles in microseconds; null where there are too few answers to tell.
#[derive(Serialize)]
pub(super) struct LatencyUs {
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    p999: Option<f64>,
    max: Option<f64>,
}

impl LatencyUs {
    pub(super) fn of(times: &Histogram<u64>) -> LatencyUs {
        LatencyUs {
            p50: percentile_us(times, 0.5),
            p90: percentile_us(times, 0.9),
            p99: percentile_us(times, 0.99),
            p999: percentile_us(times, 0.999),
            max: (!times.is_empty()).then(|| us(times.max())),
        }
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let doubts = self.doubts();
        let mut json = serializer.serialize_struct("Report", 32)?;
        match self.command.is_empty() {
            true => json.skip_field("command")?,
            false => json.serialize_field("command", &self.command)?,
        }
        json.serialize_field("url", &self.url)?;
        match self.method {
            None => json.skip_field("method")?,
            Some(method) => json.serialize_field("method", method)?,
        }
        json.serialize_field("size_bytes", &self.size_bytes)?;
        json.serialize_field("depth", &self.depth)?;
        json.serialize_field("hold", &self.hold)?;
        json.serialize_field("valid", &doubts.is_empty())?;
        json.serialize_field("reasons", &doubts)?;
        let from_s = self.measured_from_unix_ms as f64 / 1_000.0;
        json.serialize_field("measured_from_unix_s", &from_s)?;
        json.serialize_field("measured_answers", &self.measured_answers)?;
        json.serialize_field("settle_s", &self.settle.as_secs_f64())?;
        json.serialize_field("duration_s", &self.measured.as_secs_f64())?;
        match self.common {
            None => json.skip_field("common_s")?,
            Some(common) => json.serialize_field("common_s", &common.as_secs_f64())?,
        }
        json.serialize_field("connections", &self.connections)?;
        json.serialize_field("messages", &self.messages)?;
        match self.method {
            None => json.skip_field("statuses")?,
            Some(_) => json.serialize_field("statuses", &self.statuses)?,
        }
        match self.deflate_agreed {
            None => json.skip_field("deflate_agreed")?,
            Some(agreed) => json.serialize_field("deflate_agreed", &agreed)?,
        }
        json.serialize_field("rate_per_s", &self.rate_per_s())?;
        json.serialize_field("latency_us", &LatencyUs::of(&self.latency))?;
        serialize_paced(&mut json, self.paced.as_ref())?;
        match self.sizes.is_empty() {
            true => json.skip_field("sizes")?,
            false => json.serialize_field("sizes", &self.sizes)?,
        }
        match &self.shape {
            None => json.skip_field("shape")?,
            Some(shape) => json.serialize_field("shape", shape)?,
        }
        json.serialize_field("bytes_sent", &self.bytes_sent)?;
        json.serialize_field("bytes_received", &self.bytes_received)?;
        json.serialize_field("cpu_s", &self.cpu.as_secs_f64())?;
        json.serialize_field("cpu_share", &self.cpu_share)?;
        json.serialize_field("cpu_wait_share", &self.cpu_wait_share)?;
        json.serialize_field("latency_ns_histogram", &Encoded(&self.latency))?;
        json.end()
    }
}

/// The fields of a constant rate, where there was one.
fn serialize_paced<S: SerializeStruct>(
    json: &mut S,
    paced: Option<&Paced>,
) -> Result<(), S::Error> {
    match paced {
        None => {
            json.skip_field("rate_asked_per_s")?;
            json.skip_field("service_us")?;
            json.skip_field("lateness_us")?;
            json.skip_field("latest_p99_us")?;
            json.skip_field("unsent")?;
            json.skip_field("service_ns_histogram")?;
            json.skip_field("lateness_ns_histogram")?;
        }
        Some(paced) => {
            json.serialize_field("rate_asked_per_s", &paced.rate_per_s)?;
            json.serialize_field("service_us", &LatencyUs::of(&paced.service))?;
            json.serialize_field("lateness_us", &LatencyUs::of(&paced.lateness))?;
            json.serialize_field("latest_p99_us", &paced.latest_p99_us)?;
            json.serialize_field("unsent", &paced.unsent)?;
            json.serialize_field("service_ns_histogram", &Encoded(&paced.service))?;
            json.serialize_field("lateness_ns_histogram", &Encoded(&paced.lateness))?;
        }
    }
    Ok(())
}

pub(super) fn us(ns: u64) -> f64 {
    ns as f64 / 1_000.0
}

#[cfg(test)]
mod tests;
