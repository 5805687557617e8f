//! Child processes of our own binary, and waiting for them.
//!
//! **What.** [`Children`] starts them, collects the lines they write, tells them to end, and on its
//! own end leaves none behind.
//!
//! **Why this way.** Pipes and signals are readiness like everything else here, so one
//! `mio::Poll` waits for all children and for Ctrl-C at once. All that arrives is read at once,
//! whoever wrote it, so that no child ever stands still because nobody reads its log. Rejected: a
//! thread a pipe (a child ends with the *thread* that started it, and Ctrl-C would need one more).
//!
//! The ladder's servers and clients are such children, and the generators of `load --procs`.
//!
//! **Costs.** Three pipes a child; nothing while waiting.
//!
//! **Read next.** `src/sys/child.rs`, `src/ladder/server.rs`, `src/ladder/clients.rs`.

use super::LadderError;
use crate::clock::{Clock, Time};
use crate::sys;
use crate::sys::signals::{Signal, SignalFd};
use mio::unix::{SourceFd, pipe};
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

const SIGNALS: Token = Token(usize::MAX);

/// Lines kept of what nobody asks for.
const LINES_MAX: usize = 1_000;

/// Names a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChildId(usize);

/// One of the two streams that a child writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// For programs.
    Out,
    /// For people: the log, and errors.
    Err,
}

/// Every child that was started and is not yet ended.
pub(crate) struct Children {
    poll: Poll,
    events: Events,
    signals: SignalFd,
    clock: Clock,
    /// `None` once ended. A child's place is its [`ChildId`].
    children: Vec<Option<Running>>,
}

struct Running {
    process: Child,
    /// By [`Stream`].
    streams: [Lines; 2],
}

/// What a pipe brought, cut into lines.
struct Lines {
    /// `None` after its end.
    pipe: Option<pipe::Receiver>,
    /// The beginning of a line.
    partial: Vec<u8>,
    /// Lines that nobody took yet, at most [`LINES_MAX`].
    lines: VecDeque<String>,
}

