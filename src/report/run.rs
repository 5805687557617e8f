//! One run in the file that a load writes.
//!
//! **What.** A [`Run`]: the figures ([`Report`]) and for each generator that took part its command,
//! its machine, its own figures and its rows. [`Run::to_json`] writes it, [`Run::parse`] reads it.
//!
//! **Why this way.** A merged file is a file like any other, with more generators in it, so that it
//! can be merged, compared and drawn again. `format` counts up whenever an old reader would get a
//! new file wrong; a field that is only added changes nothing for it.
//!
//! **Costs.** 5 KB and 200 bytes a second of the run.
//!
//! **Read next.** `src/report/results.rs`, `src/load/report/read.rs`.

use super::Environment;
use crate::load::{Figures, OfSize, Report, Row, field};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What `format` says in the files of this version.
pub(super) const FORMAT: &str = "oneloop-load-1";

/// One process that put load on the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// The command that repeats it.
    pub command: String,
    /// When its measured time began, in seconds since 1970.
    pub measured_from_unix_s: f64,
    /// How long it measured, in seconds.
    pub measured_s: f64,
    /// Where it ran.
    pub environment: Environment,
    /// Its process, which tells it from others that ran there at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// What it found; its histogram is in the sum. An older file has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Own>,
    /// The measured time, row by row.
    pub rows: Vec<Row>,
}

/// The figures of one generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// Connections whose fate is known.
    pub attempted: u64,
    /// Of them, those that were served until the end.
    pub connected: u64,
    /// Right answers a second.
    pub rate_per_s: f64,
    /// Half of the answers took no longer, in microseconds; `None` if there are too few to tell.
    pub p50_us: Option<f64>,
    /// 99 of 100 took no longer.
    pub p99_us: Option<f64>,
    /// The longest.
    pub max_us: Option<f64>,
    /// At a constant rate: 99 of 100 messages were sent no later than this after they were due.
    pub lateness_p99_us: Option<f64>,
    /// The share of the measured time in which its thread had a CPU.
    pub cpu_share: f64,
    /// What makes its figures its own and not the server's; empty if nothing does.
    pub reasons: Vec<String>,
}

impl Own {
    fn of(report: &Report) -> Own {
        Own {
            attempted: report.connections.attempted,
            connected: report.connections.connected,
            rate_per_s: report.rate_per_s(),
            p50_us: report.percentile_us(0.5),
            p99_us: report.percentile_us(0.99),
            max_us: report.latency_max_us(),
            lateness_p99_us: report.lateness_p99_us(),
            cpu_share: report.cpu_share,
            reasons: report.own_doubts(),
        }
    }
}

/// The results of a load: of one generator, or of several that were merged.
#[derive(Clone, Debug)]
pub struct Run {
    /// The figures.
    pub report: Report,
    /// Who took part; never empty.
    pub generators: Vec<Generator>,
}

impl Run {
    /// What a load on a machine found.
    pub fn new(report: Report, environment: Environment) -> Run {
        let generator = Generator {
            command: report.command.clone(),
            measured_from_unix_s: report.measured_from_unix_ms as f64 / 1_000.0,
            measured_s: report.measured.as_secs_f64(),
            environment,
            pid: Some(std::process::id()),
            own: Some(Own::of(&report)),
            rows: report.rows.clone(),
        };
        Run { report, generators: vec![generator] }
    }

    /// Notes the command that repeats it, for all who took part.
    pub fn called(&mut self, command: &str) {
        self.report.command = command.to_owned();
        self.generators.iter_mut().for_each(|it| it.command = command.to_owned());
    }

    /// The file's text, indented, with its line end.
    ///
    /// # Errors
    /// None that these types have.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(&self.to_value()?)? + "\n")
    }

    /// The same as one line, without its end.
    ///
    /// # Errors
    /// None that these types have.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&self.to_value()?)
    }

    pub(super) fn to_value(&self) -> Result<Value, serde_json::Error> {
        let mut json = Map::from_iter([("format".to_owned(), FORMAT.into())]);
        if let Value::Object(report) = serde_json::to_value(&self.report)? {
            json.extend(report);
        }
        json.insert("generators".to_owned(), serde_json::to_value(&self.generators)?);
        Ok(Value::Object(json))
    }

    /// Reads the text of a file with one run in it.
    ///
    /// # Errors
    /// As of [`Results::parse`](super::Results::parse); or it holds several.
    pub fn parse(text: &str) -> Result<Run, String> {
        let runs = super::Results::parse(text)?.runs;
        let several = runs.len();
        <[Run; 1]>::try_from(runs)
            .map(|[run]| run)
            .map_err(|_| format!("field `steps`: has {several} runs, where one is wanted"))
    }

    /// Reads the run that became this JSON.
    pub(super) fn from_value(json: &Value) -> Result<Run, String> {
        match json.get("format") {
            Some(format) if format == FORMAT => {}
            Some(format) => {
                return Err(format!("field `format`: {format}, where we know \"{FORMAT}\""));
            }
            None if json.get("pool").is_some() => {
                return Err("has two runs (--pool --reconnect), which are compared already; runs \
                            that add up or are drawn are made one by one"
                    .into());
            }
            None => return Err("field `format`: missing; is it from oneloop load --json?".into()),
        }
        let generators: Vec<Generator> = field(json, "generators")?;
        if generators.is_empty() {
            return Err("field `generators`: empty".to_owned());
        }
        if let Some(at) = generators.iter().position(|it| !it.is_in_time()) {
            return Err(format!("field `generators`: the times of number {at} are no times"));
        }
        Ok(Run { report: Report::from_json(json)?, generators })
    }

    /// Messages a second that were asked for; `None` in a closed loop.
    pub fn asked_per_s(&self) -> Option<u64> {
        self.report.paced.as_ref().map(|paced| paced.rate_per_s)
    }

    /// What was asked for, field by field: runs that differ here did not do the same.
    pub fn scenario(&self) -> [(&'static str, String); 9] {
        let report = &self.report;
        let Report { url, method, size_bytes, depth, hold, paced, shape, sizes, .. } = report;
        let of = |it: &OfSize| format!("{}:{}", it.size_bytes, it.weight);
        let mix: Vec<String> = sizes.iter().map(of).collect();
        [
            ("url", url.clone()),
            ("method", method.unwrap_or("none").to_owned()),
            ("size_bytes", size_bytes.to_string()),
            ("depth", depth.to_string()),
            ("hold", hold.to_string()),
            ("deflate", report.deflate_agreed.is_some().to_string()),
            ("mix", if mix.is_empty() { "none".to_owned() } else { mix.join(",") }),
            ("shape", shape.as_ref().map_or("keep".to_owned(), Figures::name)),
            // How much is no matter: rates add up.
            ("loop", if paced.is_some() { "at a constant rate" } else { "closed" }.to_owned()),
        ]
    }
}

impl Generator {
    /// Finite and not negative, as clocks are; JSON can hold others.
    fn is_in_time(&self) -> bool {
        let rows = self.rows.iter().flat_map(|row| [row.at_s, row.length_s]);
        let times = [self.measured_from_unix_s, self.measured_s].into_iter().chain(rows);
        times.into_iter().all(|seconds| (0.0..1e11).contains(&seconds))
    }

    /// When its measured time began and ended, in seconds since 1970.
    pub fn span(&self) -> (f64, f64) {
        (self.measured_from_unix_s, self.measured_from_unix_s + self.measured_s)
    }
}

#[cfg(test)]
pub(super) mod tests;
