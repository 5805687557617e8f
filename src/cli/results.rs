//! `oneloop merge`: the files that loads wrote, added up.
//!
//! **What.** The flags, the files read, and what is printed.
//!
//! **Why this way.** A file that is no good is bad input: one line with its name, the field and the
//! reason, and status 2, before anything is written.
//!
//! **Costs.** Reads each file once.
//!
//! **Read next.** `src/report/mod.rs`.

use super::load::{Sink, command, render, scenario_of};
use super::{Failure, print};
use crate::report::{self, Run};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Add up what several generators found that ran at the same time
///
/// Reads the files that oneloop load --json wrote. Histograms are added, percentiles never
/// averaged; the rate is all answers over the union of the measured times.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  for host in a b; do ssh $host oneloop load tcp://10.0.0.1:7000 -q --json - > $host.json & done
  wait; oneloop merge a.json b.json")]
pub(super) struct Merge {
    /// Files of oneloop load --json, or of a merge
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,

    /// Write all figures as JSON to this file, or with - to standard output in place of the table
    #[arg(long, value_name = "FILE|-", value_hint = clap::ValueHint::FilePath)]
    json: Option<PathBuf>,
}

impl Merge {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let runs = self.files.iter().map(|path| Ok((path.display().to_string(), read(path)?)));
        let runs: Vec<(String, Run)> = runs.collect::<Result<_, Failure>>()?;
        let mut merged = report::merge(&runs).map_err(Failure::Usage)?;
        merged.run.report.command = command();
        if let Some(doubt) = merged.doubt() {
            let _ = writeln!(io::stderr(), "warning: {doubt}");
        }
        let mut sink = Sink::open(self.json.as_deref())?;
        sink.write(&merged.run)?;
        if !matches!(sink, Sink::Stdout) {
            let scenario = scenario_of(&merged.run.report).map_err(Failure::Usage)?;
            print(render::text(&merged.run.report, &scenario).as_bytes())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The run in a file.
fn read(path: &Path) -> Result<Run, Failure> {
    let bad = |reason: String| Failure::Usage(format!("{}: {reason}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| bad("is no text".to_owned()))?;
    Run::parse(&text).map_err(bad)
}
