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

use super::{Connections, LATENCY_NS_MAX, Paced, Report, latencies};
use crate::proto::http1::Method;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::Read;
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

/// Numbers up to this are exact in every JSON, and a thousand of them add up without overflow.
const COUNT_MAX: u64 = 1 << 53;

/// Three thousand years: as long as clocks are dates.
const SECONDS_MAX: u64 = 100_000_000_000;

impl Report {
    /// The report that became this JSON, but for its rows.
    ///
    /// # Errors
    /// The first field that is missing, of the wrong type, or contradicts another.
    pub fn from_json(json: &Value) -> Result<Report, String> {
        let seconds = |name: &str| {
            let seconds: f64 = field(json, name)?;
            match Duration::try_from_secs_f64(seconds) {
                Ok(time) if time.as_secs() > SECONDS_MAX => Err("longer than anything".to_owned()),
                time => time.map_err(|error| error.to_string()),
            }
            .map_err(|reason| format!("field `{name}`: {reason}"))
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
            common: json.get("common_s").map(|_| seconds("common_s")).transpose()?,
            measured_answers: field(json, "measured_answers")?,
            connections: field(json, "connections")?,
            messages: field(json, "messages")?,
            statuses: field::<Option<_>>(json, "statuses")?.unwrap_or_default(),
            deflate_agreed: field(json, "deflate_agreed")?,
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
        let paced = self.paced.as_ref().map_or((0, 0), |it| (it.rate_per_s, it.unsent));
        let others = [it.sent, it.late, it.duplicate, paced.0, paced.1, self.measured_answers];
        let Connections { reopened, backlog_full, server_out_of_files, .. } = self.connections;
        let bytes = [self.bytes_sent, self.bytes_received, reopened, backlog_full];
        let bytes = bytes.iter().chain([&server_out_of_files]);
        let phases = self.connections.phases.by_name().map(|(_, count)| count);
        let reasons = self.connections.reasons.values().chain(self.connections.ended.values());
        let counts = others.iter().chain(bytes).chain(&phases).chain(reasons);
        let counts = counts.chain(self.statuses.values()).chain([&self.connections.attempted]);
        let mut counts = counts.chain(&self.deflate_agreed);
        if counts.any(|count| *count > COUNT_MAX) {
            return Err(format!("a count is above {COUNT_MAX}: nothing was counted that far"));
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
        latest_p99_us: field(json, "latest_p99_us")?,
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
    let plain = plain(&bytes)?;
    let read = Deserializer::new().deserialize(&mut plain.as_slice());
    read.map_err(|error| format!("no HdrHistogram (V2): {error}"))
}

/// What the encodings begin with.
const PLAIN: u32 = 0x1c84_9313;
const COMPRESSED: u32 = 0x1c84_9314;
/// Bytes before the counts: cookie, length of what follows, offset, digits, bounds, ratio.
const HEADER_BYTES: usize = 40;
/// Bytes of a count, at most.
const COUNT_BYTES: usize = 9;

/// The plain encoding of a histogram with our bounds. The decoder believes the header and
/// allocates what it says, up to 4 GiB; so it gets to see none that is not checked against what is
/// really there.
fn plain(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let own = latencies();
    let bytes_max = HEADER_BYTES + COUNT_BYTES * own.distinct_values();
    let no = |what: &str| format!("no HdrHistogram (V2): {what}");
    let word = |bytes: &[u8], at: usize| -> Result<u32, String> {
        let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
        word.map(|word| u32::from_be_bytes(*word)).ok_or_else(|| no("cut off"))
    };
    let mut plain = Vec::new();
    match word(bytes, 0)? {
        COMPRESSED => {
            let body = bytes.get(8..).filter(|body| word(bytes, 4) == Ok(body.len() as u32));
            let body = body.ok_or_else(|| no("its length is not what it says"))?;
            let mut inflated = ZlibDecoder::new(body).take(bytes_max as u64 + 1);
            inflated.read_to_end(&mut plain).map_err(|error| no(&error.to_string()))?;
        }
        _ => plain.extend_from_slice(bytes),
    }
    if plain.len() > bytes_max {
        return Err(no("longer than all counts together can be"));
    }
    if word(&plain, 0)? != PLAIN {
        return Err(no("it does not begin as one"));
    }
    let counts = plain.get(HEADER_BYTES..).ok_or_else(|| no("cut off"))?;
    if word(&plain, 4)? as usize != counts.len() {
        return Err(no("its counts are not as long as it says"));
    }
    let long = |at| {
        Ok::<u64, String>(u64::from(word(&plain, at)?) << 32 | u64::from(word(&plain, at + 4)?))
    };
    if (word(&plain, 12)?, long(16)?, long(24)?) != (own.sigfig().into(), own.low(), own.high()) {
        return Err(format!("not of 1 to {LATENCY_NS_MAX} ns at 3 digits"));
    }
    // The smallest of all numbers, which has no counterpart; the decoder negates it.
    if counts.windows(COUNT_BYTES).any(|window| window == [0xff; COUNT_BYTES]) {
        return Err(no("a gap of 2^63 counts"));
    }
    Ok(plain)
}
