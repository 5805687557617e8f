//! Several generators at once: the parent's side of `--procs`.
//!
//! **What.** [`run`] starts processes of our own binary, gives each its share of the scenario, lets
//! all begin to measure together, shows how they go in one line, and adds up what they found.
//!
//! **Why this way.** A process has one thread, its own limit of descriptors and its own share of
//! the ports: what one cannot do, several can. What they bring back are whole histograms, which are
//! added as `oneloop merge` adds files; percentiles are never averaged. All begin to measure when
//! the fate of every connection of all is known, so that none measures while another still
//! connects. They are a process group of their own: Ctrl-C on a terminal reaches the parent alone,
//! and it tells them. One that dies takes the run with it, because a sum without it would be of
//! something else. Rejected: `fork` (children of a process that has threads may do next to
//! nothing), threads (they would share the limit of descriptors).
//!
//! **Costs.** Three pipes a process; a line of some 300 bytes a process and news.
//!
//! **Read next.** `src/cli/load/part.rs`, `src/load/share.rs`, `src/ladder/children.rs`.

use super::Failure;
use super::part::{NEWS, Order, READY, RUN, SETTLED};
use super::progress::Progress;
use crate::ladder::LadderError;
use crate::ladder::children::{ChildId, Children, Stream};
use crate::load::{self, LoadError, Observer, Report, Scenario, Share, Snapshot};
use crate::report::{self, Run};
use crate::sys::signals::Signal;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};

/// No limit: how long connections take to be opened and messages to be answered has limits in the
/// children.
const FOREVER_MS: u64 = 1 << 40;
/// How long a child may take to start, and to end when it has told all.
const PATIENCE_MS: u64 = 60_000;

/// One process and what it has told.
struct Part {
    id: ChildId,
    is_ready: bool,
    news: Option<Snapshot>,
    /// They have not been shown yet.
    is_fresh: bool,
    settled: Option<Report>,
    run: Option<Run>,
}

/// All of them.
struct Parts<'a> {
    parts: Vec<Part>,
    progress: &'a mut Progress,
}

/// The shares of `procs` processes, which can all be run here.
pub(super) fn shares(scenario: &Scenario, procs: u32) -> Result<Vec<Share>, Failure> {
    let shares = scenario.shares(procs)?;
    load::check(&shares[0].of(scenario)).map_err(|error| match error {
        LoadError::Usage(line) if procs > 1 => {
            Failure::Usage(format!("procs {procs}: in each process, {line}"))
        }
        error => error.into(),
    })?;
    Ok(shares)
}

/// Runs a scenario in `procs` processes, and adds up what they found.
pub(super) fn run(
    scenario: &Scenario,
    procs: u32,
    progress: &mut Progress,
) -> Result<Run, Failure> {
    let shares = shares(scenario, procs)?;
    let mut children =
        Children::new().map_err(|error| Failure::Run(format!("epoll, signalfd: {error}")))?;
    let mut parts = Parts { parts: Vec::new(), progress };
    for number in 1..=procs {
        let id = spawn(&mut children, number, procs)?;
        let part =
            Part { id, is_ready: false, news: None, is_fresh: false, settled: None, run: None };
        parts.parts.push(part);
    }
    parts.wait(&mut children, PATIENCE_MS, |it| it.is_ready, Interrupt::Fail)?;
    let news_ms = parts.progress.interval().map(|interval| interval.as_millis() as u64);
    for (number, share) in shares.into_iter().enumerate() {
        let order = Order { share, news_ms };
        let line = serde_json::to_string(&order).map_err(super::unwritable)? + "\n";
        parts.say(&mut children, number, line.as_bytes())?;
    }
    parts.wait(&mut children, FOREVER_MS, |it| it.settled.is_some(), Interrupt::Forward)?;
    parts.settled();
    for number in 0..parts.parts.len() {
        parts.say(&mut children, number, b"begin\n")?;
    }
    parts.wait(&mut children, FOREVER_MS, |it| it.run.is_some(), Interrupt::Forward)?;
    parts.end(&mut children)?;
    parts.sum()
}

/// What to do about a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interrupt {
    /// There is nothing yet to print.
    Fail,
    /// The children end their run, and what they found so far is printed.
    Forward,
}

fn spawn(children: &mut Children, number: u32, procs: u32) -> Result<ChildId, Failure> {
    let bad = |error| Failure::Run(format!("process {number} of {procs}: {error}"));
    let mut command = Command::new(std::env::current_exe().map_err(bad)?);
    command.args(std::env::args_os().skip(1)).args(["--part", &format!("{number}/{procs}")]);
    command.process_group(0);
    children.start(&mut command, None).map_err(bad)
}

fn failure(error: LadderError) -> Failure {
    match error {
        LadderError::Usage(line) => Failure::Usage(line),
        LadderError::Run(line) => Failure::Run(line),
        LadderError::Interrupted(_) => Failure::Run("ended by a signal before it began".into()),
    }
}

