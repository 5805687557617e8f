//! Several workers: starts them, watches over them, ends them.
//!
//! **What.** [`Supervisor`] holds all listening sockets, starts the workers with copies of them,
//! and starts a worker that died again. It tells all of them who has room, passes signals on, and
//! adds up what they have counted.
//!
//! **Why this way.** The same reactor as everywhere: workers are descriptors that become readable
//! when they say something or end. Because the sockets are open here, the port refuses nobody while
//! a worker is dead, and what waits at its sockets is served by its siblings. How a worker is
//! started is a [`Recruit`]'s matter, so threads and processes are watched over alike. A worker
//! notices the end of its supervisor by the end of their socket, and drains; rejected:
//! `PR_SET_PDEATHSIG`, which can only say it in the words of a signal that means something else.
//!
//! **Costs.** Nothing while nothing happens. Five descriptors a worker, and its sockets.
//!
//! **Read next.** `src/server/crew.rs`, the workers' side; `src/server/supervisor/tally.rs`.

mod hands;
mod tally;

pub use hands::{Hand, Recruit};
pub use tally::Told;

use super::crew::word;
use super::drain::{SIGNALS, SUCCESSOR};
use super::handover::Successor;
use super::page::{self, words_of};
use super::{Account, Exit, Program, StartError, limits, watch_signals};
use crate::clock::Time;
use crate::net::{self, Endpoint};
use crate::reactor::{ConnId, Cx, Handler, Reactor, Readiness, TimerKey};
use crate::sys;
use crate::sys::memory::Shared;
use crate::sys::signals::{Signal, SignalFd};
use hands::Post;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;

/// From here on two numbers a worker: its socket, and its process.
const WORKERS: u16 = 16;

/// What several workers are to be.
pub struct Plan {
    /// How many.
    pub workers: usize,
    /// Where they listen.
    pub endpoints: Vec<Endpoint>,
    /// By endpoint: its sockets, open already. One for each worker, or one for all.
    pub sockets: Vec<Vec<OwnedFd>>,
    /// How long a drain may take.
    pub drain_ms: u64,
    /// Where the counters go; `None` is the log.
    pub metrics_file: Option<PathBuf>,
    /// What SIGUSR2 starts.
    pub successor: Option<Program>,
}

/// See the module's header.
pub struct Supervisor<R: Recruit> {
    reactor: Reactor,
    office: Office<R>,
}

impl<R: Recruit> Supervisor<R> {
    /// Starts the workers, and waits until all of them serve.
    ///
    /// # Errors
    /// The system has no room for so many, or a worker does not start; it has said why.
    pub fn start(plan: Plan, recruit: R) -> Result<Supervisor<R>, StartError> {
        let system = |what| move |error| StartError::System(what, error);
        let workers = plan.workers;
        let mut reactor = Reactor::new(workers + 1).map_err(system("epoll"))?;
        let has_tls = plan.endpoints.iter().any(|endpoint| endpoint.tls.is_some());
        let hears = (has_tls, plan.successor.is_some());
        let signals = watch_signals(reactor.cx().registry(), hears).map_err(system("signalfd"))?;
        let pages = Shared::create(words_of(workers)).map_err(system("memfd"))?;
        // Until it has been asked, a worker counts as one with room: see `Crew::board`.
        (0..workers).for_each(|number| page::show_part(&pages, number, true));
        let posts = (0..workers).map(|_| Post::new()).collect::<io::Result<Vec<_>>>();
        let mut office = Office {
            posts: posts.map_err(system("socketpair"))?,
            plan,
            recruit,
            signals,
            pages: Arc::new(pages),
            shared_descriptors: None,
            is_started: false,
            failed: None,
            stopping: None,
            successor: None,
        };
        office.count_descriptors().map_err(system("/proc/self/fd"))?;
        for number in 0..workers {
            office.recruit(reactor.cx(), number).map_err(|e| StartError::Worker(number, e))?;
        }
        reactor.run(&mut office).map_err(system("epoll_wait"))?;
        match office.failed.take() {
            Some(number) => {
                let reason = io::Error::other("it ended before it was ready");
                Err(StartError::Worker(number, reason))
            }
            None => Ok(Supervisor { reactor, office }),
        }
    }

