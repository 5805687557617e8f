//! A worker as the supervisor sees it.
//!
//! **What.** [`Recruit`] starts a worker; a [`Hand`] is one that runs, a thread or a process; a
//! `Post` is its place, which outlives it: its inbox, its failures, its account.
//!
//! **Why this way.** A process ends when its pidfd says so, a thread when its end of the socket is
//! gone; then either is waited for, which takes no time. The inbox stays when a worker dies, so
//! that the siblings notice nothing. A worker that dies is started again at once; one that keeps
//! dying after longer and longer waits, so that a bad configuration does not become a busy loop.
//!
//! **Costs.** Five descriptors: both ends of an inbox, a socket, a pidfd, and a copy of the page.
//!
//! **Read next.** `src/cli/workers.rs`, which starts both kinds.

use super::{Office, WORKERS, is_good};
use crate::clock::Time;
use crate::reactor::{Cx, Source};
use crate::server::{Account, Berth};
use crate::sys::child::PidFd;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use socket2::{Domain, Socket, Type};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Child;
use std::thread::JoinHandle;

/// The wait before the second restart in a row; it doubles with each.
const DELAY_MS: u64 = 100;

/// The longest wait.
const DELAY_MS_MAX: u64 = 10_000;

/// What an inbox may hold in the kernel, in bytes.
const INBOX_BYTES: usize = 1024 * 1024;

/// Starts workers.
pub trait Recruit {
    /// Starts the worker of this berth with these sockets, by endpoint.
    ///
    /// # Errors
    /// No process or thread can be had.
    fn start(&mut self, berth: Berth, sockets: Vec<Vec<OwnedFd>>) -> io::Result<Hand>;

    /// Workers are threads of this process.
    fn is_in_process(&self) -> bool;
}

/// A worker that was started.
#[derive(Debug)]
pub enum Hand {
    /// A child.
    Process(Child),
    /// A thread.
    Thread(JoinHandle<()>),
}

/// A worker's place.
pub(super) struct Post {
    /// What siblings send, and where they send it.
    inbox: (OwnedFd, OwnedFd),
    running: Option<Running>,
    /// It serves.
    pub(super) is_ready: bool,
    pub(super) has_room: bool,
    /// How often one was started here.
    pub(super) starts: u32,
    since: Time,
    /// Ends in a row, each soon after its start.
    failures: u32,
    /// What those who are dead had counted.
    pub(super) retired: Account,
}

struct Running {
    hand: Hand,
    control: Socket,
    /// Of a process.
    pidfd: Option<PidFd>,
    /// It has closed its end.
    is_silent: bool,
}

