//! What is in a file of results: a run, or the steps of one.
//!
//! **What.** [`Results`] reads and writes the files of `oneloop load --json`, with `--steps` or
//! without, and of `oneloop merge`; [`Kind`] tells them from those of a search.
//!
//! **Why this way.** A step is a whole run, so a file of steps is a list of them, each as it would
//! stand in a file of its own; whoever reads one reads the other, and does to each step what he
//! would do to a run.
//!
//! **Costs.** Reads the text once, into memory.
//!
//! **Read next.** `src/report/run.rs`, `src/report/merge.rs`.

use super::knee::{self, Knee};
use super::{Run, merge};
use crate::limits::words::grouped;
use crate::load::field;
use serde_json::Value;

/// What `format` says in a file of steps.
const STEPS_FORMAT: &str = "oneloop-steps-1";

/// What a file is of.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A run, or steps.
    Runs(Results),
    /// A search.
    Knee(Knee),
}

impl Kind {
    /// Reads a file's text.
    ///
    /// # Errors
    /// As of [`Results::parse`] and [`Knee::parse`].
    pub fn parse(text: &str) -> Result<Kind, String> {
        let json = json(text)?;
        match json.get("format").is_some_and(|format| format == knee::FORMAT) {
            true => Knee::from_value(&json).map(Kind::Knee),
            false => Results::from_value(&json).map(Kind::Runs),
        }
    }
}

/// The JSON in a file.
///
/// # Errors
/// It is none, or ends before it is whole.
pub(super) fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| match error.is_eof() {
        true if text.trim().is_empty() => "is empty".to_owned(),
        true => format!("is cut off: {error}"),
        false => format!("is no JSON: {error}"),
    })
}

/// The runs of a file.
#[derive(Clone, Debug)]
pub struct Results {
    /// The command that repeats all of them.
    pub command: String,
    /// They are steps, though there may be one only.
    pub are_steps: bool,
    /// One, or a step each, in the order of the steps; never empty.
    pub runs: Vec<Run>,
}

impl Results {
    /// The file's text, indented, with its line end.
    ///
    /// # Errors
    /// None that these types have.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        if let ([only], false) = (&self.runs[..], self.are_steps) {
            return only.to_json();
        }
        let steps: Vec<Value> = self.runs.iter().map(Run::to_value).collect::<Result<_, _>>()?;
        let json =
            serde_json::json!({"format": STEPS_FORMAT, "command": self.command, "steps": steps});
        Ok(serde_json::to_string_pretty(&json)? + "\n")
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// In one line: it is no JSON, not of a load, of another version; or the field and what is
    /// wrong with it, and in which step.
    pub fn parse(text: &str) -> Result<Results, String> {
        Results::from_value(&json(text)?)
    }

    fn from_value(json: &Value) -> Result<Results, String> {
        if json.get("format").is_none_or(|format| format != STEPS_FORMAT) {
            let run = Run::from_value(json)?;
            let command = run.report.command.clone();
            return Ok(Results { command, are_steps: false, runs: vec![run] });
        }
        let steps: Vec<Value> = field(json, "steps")?;
        let numbered = steps.iter().zip(1..);
        let runs = numbered
            .map(|(json, n)| Run::from_value(json).map_err(|reason| format!("step {n}: {reason}")));
        let runs: Vec<Run> = runs.collect::<Result<_, _>>()?;
        if runs.is_empty() {
            return Err("field `steps`: empty".to_owned());
        }
        let command = field::<Option<String>>(json, "command")?.unwrap_or_default();
        Ok(Results { command, are_steps: true, runs })
    }

    /// Adds up what belongs together: runs, or of several files of steps each step by itself.
    ///
    /// # Errors
    /// As of [`merge()`]; or the files have other steps, which ones.
    pub fn merge(files: &[(String, Results)]) -> Result<Results, String> {
        let steps = same_steps(files)?;
        let runs_of = |n: usize| {
            let runs = files.iter().map(|(name, it)| (name.clone(), it.runs[n].clone()));
            runs.collect::<Vec<_>>()
        };
        let runs = (0..steps).map(|n| merge(&runs_of(n))).collect::<Result<_, _>>()?;
        let are_steps = files.iter().any(|(_, it)| it.are_steps);
        Ok(Results { command: String::new(), are_steps, runs })
    }
}

/// How many steps all files have.
///
/// # Errors
/// There is no file, or one has other steps than the first.
pub fn same_steps(files: &[(String, Results)]) -> Result<usize, String> {
    let [(first_name, first), rest @ ..] = files else {
        return Err("no file: name at least one".to_owned());
    };
    for (name, other) in rest {
        if (other.are_steps, other.runs.len()) != (first.are_steps, first.runs.len()) {
            let what = |it: &Results| match it.are_steps {
                true => format!("{} steps", it.runs.len()),
                false => "one run".to_owned(),
            };
            return Err(format!(
                "{name}: has {}, but {first_name} has {}: steps go with the same steps only",
                what(other),
                what(first)
            ));
        }
    }
    Ok(first.runs.len())
}

impl Run {
    /// What a step is called: its rate.
    pub fn step_name(&self) -> String {
        self.asked_per_s().map_or("closed loop".to_owned(), |rate| format!("{}/s", grouped(rate)))
    }
}

#[cfg(test)]
mod tests;