impl Parts<'_> {
    /// Waits until all have come so far.
    fn wait(
        &mut self,
        children: &mut Children,
        limit_ms: u64,
        is_so_far: fn(&Part) -> bool,
        interrupt: Interrupt,
    ) -> Result<(), Failure> {
        loop {
            let mut died = None;
            let heard = children.wait_for("the processes", limit_ms, |children| {
                died = self.hear(children);
                let all = self.parts.iter().all(|part| part.run.is_some() || is_so_far(part));
                Ok((all || died.is_some()).then_some(()))
            });
            match (heard, died) {
                (_, Some(number)) => return Err(self.death(children, number)),
                (Ok(()), None) => return Ok(()),
                (Err(LadderError::Interrupted(_)), None) if interrupt == Interrupt::Forward => {
                    for part in &self.parts {
                        // One that has ended by itself needs no telling.
                        let _ = children.signal(part.id, Signal::Interrupt);
                    }
                }
                (Err(error), None) => return Err(failure(error)),
            }
        }
    }

    /// Takes what the children have said. The number of one that ended without its result.
    fn hear(&mut self, children: &mut Children) -> Option<usize> {
        for part in &mut self.parts {
            while let Some(line) = children.line(part.id, Stream::Out) {
                if let Some(json) = line.strip_prefix(NEWS) {
                    part.news = serde_json::from_str(json).ok().or(part.news);
                    part.is_fresh = true;
                } else if let Some(json) = line.strip_prefix(SETTLED) {
                    let json = serde_json::from_str(json).unwrap_or_default();
                    part.settled = Report::from_json(&json).ok();
                } else if let Some(json) = line.strip_prefix(RUN) {
                    part.run = Run::parse(json).ok();
                } else {
                    part.is_ready |= line == READY;
                }
            }
        }
        if self.parts.iter().all(|part| part.is_fresh || part.run.is_some()) {
            self.parts.iter_mut().for_each(|part| part.is_fresh = false);
            let news = self.parts.iter().filter_map(|part| part.news);
            news.reduce(Snapshot::with).inspect(|news| self.progress.news(news));
        }
        self.parts.iter().position(|part| part.run.is_none() && children.is_silent(part.id))
    }

    fn say(&self, children: &mut Children, number: usize, line: &[u8]) -> Result<(), Failure> {
        let part = &self.parts[number];
        match children.write(part.id, line) {
            // It was told to end, and has.
            Err(_) if part.run.is_some() => Ok(()),
            Err(_) => Err(self.death(children, number)),
            Ok(()) => Ok(()),
        }
    }

    /// Why a child is no more.
    fn death(&self, children: &mut Children, number: usize) -> Failure {
        let part = &self.parts[number];
        let pid = children.pid(part.id).unwrap_or_default();
        let words = children.last_words(part.id);
        let how = match children.end(part.id) {
            Ok(Some(status)) => ended(status),
            Ok(None) => "ended".to_owned(),
            Err(error) => format!("cannot be waited for: {error}"),
        };
        let words = words.map_or(String::new(), |words| {
            format!(": {}", words.strip_prefix("error: ").unwrap_or(&words))
        });
        let (number, of) = (number + 1, self.parts.len());
        Failure::Run(format!("process {number} of {of} (pid {pid}) {how}{words}"))
    }

    /// The fate of every connection is known.
    fn settled(&mut self) {
        let mut reports = self.parts.iter_mut().filter_map(|part| part.settled.take());
        if let Some(mut sum) = reports.next() {
            reports.for_each(|report| sum.merge(&report));
            self.progress.settled(&sum);
        }
    }

    /// Sees all of them end.
    fn end(&self, children: &mut Children) -> Result<(), Failure> {
        let ids: Vec<ChildId> = self.parts.iter().map(|part| part.id).collect();
        let ended = children.wait_for("the processes to end", PATIENCE_MS, |children| {
            Ok(ids.iter().all(|&id| children.is_silent(id)).then_some(()))
        });
        match ended {
            // All is told, so they are ending already.
            Ok(()) | Err(LadderError::Interrupted(_)) => {}
            Err(error) => return Err(failure(error)),
        }
        for (number, id) in ids.into_iter().enumerate() {
            let status = children.end(id);
            match status.map_err(|error| Failure::Run(format!("waitpid: {error}")))? {
                Some(status) if !status.success() => {
                    let (number, of) = (number + 1, self.parts.len());
                    let line = format!("process {number} of {of} {}", self::ended(status));
                    return Err(Failure::Run(line));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn sum(self) -> Result<Run, Failure> {
        let named = self.parts.into_iter().enumerate();
        let runs: Vec<(String, Run)> =
            named.filter_map(|(n, part)| Some((format!("process {}", n + 1), part.run?))).collect();
        report::merge(&runs).map_err(Failure::Run)
    }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (_, Some(libc::SIGKILL)) => "was killed (SIGKILL; out of memory?)".to_owned(),
        (_, Some(signal)) => format!("was ended by signal {signal}"),
        (Some(code), None) => format!("ended with status {code}"),
        (None, None) => "ended".to_owned(),
    }
}
