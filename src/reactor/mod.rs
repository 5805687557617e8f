//! The loop.
//!
//! **What.** [`Reactor`] waits for readiness and calls a [`Handler`]. It knows sockets' tokens and
//! time, and no protocol. The server is one handler, the load generator another.
//!
//! **Why this way.** One thread, one `epoll_wait`, one order of work (see [`Reactor::turn`]), so
//! that what happens when is readable in one function. The handler is a type parameter: calls are
//! static, nothing is boxed and no callback is stored. mio makes the epoll instance and registers
//! what is to be watched; the wait is our own (`src/sys/epoll.rs`), 18 instructions a turn cheaper,
//! and 48 with a timer armed. A completion API (io_uring) was rejected as the core: readiness is
//! what mio offers and what this project explains.
//!
//! **Costs.** One `epoll_wait` a turn, shared by up to 1,024 events (12 KiB of them), and one
//! reading of the clock; more of both where it spins before it sleeps. mio registers
//! edge-triggered only: an event says that something *arrived*, once. A handler that does not take
//! all of it must put itself on the again-queue, or the rest stays there in silence.
//!
//! **Read next.** `src/reactor/token.rs`, `src/reactor/spin.rs`, then `src/net/link.rs` for what a
//! handler does when ready.

mod spin;
mod timer;
mod token;

pub use timer::{TimerKey, TimerWheel};
pub use token::{ConnId, Source};

use crate::clock::{Clock, Time};
use crate::sys::epoll::{self, ERR, HUP, IN, OUT, RDHUP};
use mio::{Poll, Registry, Token};
use spin::Spin;
use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;

/// Events taken from the kernel in one turn; more wait for the next.
const EVENTS_MAX: usize = 1024;
/// The longest wait but one: what `epoll_wait` takes, 24 days.
const WAIT_MS_MAX: u64 = i32::MAX as u64;
/// The longest.
const FOR_EVER: i32 = -1;
/// Timers handled in one turn; more wait for the next.
const TIMERS_PER_TURN: u32 = 4096;

/// What the kernel said of a socket, in its own bits (`epoll_ctl(2)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness(u32);

impl Readiness {
    /// A bit that the kernel does not report.
    const LOOK: u32 = 1 << 31;
    /// There is something to read, or the stream ended, and that is all.
    pub const READABLE: Readiness = Readiness(IN);
    /// "Look again": the handler asked for it through the again-queue.
    pub const AGAIN: Readiness = Readiness(IN | Readiness::LOOK);

    /// There is something to read, or the stream ended.
    #[inline]
    pub fn is_readable(self) -> bool {
        self.0 & IN != 0
    }

    /// There is something to read, or the stream ended, and at most room to write beside it.
    #[inline]
    pub fn is_just_open(self) -> bool {
        self.0 & !OUT == IN
    }

    /// There is room to write again.
    #[inline]
    pub fn is_writable(self) -> bool {
        self.0 & OUT != 0
    }

    /// The peer sent its FIN: a short read is the last one.
    #[inline]
    pub fn is_peer_finished(self) -> bool {
        self.0 & (RDHUP | HUP) != 0
    }

    /// Both directions are down or an error is pending. What was received can still be read.
    #[inline]
    pub fn is_broken(self) -> bool {
        self.0 & (HUP | ERR) != 0
    }

    /// Not the kernel's word: the source was on the again-queue, and now it is not.
    #[inline]
    pub fn is_again(self) -> bool {
        self.0 & Readiness::LOOK != 0
    }
}

/// What a handler may touch during a turn: the reactor's own, not references to it, which would be
/// put together anew each turn.
pub struct Cx {
    poll: Poll,
    /// The time, read once a turn after the wait.
    pub now: Time,
    /// Deadlines, by key.
    pub timers: TimerWheel,
    /// Sources to look at again in the next turn, because their edge is spent and their data is
    /// not. The handler sees to it that a source is on it once.
    pub again: VecDeque<Source>,
}

impl Cx {
    /// Where sockets are registered.
    pub fn registry(&self) -> &Registry {
        self.poll.registry()
    }
}

