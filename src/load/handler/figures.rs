//! What a run tells of itself.
//!
//! **What.** The news for the observer and the report, both from what was counted so far.
//!
//! **Why this way.** Nothing is counted here, so a run may be asked at any time: when it has
//! settled, ten times a second, when it was broken off.
//!
//! **Costs.** The report copies its histograms.
//!
//! **Read next.** `src/load/report.rs`.

use super::Load;
use crate::clock::Time;
use crate::load::client::{Client, Shared, Tally};
use crate::load::report::{Paced, Report, us};
use crate::load::shape::Figures;
use crate::load::{Limit, Messages, Scenario, Snapshot, Stage};
use crate::sys::process;
use std::time::Duration;

/// What the scheduler gave this thread, and what it kept from it, since the thread began.
#[derive(Clone, Copy, Default)]
pub(super) struct Cpu {
    used: Duration,
    waited: Duration,
}

impl Cpu {
    pub(super) fn now() -> Cpu {
        Cpu { used: process::thread_cpu_time(), waited: process::thread_cpu_wait() }
    }
}

impl<C: Client> Load<C> {
    /// News of the run.
    pub(in crate::load) fn snapshot(&mut self, now: Time) -> Snapshot {
        let messages = self.shared.tally.messages;
        let reopened = self.shared.tally.reopened;
        let last = (now, messages.received, reopened);
        let (then, answers_then, reopened_then) = std::mem::replace(&mut self.last_tick, last);
        let seconds = now.since(then).as_secs_f64();
        let per_s = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let paced = self.shared.tally.paced.as_ref();
        let ended = self.connections.attempted - self.connections.connected;
        Snapshot {
            stage: self.stage,
            elapsed: now.since(self.began_at.unwrap_or(Time::ZERO)),
            connected: u64::from(self.settled),
            waiting: u64::from(self.unsettled),
            errors: ended + messages.wrong + messages.refused + messages.lost,
            rate_per_s: per_s(messages.received - answers_then),
            p99_us: us(self.shared.tally.series.latencies().value_at_quantile(0.99)),
            service_p99_us: paced.map(|paced| us(paced.service.value_at_quantile(0.99))),
            in_line: self.in_line(now),
            reopened_per_s: per_s(reopened - reopened_then),
            limit: self.limit(),
        }
    }

    /// What stopped connections so far, if something did.
    fn limit(&self) -> Option<Limit> {
        let waits = (self.shared.tally.backlog_full > 0).then_some(Limit::Backlog);
        self.connections.limits().first().map(|(limit, _)| *limit).or(waits)
    }

    /// The parts of the measured time in which this thread had a CPU, and waited for one.
    fn cpu_shares(&self, measured: Duration) -> (f64, f64) {
        let until = match self.stage {
            Stage::Measuring => Some(Cpu::now()),
            _ => self.cpu_until,
        };
        let Some(until) = until.filter(|_| !measured.is_zero()) else { return (0.0, 0.0) };
        let share = |until: Duration, from| until.saturating_sub(from).div_duration_f64(measured);
        let Cpu { used, waited } = self.cpu_from;
        (share(until.used, used), share(until.waited, waited))
    }

    /// What the shape of the run found so far.
    fn shape_figures(&self, messages: &Messages) -> Option<Figures> {
        let Shared { churn, idle, fan, .. } = &self.shared;
        let churn = churn.as_ref().map(|it| Figures::Churn(it.figures()));
        let idle = idle.as_ref().map(|it| Figures::Idle(it.figures(self.settled, messages)));
        churn.or(idle).or(fan.as_ref().map(|it| Figures::Fan(it.figures())))
    }

    /// The figures so far. Connections that are open and were answered count as connected; those
    /// still without a fate are not counted, and what is still in flight is lost.
    pub(in crate::load) fn report(&self, scenario: &Scenario, now: Time) -> Report {
        let mut connections = self.connections.clone();
        connections.count_connected(u64::from(self.settled));
        let Tally {
            messages,
            statuses,
            reopened,
            backlog_full,
            deflate_agreed,
            series,
            paced,
            sizes,
        } = &self.shared.tally;
        let mut messages = *messages;
        (connections.reopened, connections.backlog_full) = (*reopened, *backlog_full);
        let counted = statuses.iter().enumerate().filter(|(_, count)| **count > 0);
        messages.lost += messages.in_flight();
        let settled_at = self.settled_at.unwrap_or(now);
        let began_at = self.began_at.unwrap_or(settled_at);
        let (until, answers) = match self.measured_until {
            Some(measured) => measured,
            None if self.stage == Stage::Measuring => (now, messages.received),
            None => (began_at, self.answers_before),
        };
        let (cpu_share, cpu_wait_share) = self.cpu_shares(until.since(began_at));
        Report {
            command: String::new(),
            url: scenario.target.to_string(),
            method: scenario.is_http().then(|| scenario.method.name()),
            size_bytes: scenario.message_bytes(),
            depth: scenario.depth,
            hold: scenario.hold,
            measured_from_unix_ms: self.shared.clock.unix_ms(began_at),
            settle: settled_at.since(Time::ZERO),
            measured: until.since(began_at),
            common: None,
            measured_answers: answers - self.answers_before,
            connections,
            messages,
            statuses: counted.map(|(status, count)| (status as u16, *count)).collect(),
            deflate_agreed: scenario.deflate.then_some(*deflate_agreed),
            bytes_sent: self.shared.bytes_sent,
            bytes_received: self.shared.bytes_received,
            cpu: process::cpu_time().unwrap_or_default(),
            cpu_share,
            cpu_wait_share,
            latency: series.latencies(),
            paced: paced.clone().map(|paced| {
                let unsent = paced.unsent + self.in_line(now);
                Paced { unsent, ..paced }
            }),
            shape: self.shape_figures(&messages),
            sizes: sizes.clone(),
            rows: series.rows(),
        }
    }
}
