//! What a search left behind: the file of `oneloop load --find --json`.
//!
//! **What.** A [`Knee`]: what was to be kept, how the search ended, every run that it made in a
//! line, and those that confirm its rate whole. [`Knee::to_json`] writes it, [`Knee::parse`] reads
//! it.
//!
//! **Why this way.** The search writes what is read here, so the two cannot come apart. A file is
//! believed as far as its parts agree: a rate that its own runs do not confirm is none.
//!
//! **Costs.** 200 bytes a run of the search, and its three confirming runs.
//!
//! **Read next.** `src/report/versus.rs`, `src/report/results.rs`.

use super::{Run, results};
use crate::load::field;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What `format` says.
pub(super) const FORMAT: &str = "oneloop-find-1";
/// What may be asked for.
const FIGURES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];
/// Rates are below it by far: so they are exact in every JSON, and their ratios are numbers.
const RATE_MAX: u64 = 1 << 53;

/// The highest rate at which a server keeps an objective, and how it was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Knee {
    /// The command that repeats the search.
    pub command: String,
    /// What was to be kept.
    pub objective: Kept,
    /// How the search ended.
    pub outcome: Ending,
    /// The rate that was found; there is one if and only if it ended so.
    pub rate_per_s: Option<u64>,
    /// The highest rate that was kept.
    pub kept_up_to_per_s: Option<u64>,
    /// The lowest rate that was not kept; it is higher.
    pub missed_from_per_s: Option<u64>,
    /// The smallest, the middle and the largest figure of the runs that confirm, in microseconds.
    pub confirmed_us: Option<[f64; 3]>,
    /// All runs, in the order in which they were made.
    pub probes: Vec<Probe>,
    /// Those that confirm the rate, whole; without a rate there is none.
    #[serde(skip)]
    pub runs: Vec<Run>,
}

/// A latency, and what it must stay below.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// `p50` to `p99.9`, or `max`.
    pub figure: String,
    /// From when a latency counts: from when a message was `due`, or `sent`.
    pub counts_from: From,
    /// What it must stay below, in microseconds.
    pub below_us: f64,
}

/// From when a latency counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// Response time.
    Due,
    /// Service time.
    Sent,
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With a rate that is confirmed.
    Found,
    /// At the generator's limit.
    Generator,
    /// No rate is kept.
    Never,
    /// It was broken off, or did not settle.
    Unfinished,
}

/// What a run says of the objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was kept.
    Kept,
    /// It was not.
    Missed,
    /// Nothing: the generator was at its own limit.
    Invalid,
}

/// One run of the search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Messages a second that were asked for.
    pub rate_asked_per_s: u64,
    /// Right answers a second.
    pub rate_per_s: f64,
    /// What the objective is about, in microseconds; `None` with too few answers to tell.
    pub figure_us: Option<f64>,
    /// It tried a rate again that was kept before.
    pub confirms: bool,
    /// What it says of the objective.
    pub verdict: Verdict,
    /// Why it was not kept, or says nothing.
    pub reasons: Vec<String>,
}

impl Knee {
    /// The file's text, indented, with its line end.
    ///
    /// # Errors
    /// None that these types have.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut json = serde_json::Map::from_iter([("format".to_owned(), FORMAT.into())]);
        if let Value::Object(knee) = serde_json::to_value(self)? {
            json.extend(knee);
        }
        let runs = self.runs.iter().map(Run::to_value).collect::<Result<Vec<_>, _>>()?;
        json.insert("runs".to_owned(), runs.into());
        Ok(serde_json::to_string_pretty(&json)? + "\n")
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// In one line: it is no JSON, or of something else; or the field and what is wrong with it.
    pub fn parse(text: &str) -> Result<Knee, String> {
        Knee::from_value(&results::json(text)?)
    }

