//! One process of several: the child's side of `--procs`.
//!
//! **What.** [`run`] is what `oneloop load … --part 2/6` does: it says `ready`, reads its
//! [`Order`], runs its share and tells on standard output how it goes and what it found, a line of
//! JSON each.
//!
//! **Why this way.** Lines on pipes are what the ladder's children speak too: they can be read by
//! eye, and need neither shared memory nor a socket. The child has its parent's command line, so
//! that a flag means the same in both; only what differs is in the order. Its measured time begins
//! when the parent writes `begin`, and the end of its standard input ends it.
//!
//! **Costs.** Some 300 bytes a second, or ten times that where a terminal shows them; 5 to 130 KB
//! at the end.
//!
//! **Read next.** `src/cli/load/procs.rs`, which is the other side.

use super::{Failure, print};
use crate::load::{self, Observer, Report, Scenario, Share, Snapshot};
use crate::report::{Environment, Run};
use crate::sys::signals::{Signal, SignalFd};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use std::time::Duration;

/// What a child says when it waits for its order: signals do not end it any more.
pub(super) const READY: &str = "ready";
/// How a line of news begins; behind it stands a [`Snapshot`].
pub(super) const NEWS: &str = "news ";
/// How the line begins that the fate of every connection is known; behind it stands the report.
pub(super) const SETTLED: &str = "settled ";
/// How the last line begins; behind it stands the [`Run`].
pub(super) const RUN: &str = "run ";

/// What a child is to do; one line of JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) share: Share,
    /// How often the parent wants news, in milliseconds; never, if it shows none.
    pub(super) news_ms: Option<u64>,
}

/// Tells the parent.
struct Teller {
    interval: Option<Duration>,
}

/// Runs one share of `whole`.
pub(super) fn run(whole: &Scenario) -> Result<ExitCode, Failure> {
    let failed =
        |what: &str, error: &dyn std::fmt::Display| Failure::Run(format!("{what}: {error}"));
    // What comes before the run watches them stays pending, and is found then.
    let _blocked = SignalFd::block(&[Signal::Interrupt, Signal::Terminate])
        .map_err(|error| failed("signalfd", &error))?;
    tell(READY, "")?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| failed("part", &error))?;
    let order: Order = serde_json::from_str(&line)
        .map_err(|_| Failure::Usage("part: not for people; use --procs N".to_owned()))?;
    let mut teller = Teller { interval: order.news_ms.map(Duration::from_millis) };
    let report = load::run(&order.share.of(whole), &mut teller)?;
    let run = Run::new(report, Environment::read());
    tell(RUN, &run.to_line().map_err(super::unwritable)?)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(what: &str, of: &str) -> Result<(), Failure> {
    print(format!("{what}{of}\n").as_bytes())
}

impl Observer for Teller {
    fn interval(&self) -> Option<Duration> {
        self.interval
    }

    fn news(&mut self, news: &Snapshot) {
        if let Ok(json) = serde_json::to_string(news) {
            // A parent that is gone does not read, and its end ends us.
            let _ = tell(NEWS, &json);
        }
    }

    fn settled(&mut self, report: &Report) {
        if let Ok(json) = serde_json::to_string(report) {
            let _ = tell(SETTLED, &json);
        }
    }
}
