//! Times as a run found them.
//!
//! **What.** [`Times`] is a histogram of nanoseconds that becomes JSON, with its percentiles to
//! read and itself to add up, and comes back from it.
//!
//! **Why this way.** Each shape of load has times of its own (connecting, the life of a socket, the
//! last receiver), and all are to be told, merged and doubted alike.
//!
//! **Costs.** 264 KiB each, of which only what was used is touched.
//!
//! **Read next.** `src/load/shape.rs`.

use super::report::{Encoded, LatencyUs, decoded, latencies, us};
use super::validity::percentile_us;
use crate::clock::Time;
use hdrhistogram::Histogram;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A histogram of times.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Times {
        Times(latencies())
    }
}

impl Times {
    /// Notes the time from one moment to another.
    pub(super) fn record(&mut self, from: Time, until: Time) {
        self.0.saturating_record(until.as_ns().saturating_sub(from.as_ns()));
    }

    /// Forgets all.
    pub(super) fn reset(&mut self) {
        self.0.reset();
    }

    pub(super) fn add(&mut self, other: &Times) {
        self.0.add(&other.0).expect("all have the bounds of `latencies`");
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that a share of them did not exceed, in microseconds; `None` if too few did.
    pub fn percentile_us(&self, quantile: f64) -> Option<f64> {
        percentile_us(&self.0, quantile)
    }

    /// The longest, in microseconds; `None` if there are none.
    pub fn max_us(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| us(self.0.max()))
    }
}

/// What it is in JSON.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    us: LatencyUs,
    ns_histogram: Encoded<'a>,
}

/// What of that is read.
#[derive(Deserialize)]
struct Read {
    ns_histogram: String,
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = Written { us: LatencyUs::of(&self.0), ns_histogram: Encoded(&self.0) };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Times, D::Error> {
        let Read { ns_histogram } = Read::deserialize(deserializer)?;
        decoded(&ns_histogram).map(Times).map_err(D::Error::custom)
    }
}
