//! The run: opening, settling, measuring, ending, closing.
//!
//! **What.** [`Load`] is the generator's [`Handler`]. It opens connections, waits until the fate of
//! each is known, lets those that are served send for the measured time, waits for the last answers
//! and takes leave.
//!
//! **Why this way.** A connection counts as served only when its first message was answered: the
//! kernel completes handshakes for servers that never accept. New connections keep within a crowd
//! of [`CROWD_MAX`] that are not answered yet, or the generator would overrun the listener's queue
//! and then report its own doing; who waits for long leaves the crowd, so that a server which lets
//! its clients hang does not stop the run. The measured time begins when all are settled, so it
//! holds nothing of the connecting.
//!
//! **Costs.** A timer, a seat and a socket a connection.
//!
//! **Read next.** `src/load/handler/paced.rs`, `src/load/report.rs`.

mod ending;
mod fan;
mod figures;
mod idle;
mod paced;

use super::client::{Client, Life, OWN_TIMERS, Opened, Shared, timer_of};
use super::fates::{Connections, Fate, Phase};
use super::pacer::Pacer;
use super::stops::{Asked, Stops};
use super::{LoadError, Scenario, Stage};
use crate::clock::{Clock, Time};
use crate::reactor::{ConnId, Cx, Handler, Readiness, TimerKey};
use figures::Cpu;
use paced::Line;
use std::ops::ControlFlow;
use std::time::Duration;

/// Connections that may be without an answer before more are opened.
const CROWD_MAX: u32 = 512;
/// Who had no answer for so long waits outside the crowd.
const CROWD_MS: u64 = 250;
/// Connections opened, or told to begin, in one turn.
const BEGINS_PER_TURN: u32 = 64;
/// A Unix listener whose queue is full is asked again after this time.
const BUSY_MS: u64 = 10;
/// After a signal the last answers are waited for no longer than this.
const HURRIED_DRAIN_MS: u64 = 1_000;

/// The end of the stage.
const END: TimerKey = TimerKey(0);
/// The next news for the observer.
const TICK: TimerKey = TimerKey(1);
/// Wakes the loop to open connections.
const OPEN: TimerKey = TimerKey(2);
/// The end of a row of the series.
const ROW: TimerKey = TimerKey(3);
/// The next greeting to who may be there by then.
const GREET: TimerKey = TimerKey(4);
const _: () = assert!(GREET.0 < OWN_TIMERS);

/// A client, and what the run knows of it.
struct Seat<C> {
    client: C,
    /// When it leaves the crowd; `None` if it has.
    crowds_until: Option<Time>,
    /// It has said goodbye and waits for the other side's.
    is_leaving: bool,
    /// At a constant rate: since when it is on the list of those with room, if it is.
    free_since: Option<Time>,
}

/// A run over clients of one kind.
pub(super) struct Load<C> {
    shared: Shared,
    stops: Stops,
    duration_ms: u64,
    /// How long the last answers, and then the last goodbyes, are waited for.
    patience_ms: u64,
    tick_ms: Option<u64>,
    stage: Stage,
    /// Indexed by connection; empty when it ended. Never longer than it is made for.
    seats: Vec<Option<Seat<C>>>,
    /// Connections to open in all; lowered when the run is broken off.
    target: u32,
    /// When each is to be opened, if there is a rate for it.
    opens: Option<Pacer>,
    /// Seats in the crowd.
    crowd: u32,
    /// Seats without an answer.
    unsettled: u32,
    /// Seats with one.
    settled: u32,
    /// The connection that is told to begin next.
    begins_at: u32,
    /// The connection that is told to leave next.
    leaves_at: u32,
    /// Seats that have said goodbye and wait for the other side's.
    leaving: u32,
    /// Since when a Unix listener's queue is full.
    busy_since: Option<Time>,
    connections: Connections,
    /// Whether the server had no descriptor left when the first connection hung.
    is_server_out: Option<bool>,
    settled_at: Option<Time>,
    /// Somebody else says when the measured time begins, and has not yet.
    is_held_back: bool,
    /// When the time began that is measured, or held.
    began_at: Option<Time>,
    /// At a constant rate: the first message is due so long after that.
    first_due_ns: u64,
    /// Answers received before the measured time.
    answers_before: u64,
    /// When the measured time ended, and the answers received until then.
    measured_until: Option<(Time, u64)>,
    /// CPU time of this thread, and how long it waited for a CPU, when the measured time began, and
    /// when it ended.
    cpu_from: Cpu,
    cpu_until: Option<Cpu>,
    /// Messages are sent at a constant rate.
    line: Option<Line>,
    /// When the last news was given, and until then the answers and the sockets reopened.
    last_tick: (Time, u64, u64),
    /// News for the observer, to be taken after the turn.
    pub(super) ticked: bool,
    pub(super) has_settled: bool,
}