impl Children {
    /// Begins to wait for signals, which from now on do not end this process by themselves.
    ///
    /// # Errors
    /// No descriptor for epoll or signalfd is left.
    pub(crate) fn new() -> io::Result<Children> {
        let poll = Poll::new()?;
        let signals = SignalFd::block(&[Signal::Interrupt, Signal::Terminate])?;
        let fd = signals.as_raw_fd();
        poll.registry().register(&mut SourceFd(&fd), SIGNALS, Interest::READABLE)?;
        let (events, clock) = (Events::with_capacity(64), Clock::start());
        Ok(Children { poll, events, signals, clock, children: Vec::new() })
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Starts a child; see [`sys::child::prepare`].
    ///
    /// # Errors
    /// `fork(2)`, `execve(2)`, `prlimit(2)`; no descriptor for its pipes is left.
    pub(crate) fn start(
        &mut self,
        command: &mut Command,
        nofile_soft: Option<u64>,
    ) -> io::Result<ChildId> {
        sys::child::prepare(command, nofile_soft);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn()?;
        let pipes = [
            process.stdout.take().map(pipe::Receiver::from),
            process.stderr.take().map(pipe::Receiver::from),
        ];
        let mut streams =
            pipes.map(|pipe| Lines { pipe, partial: Vec::new(), lines: VecDeque::new() });
        let id = ChildId(self.children.len());
        for (nth, lines) in streams.iter_mut().enumerate() {
            if let Some(pipe) = &mut lines.pipe {
                pipe.set_nonblocking(true)?;
                let token = Token(id.0 * 2 + nth);
                self.poll.registry().register(pipe, token, Interest::READABLE)?;
            }
        }
        self.children.push(Some(Running { process, streams }));
        Ok(id)
    }

    /// The next line that a child wrote to a stream, if it is there.
    pub(crate) fn line(&mut self, id: ChildId, stream: Stream) -> Option<String> {
        self.children[id.0].as_mut()?.streams[stream as usize].lines.pop_front()
    }

    /// The last line of a child's log: where a program that fails says why.
    pub(crate) fn last_words(&mut self, id: ChildId) -> Option<String> {
        self.children[id.0].as_mut()?.streams[Stream::Err as usize].lines.pop_back()
    }

    /// A child has closed both its streams, or is ended: no more lines will come.
    pub(crate) fn is_silent(&self, id: ChildId) -> bool {
        let child = self.children[id.0].as_ref();
        child.is_none_or(|child| child.streams.iter().all(|lines| lines.pipe.is_none()))
    }

    /// Writes to a child's standard input; a few bytes, for it blocks while the pipe is full.
    ///
    /// # Errors
    /// `write(2)`: EPIPE if the child has ended.
    pub(crate) fn write(&mut self, id: ChildId, bytes: &[u8]) -> io::Result<()> {
        let child = self.children[id.0].as_mut();
        match child.and_then(|child| child.process.stdin.as_mut()) {
            Some(stdin) => stdin.write_all(bytes),
            None => Err(io::Error::from(ErrorKind::BrokenPipe)),
        }
    }

    /// Closes a child's standard input.
    pub(crate) fn close_stdin(&mut self, id: ChildId) {
        if let Some(child) = &mut self.children[id.0] {
            drop(child.process.stdin.take());
        }
    }

    /// Sends a signal to a child.
    ///
    /// # Errors
    /// `kill(2)`.
    pub(crate) fn signal(&self, id: ChildId, signal: Signal) -> io::Result<()> {
        self.children[id.0]
            .as_ref()
            .map_or(Ok(()), |child| sys::child::send(&child.process, signal))
    }

    pub(crate) fn pid(&self, id: ChildId) -> Option<u32> {
        self.children[id.0].as_ref().map(|child| child.process.id())
    }

    /// How a child that [is silent](Children::is_silent) ended. One that is not is killed.
    ///
    /// # Errors
    /// `waitpid(2)`.
    pub(crate) fn end(&mut self, id: ChildId) -> io::Result<Option<ExitStatus>> {
        let silent = self.is_silent(id);
        let Some(mut child) = self.children[id.0].take() else { return Ok(None) };
        if !silent {
            child.process.kill()?;
        }
        child.process.wait().map(Some)
    }

    /// Calls `look` whenever a child has written something, until it finds what it looks for.
    ///
    /// # Errors
    /// Those of `look`; a signal; nothing found within `limit_ms`, where `what` says what for.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        limit_ms: u64,
        mut look: impl FnMut(&mut Children) -> Result<Option<T>, LadderError>,
    ) -> Result<T, LadderError> {
        let due = self.now().plus_ms(limit_ms);
        loop {
            if let Some(found) = look(self)? {
                return Ok(found);
            }
            if !self.sleep_until(due)? {
                let reason = format!("waited {} s for {what}, in vain", limit_ms / 1_000);
                return Err(LadderError::Run(reason));
            }
        }
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// A signal.
    pub(crate) fn let_pass(&mut self, ms: u64) -> Result<(), LadderError> {
        let due = self.now().plus_ms(ms);
        while self.sleep_until(due)? {}
        Ok(())
    }

    /// Sleeps until something arrives. False if `due` has come.
    fn sleep_until(&mut self, due: Time) -> Result<bool, LadderError> {
        let left = due.since(self.now());
        if left == Duration::ZERO {
            return Ok(false);
        }
        match self.poll.poll(&mut self.events, Some(left)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                return Err(LadderError::Run(format!("epoll_wait: {error}")));
            }
            _ => {}
        }
        for event in &self.events {
            let Token(token) = event.token();
            if let Some(Some(child)) = self.children.get_mut(token / 2) {
                child.streams[token % 2].read();
            }
        }
        match self.signals.take() {
            Ok(Some(signal)) => Err(LadderError::Interrupted(signal)),
            Ok(None) => Ok(true),
            Err(error) => Err(LadderError::Run(format!("signalfd: {error}"))),
        }
    }
}

/// Whatever happened: no child stays.
impl Drop for Children {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            // It may have ended by itself, which is what we want.
            let _ = child.process.kill();
            let _ = child.process.wait();
        }
    }
}

impl Lines {
    /// Reads all there is.
    fn read(&mut self) {
        let mut bytes = [0; 4096];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut bytes) {
                Ok(0) => self.pipe = None,
                Ok(len) => self.append(&bytes[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.pipe = None,
            }
        }
        // A last line without an ending.
        if !self.partial.is_empty() {
            self.append(b"\n");
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            self.lines.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        let surplus = self.lines.len().saturating_sub(LINES_MAX);
        self.lines.drain(..surplus);
    }
}
