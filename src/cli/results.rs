//! `oneloop merge`, `report` and `compare`: the files that loads wrote, added up, drawn, compared.
//!
//! **What.** The flags, the files read, and what is printed.
//!
//! **Why this way.** A file that is no good is bad input: one line with its name, the field and the
//! reason, and status 2, before anything is written.
//!
//! **Costs.** Reads each file once.
//!
//! **Read next.** `src/report/mod.rs`.

use super::load::{Output, Sink, command, scenario_of, text, unwritable};
use super::{Failure, print};
use crate::report::{self, Results, Run, Side, same_steps};
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
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,

    /// Write all figures as JSON to this file, or with - to standard output in place of the table
    #[arg(long, value_name = "FILE|-", value_hint = clap::ValueHint::FilePath)]
    json: Option<PathBuf>,
}

/// Draw the results of a load as one HTML file
///
/// The file needs nothing else: no network, no script. It shows latency by percentile, rate and
/// latency over time, what became of connections, CPU, the machine, and the command to repeat it.
#[derive(Debug, clap::Args)]
pub(super) struct Report {
    /// A file of oneloop load --json, or of a merge
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,

    /// Write the page to this file
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    out: PathBuf,
}

impl Report {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let results = read(&self.file)?;
        let out = Output::open("out", &self.out)?;
        out.write(&report::page(&Side::each(&results)))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Merge {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let files = self.files.iter().map(|path| Ok((path.display().to_string(), read(path)?)));
        let files: Vec<(String, Results)> = files.collect::<Result<_, Failure>>()?;
        let (mut sum, merged) = Results::merge(&files).map_err(Failure::Usage)?;
        sum.command = command();
        sum.runs.iter_mut().for_each(|run| run.report.command = command());
        for (run, doubt) in
            sum.runs.iter().zip(&merged).filter_map(|(run, it)| Some((run, it.doubt()?)))
        {
            let step = if sum.are_steps { run.step_name() + ": " } else { String::new() };
            let _ = writeln!(io::stderr(), "warning: {step}{doubt}");
        }
        let sink = Sink::open(self.json.as_deref())?;
        if !sink.write(&sum.to_json().map_err(unwritable)?)? {
            let scenario = scenario_of(&sum.runs[0].report).map_err(Failure::Usage)?;
            print(text(&sum, &scenario).as_bytes())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Put runs beside each other: ratios to the first, and what of them is noise
///
/// Several files of one label are repetitions, and noise is how much these differ. Of one run alone
/// it is how much its seconds differ, which is less than two runs would.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  oneloop compare before.json after.json
  oneloop compare a=a1.json a=a2.json a=a3.json b=b1.json b=b2.json b=b3.json -o c.html
  for n in 1 2 3; do oneloop load URL -q --json a$n.json; done      where repetitions come from")]
pub(super) struct Compare {
    /// Files of oneloop load --json, or of a merge; the first is what the others are compared with.
    /// Without a label a file is called as it is
    #[arg(value_name = "[LABEL=]FILE")]
    files: Vec<String>,

    /// Draw the comparison as one HTML file that needs nothing else
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    out: Option<PathBuf>,
}

impl Compare {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let steps = self.steps()?;
        let out = self.out.map(|path| Output::open("out", &path)).transpose()?;
        if let Some(out) = out {
            out.write(&report::page(&steps.concat()))?;
        }
        let tables: Vec<String> = steps.iter().map(|sides| report::table(sides)).collect();
        print(tables.join("\n").as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    /// The sides of each step, in the order in which their labels come first; of files without
    /// steps there is one.
    fn steps(&self) -> Result<Vec<Vec<Side>>, Failure> {
        let mut files: Vec<(String, Results)> = Vec::new();
        let mut labels: Vec<String> = Vec::new();
        for argument in &self.files {
            let (label, path) = match argument.split_once('=') {
                Some((label, path)) if !label.is_empty() => (label.to_owned(), path),
                _ => (called(argument), argument.as_str()),
            };
            files.push((path.to_owned(), read(Path::new(path))?));
            labels.push(label);
        }
        let mut order: Vec<&String> = Vec::new();
        for label in &labels {
            if !order.contains(&label) {
                order.push(label);
            }
        }
        if order.len() < 2 {
            let line = "compare: needs two labels or more; name a file for each".to_owned();
            return Err(Failure::Usage(line));
        }
        let steps = same_steps(&files).map_err(Failure::Usage)?;
        let side = |n: usize, label: &String| {
            let own = labels.iter().zip(&files).filter(|(own, _)| *own == label);
            let runs: Vec<(String, Run)> =
                own.map(|(_, (path, it))| (path.clone(), it.runs[n].clone())).collect();
            let label = match files[0].1.are_steps {
                true => format!("{label} {}", runs[0].1.step_name()),
                false => label.clone(),
            };
            Side::new(label, runs).map_err(Failure::Usage)
        };
        (0..steps).map(|n| order.iter().map(|label| side(n, label)).collect()).collect()
    }
}

/// A file's name without the rest of its path and its `.json`.
fn called(path: &str) -> String {
    let stem = Path::new(path).file_stem();
    stem.map_or(path.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// What is in a file.
fn read(path: &Path) -> Result<Results, Failure> {
    let bad = |reason: String| Failure::Usage(format!("{}: {reason}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| bad("is no text".to_owned()))?;
    Results::parse(&text).map_err(bad)
}
