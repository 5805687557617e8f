//! The runs that a command makes: one, the steps, a search, two that are compared.
//!
//! **What.** [`Load::measure`] makes one run, in one process or several; the others are made of it.
//!
//! **Why this way.** Whoever asks for a run need not know how many processes it takes, so steps and
//! searches have it for nothing.
//!
//! **Costs.** Nothing beside the runs.
//!
//! **Read next.** `src/cli/load/procs.rs`, `src/cli/load/find.rs`.

use super::find::{self, Objective};
use super::progress::Progress;
use super::reuse::Reuse;
use super::{Load, Output, Sink, command, procs, status, text, unwritable};
use crate::cli::{Failure, print};
use crate::load::{self, Scenario, Shape};
use crate::report::{self, Environment, Knees, Results, Run};
use std::io::{self, Write};
use std::process::ExitCode;

impl Load {
    /// Runs one scenario, and shows how it goes.
    pub(super) fn measure(&self, scenario: &Scenario) -> Result<Run, Failure> {
        let procs = self.spread.procs;
        let mut progress = Progress::new(scenario, procs, self.quiet);
        let mut run = match procs {
            1 => Run::new(load::run(scenario, &mut progress)?, Environment::read()),
            _ => procs::run(scenario, procs, &mut progress)?,
        };
        progress.end();
        run.called(&command());
        Ok(run)
    }

    /// Searches the knee.
    pub(super) fn run_find(
        &self,
        objective: &Objective,
        scenario: &Scenario,
        sink: Sink,
        page: Option<Output>,
    ) -> Result<ExitCode, Failure> {
        let tell = |line: &str| {
            if !self.quiet {
                let _ = writeln!(io::stderr(), "{line}");
            }
        };
        let measure =
            |rate: u64| self.measure(&Scenario { rate_per_s: Some(rate), ..scenario.clone() });
        // Each process sends something.
        let floor = self.spread.procs.into();
        let found = find::find(objective, self.rate, floor, self.duration, measure, tell)?;
        let knee = found.knee(command());
        if let Some(page) = page {
            let label = scenario.target.to_string();
            let knees = Knees::new(label, vec![(String::new(), knee.clone())]);
            page.write(&report::page_of_knees(&[knees.map_err(Failure::Run)?]))?;
        }
        if !sink.write(&knee.to_json().map_err(unwritable)?)? {
            print(found.text().as_bytes())?;
        }
        Ok(found.status())
    }

    /// Runs with a socket for all requests of a connection, then with one for each.
    pub(super) fn run_reuse(&self, scenario: Scenario, sink: Sink) -> Result<ExitCode, Failure> {
        let pool = self.measure(&scenario)?;
        if pool.report.measured < self.duration {
            // Interrupted, or nobody is there: the other half would be no better.
            let results = Results { command: command(), are_steps: false, runs: vec![pool] };
            if !sink.write(&results.to_json().map_err(unwritable)?)? {
                print(text(&results, &scenario).as_bytes())?;
            }
            return Ok(status(&results.runs));
        }
        let shape = Shape::Churn { messages: 1 };
        let reconnect = self.measure(&Scenario { shape, ..scenario })?;
        let exit = status([&pool, &reconnect]);
        let reuse = Reuse::new(command(), pool.report, reconnect.report);
        let json = serde_json::to_string_pretty(&reuse).map_err(unwritable)?;
        if !sink.write(&(json + "\n"))? {
            print(reuse.text().as_bytes())?;
        }
        Ok(exit)
    }

    /// Runs one rate after the other. A step that was cut short is the last.
    pub(super) fn run_steps(&self, scenario: &Scenario) -> Result<Results, Failure> {
        let mut runs = Vec::new();
        for rate in &self.steps {
            let step = Scenario { rate_per_s: Some(*rate), ..scenario.clone() };
            let run = self.measure(&step)?;
            let is_whole = run.report.measured >= self.duration;
            runs.push(run);
            if !is_whole {
                break;
            }
        }
        Ok(Results { command: command(), are_steps: true, runs })
    }
}
