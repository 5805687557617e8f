//! `oneloop ladder`: flags, the climb, what is printed and written.
//!
//! **What.** [`Ladder`] are the flags; its `run` climbs and reports.
//!
//! **Why this way.** The result goes to stdout, what is going on to stderr: a moving line on a
//! terminal, a plain one a rung elsewhere. Files are opened before the first rung, because a ladder
//! takes a while and a typing error should not.
//!
//! **Costs.** Nothing beside the climb.
//!
//! **Read next.** `src/ladder/mod.rs`.

use super::Failure;
use crate::ladder::balance::{self, BalancePlan};
use crate::ladder::{self, LadderError, NOFILE_MAX, Plan, Rung, plot, render};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Connections with which numbers of workers are compared.
const BALANCE_CONNECTIONS: u64 = 400;

/// Start the server under several limits of open files, drive each past its cap, and compare
///
/// For each limit: the cap that the server predicts, the number of clients that were served at
/// once, and what every client beyond that saw. It takes a second or two a rung and policy. The
/// exit status is 1 if a cap is not as predicted or a client not treated as its policy promises.
#[derive(Debug, clap::Args)]
#[command(after_help = more())]
pub(super) struct Ladder {
    /// Limits of open files (ulimit -n) to compare [default: 64,256,1024,4096,max]
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    nofile: Vec<String>,

    /// What the server does at its limit: shed, pause, evict-idle or refuse. Repeat it to compare
    #[arg(long, value_name = "POLICY", value_delimiter = ',', default_value = "shed")]
    at_limit: Vec<String>,

    /// Clients beyond the cap [default: a tenth of it, 16 to 1,000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    extra: Option<u64>,

    /// Compare numbers of workers instead: who gets how many connections and messages
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=256))]
    #[arg(conflicts_with_all = ["nofile", "at_limit", "extra", "svg"])]
    workers: Vec<u64>,

    /// How workers share the port: reuseport, shared. Repeat it to compare
    #[arg(long, value_name = "WAY", value_delimiter = ',', default_value = "reuseport")]
    #[arg(value_parser = ["reuseport", "shared"])]
    accept: Vec<String>,

    /// Kinds of workers: process (a limit of open files each), thread (one for all). Repeat it to
    /// compare
    #[arg(long, value_name = "KIND", value_delimiter = ',', default_value = "process")]
    #[arg(value_parser = ["process", "thread"])]
    worker_kind: Vec<String>,

    /// Draw what was found
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    svg: Option<PathBuf>,

    /// Write what was found as JSON to this file, or with - to standard output instead of the table
    #[arg(long, value_name = "FILE|-", value_hint = clap::ValueHint::FilePath)]
    json: Option<PathBuf>,
}

impl Ladder {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        if !self.workers.is_empty() {
            return self.weigh();
        }
        let plan = self.plan().map_err(Failure::Usage)?;
        let to_stdout = self.json.as_deref() == Some(Path::new("-"));
        let svg = self.svg.map(|path| Output::open("svg", path)).transpose()?;
        let json = self.json.filter(|_| !to_stdout);
        let json = json.map(|path| Output::open("json", path)).transpose()?;

        let bar = progress_bar();
        let done = &mut |rung: &Rung| {
            // Without a terminal there is no moving line: say at least what is done.
            if bar.is_hidden() {
                let _ = writeln!(io::stderr(), "{}", render::line(rung));
            }
        };
        let progress = |what: &str| {
            bar.set_message(what.to_owned());
            bar.tick();
        };
        let climbed = ladder::climb(&plan, &progress, done);
        bar.finish_and_clear();
        let rungs = match climbed {
            Ok(rungs) => rungs,
            Err(error) => return ended(error),
        };

        if let Some(json) = json {
            json.write(&render::json(&rungs))?;
        }
        if let Some(svg) = svg {
            svg.write(&plot::svg(&rungs).map_err(Failure::Run)?)?;
        }
        let text = if to_stdout { render::json(&rungs) } else { render::table(&rungs) };
        super::print(text.as_bytes())?;
        match ladder::verdict(&rungs) {
            Some(faults) => Err(Failure::Run(faults)),
            None => Ok(ExitCode::SUCCESS),
        }
    }
}

