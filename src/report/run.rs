//! The file that a load writes.
//!
//! **What.** A [`Run`]: the figures ([`Report`]) and for each generator that took part its command,
//! its machine and its rows. [`Run::to_json`] writes the file, [`Run::parse`] reads it.
//!
//! **Why this way.** A merged file is a file like any other, with more generators in it, so that it
//! can be merged, compared and drawn again. `format` counts up whenever an old reader would get a
//! new file wrong; a field that is only added changes nothing for it.
//!
//! **Costs.** 5 KB and 200 bytes a second of the run.
//!
//! **Read next.** `src/load/report/read.rs`, `src/report/merge.rs`.

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
    /// The measured time, row by row.
    pub rows: Vec<Row>,
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
            rows: report.rows.clone(),
        };
        Run { report, generators: vec![generator] }
    }

    /// The file's text, indented, with its line end.
    ///
    /// # Errors
    /// None that these types have.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut json = Map::from_iter([("format".to_owned(), FORMAT.into())]);
        if let Value::Object(report) = serde_json::to_value(&self.report)? {
            json.extend(report);
        }
        json.insert("generators".to_owned(), serde_json::to_value(&self.generators)?);
        Ok(serde_json::to_string_pretty(&json)? + "\n")
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// In one line: it is no JSON, not of a load, of another version; or the field and what is
    /// wrong with it.
    pub fn parse(text: &str) -> Result<Run, String> {
        let json: Value = serde_json::from_str(text).map_err(|error| match error.is_eof() {
            true if text.trim().is_empty() => "is empty".to_owned(),
            true => format!("is cut off: {error}"),
            false => format!("is no JSON: {error}"),
        })?;
        match json.get("format") {
            Some(format) if format == FORMAT => {}
            Some(format) => {
                return Err(format!("field `format`: {format}, where we know \"{FORMAT}\""));
            }
            None => return Err("field `format`: missing; is it from oneloop load --json?".into()),
        }
        let generators: Vec<Generator> = field(&json, "generators")?;
        if generators.is_empty() {
            return Err("field `generators`: empty".to_owned());
        }
        if let Some(at) = generators.iter().position(|it| !it.is_in_time()) {
            return Err(format!("field `generators`: the times of number {at} are no times"));
        }
        Ok(Run { report: Report::from_json(&json)?, generators })
    }

    /// What was asked for, field by field: runs that differ here did not do the same.
    pub fn scenario(&self) -> [(&'static str, String); 8] {
        let Report { url, method, size_bytes, depth, hold, paced, shape, sizes, .. } = &self.report;
        let of = |it: &OfSize| format!("{}:{}", it.size_bytes, it.weight);
        let mix: Vec<String> = sizes.iter().map(of).collect();
        [
            ("url", url.clone()),
            ("method", method.unwrap_or("none").to_owned()),
            ("size_bytes", size_bytes.to_string()),
            ("depth", depth.to_string()),
            ("hold", hold.to_string()),
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