/// What is done when something is ready. The methods are in the order of the turn.
pub trait Handler {
    /// Step 2, of a loop that spins: it has looked before it slept, and found something or not.
    fn spun(&mut self, _has_found: bool) {}
    /// Step 4: a signal, a waker or another fixed source is ready. Connections may have been served
    /// in this turn already.
    fn control(&mut self, _cx: &mut Cx, _index: u16) {}
    /// Steps 5 and 6: a connection is ready, or asked to be looked at again. `id` may be stale.
    fn ready(&mut self, cx: &mut Cx, id: ConnId, readiness: Readiness);
    /// Steps 5 and 6: a datagram socket is ready, or asked to be looked at again.
    fn datagram(&mut self, _cx: &mut Cx, _index: u16, _readiness: Readiness) {}
    /// Step 7: a listener has connections waiting, or asked to be looked at again.
    fn accept(&mut self, _cx: &mut Cx, _index: u16) {}
    /// Step 8: a timer has expired.
    fn timer(&mut self, cx: &mut Cx, key: TimerKey);
    /// Step 9: deliver what connections said to each other. True if some is left for the next turn.
    fn mail(&mut self, _cx: &mut Cx) -> bool {
        false
    }
    /// Step 10: the turn is over. `Break` ends the loop.
    fn turn_end(&mut self, cx: &mut Cx) -> ControlFlow<()>;
}

/// On the again-queue: work is left that belongs to no source, so the next wait is only a look.
const STAY_AWAKE: Source = Source::Control(u16::MAX);

/// One epoll instance with its timers and its again-queue.
pub struct Reactor {
    cx: Cx,
    /// What the last wait brought; its capacity is what a wait may bring.
    events: Vec<epoll::Event>,
    clock: Clock,
    /// For how long to look before it sleeps.
    spin: Spin,
    /// Listeners to serve in step 7 of this turn. Empty between turns.
    accepts: Vec<u16>,
}

impl Reactor {
    /// Makes an epoll instance; `timers_max` is the number of timer keys to have room for.
    ///
    /// # Errors
    /// `epoll_create1(2)`: no descriptor is left, or no memory.
    pub fn new(timers_max: usize) -> io::Result<Reactor> {
        Ok(Reactor {
            cx: Cx {
                poll: Poll::new()?,
                now: Time::ZERO,
                timers: TimerWheel::with_capacity(timers_max),
                again: VecDeque::new(),
            },
            events: Vec::with_capacity(EVENTS_MAX),
            clock: Clock::start(),
            spin: Spin::default(),
            accepts: Vec::new(),
        })
    }

    /// The context outside a turn: to register sockets and arm timers before the loop runs.
    pub fn cx(&mut self) -> &mut Cx {
        self.cx.now = self.clock.now();
        &mut self.cx
    }

    /// Looks for up to `spin_us` microseconds before it sleeps, if there is reason to hope; 0 is
    /// never, as it begins. It takes a core of its own: see `src/reactor/spin.rs`.
    pub fn spin_before_sleep(&mut self, spin_us: u32) {
        self.spin = Spin::new(spin_us);
    }

    /// The clock that the turns are timed by.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Turns until the handler breaks.
    ///
    /// # Errors
    /// `epoll_wait(2)` failed for another reason than a signal.
    pub fn run<H: Handler>(&mut self, handler: &mut H) -> io::Result<()> {
        while self.turn(handler)?.is_continue() {}
        Ok(())
    }

    /// One turn, in exactly this order.
    ///
    /// # Errors
    /// `epoll_wait(2)` failed for another reason than a signal.
    pub fn turn<H: Handler>(&mut self, handler: &mut H) -> io::Result<ControlFlow<()>> {
        // Who is added during the turn waits for the next.
        let again_now = self.cx.again.len();
        // 1. How long may we sleep?  2. Wait.  3. Read the clock, once.
        if self.spin.is_on() {
            self.look_and_wait(handler)?;
        } else {
            self.wait(self.timeout_ms())?;
        }
        let cx = &mut self.cx;
        cx.now = self.clock.now();

        // 4., 5. Whatever is ready, in the order in which it became so; but listeners wait.
        for event in &self.events {
            let readiness = Readiness(event.events);
            match Source::of(Token(event.u64 as usize)) {
                Source::Conn(id) => handler.ready(cx, id, readiness),
                Source::Datagram(index) => handler.datagram(cx, index, readiness),
                Source::Listener(index) => self.accepts.push(index),
                Source::Control(index) => handler.control(cx, index),
            }
        }
        // 6. The again-queue: only what was on it when the turn began.
        if again_now > 0 {
            look_again(handler, cx, again_now, &mut self.accepts);
        }
        // 7. New connections, after those that are already being served.
        if !self.accepts.is_empty() {
            accept(handler, cx, &mut self.accepts);
        }
        // 8. Expired timers.
        if cx.timers.advance(cx.now) {
            expire(handler, cx);
        }
        // 9. Mail.  10. The end.
        if handler.mail(cx) {
            cx.again.push_back(STAY_AWAKE);
        }
        Ok(handler.turn_end(cx))
    }