impl<C: Client> Load<C> {
    /// A run that begins with the first turn.
    pub(super) fn new(
        scenario: &Scenario,
        tick: Option<Duration>,
        clock: Clock,
        cx: &mut Cx,
    ) -> Result<Load<C>, LoadError> {
        let shared = Shared::new(scenario, clock)?;
        let stops = Stops::watch(scenario, cx.registry())?;
        let line =
            scenario.rate_per_s.map(|rate| Line::new(rate, scenario.connections, cx.registry()));
        cx.timers.arm(OPEN, cx.now);
        let tick_ms = tick.map(|tick| tick.as_millis().max(1) as u64);
        if let Some(ms) = tick_ms {
            cx.timers.arm(TICK, cx.now.plus_ms(ms));
        }
        Ok(Load {
            shared,
            stops,
            duration_ms: scenario.duration_ms,
            patience_ms: scenario.answer_timeout_ms,
            tick_ms,
            stage: Stage::Opening,
            seats: Vec::with_capacity(scenario.connections as usize),
            target: scenario.connections,
            opens: scenario
                .connect_rate_per_s
                .map(|rate| Pacer::new(cx.now, rate, u64::from(scenario.connections))),
            crowd: 0,
            unsettled: 0,
            settled: 0,
            begins_at: 0,
            leaves_at: 0,
            leaving: 0,
            busy_since: None,
            connections: Connections::default(),
            is_server_out: None,
            settled_at: None,
            is_held_back: scenario.begin_on_stdin,
            began_at: None,
            first_due_ns: scenario.first_due_ns,
            answers_before: 0,
            measured_until: None,
            cpu_from: Cpu::default(),
            cpu_until: None,
            line: line.transpose()?,
            last_tick: (cx.now, 0, 0),
            ticked: false,
            has_settled: false,
        })
    }

    /// Opens connections while the crowd has room. True if the budget ended it.
    fn open_more(&mut self, cx: &mut Cx) -> bool {
        for _ in 0..BEGINS_PER_TURN {
            let slot = self.seats.len() as u32;
            if slot >= self.target || self.crowd >= CROWD_MAX {
                return false;
            }
            if let Some(due) = self.opens.and_then(|opens| opens.next_due())
                && due > cx.now
            {
                cx.timers.arm(OPEN, due);
                return false;
            }
            let id = id_of(slot);
            let seat = match C::open(id, &mut self.shared, cx) {
                Opened::Client(client) => {
                    let crowds_until = cx.now.plus_ms(CROWD_MS);
                    self.crowd += 1;
                    self.unsettled += 1;
                    cx.timers.arm(timer_of(id), crowds_until);
                    self.busy_since = None;
                    Some(Seat {
                        client,
                        crowds_until: Some(crowds_until),
                        is_leaving: false,
                        free_since: None,
                    })
                }
                Opened::Ended(fate) => {
                    self.connections.count(fate, Phase::Connect);
                    None
                }
                Opened::Busy => {
                    self.shared.tally.backlog_full += u64::from(self.busy_since.is_none());
                    let since = *self.busy_since.get_or_insert(cx.now);
                    if cx.now.ms_since(since) < self.shared.connect_timeout_ms {
                        cx.timers.arm(OPEN, cx.now.plus_ms(BUSY_MS));
                        return false;
                    }
                    self.connections.count(Fate::backlog_full(), Phase::Connect);
                    None
                }
            };
            self.opens.as_mut().and_then(|opens| opens.take(cx.now));
            self.seats.push(seat);
        }
        true
    }