    /// Where the workers listen.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.office.plan.endpoints.iter()
    }

    /// Watches over the workers until a signal ends it. Returns how it ended, and the accounts.
    ///
    /// # Errors
    /// `epoll_wait(2)` failed.
    pub fn run(mut self) -> io::Result<(Exit, Told)> {
        self.reactor.run(&mut self.office)?;
        let told = self.office.tally();
        self.office.write_metrics(&told);
        told.log();
        let exit = self.office.stopping.as_ref().map_or(Exit::Drained, |stopping| stopping.exit);
        Ok((exit, told))
    }
}

/// Everything a supervisor has to do with.
struct Office<R> {
    plan: Plan,
    recruit: R,
    signals: SignalFd,
    pages: Arc<Shared>,
    /// By worker.
    posts: Vec<Post>,
    /// See [`Berth`](super::Berth).
    shared_descriptors: Option<usize>,
    /// All workers have been ready once.
    is_started: bool,
    /// The worker that ended before that.
    failed: Option<usize>,
    stopping: Option<Stopping>,
    successor: Option<Successor>,
}

/// The end, under way.
struct Stopping {
    exit: Exit,
    /// The sockets are somebody else's now.
    is_leaving: bool,
}

/// The timer of a worker's restart has its number; this one is behind them.
fn kill_timer(workers: usize) -> TimerKey {
    TimerKey(workers as u32)
}

impl<R: Recruit> Handler for Office<R> {
    fn control(&mut self, cx: &mut Cx, index: u16) {
        match index {
            SIGNALS => self.on_signals(cx),
            SUCCESSOR => self.on_successor(cx),
            _ => {
                let number = usize::from(index - WORKERS) / 2;
                self.hear(number);
                self.see_whether_ended(cx, number);
            }
        }
    }

    fn ready(&mut self, _: &mut Cx, _: ConnId, _: Readiness) {}

    fn timer(&mut self, cx: &mut Cx, key: TimerKey) {
        if key == kill_timer(self.posts.len()) {
            return self.posts.iter_mut().for_each(Post::kill);
        }
        let number = key.0 as usize;
        if let Err(error) = self.recruit(cx, number) {
            tracing::error!("worker {} cannot be started: {error}", number + 1);
            self.recruit_later(cx, number);
        }
    }