impl Post {
    pub(super) fn new() -> io::Result<Post> {
        let (ours, theirs) = pair()?;
        theirs.set_send_buffer_size(INBOX_BYTES)?;
        Ok(Post {
            inbox: (ours.into(), theirs.into()),
            running: None,
            is_ready: false,
            has_room: false,
            starts: 0,
            since: Time::ZERO,
            failures: 0,
            retired: Account::default(),
        })
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The id of its process, if it is one.
    pub(super) fn pid(&self) -> Option<u32> {
        match &self.running.as_ref()?.hand {
            Hand::Process(child) => Some(child.id()),
            Hand::Thread(_) => None,
        }
    }

    pub(super) fn tell(&self, packet: &[u8]) {
        let sent = self.running.as_ref().map(|running| running.control.send(packet));
        if let Some(Err(error)) = sent {
            tracing::debug!("a worker does not hear: {error}");
        }
    }

    /// The next word of the worker, if there is one.
    pub(super) fn hear(&mut self) -> Option<u8> {
        let running = self.running.as_mut()?;
        let mut word = [0];
        match running.control.read(&mut word) {
            Ok(1) => Some(word[0]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            _ => {
                running.is_silent = true;
                None
            }
        }
    }

    /// How it ended, if it has; then it is gone.
    pub(super) fn ended(&mut self, registry: &Registry) -> Option<String> {
        let running = self.running.as_mut()?;
        let how = match &mut running.hand {
            Hand::Process(child) => child.try_wait().ok()??.to_string(),
            Hand::Thread(_) if !running.is_silent => return None,
            Hand::Thread(_) => "a thread".to_owned(),
        };
        let Running { hand, control, pidfd, .. } = self.running.take()?;
        let _ = registry.deregister(&mut SourceFd(&control.as_raw_fd()));
        if let Some(pidfd) = pidfd {
            let _ = registry.deregister(&mut SourceFd(&pidfd.as_raw_fd()));
        }
        match hand {
            Hand::Thread(thread) => {
                Some(thread.join().map_or_else(|_| "it panicked".to_owned(), |()| how))
            }
            Hand::Process(_) => Some(how),
        }
    }

    /// It ended by itself: soon after its start, or after good service?
    pub(super) fn count_failure(&mut self, was_ready: bool, now: Time) {
        let was_good = was_ready && is_good(self.since, now);
        self.failures = if was_good { 1 } else { self.failures + 1 };
    }

    /// How long to wait before the next is started.
    pub(super) fn delay_ms(&self) -> u64 {
        match self.failures {
            0 | 1 => 0,
            n => (DELAY_MS << (n - 2).min(10)).min(DELAY_MS_MAX),
        }
    }

    /// Ends a process that does not end by itself. A thread cannot be.
    pub(super) fn kill(&mut self) {
        if let Some(Running { hand: Hand::Process(child), .. }) = &mut self.running {
            // It may have ended by now.
            let _ = child.kill();
        }
    }

    /// Closes the socket, at which the worker drains, and waits for its end.
    pub(super) fn let_go(&mut self) {
        let Some(Running { hand, control, .. }) = self.running.take() else { return };
        drop(control);
        match hand {
            Hand::Process(mut child) => drop(child.wait()),
            Hand::Thread(thread) => drop(thread.join()),
        }
    }
}

impl<R: super::Recruit> Office<R> {
    /// Starts the worker of a post.
    ///
    /// # Errors
    /// No descriptor, process or thread is left.
    pub(super) fn recruit(&mut self, cx: &mut Cx, number: usize) -> io::Result<()> {
        let (ours, theirs) = pair()?;
        let others = self.posts.iter().enumerate().filter(|(other, _)| *other != number);
        let outboxes = others.map(|(_, post)| post.inbox.1.try_clone());
        let berth = Berth {
            number,
            workers: self.posts.len(),
            control: theirs.into(),
            inbox: self.posts[number].inbox.0.try_clone()?,
            outboxes: outboxes.collect::<io::Result<_>>()?,
            pages: self.pages.clone(),
            shared_descriptors: self.shared_descriptors,
        };
        let clones = |group: &Vec<OwnedFd>| group.iter().map(OwnedFd::try_clone).collect();
        let sockets = self.plan.sockets.iter().map(clones).collect::<io::Result<_>>()?;
        let hand = self.recruit.start(berth, sockets)?;
        let pidfd = match &hand {
            Hand::Process(child) => Some(PidFd::open(child.id())?),
            Hand::Thread(_) => None,
        };
        let watch = |fd: &dyn AsRawFd, nth: usize| {
            let token = Source::Control(WORKERS + (2 * number + nth) as u16).token();
            cx.registry().register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)
        };
        watch(&ours, 0)?;
        if let Some(pidfd) = &pidfd {
            watch(pidfd, 1)?;
        }
        let post = &mut self.posts[number];
        post.running = Some(Running { hand, control: ours, pidfd, is_silent: false });
        (post.starts, post.since) = (post.starts + 1, cx.now);
        if self.is_started {
            self.tell_roster();
        }
        Ok(())
    }
}

/// Two ends of a connection that carries packets in order.
fn pair() -> io::Result<(Socket, Socket)> {
    let (ours, theirs) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None)?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((ours, theirs))
}
