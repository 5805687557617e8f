//! What may end a run before its time: a signal, or the end of standard input.
//!
//! **What.** [`Stops`] watches SIGINT and SIGTERM, and standard input if asked to, on the run's own
//! loop, and says what is [`Asked`].
//!
//! **Why this way.** A result so far is worth printing, so a signal must end the run and not the
//! process; read from a descriptor it comes between two turns. Whoever starts generators as
//! children (the ladder, `--procs`) ends them by closing a pipe: that also happens when the parent
//! dies. The same pipe tells them when to begin.
//!
//! **Costs.** One descriptor.
//!
//! **Read next.** `src/sys/signals.rs`, `src/load/handler.rs`.

use super::{LoadError, Scenario};
use crate::reactor::Source;
use crate::sys::signals::{Signal, SignalFd};
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::{AsFd, AsRawFd};

/// Numbers of the control sources.
const SIGNALS: u16 = 0;
const STDIN: u16 = 1;

/// What somebody outside wants of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    /// Begin to measure, if that was waited for.
    Begin,
    End,
}

/// The descriptors that may end a run.
pub(super) struct Stops {
    signals: Option<SignalFd>,
    stdin: Option<File>,
}

impl Stops {
    /// Watches what the scenario names. A terminal, a file or `/dev/null` as standard input has no
    /// end to wait for and is not watched.
    pub(super) fn watch(scenario: &Scenario, registry: &Registry) -> Result<Stops, LoadError> {
        let register = |fd, index| {
            let token = Source::Control(index).token();
            registry.register(&mut SourceFd(&fd), token, Interest::READABLE)
        };
        let signals = match scenario.stop_on_signal {
            true => Some(SignalFd::block(&[Signal::Interrupt, Signal::Terminate])?),
            false => None,
        };
        if let Some(signals) = &signals {
            register(signals.as_raw_fd(), SIGNALS)?;
        }
        let stdin = io::stdin();
        let is_watched = scenario.stop_on_stdin_end
            && !stdin.is_terminal()
            && register(stdin.as_raw_fd(), STDIN).is_ok();
        // A descriptor of its own, to read without the buffer and the lock of `Stdin`.
        let stdin = match is_watched {
            true => Some(File::from(stdin.as_fd().try_clone_to_owned()?)),
            false => None,
        };
        Ok(Stops { signals, stdin })
    }

    /// A control source is ready: what does it ask for? `scratch` may be overwritten.
    pub(super) fn asked(&mut self, index: u16, scratch: &mut [u8]) -> Asked {
        match (index, &mut self.signals, &mut self.stdin) {
            (SIGNALS, Some(signals), _) => match signals.take() {
                Ok(Some(_)) => Asked::End,
                _ => Asked::Nothing,
            },
            // A pipe holds 64 KiB: one read takes all, so the next edge is the end.
            (STDIN, _, Some(stdin)) => match stdin.read(scratch) {
                Ok(0) | Err(_) => Asked::End,
                Ok(_) => Asked::Begin,
            },
            _ => Asked::Nothing,
        }
    }
}
