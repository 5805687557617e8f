//! A report out of its JSON.
//!
//! **What.** [`Report::from_json`]; [`field`], which names the field that is no good; and the text
//! that a histogram is in JSON.
//!
//! **Why this way.** Reports come from other machines, by mail or out of a log, and may be cut off,
//! edited, or of something else. They are taken field by field, so that an error can say which one,
//! and only if their books balance. The histogram is in the encoding that all HdrHistograms share
//! (V2, compressed, base64: `HISTFAAA…`), so that their tools read it too; rejected: buckets of our
//! own, which nobody else would.
//!
//! **Costs.** A few milliseconds; the histogram of a run is 2 to 10 KB of text.
//!
//! **Read next.** `src/report/run.rs`, which has the rest of the file.

use super::{LATENCY_NS_MAX, Paced, Report, latencies};
use crate::proto::http1::Method;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// A field of `json`, by name. A missing one is `null`.
///
/// # Errors
/// It is missing or something else, with its name.
pub fn field<T: DeserializeOwned>(json: &Value, name: &str) -> Result<T, String> {
    let value = json.get(name).unwrap_or(&Value::Null);
    T::deserialize(value).map_err(|error| match value {
        Value::Null => format!("field `{name}`: missing"),
        _ => format!("field `{name}`: {error}"),
    })
}

impl Report {
    /// The report that became this JSON, but for its rows.
    ///
    /// # Errors
    /// The first field that is missing, of the wrong type, or contradicts another.
    pub fn from_json(json: &Value) -> Result<Report, String> {
        let seconds = |name: &str| {
            let seconds: f64 = field(json, name)?;
            Duration::try_from_secs_f64(seconds).map_err(|error| format!("field `{name}`: {error}"))
        };
        let report = Report {
            command: field::<Option<String>>(json, "command")?.unwrap_or_default(),
            url: field(json, "url")?,
            method: field::<Option<String>>(json, "method")?
                .map(|name| method(&name))
                .transpose()?,
            size_bytes: field(json, "size_bytes")?,
            depth: field(json, "depth")?,
            hold: field(json, "hold")?,
            measured_from_unix_ms: seconds("measured_from_unix_s")?.as_millis() as u64,
            settle: seconds("settle_s")?,
            measured: seconds("duration_s")?,
            measured_answers: field(json, "measured_answers")?,
            connections: field(json, "connections")?,
            messages: field(json, "messages")?,
            statuses: field::<Option<_>>(json, "statuses")?.unwrap_or_default(),
            bytes_sent: field(json, "bytes_sent")?,
            bytes_received: field(json, "bytes_received")?,
            cpu: seconds("cpu_s")?,
            cpu_share: field(json, "cpu_share")?,
            cpu_wait_share: field(json, "cpu_wait_share")?,
            latency: histogram(json, "latency_ns_histogram")?,
            paced: paced(json)?,
            shape: field(json, "shape")?,
            sizes: field::<Option<_>>(json, "sizes")?.unwrap_or_default(),
            rows: Vec::new(),
        };
        report.check_books()?;
        Ok(report)
    }

    /// Counts that add up, and a histogram of as many answers as were counted.
    fn check_books(&self) -> Result<(), String> {
        let sum = |counts: &[u64]| counts.iter().try_fold(0, |sum: u64, n| sum.checked_add(*n));
        let fates = self.connections.by_fate().map(|(_, count)| count);
        if sum(&fates) != Some(self.connections.attempted) {
            return Err("field `connections`: the fates do not add up to `attempted`".to_owned());
        }
        let it = &self.messages;
        if sum(&[it.received, it.wrong, it.refused, it.lost]) != Some(it.sent) {
            return Err("field `messages`: received, wrong, refused and lost do not add up to \
                        `sent`"
                .to_owned());
        }
        let (counted, received) = (self.latency.len(), it.received);
        if !(self.measured_answers..=received).contains(&counted) {
            return Err(format!(
                "field `latency_ns_histogram`: has {counted} answers, of {} measured and \
                 {received} received",
                self.measured_answers
            ));
        }
        Ok(())
    }
}

/// What a run at a constant rate has; `None` if it was none.
fn paced(json: &Value) -> Result<Option<Paced>, String> {
    let Some(rate_per_s) = field(json, "rate_asked_per_s")? else { return Ok(None) };
    Ok(Some(Paced {
        rate_per_s,
        unsent: field(json, "unsent")?,
        service: histogram(json, "service_ns_histogram")?,
        lateness: histogram(json, "lateness_ns_histogram")?,
    }))
}

fn histogram(json: &Value, name: &str) -> Result<Histogram<u64>, String> {
    let text: String = field(json, name)?;
    decoded(&text).map_err(|reason| format!("field `{name}`: {reason}"))
}

fn method(name: &str) -> Result<&'static str, String> {
    let method = Method::from_name(name).map(Method::name);
    method.ok_or_else(|| format!("field `method`: no method `{name}`"))
}

/// A histogram that becomes the text that other tools read.
pub(in crate::load) struct Encoded<'a>(pub(in crate::load) &'a Histogram<u64>);

impl Serialize for Encoded<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        let encoded = V2DeflateSerializer::new().serialize(self.0, &mut bytes);
        encoded.map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }
}

/// The histogram in such a text, with the bounds of ours.
pub(in crate::load) fn decoded(text: &str) -> Result<Histogram<u64>, String> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|error| format!("base64: {error}"))?;
    let read: Histogram<u64> = Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| format!("no HdrHistogram (V2): {error}"))?;
    let bounds = |it: &Histogram<u64>| (it.low(), it.high(), it.sigfig());
    let own = latencies();
    if bounds(&read) != bounds(&own) {
        return Err(format!("not of 1 to {LATENCY_NS_MAX} ns at 3 digits"));
    }
    Ok(read)
}