    /// Lets settled connections begin to send. True if the budget ended it.
    fn begin_more(&mut self, cx: &mut Cx) -> bool {
        for _ in 0..BEGINS_PER_TURN {
            if !self.shared.sends || self.begins_at as usize >= self.seats.len() {
                return false;
            }
            let id = id_of(self.begins_at);
            self.begins_at += 1;
            self.with(cx, id, |client, shared, cx| client.begin(id, shared, cx));
            self.look(cx, id);
        }
        true
    }

    /// Does something with a client, if it is still there, and books what comes of it.
    fn with(
        &mut self,
        cx: &mut Cx,
        id: ConnId,
        act: impl FnOnce(&mut C, &mut Shared, &mut Cx) -> Life,
    ) {
        let Some(Some(seat)) = self.seats.get_mut(id.slot as usize) else { return };
        let was_settled = seat.client.is_settled();
        let life = act(&mut seat.client, &mut self.shared, cx);
        if !was_settled && seat.client.is_settled() {
            self.unsettled -= 1;
            self.settled += 1;
            self.crowd -= u32::from(seat.crowds_until.take().is_some());
        } else if !was_settled && life.is_continue() {
            return self.look(cx, id);
        }
        match life {
            ControlFlow::Break(fate) => self.end(cx, id, fate),
            ControlFlow::Continue(()) => self.note_room(id, cx.now),
        }
    }

    /// Time has passed for a client, or its timer must be set anew.
    fn look(&mut self, cx: &mut Cx, id: ConnId) {
        let Some(Some(seat)) = self.seats.get_mut(id.slot as usize) else { return };
        if seat.crowds_until.is_some_and(|until| until <= cx.now) {
            seat.crowds_until = None;
            self.crowd -= 1;
        }
        match seat.client.look(id, &mut self.shared, cx) {
            ControlFlow::Continue(due) => {
                let next = due.into_iter().chain(seat.crowds_until).min();
                next.inspect(|&next| cx.timers.arm(timer_of(id), next));
                self.note_room(id, cx.now);
            }
            ControlFlow::Break(fate) => self.end(cx, id, fate),
        }
    }

    /// A connection is over: books its fate and closes it.
    fn end(&mut self, cx: &mut Cx, id: ConnId, fate: Fate) {
        let Some(mut seat) = self.seats.get_mut(id.slot as usize).and_then(Option::take) else {
            return;
        };
        cx.timers.disarm(timer_of(id));
        let lost = seat.client.in_flight();
        // What began to come back is not lost but wrong, if it was.
        let wrong = u64::from(seat.client.is_damaged()).min(lost);
        self.shared.tally.messages.lost += lost - wrong;
        self.shared.tally.messages.wrong += wrong;
        if let Some(fan) = &mut self.shared.fan {
            fan.leaves(lost, cx.now);
        }
        let phase = seat.client.phase(id, &self.shared);
        let is_unanswered = !seat.client.is_settled() && phase != Phase::Connect;
        if is_unanswered && matches!(fate, Fate::Hung | Fate::TimedOut) {
            // Looked at once: who is out of them does not get any by that.
            let series = &self.shared.tally.series;
            let is_out = *self.is_server_out.get_or_insert_with(|| series.is_server_out_of_files());
            self.connections.server_out_of_files += u64::from(is_out);
        }
        self.connections.count(fate, phase);
        self.crowd -= u32::from(seat.crowds_until.is_some());
        self.leaving -= u32::from(seat.is_leaving);
        seat.client.release(id, &mut self.shared, cx);
        match seat.client.is_settled() {
            true => self.settled -= 1,
            false => self.unsettled -= 1,
        }
    }

    /// Every connection is served or has its fate.
    fn settle(&mut self, cx: &mut Cx) {
        cx.timers.disarm(END);
        self.settled_at = Some(cx.now);
        self.has_settled = true;
        self.stage = Stage::Ready;
        if !self.is_held_back {
            self.begin(cx);
        }
    }

