//! `oneloop upgrade`.
//!
//! **What.** Asks a running server to start its successor, and waits until it has gone.
//!
//! **Why this way.** The server does the work on SIGUSR2 (`src/server/handover.rs`); this command
//! adds that the right process gets it, and that its outcome is known: a server that is still there
//! at the end has not been replaced. Other programs end on SIGUSR2, so whoever does not run our
//! binary's name is left alone: a process id in a file may be another's by now.
//!
//! **Costs.** A pidfd.
//!
//! **Read next.** `src/server/handover.rs`.

use super::Failure;
use crate::sys::child::PidFd;
use crate::sys::signals::Signal;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Replace a running server by a new one, without losing a connection
#[derive(Debug, clap::Args)]
pub(super) struct Upgrade {
    /// The process to replace: of several workers, their supervisor
    #[arg(long, value_name = "PID", required_unless_present = "pid_file")]
    pid: Option<u32>,
    /// A file with its number
    #[arg(long, value_name = "FILE", conflicts_with = "pid")]
    pid_file: Option<PathBuf>,
    /// How long it may take until the old one has gone: its drain, and the start of the new
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    #[arg(value_parser = humantime::parse_duration)]
    wait: Duration,
}

impl Upgrade {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let (pid, origin) = self.find()?;
        let gone = || Failure::Usage(format!("{origin}: there is no process {pid}: it is stale"));
        let process = PidFd::open(pid).map_err(|_| gone())?;
        // Behind the pidfd, so that it is this process that is looked at.
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).map_err(|_| gone())?;
        if comm.trim_end() != "oneloop" {
            return Err(Failure::Usage(format!(
                "{origin}: process {pid} is `{}` and not oneloop: it is left alone",
                comm.trim_end()
            )));
        }
        process
            .send(Signal::User2)
            .map_err(|error| Failure::Run(format!("{origin}: process {pid}: {error}")))?;
        match ends_within(&process, self.wait) {
            Ok(true) => Ok(ExitCode::SUCCESS),
            Ok(false) => Err(Failure::Run(format!(
                "{origin}: process {pid} serves on after {}: its log says why",
                humantime::format_duration(self.wait)
            ))),
            Err(error) => Err(Failure::Run(format!("epoll: {error}"))),
        }
    }

    /// The number, and who said it.
    fn find(&self) -> Result<(u32, String), Failure> {
        let Some(file) = &self.pid_file else {
            return Ok((self.pid.unwrap_or_default(), "--pid".into()));
        };
        let origin = format!("--pid-file {}", file.display());
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::Usage(format!("{origin}: {error}")))?;
        match text.trim().parse() {
            Ok(pid) => Ok((pid, origin)),
            Err(_) => Err(Failure::Usage(format!("{origin}: there is no number in it"))),
        }
    }
}

/// Waits for the end of a process. False if it does not come in time.
fn ends_within(process: &PidFd, limit: Duration) -> io::Result<bool> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1);
    let source = process.as_raw_fd();
    poll.registry().register(&mut SourceFd(&source), Token(0), Interest::READABLE)?;
    loop {
        match poll.poll(&mut events, Some(limit)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(!events.is_empty()),
        }
    }
}
