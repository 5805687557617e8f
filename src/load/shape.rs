//! What connections do with their time.
//!
//! **What.** A [`Shape`] is part of a scenario: keep and send, churn, idle, fan. Its [`Figures`]
//! are what it finds beside the messages and latencies that every run has.
//!
//! **Why this way.** A shape is a small change to one run and no run of its own: it says when a
//! connection goes on over another socket (churn), when a silent one is asked whether it is still
//! there (idle), or that one sends for all (fan). So fates, books, validity and reports hold for
//! all of them. They exclude each other, so they are an enum, and what cannot go together is
//! refused before the first connection.
//!
//! **Costs.** Nothing to the runs that have none: one test of an `Option` an event.
//!
//! **Read next.** `src/load/shape/churn.rs`, `src/load/shape/idle.rs`, `src/load/shape/fan.rs`.

mod churn;
mod fan;
mod idle;

pub(super) use churn::Churn;
pub use churn::ChurnFigures;
pub use fan::FanFigures;
pub(super) use fan::{Announcement, Ear, Fan, Hearing};
pub(super) use idle::Idle;
pub use idle::{IdleFigures, PING_EVERY_MS_MAX};

use super::{LoadError, Scenario, usage};
use crate::net::Address;
use serde::{Deserialize, Serialize};

/// What connections do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// They stay, and send for the measured time.
    #[default]
    Keep,
    /// Each socket carries so many messages; then it is closed, and another takes its place.
    Churn {
        /// At least 1.
        messages: u64,
    },
    /// They stay silent, but for a ping at an interval: a WebSocket's own, else a message.
    Idle {
        /// 1 ms to [`PING_EVERY_MS_MAX`], and no longer than the run.
        ping_every_ms: u64,
    },
    /// The first of them sends, all of them receive: the server must broadcast.
    Fan,
}

impl Shape {
    /// The flag that asks for it.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Keep => "keep",
            Shape::Churn { .. } => "churn",
            Shape::Idle { .. } => "idle",
            Shape::Fan => "fan",
        }
    }

    /// Whether `scenario`, of which it is a part, can be done.
    pub(super) fn check(self, scenario: &Scenario) -> Result<(), LoadError> {
        let name = self.name();
        if self == Shape::Keep {
            return Ok(());
        }
        if matches!(scenario.target.address, Address::Udp(_)) {
            let name =
                if self == (Shape::Churn { messages: 1 }) { "reconnect, churn 1" } else { name };
            return usage(format!("{name}: over UDP there are no connections; use tcp://"));
        }
        if scenario.hold {
            return usage(format!(
                "{name}: --hold and --mirror send nothing of their own; leave one of the two out"
            ));
        }
        match self {
            Shape::Churn { messages: 0 } => {
                usage("churn 0: a socket must carry at least 1 message".to_owned())
            }
            Shape::Idle { ping_every_ms } => idle::check(ping_every_ms, scenario),
            Shape::Fan => fan::check(scenario),
            Shape::Keep | Shape::Churn { .. } => Ok(()),
        }
    }
}

/// What a shape found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Figures {
    /// Of sockets that came and went.
    Churn(ChurnFigures),
    /// Of connections that were held.
    Idle(IdleFigures),
    /// Of a broadcast.
    Fan(FanFigures),
}

impl Figures {
    /// The flag that asks for it, with what must be the same for figures to add up.
    pub fn name(&self) -> String {
        match self {
            Figures::Churn(it) => format!("churn {}", it.messages),
            Figures::Idle(it) => format!("idle, a ping every {} ms", it.ping_every_ms),
            Figures::Fan(_) => "fan".to_owned(),
        }
    }

    /// The shape that found them.
    pub fn shape(&self) -> Shape {
        match self {
            Figures::Churn(it) => Shape::Churn { messages: it.messages },
            Figures::Idle(it) => Shape::Idle { ping_every_ms: it.ping_every_ms },
            Figures::Fan(_) => Shape::Fan,
        }
    }

    /// Adds those of a generator that ran at the same time. Figures of another shape do not add up.
    pub(super) fn merge(&mut self, other: &Figures) {
        match (self, other) {
            (Figures::Churn(it), Figures::Churn(other)) => it.merge(other),
            (Figures::Idle(it), Figures::Idle(other)) => it.merge(other),
            (Figures::Fan(it), Figures::Fan(other)) => it.merge(other),
            _ => {}
        }
    }
}
