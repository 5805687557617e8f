//! The server under test: a child of our own binary.
//!
//! **What.** [`Server`] starts `oneloop serve` under a limit of open files, reads where it listens
//! and asks it for its [`Books`].
//!
//! **Why this way.** What is measured is the program that a user runs, limited as a user limits it
//! (`ulimit -Sn N`, then `--nofile keep`). The prediction is its own, read before any client comes.
//! The books come over its log, where SIGUSR1 writes them: an answer that can be waited for, and no
//! file to clean up.
//!
//! **Costs.** One line of JSON a question.
//!
//! **Read next.** `src/server/books.rs`, `src/server/admission.rs`.

use super::children::{ChildId, Children, Stream};
use super::{EVICT_IDLE_AFTER_MS, LadderError};
use crate::server::AtLimit;
use crate::sys::signals::Signal;
use procfs::process::Process;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::process::Command;
use std::time::Duration;

/// How long the server may take to start, to answer and to end.
const PATIENCE_MS: u64 = 30_000;

/// What the ladder reads of the server's books.
#[derive(Debug, Deserialize)]
pub(super) struct Books {
    pub(super) cap: u64,
    pub(super) connections: u64,
    pub(super) accept_failures: u64,
    /// What does not add up.
    pub(super) faults: u64,
}

/// A running server.
pub(super) struct Server {
    id: ChildId,
    /// Where it listens.
    pub(super) url: String,
}

impl Server {
    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// The system or the server refuses; the server's reason is passed on.
    pub(super) fn start(
        children: &mut Children,
        nofile: u64,
        at_limit: AtLimit,
    ) -> Result<Server, LadderError> {
        let mut serve = command("serve")?;
        serve.args(["--listen", "tcp://127.0.0.1:0/echo", "--nofile", "keep", "--log", "info"]);
        serve.args(["--at-limit", at_limit.name()]);
        serve.args(["--evict-idle-after", &format!("{EVICT_IDLE_AFTER_MS}ms")]);
        Server::launch(children, &mut serve, Some(nofile), &format!("rung {nofile}"))
    }

    /// Starts what was prepared, and waits until it is ready. `what` is for errors.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub(super) fn launch(
        children: &mut Children,
        serve: &mut Command,
        nofile: Option<u64>,
        what: &str,
    ) -> Result<Server, LadderError> {
        let id = children
            .start(serve, nofile)
            .map_err(|error| LadderError::Run(format!("{what}: {error}")))?;
        let mut url = None;
        let url = children.wait_for("the server to be ready", PATIENCE_MS, |children| {
            while let Some(line) = children.line(id, Stream::Out) {
                match line.strip_prefix("listening ") {
                    Some(at) => url = Some(at.to_owned()),
                    None if line == "ready" => return Ok(url.take()),
                    None => {}
                }
            }
            match children.is_silent(id) {
                true => Err(refusal(children, id, what)),
                false => Ok(None),
            }
        })?;
        Ok(Server { id, url })
    }

    /// The server's account of itself.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) fn books<T: DeserializeOwned>(
        &self,
        children: &mut Children,
    ) -> Result<T, LadderError> {
        let asked = children.signal(self.id, Signal::User1);
        asked.map_err(|error| LadderError::Run(format!("SIGUSR1 to the server: {error}")))?;
        children.wait_for("the server's books", PATIENCE_MS, |children| {
            while let Some(line) = children.line(self.id, Stream::Err) {
                // Behind the time and the level of the log.
                let json = line.find("{\"").map(|at| &line[at..]);
                if let Some(books) = json.and_then(|json| serde_json::from_str(json).ok()) {
                    return Ok(Some(books));
                }
            }
            self.must_run(children).map(|()| None)
        })
    }

    /// Time that the server has spent on a CPU so far (`/proc/PID/schedstat`: a single thread, in
    /// nanoseconds, where `/proc/PID/stat` counts ticks of 10 ms).
    ///
    /// # Errors
    /// The kernel does not tell.
    pub(super) fn cpu(&self, children: &Children) -> Result<Duration, LadderError> {
        let pid = children.pid(self.id).map_or(0, u32::cast_signed);
        let schedstat = Process::new(pid).and_then(|process| process.schedstat());
        schedstat
            .map(|schedstat| Duration::from_nanos(schedstat.sum_exec_runtime))
            .map_err(|error| LadderError::Run(format!("/proc/{pid}/schedstat: {error}")))
    }

    /// Lets the server drain, and waits for its end.
    ///
    /// # Errors
    /// It does not end well.
    pub(super) fn stop(self, children: &mut Children) -> Result<(), LadderError> {
        let told = children.signal(self.id, Signal::Terminate);
        told.map_err(|error| LadderError::Run(format!("SIGTERM to the server: {error}")))?;
        children.wait_for("the server to end", PATIENCE_MS, |children| {
            Ok(children.is_silent(self.id).then_some(()))
        })?;
        let last_words = children.last_words(self.id);
        match children.end(self.id) {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(status) => Err(LadderError::Run(format!(
                "the server ended with {status:?}: {}",
                last_words.unwrap_or_default()
            ))),
            Err(error) => Err(LadderError::Run(format!("the server: {error}"))),
        }
    }

    fn must_run(&self, children: &mut Children) -> Result<(), LadderError> {
        match children.is_silent(self.id) {
            true => Err(LadderError::Run(format!(
                "the server ended by itself: {}",
                children.last_words(self.id).unwrap_or_default()
            ))),
            false => Ok(()),
        }
    }
}

/// Our own binary with a subcommand, and without the settings that the environment may hold: they
/// are meant for another server.
///
/// # Errors
/// The binary cannot be found.
pub(super) fn command(subcommand: &str) -> Result<Command, LadderError> {
    let binary = std::env::current_exe()
        .map_err(|error| LadderError::Run(format!("cannot find our own binary: {error}")))?;
    let mut command = Command::new(binary);
    command.arg(subcommand);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"ONELOOP_") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Why a server did not start. If the limit was at fault, so was who chose it.
fn refusal(children: &mut Children, id: ChildId, what: &str) -> LadderError {
    let words = children.last_words(id).unwrap_or_else(|| "it did not say why".to_owned());
    let reason = words.strip_prefix("error: ").unwrap_or(&words);
    let line = format!("{what}: the server does not start: {reason}");
    match children.end(id) {
        Ok(Some(status)) if status.code() == Some(2) => LadderError::Usage(line),
        _ => LadderError::Run(line),
    }
}
