//! The command line.
//!
//! **What.** [`main`] reads the arguments, runs the command, and turns what went wrong into one
//! line on stderr and an exit status: 2 for what was asked, 1 for what happened.
//!
//! **Why this way.** clap derives parsing, help, completions and manual pages from one definition.
//! Without arguments the server starts, because that is what a newcomer tries first.
//!
//! **Costs.** Once, at start.
//!
//! **Read next.** `src/cli/serve.rs`.

mod docs;
mod given;
mod ladder;
mod load;
mod pid_file;
mod results;
mod serve;
mod upgrade;
mod workers;

use crate::config::one_line;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  oneloop                                    serve echo on 127.0.0.1:7000, tcp and udp
  oneloop load tcp://127.0.0.1:7000 -c 1000  put 1,000 connections on it
  oneloop ladder --nofile 64,256,1024,max    compare its cap at several ulimits
  oneloop limits --for 100000                what stands between this machine and 100,000 sockets

Without a command it serves. `oneloop COMMAND --help` says more about one.";

/// A socket server on one epoll loop, a load generator on the same loop, and a doctor for
/// connection limits
#[derive(Debug, Parser)]
#[command(name = "oneloop", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(override_usage = "oneloop [COMMAND]")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    #[command(hide = true)]
    Worker(workers::Worker),
    Upgrade(upgrade::Upgrade),
    Load(Box<load::Load>),
    Merge(results::Merge),
    Report(results::Report),
    Compare(results::Compare),
    Ladder(ladder::Ladder),
    Limits(Limits),
    Completions(docs::Completions),
    Man(docs::Man),
}

/// Tell what limits the number of sockets on this machine, and how to lift it
#[derive(Debug, clap::Args)]
struct Limits {
    /// Plan for this many connections; the exit status is 1 if they do not fit
    #[arg(long = "for", value_name = "N")]
    for_n: Option<u64>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
enum Failure {
    /// It was asked for something impossible: exit 2.
    Usage(String),
    /// It could not be done: exit 1.
    Run(String),
    /// Its output could not be written.
    Stdout(io::Error),
}

/// The arguments, `--rate -5` as `--rate=-5`: that is a wrong rate, and no flag `-5`. (What clap
/// has for it knows numbers, but not `-5s`.)
fn joined(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    for argument in arguments {
        let is_below_zero = matches!(argument.as_encoded_bytes(), [b'-', b'0'..=b'9', ..]);
        match joined.last_mut().filter(|it| it.as_encoded_bytes().starts_with(b"-")) {
            Some(flag) if is_below_zero && flag != "--" => {
                flag.push("=");
                flag.push(argument);
            }
            _ => joined.push(argument),
        }
    }
    joined
}

/// The whole program.
pub fn main() -> ExitCode {
    let mut args: Vec<OsString> = joined(std::env::args_os());
    if args.len() < 2 {
        args = vec!["oneloop".into(), "serve".into()];
    }
    let result = match Cli::try_parse_from(args) {
        Ok(cli) => cli.run(),
        // The first line names the flag, the value and what is allowed.
        Err(error) if error.kind() == ErrorKind::ValueValidation => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            // What parses numbers says what is wrong, but not what would be right.
            let line = line.replace("invalid digit found in string", "write a whole number");
            Err(Failure::Usage(line.trim_start_matches("error: ").to_owned()))
        }
        Err(error) => {
            // Help and version too; they go to stdout, and who does not read them misses nothing.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let (status, line) = match result {
        Ok(status) => return status,
        // Whoever read the output has seen enough.
        Err(Failure::Stdout(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return ExitCode::SUCCESS;
        }
        Err(Failure::Stdout(error)) => (1, format!("stdout: {error}")),
        Err(Failure::Run(line)) => (1, line),
        Err(Failure::Usage(line)) => (2, line),
    };
    // If stderr is gone too, the status has to tell it all.
    let _ = writeln!(io::stderr(), "error: {}", one_line(&line));
    ExitCode::from(status)
}

impl Cli {
    fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            Command::Serve(serve) => serve.run(),
            Command::Worker(worker) => worker.run(),
            Command::Upgrade(upgrade) => upgrade.run(),
            Command::Load(load) => load.run(),
            Command::Merge(merge) => merge.run(),
            Command::Report(report) => report.run(),
            Command::Compare(compare) => compare.run(),
            Command::Ladder(ladder) => ladder.run(),
            Command::Limits(limits) => limits.run(),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
        }
    }
}

impl Limits {
    fn run(self) -> Result<ExitCode, Failure> {
        // As many listeners as a server has by default.
        let reserve = crate::server::reserve(3) as u64;
        let fits = crate::limits::run(self.for_n, reserve, self.json, &mut io::stdout())
            .map_err(Failure::Stdout)?;
        Ok(ExitCode::from(u8::from(!fits)))
    }
}

/// Writes the whole output of a command.
fn print(output: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(output).and_then(|()| stdout.flush()).map_err(Failure::Stdout)
}
