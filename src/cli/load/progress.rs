//! What is shown while a load runs.
//!
//! **What.** [`Progress`] shows a live line on standard error, and prints the `settled` line of
//! `--hold` on standard output.
//!
//! **Why this way.** On a terminal one line is drawn over and over; in a log or a pipe that would
//! be noise, so there it is a plain line a second.
//!
//! **Costs.** Ten lines a second on a terminal; each scans the histogram once.
//!
//! **Read next.** `src/load/mod.rs`, which gives the news.

use super::print;
use super::render::latency;
use crate::limits::words::grouped;
use crate::load::{Limit, Observer, Report, Scenario, Snapshot, Stage};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Where news is shown.
enum Shown {
    Nowhere,
    Lines,
    Bar(ProgressBar),
}

/// Shows how a run goes.
pub(super) struct Progress {
    shown: Shown,
    connections: u64,
    duration: Duration,
    hold: bool,
    /// Processes that the news are of.
    procs: u32,
    /// The first limit was told.
    told_limit: bool,
}

impl Progress {
    pub(super) fn new(scenario: &Scenario, procs: u32, quiet: bool) -> Progress {
        let shown = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Shown::Nowhere,
            (false, false) => Shown::Lines,
            (false, true) => {
                let bar = ProgressBar::new(1);
                if let Ok(style) = ProgressStyle::with_template("{bar:16.cyan/dim} {msg}") {
                    bar.set_style(style);
                }
                Shown::Bar(bar)
            }
        };
        Progress {
            shown,
            connections: u64::from(scenario.connections),
            duration: Duration::from_millis(scenario.duration_ms),
            hold: scenario.hold,
            procs,
            told_limit: false,
        }
    }

    /// Says once which limit the first connections met, while there is time to end the run.
    fn tell_limit(&mut self, limit: Limit) {
        if std::mem::replace(&mut self.told_limit, true) {
            return;
        }
        let line = format!("a limit: {}; lifted by {}", limit.what(), limit.lifted_by());
        match &self.shown {
            Shown::Nowhere => {}
            Shown::Bar(bar) => bar.println(line),
            Shown::Lines => drop(writeln!(std::io::stderr(), "{line}")),
        }
    }

    /// Leaves the line to what comes next.
    pub(super) fn end(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }

    /// The run begins when so much time has passed.
    pub(super) fn countdown(&self, left: Duration) {
        let seconds = left.as_millis().div_ceil(1_000) as u64;
        let shown = humantime::format_duration(Duration::from_secs(seconds));
        match &self.shown {
            Shown::Nowhere => {}
            Shown::Bar(bar) => bar.set_message(format!("begins in {shown}")),
            // All of the last seconds, and before that enough to see that it waits.
            Shown::Lines if seconds > 10 && !seconds.is_multiple_of(10) => {}
            Shown::Lines => drop(writeln!(std::io::stderr(), "begins in {shown}")),
        }
    }

    fn line(&self, news: &Snapshot) -> String {
        let elapsed = news.elapsed.as_secs_f64();
        let of = self.duration.as_secs_f64();
        let connected = grouped(news.connected);
        let mut line = match news.stage {
            Stage::Opening => {
                let (all, waiting) = (grouped(self.connections), grouped(news.waiting));
                format!("{elapsed:.1}s  {connected} of {all} connected, {waiting} waiting")
            }
            Stage::Ready => {
                format!("{elapsed:.1}s  {connected} connected, and other processes waited for")
            }
            Stage::Holding => {
                let pings = match news.p99_us {
                    p99 if p99 > 0.0 && !self.hold => format!("  ping p99 {}", latency(p99)),
                    _ => String::new(),
                };
                format!("{elapsed:.0}s/{of:.0}s  {connected} held{pings}")
            }
            Stage::Measuring | Stage::Ending | Stage::Closing | Stage::Over => {
                let (rate, p99) = (grouped(news.rate_per_s as u64), latency(news.p99_us));
                let service = news.service_p99_us.map(latency);
                let service = service.map_or(String::new(), |it| format!(" (service {it})"));
                let line = match news.in_line {
                    0 => String::new(),
                    in_line => format!("  {} in line", grouped(in_line)),
                };
                let sockets = match news.reopened_per_s as u64 {
                    0 => String::new(),
                    opened => format!("  {} new sockets/s", grouped(opened)),
                };
                // Of all answers together it is not above the largest of the processes.
                let most = if self.procs > 1 { "<= " } else { "" };
                let times = format!("p99 {most}{p99}{service}{sockets}{line}");
                format!("{elapsed:.0}s/{of:.0}s  {connected} connected  {rate}/s  {times}")
            }
        };
        if news.errors > 0 {
            line.push_str(&format!("  {} errors", grouped(news.errors)));
        }
        line
    }
}

impl Observer for Progress {
    fn interval(&self) -> Option<Duration> {
        match self.shown {
            Shown::Nowhere => None,
            Shown::Lines => Some(Duration::from_secs(1)),
            Shown::Bar(_) => Some(Duration::from_millis(100)),
        }
    }

    fn news(&mut self, news: &Snapshot) {
        news.limit.into_iter().for_each(|limit| self.tell_limit(limit));
        let line = self.line(news);
        match &self.shown {
            Shown::Nowhere => {}
            // A closed standard error is no reason to stop.
            Shown::Lines => drop(writeln!(std::io::stderr(), "{line}")),
            Shown::Bar(bar) => {
                let (at, of) = match news.stage {
                    Stage::Opening => (news.connected, self.connections),
                    _ => (news.elapsed.as_millis() as u64, self.duration.as_millis() as u64),
                };
                bar.set_message(line);
                bar.update(|state| {
                    state.set_len(of);
                    state.set_pos(at.min(of));
                });
            }
        }
    }

    fn settled(&mut self, report: &Report) {
        if self.hold
            && let Ok(json) = serde_json::to_string(report)
        {
            // Who does not listen any more will not miss it.
            let _ = print(format!("settled {json}\n").as_bytes());
        }
    }
}
