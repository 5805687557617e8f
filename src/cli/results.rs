//! `oneloop merge`, `report` and `compare`: the files that loads wrote, added up, drawn, compared.
//!
//! **What.** The flags, the files read, and what is printed.
//!
//! **Why this way.** A file that is no good is bad input: one line with its name, the field and the
//! reason, and status 2, before anything is written.
//!
//! **Costs.** Reads each file once.
//!
//! **Read next.** `src/report/mod.rs`, `src/report/versus.rs`.

use super::load::{Output, Sink, command, scenario_of, status, text, unwritable};
use super::{Failure, print};
use crate::report::{self, Kind, Knee, Knees, Results, Run, Side, same_steps};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Add up what several generators found that ran at the same time
///
/// Reads the files that oneloop load --json wrote. Histograms are added, percentiles never
/// averaged; the rate is all answers over the union of the measured times. The exit status is that
/// of a load: 1 if something failed, 3 if the sum is not to be believed.
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
    /// A file of oneloop load --json (of --find, too), or of a merge
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,

    /// Write the page to this file
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    out: PathBuf,
}

impl Report {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let page = match read(&self.file)? {
            Kind::Runs(results) => report::page(&Side::each(&results)),
            Kind::Knee(knee) => {
                let name = self.file.display().to_string();
                let knees = Knees::new(called(&name), vec![(name, knee)]);
                report::page_of_knees(&[knees.map_err(Failure::Usage)?])
            }
        };
        Output::open("out", &self.out)?.write(&page)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Merge {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let files = self.files.iter().map(|path| {
            let name = path.display().to_string();
            match read(path)? {
                Kind::Runs(results) => Ok((name, results)),
                Kind::Knee(_) => Err(Failure::Usage(format!(
                    "{name}: is a search (--find), and searches do not add up, for each chose its \
                     rates by itself: spread one with --procs, or put several beside each other \
                     (oneloop compare)"
                ))),
            }
        });
        let files: Vec<(String, Results)> = files.collect::<Result<_, Failure>>()?;
        let mut sum = Results::merge(&files).map_err(Failure::Usage)?;
        sum.command = command();
        sum.runs.iter_mut().for_each(|run| run.report.command = command());
        let sink = Sink::open(self.json.as_deref())?;
        if !sink.write(&sum.to_json().map_err(unwritable)?)? {
            let scenario = scenario_of(&sum.runs[0].report).map_err(Failure::Usage)?;
            print(text(&sum, &scenario).as_bytes())?;
        }
        Ok(status(&sum.runs))
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
    /// Searches (--find) are compared with searches, by their knees. Without a label a file is
    /// called as it is
    #[arg(value_name = "[LABEL=]FILE")]
    files: Vec<String>,

    /// Draw the comparison as one HTML file that needs nothing else
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    out: Option<PathBuf>,
}

impl Compare {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let files = self.read()?;
        let (page, text) = match Files::sorted(files)? {
            Files::Runs(files) => {
                let steps = steps(&files)?;
                let tables: Vec<String> = steps.iter().map(|sides| report::table(sides)).collect();
                (report::page(&steps.concat()), tables.join("\n"))
            }
            Files::Knees(files) => {
                let sides = files.by_label(Knees::new)?;
                let text = report::knee_table(&sides).map_err(Failure::Usage)?;
                (report::page_of_knees(&sides), text)
            }
        };
        if let Some(path) = self.out {
            Output::open("out", &path)?.write(&page)?;
        }
        print(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    /// The files, each with its label.
    fn read(&self) -> Result<Labelled<Kind>, Failure> {
        let file = |argument: &String| {
            let (label, path) = match argument.split_once('=') {
                Some((label, path)) if !label.is_empty() => (label.to_owned(), path),
                _ => (called(argument), argument.as_str()),
            };
            Ok((label, path.to_owned(), read(Path::new(path))?))
        };
        let files = Labelled(self.files.iter().map(file).collect::<Result<_, Failure>>()?);
        if files.labels().len() < 2 {
            let line = "compare: needs two labels or more; name a file for each".to_owned();
            return Err(Failure::Usage(line));
        }
        Ok(files)
    }
}

/// Label, name and content of each file, in the order of the command line.
struct Labelled<T>(Vec<(String, String, T)>);

impl<T: Clone> Labelled<T> {
    /// Each label once, in the order in which they come first.
    fn labels(&self) -> Vec<&String> {
        let mut labels: Vec<&String> = Vec::new();
        for (label, ..) in &self.0 {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels
    }

    /// Makes a side of the files of each label.
    fn by_label<S>(
        &self,
        side: impl Fn(String, Vec<(String, T)>) -> Result<S, String>,
    ) -> Result<Vec<S>, Failure> {
        let sides = self.labels().into_iter().map(|label| {
            let own = self.0.iter().filter(|(own, ..)| own == label);
            side(label.clone(), own.map(|(_, path, it)| (path.clone(), it.clone())).collect())
        });
        sides.collect::<Result<_, _>>().map_err(Failure::Usage)
    }
}

/// Files of one kind.
enum Files {
    Runs(Labelled<Results>),
    Knees(Labelled<Knee>),
}

impl Files {
    /// # Errors
    /// There are some of each.
    fn sorted(Labelled(files): Labelled<Kind>) -> Result<Files, Failure> {
        let (mut runs, mut knees) = (Vec::new(), Vec::new());
        for (label, path, kind) in files {
            match kind {
                Kind::Runs(results) => runs.push((label, path, results)),
                Kind::Knee(knee) => knees.push((label, path, knee)),
            }
        }
        match (runs.first(), knees.first()) {
            (Some((_, run, _)), Some((_, search, _))) => Err(Failure::Usage(format!(
                "{search}: is a search (--find), but {run} is a run: compare searches with \
                 searches"
            ))),
            (_, None) => Ok(Files::Runs(Labelled(runs))),
            (None, Some(_)) => Ok(Files::Knees(Labelled(knees))),
        }
    }
}

/// The sides of each step, in the order in which their labels come first; of files without steps
/// there is one.
fn steps(files: &Labelled<Results>) -> Result<Vec<Vec<Side>>, Failure> {
    let named: Vec<(String, Results)> =
        files.0.iter().map(|(_, path, results)| (path.clone(), results.clone())).collect();
    let steps = same_steps(&named).map_err(Failure::Usage)?;
    let are_steps = named.first().is_some_and(|(_, results)| results.are_steps);
    let side = |n: usize| {
        files.by_label(|label, own| {
            let runs: Vec<(String, Run)> =
                own.into_iter().map(|(path, it)| (path, it.runs[n].clone())).collect();
            let label = match are_steps {
                true => format!("{label} {}", runs[0].1.step_name()),
                false => label,
            };
            Side::new(label, runs)
        })
    };
    (0..steps).map(side).collect()
}

/// A file's name without the rest of its path and its `.json`.
fn called(path: &str) -> String {
    let stem = Path::new(path).file_stem();
    stem.map_or(path.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// What is in a file.
fn read(path: &Path) -> Result<Kind, Failure> {
    let bad = |reason: String| Failure::Usage(format!("{}: {reason}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| bad("is no text".to_owned()))?;
    Kind::parse(&text).map_err(bad)
}