    fn turn_end(&mut self, _: &mut Cx) -> ControlFlow<()> {
        let is_ready = self.posts.iter().all(|post| post.is_ready);
        let is_over = self.posts.iter().all(|post| !post.is_running());
        if (self.stopping.is_some() && is_over)
            || self.failed.is_some()
            || (is_ready && !std::mem::replace(&mut self.is_started, true))
        {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

impl<R: Recruit> Office<R> {
    /// What will be open beside connections, if all workers are in this process.
    fn count_descriptors(&mut self) -> io::Result<()> {
        if self.recruit.is_in_process() {
            let workers = self.plan.workers;
            let sockets: usize = self.plan.sockets.iter().map(Vec::len).sum();
            // Each has the sockets, a way to everybody and to the supervisor, and three of its own:
            // epoll, waker, the spare one.
            let each = sockets + workers + 1 + 3;
            self.shared_descriptors = Some(sys::process::open_descriptors()? + workers * each);
        }
        Ok(())
    }

    fn on_signals(&mut self, cx: &mut Cx) {
        loop {
            match self.signals.take() {
                Ok(Some(signal)) => self.on_signal(cx, signal),
                Ok(None) => return,
                Err(error) => return tracing::error!("cannot read signals: {error}"),
            }
        }
    }

    fn on_signal(&mut self, cx: &mut Cx, signal: Signal) {
        match signal {
            Signal::User1 => {
                let told = self.tally();
                self.write_metrics(&told);
            }
            Signal::User2 => self.start_successor(cx),
            Signal::Hangup => self.tell_all(&[word::RELOAD]),
            Signal::Terminate | Signal::Interrupt if self.stopping.is_some() => {
                tracing::warn!("second signal: ending at once");
                self.tell_all(&[word::QUIT]);
                if let Some(stopping) = &mut self.stopping {
                    stopping.exit = Exit::Signalled(signal.number());
                }
                let soon = cx.now.plus_ms(limits::QUIT_MS);
                cx.timers.arm(kill_timer(self.posts.len()), soon);
            }
            Signal::Terminate | Signal::Interrupt => self.stop(cx, false),
        }
    }

    /// Lets all workers drain. If `is_leaving`, the sockets are somebody else's.
    fn stop(&mut self, cx: &mut Cx, is_leaving: bool) {
        tracing::info!(workers = self.posts.len(), "draining");
        self.stopping = Some(Stopping { exit: Exit::Drained, is_leaving });
        self.tell_all(&[if is_leaving { word::LEAVE } else { word::DRAIN }]);
        // The port is free as soon as the workers are done with it.
        self.plan.sockets.clear();
        for number in 0..self.posts.len() {
            cx.timers.disarm(TimerKey(number as u32));
        }
        let late = self.plan.drain_ms.saturating_add(limits::QUIT_MS);
        cx.timers.arm(kill_timer(self.posts.len()), cx.now.plus_ms(late));
    }

    /// Reads what a worker says.
    fn hear(&mut self, number: usize) {
        let mut is_news = false;
        while let Some(said) = self.posts[number].hear() {
            let post = &mut self.posts[number];
            match said {
                word::READY => {
                    (post.is_ready, post.has_room, is_news) = (true, true, true);
                    if post.starts > 1 {
                        tracing::info!("worker {} serves again", number + 1);
                    }
                }
                word::FULL | word::ROOM => {
                    (post.has_room, is_news) = (said == word::ROOM, true);
                }
                other => tracing::warn!("worker {} says {other}: no word", number + 1),
            }
        }
        if is_news && self.is_started {
            self.tell_roster();
        }
    }

    fn see_whether_ended(&mut self, cx: &mut Cx, number: usize) {
        let Some(how) = self.posts[number].ended(cx.registry()) else { return };
        let post = &mut self.posts[number];
        post.retired.add(&Account::read(&self.pages, number).retire());
        page::clear(&self.pages, number);
        let was_ready = std::mem::take(&mut post.is_ready);
        post.has_room = false;
        if self.stopping.is_some() {
            return;
        }
        if !self.is_started {
            self.failed = Some(number);
            return;
        }
        tracing::error!("worker {} ended by itself ({how})", number + 1);
        // Its siblings look after its sockets meanwhile.
        self.tell_roster();
        self.posts[number].count_failure(was_ready, cx.now);
        self.recruit_later(cx, number);
    }

    fn recruit_later(&mut self, cx: &mut Cx, number: usize) {
        let delay_ms = self.posts[number].delay_ms();
        cx.timers.arm(TimerKey(number as u32), cx.now.plus_ms(delay_ms));
    }

    /// Tells every worker who has room.
    fn tell_roster(&self) {
        let rooms = self.posts.iter().map(|post| u8::from(post.has_room));
        let roster: Vec<u8> = std::iter::once(word::ROSTER).chain(rooms).collect();
        self.tell_all(&roster);
    }

    fn tell_all(&self, packet: &[u8]) {
        self.posts.iter().for_each(|post| post.tell(packet));
    }

    fn start_successor(&mut self, cx: &mut Cx) {
        let Some(program) = &self.plan.successor else { return };
        if self.successor.is_some() || self.stopping.is_some() {
            return tracing::warn!("there is a successor already, or a drain under way");
        }
        let sockets: Vec<RawFd> =
            self.plan.sockets.iter().flatten().map(|it| it.as_raw_fd()).collect();
        match Successor::start(program, &sockets, cx.registry()) {
            Ok(successor) => {
                tracing::info!(pid = successor.pid(), "started a successor");
                self.successor = Some(successor);
            }
            Err(error) => tracing::error!("{}: {error}; serving on", program.path.display()),
        }
    }

    fn on_successor(&mut self, cx: &mut Cx) {
        let Some(ready) = self.successor.as_mut().and_then(Successor::outcome) else { return };
        let pid = self.successor.take().map(|successor| successor.pid());
        match ready {
            true if self.stopping.is_none() => {
                tracing::info!(pid, "the successor serves");
                self.stop(cx, true);
            }
            true => {}
            false => tracing::error!(pid, "the successor did not start; serving on"),
        }
    }
}

impl<R> Drop for Office<R> {
    /// The workers end by themselves when their sockets do; what is left is to wait for them, and
    /// to put away the files of Unix sockets.
    fn drop(&mut self) {
        self.posts.iter_mut().for_each(Post::let_go);
        if self.stopping.as_ref().is_some_and(|stopping| !stopping.is_leaving) {
            self.plan.endpoints.iter().for_each(net::clear_away);
        }
    }
}

/// For how long a worker must have served before its end is not counted against it.
const GOOD_MS: u64 = 10_000;

/// The time since which, and how often, a worker has failed.
fn is_good(since: Time, now: Time) -> bool {
    now.ms_since(since) >= GOOD_MS
}