impl Ladder {
    /// Compares numbers of workers.
    fn weigh(self) -> Result<ExitCode, Failure> {
        let to_stdout = self.json.as_deref() == Some(Path::new("-"));
        let json = self.json.filter(|_| !to_stdout);
        let json = json.map(|path| Output::open("json", path)).transpose()?;
        let workers = self.workers.iter().map(|&n| n as usize).collect();
        let (accept, kinds) = (self.accept, self.worker_kind);
        let plan = BalancePlan { workers, accept, kinds, connections: BALANCE_CONNECTIONS };
        let bar = progress_bar();
        let found = balance::weigh(&plan, &|what| {
            bar.set_message(what.to_owned());
            bar.tick();
        });
        bar.finish_and_clear();
        let found = match found {
            Ok(found) => found,
            Err(error) => return ended(error),
        };
        if let Some(json) = json {
            json.write(&balance::json(&found))?;
        }
        let text = if to_stdout { balance::json(&found) } else { balance::table(&found) };
        super::print(text.as_bytes()).map(|()| ExitCode::SUCCESS)
    }

    /// Read here and not by clap, whose errors are several lines long.
    fn plan(&self) -> Result<Plan, String> {
        let mut nofile = match self.nofile[..] {
            [] => ladder::default_rungs()?,
            _ => {
                self.nofile.iter().map(|rung| ladder::parse_rung(rung)).collect::<Result<_, _>>()?
            }
        };
        let at_limit = self.at_limit.iter().map(|policy| ladder::parse_policy(policy));
        let mut at_limit: Vec<_> = at_limit.collect::<Result<_, _>>()?;
        // `max` may be one of the others.
        nofile.dedup();
        at_limit.dedup();
        Ok(Plan { nofile, at_limit, extra: self.extra })
    }
}

/// How a ladder ends that has no result.
fn ended(error: LadderError) -> Result<ExitCode, Failure> {
    match error {
        LadderError::Usage(line) => Err(Failure::Usage(line)),
        LadderError::Run(line) => Err(Failure::Run(line)),
        // As a shell tells it of a process that the signal killed.
        LadderError::Interrupted(signal) => {
            Ok(ExitCode::from(u8::try_from(128 + signal.number()).unwrap_or(u8::MAX)))
        }
    }
}

/// A file that was opened early, to be written late.
struct Output {
    flag: &'static str,
    path: PathBuf,
    file: File,
}

impl Output {
    fn open(flag: &'static str, path: PathBuf) -> Result<Output, Failure> {
        match File::create(&path) {
            Ok(file) => Ok(Output { flag, path, file }),
            Err(error) => {
                let path = path.display();
                Err(Failure::Usage(format!("--{flag} {path}: {error}; name a file you may write")))
            }
        }
    }

    fn write(mut self, text: &str) -> Result<(), Failure> {
        self.file.write_all(text.as_bytes()).map_err(|error| {
            Failure::Run(format!("--{} {}: {error}", self.flag, self.path.display()))
        })
    }
}

/// Moves on stderr if that is a terminal, and is hidden otherwise. It has no thread that keeps it
/// moving: Ctrl-C would reach that one and end us before the children are.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.with_style(ProgressStyle::default_spinner())
}

fn more() -> String {
    format!(
        "Rungs: a number of open files, or max, the hard limit (but {NOFILE_MAX} if that is \
         higher).\n\n\
         Examples:\n  \
           oneloop ladder --svg ladder.svg\n  \
           oneloop ladder --nofile 64,1024,max --at-limit shed,pause,evict-idle,refuse\n  \
           oneloop ladder --workers 1,2,4 --accept reuseport,shared\n  \
           oneloop ladder --workers 1,4 --worker-kind process,thread\n  \
           oneloop ladder --nofile 256 --extra 1000 --json - | jq '.rungs[].extra'"
    )
}