    #[inline]
    fn wait(&mut self, timeout_ms: i32) -> io::Result<()> {
        epoll::wait(&self.cx.poll, &mut self.events, timeout_ms)
    }

    /// The same of a loop that spins: before it sleeps it looks for as long as the spin says, but
    /// not past the next timer. Reads the clock at each look.
    #[cold]
    #[inline(never)]
    fn look_and_wait<H: Handler>(&mut self, handler: &mut H) -> io::Result<()> {
        if self.timeout_ms() == 0 {
            return self.wait(0);
        }
        let began = self.clock.now();
        self.cx.now = began;
        let until = self.spin.until(began);
        let due = self.cx.timers.next_due();
        while self.cx.now < until && due.is_none_or(|due| self.cx.now < due) {
            self.wait(0)?;
            if !self.events.is_empty() {
                self.spin.found();
                handler.spun(true);
                return Ok(());
            }
            self.cx.now = self.clock.now();
        }
        if began < until && until <= self.cx.now {
            self.spin.found_nothing();
            handler.spun(false);
        }
        // The look was a part of the time, so what is left of it is asked for anew.
        self.wait(self.timeout_ms())?;
        if !self.events.is_empty() {
            self.spin.slept(self.clock.now().since(began));
        }
        Ok(())
    }

    /// Zero if work is left, else until the next timer, else for ever: an idle loop sleeps.
    /// Counted from the beginning of the turn that ends now, so a timer may be late by the length
    /// of a turn, as it is anyway if it expires during one.
    fn timeout_ms(&self) -> i32 {
        let is_done = self.cx.again.is_empty();
        let Some(due) = self.cx.timers.next_due() else {
            return if is_done { FOR_EVER } else { 0 };
        };
        let wait_ns = due.as_ns().saturating_sub(self.cx.now.as_ns());
        if is_done { wait_ns.div_ceil(1_000_000).min(WAIT_MS_MAX) as i32 } else { 0 }
    }
}

/// Serves the first `count` sources of the again-queue; listeners among them go to `accepts`. Apart
/// from the turn, which is shorter for it: two places where connections are served make one large
/// function of both, which spills what it needs often.
#[inline(never)]
fn look_again<H: Handler>(handler: &mut H, cx: &mut Cx, count: usize, accepts: &mut Vec<u16>) {
    for _ in 0..count {
        match cx.again.pop_front() {
            Some(Source::Conn(id)) => handler.ready(cx, id, Readiness::AGAIN),
            Some(Source::Datagram(index)) => handler.datagram(cx, index, Readiness::AGAIN),
            Some(Source::Listener(index)) => accepts.push(index),
            // What it stood for, a look instead of a sleep, has been.
            Some(Source::Control(_)) | None => {}
        }
    }
}

/// Serves the listeners that are ready.
#[inline(never)]
fn accept<H: Handler>(handler: &mut H, cx: &mut Cx, accepts: &mut Vec<u16>) {
    for index in accepts.drain(..) {
        handler.accept(cx, index);
    }
}

/// Handles the timers whose time has come, as many as a turn may.
#[inline(never)]
fn expire<H: Handler>(handler: &mut H, cx: &mut Cx) {
    let mut budget = TIMERS_PER_TURN;
    while let Some(key) = cx.timers.pop_expired(&mut budget) {
        handler.timer(cx, key);
    }
}

#[cfg(test)]
mod tests;