    pub(super) fn from_value(json: &Value) -> Result<Knee, String> {
        if json.get("format").is_none_or(|format| format != FORMAT) {
            return Err(format!("field `format`: not \"{FORMAT}\"; is it of load --find --json?"));
        }
        let runs: Vec<Value> = field(json, "runs")?;
        let numbered = runs.iter().zip(1..);
        let runs = numbered
            .map(|(run, n)| Run::from_value(run).map_err(|reason| format!("run {n}: {reason}")));
        let knee = Knee {
            command: field(json, "command")?,
            objective: field(json, "objective")?,
            outcome: field(json, "outcome")?,
            rate_per_s: field(json, "rate_per_s")?,
            kept_up_to_per_s: field(json, "kept_up_to_per_s")?,
            missed_from_per_s: field(json, "missed_from_per_s")?,
            confirmed_us: field(json, "confirmed_us")?,
            probes: field(json, "probes")?,
            runs: runs.collect::<Result<_, _>>()?,
        };
        knee.check()?;
        Ok(knee)
    }

    /// Its parts agree.
    fn check(&self) -> Result<(), String> {
        let Kept { figure, below_us, .. } = &self.objective;
        if !FIGURES.contains(&figure.as_str()) {
            return Err(format!("field `objective`: no figure {figure:?}"));
        }
        if !(below_us.is_finite() && *below_us > 0.0) {
            return Err("field `objective`: `below_us` is no time".to_owned());
        }
        let rates = [self.rate_per_s, self.kept_up_to_per_s, self.missed_from_per_s];
        let asked = self.probes.iter().map(|it| it.rate_asked_per_s);
        if rates.into_iter().flatten().chain(asked).any(|rate| !(1..=RATE_MAX).contains(&rate)) {
            return Err("a rate is below 1 a second, or above what can be".to_owned());
        }
        let figures = self.probes.iter().flat_map(|it| [Some(it.rate_per_s), it.figure_us]);
        if figures.flatten().any(|figure| !figure.is_finite() || figure < 0.0) {
            return Err("field `probes`: a figure is none".to_owned());
        }
        match (self.outcome, self.rate_per_s) {
            (Ending::Found, Some(rate)) => self.check_found(rate),
            (Ending::Found, None) => Err("field `rate_per_s`: missing, though found".to_owned()),
            (_, Some(_)) => Err("field `rate_per_s`: has a rate, though none was found".to_owned()),
            (_, None) if !self.runs.is_empty() => {
                Err("field `runs`: confirm a rate, though none was found".to_owned())
            }
            (_, None) => Ok(()),
        }
    }

    /// What was found is what its runs confirm.
    fn check_found(&self, rate: u64) -> Result<(), String> {
        let asked = self.runs.iter().map(Run::asked_per_s);
        if self.runs.is_empty() || asked.into_iter().any(|asked| asked != Some(rate)) {
            return Err(format!("field `runs`: they do not confirm the {rate}/s that were found"));
        }
        if self.kept_up_to_per_s != Some(rate)
            || self.missed_from_per_s.is_some_and(|it| it <= rate)
        {
            return Err(format!(
                "field `rate_per_s`: {rate} is not the highest that was kept, below those missed"
            ));
        }
        let confirms =
            |it: &&Probe| it.confirms && it.verdict == Verdict::Kept && it.rate_asked_per_s == rate;
        let confirmed = self.probes.iter().filter(confirms).count();
        if confirmed != self.runs.len() {
            return Err(format!(
                "field `probes`: {confirmed} confirm the rate, but there are {} such runs",
                self.runs.len()
            ));
        }
        let below = self.objective.below_us;
        match self.confirmed_us {
            Some(us) if us.is_sorted() && us[0] >= 0.0 && us[2] < below => Ok(()),
            _ => Err("field `confirmed_us`: not three times, rising, that keep it".to_owned()),
        }
    }

    /// What was searched: the address, as far as a run is there that says it.
    pub fn url(&self) -> Option<&str> {
        self.runs.first().map(|run| run.report.url.as_str())
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.counts_from {
            From::Due => "response",
            From::Sent => "service",
        };
        write!(f, "{kind} {} < {}", self.figure, super::page::time(self.below_us))
    }
}

#[cfg(test)]
pub(super) mod tests;
