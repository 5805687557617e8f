//! Signals as something to read (`signalfd(2)`).
//!
//! **What.** [`SignalFd`] blocks a few signals and delivers them as readiness of a descriptor.
//!
//! **Why this way.** A signal handler interrupts any instruction, so almost nothing may be done in
//! one. A blocked signal on a descriptor arrives between two turns like any other event. Signals
//! must be blocked before a second thread starts; the mask survives `fork` and `exec`, which is why
//! [`unblock_all`] exists for children.
//!
//! **Costs.** One descriptor; one `read` a signal.
//!
//! **Read next.** `src/server/drain.rs`, which acts on them.

use super::check;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The signals that the server listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
    /// SIGUSR1.
    User1,
    /// SIGUSR2.
    User2,
    /// SIGHUP.
    Hangup,
}

impl Signal {
    /// The system's number for it.
    pub const fn number(self) -> i32 {
        match self {
            Signal::Terminate => libc::SIGTERM,
            Signal::Interrupt => libc::SIGINT,
            Signal::User1 => libc::SIGUSR1,
            Signal::User2 => libc::SIGUSR2,
            Signal::Hangup => libc::SIGHUP,
        }
    }
}

/// Delivers blocked signals through a descriptor.
#[derive(Debug)]
pub struct SignalFd {
    file: std::fs::File,
    signals: Vec<Signal>,
}

impl SignalFd {
    /// Blocks `signals` in this thread (and those it starts) and opens a descriptor for them.
    ///
    /// # Errors
    /// `signalfd(2)`: no descriptor or memory is left.
    pub fn block(signals: &[Signal]) -> io::Result<SignalFd> {
        let mask = mask(signals);
        // SAFETY: `mask` is initialised; the old mask is not asked for.
        let failed = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &mask, std::ptr::null_mut()) };
        if failed != 0 {
            return Err(io::Error::from_raw_os_error(failed));
        }
        // SAFETY: `mask` is initialised; -1 asks for a new descriptor.
        let fd =
            check(unsafe { libc::signalfd(-1, &mask, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) })?;
        // SAFETY: `fd` was just opened and nobody else owns it.
        let file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(SignalFd { file, signals: signals.to_vec() })
    }

    /// The next pending signal. Two of a kind that were pending together arrive as one.
    ///
    /// # Errors
    /// `read(2)` failed for another reason than that nothing is pending.
    pub fn take(&mut self) -> io::Result<Option<Signal>> {
        let mut record = [0; size_of::<libc::signalfd_siginfo>()];
        match self.file.read(&mut record) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        // The record begins with `ssi_signo`, 32 bits.
        let number = i32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
        Ok(self.signals.iter().copied().find(|signal| signal.number() == number))
    }
}

impl AsRawFd for SignalFd {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Unblocks every signal: for a child process between `fork` and `exec`.
pub fn unblock_all() {
    let none = mask(&[]);
    // SAFETY: `none` is initialised; `pthread_sigmask` is async-signal-safe.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &none, std::ptr::null_mut()) };
}

fn mask(signals: &[Signal]) -> libc::sigset_t {
    // SAFETY: all-zero is a valid `sigset_t` to be initialised by `sigemptyset`, and the signal
    // numbers are those of the system.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, signal.number());
        }
        set
    }
}
