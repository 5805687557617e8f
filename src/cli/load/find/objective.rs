//! What a server is asked to keep: `p99<5ms`.
//!
//! **What.** [`Objective`] is parsed from the flag and [judges](Objective::judge) a run.
//!
//! **Why this way.** Only a run that is whole can keep an objective: one in which messages were
//! never sent, were lost or came back wrong has fast answers because it left the slow ones out. And
//! a run that the generator spoilt says nothing of the server, neither good nor bad.
//!
//! **Costs.** A look at a histogram a run.
//!
//! **Read next.** `src/cli/load/find/search.rs`, `src/load/validity.rs`.

use crate::cli::load::render::latency;
use crate::limits::words::grouped;
use crate::load::Report;
use crate::net::unknown;
use std::fmt;
use std::time::Duration;

/// The share of the messages asked for that must be answered in the measured time.
const ANSWERED_MIN: f64 = 0.98;
/// So many may be on their way when that ends.
const FEW: f64 = 10.0;

/// A latency, and what it must stay below.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli::load) struct Objective {
    /// `p50` to `p99.9`, or `max`.
    pub(super) figure: &'static str,
    /// The share of the answers; `None` is the longest of all.
    quantile: Option<f64>,
    /// It counts from when a message was sent, and not from when it was due.
    pub(super) is_service: bool,
    pub(super) below_us: f64,
}

/// What a run says of an objective.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Kept,
    /// Not kept, and why not.
    Missed(String),
    /// The generator was at its own limit: why.
    Spoilt(Vec<String>),
}

impl Objective {
    const FIGURES: [(&'static str, Option<f64>); 5] = [
        ("p50", Some(0.5)),
        ("p90", Some(0.9)),
        ("p99", Some(0.99)),
        ("p99.9", Some(0.999)),
        ("max", None),
    ];

    /// Reads `p99<5ms`, `service p99.9<800us`, `response max < 1s`.
    pub(in crate::cli::load) fn parse(text: &str) -> Result<Objective, String> {
        let (figure, below) = text.split_once('<').ok_or("write a limit: p99<5ms")?;
        let figure = figure.trim();
        let (is_service, figure) = match figure.split_once(char::is_whitespace) {
            Some(("service", figure)) => (true, figure.trim()),
            Some(("response", figure)) => (false, figure.trim()),
            Some((other, _)) => {
                return Err(unknown("kind of latency", other, ["response", "service"]));
            }
            None => (false, figure),
        };
        let names = Objective::FIGURES.map(|(name, _)| name);
        let known = Objective::FIGURES.into_iter().find(|(name, _)| *name == figure);
        let (figure, quantile) = known.ok_or_else(|| unknown("figure", figure, names))?;
        let below = humantime::parse_duration(below.trim()).ok();
        let below = below.filter(|below| *below > Duration::ZERO);
        let below = below.ok_or("behind the < stands a time above 0: 5ms, 800us, 1s")?;
        let below_us = below.as_secs_f64() * 1e6;
        Ok(Objective { figure, quantile, is_service, below_us })
    }

    /// What the run has to compare with it, in microseconds; `None`: too few answers to tell.
    pub(super) fn of(&self, report: &Report) -> Option<f64> {
        match (self.quantile, self.is_service) {
            (Some(quantile), false) => report.percentile_us(quantile),
            (Some(quantile), true) => report.service_us(quantile),
            (None, false) => report.latency_max_us(),
            (None, true) => {
                let service = report.paced.as_ref()?.service_ns();
                (!service.is_empty()).then(|| service.max() as f64 / 1_000.0)
            }
        }
    }

    /// The rate from which on a run of this length has answers enough for it.
    pub(super) fn rate_min(&self, duration: Duration) -> u64 {
        // Ten beyond the percentile, and some to spare. The longest of a few says nothing.
        let answers = self.quantile.map_or(1_000.0, |quantile| 10.0 / (1.0 - quantile));
        ((answers * 1.05 / duration.as_secs_f64().max(1e-3)).ceil() as u64).max(1)
    }

    /// What a run says of it.
    pub(super) fn judge(&self, report: &Report) -> Verdict {
        let doubts = report.own_doubts();
        if !doubts.is_empty() {
            return Verdict::Spoilt(doubts);
        }
        let connections = &report.connections;
        let gone = connections.attempted - connections.connected;
        let messages = &report.messages;
        let unsent = report.paced.as_ref().map_or(0, |paced| paced.unsent);
        let asked = report.paced.as_ref().map_or(0, |paced| paced.rate_per_s) as f64;
        let counts = [
            (gone, "connections ended"),
            (messages.lost, "messages were lost"),
            (messages.wrong, "answers had wrong bytes"),
            (messages.refused, "requests were refused"),
            (unsent, "messages were never sent"),
        ];
        if let Some((count, what)) = counts.into_iter().find(|(count, _)| *count > 0) {
            return Verdict::Missed(format!("{} {what}", grouped(count)));
        }
        let short = asked * report.measured.as_secs_f64() - report.measured_answers as f64;
        if short > FEW && report.rate_per_s() < asked * ANSWERED_MIN {
            let rate = grouped(report.rate_per_s() as u64);
            return Verdict::Missed(format!("{rate}/s were answered"));
        }
        match self.of(report) {
            None => Verdict::Missed("too few answers to tell".to_owned()),
            Some(us) if us < self.below_us => Verdict::Kept,
            Some(us) => Verdict::Missed(format!("{} was {}", self.figure, latency(us))),
        }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_service { "service" } else { "response" };
        write!(f, "{kind} {} < {}", self.figure, latency(self.below_us))
    }
}

#[cfg(test)]
mod tests;