    /// The time begins that is measured, or held.
    fn begin(&mut self, cx: &mut Cx) {
        self.began_at = Some(cx.now);
        cx.timers.arm(END, cx.now.plus_ms(self.duration_ms));
        if self.shared.hold {
            self.stage = Stage::Holding;
            self.begin_idle(cx);
        } else {
            self.stage = Stage::Measuring;
            self.shared.tally.begin();
            if let Some(churn) = &mut self.shared.churn {
                churn.begin();
            }
            self.cpu_from = Cpu::now();
            self.shared.sends = !self.begin_pace(cx.now);
            self.answers_before = self.shared.tally.messages.received;
            cx.timers.arm(ROW, self.shared.tally.series.begin(cx.now));
        }
    }
}

impl<C: Client> Handler for Load<C> {
    fn control(&mut self, cx: &mut Cx, index: u16) {
        match self.stops.asked(index, &mut self.shared.scratch) {
            Asked::Nothing => return,
            Asked::Begin => {
                self.is_held_back = false;
                if self.stage == Stage::Ready {
                    self.begin(cx);
                }
                return;
            }
            Asked::End => {}
        }
        // Whoever asks twice does not want to wait.
        match self.stage {
            Stage::Ending | Stage::Closing => self.stage = Stage::Over,
            _ => self.wind_up(cx, self.shared.answer_timeout_ms.min(HURRIED_DRAIN_MS)),
        }
    }

    fn ready(&mut self, cx: &mut Cx, id: ConnId, readiness: Readiness) {
        self.with(cx, id, |client, shared, cx| client.ready(id, readiness, shared, cx));
    }

    fn timer(&mut self, cx: &mut Cx, key: TimerKey) {
        match (key, self.stage) {
            (OPEN | GREET, _) => {}
            (TICK, _) => {
                self.ticked = true;
                self.tick_ms.inspect(|&ms| cx.timers.arm(TICK, cx.now.plus_ms(ms)));
            }
            (ROW, _) => {
                let next = self.shared.tally.series.end_row(cx.now);
                next.inspect(|&next| cx.timers.arm(ROW, next));
            }
            (END, Stage::Ending) if self.give_up_line(cx.now) => {
                cx.timers.arm(END, cx.now.plus_ms(self.patience_ms));
            }
            (END, Stage::Ending) => self.close(cx),
            (END, Stage::Closing) => self.give_up(cx),
            (END, Stage::Opening) => self.end_where(cx, |seat| !seat.client.is_settled()),
            (END, _) => self.wind_up(cx, self.shared.answer_timeout_ms),
            (TimerKey(key), _) => {
                let id = id_of(key - OWN_TIMERS);
                self.ping(cx, id);
                self.look(cx, id);
            }
        }
    }

    /// What the run begins by itself comes after what others sent.
    fn mail(&mut self, cx: &mut Cx) -> bool {
        let more_to_open = self.open_more(cx);
        let all_opened = self.seats.len() as u32 == self.target;
        if self.stage == Stage::Opening && all_opened {
            if self.unsettled == 0 {
                self.settle(cx);
            } else if !cx.timers.is_armed(END) {
                // Each step has its deadline, but bytes that drip put it off.
                let Shared { connect_timeout_ms, answer_timeout_ms, .. } = self.shared;
                let patience_ms = 2 * (connect_timeout_ms + answer_timeout_ms);
                cx.timers.arm(END, cx.now.plus_ms(patience_ms));
            }
        }
        let more_to_leave = self.leave_more(cx);
        let more_to_send = self.begin_more(cx) | self.pace(cx) | self.fan_out(cx);
        more_to_send || more_to_open || more_to_leave
    }

    fn turn_end(&mut self, cx: &mut Cx) -> ControlFlow<()> {
        if matches!(self.stage, Stage::Holding | Stage::Measuring) && self.settled == 0 {
            self.wind_up(cx, 0);
        }
        if self.stage == Stage::Ending && self.is_all_answered(cx.now) {
            self.close(cx);
        }
        let all_told = self.leaves_at as usize >= self.seats.len();
        if self.stage == Stage::Closing && all_told && self.leaving == 0 {
            self.stage = Stage::Over;
        }
        match self.stage {
            Stage::Over => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// A seat has one tenant only, so one generation is enough.
fn id_of(slot: u32) -> ConnId {
    ConnId { slot, generation: 1 }
}
