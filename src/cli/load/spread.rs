//! Who sends a load, and when: processes, machines.
//!
//! **What.** [`Spread`] are the flags `--procs` and `--start-at`, and the hidden one that makes a
//! process one of several.
//!
//! **Why this way.** They say who sends and when, and not what: the scenario does not know them.
//!
//! **Costs.** Nothing.
//!
//! **Read next.** `src/cli/load/procs.rs`, `src/cli/load/start.rs`.

use super::Failure;
use super::start::Start;
use std::time::SystemTime;

/// Who sends, and when.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Spread {
    /// Generate in so many processes, each with its part of the connections and of the rate, its
    /// own limit of open files and its own source addresses. They measure at the same time, and
    /// their histograms are added. With --hold standard input is not looked at
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=256),
        env = "ONELOOP_LOAD_PROCS", hide_env_values = true)]
    pub(super) procs: u32,

    /// Begin at this time: 2026-01-31T12:00:00Z, seconds since 1970, or +10s from now. So that
    /// generators on several machines begin together, by clocks that agree
    #[arg(long, value_name = "TIME", value_parser = Start::parse,
        env = "ONELOOP_LOAD_START_AT", hide_env_values = true)]
    pub(super) start_at: Option<Start>,

    /// Be one of several: `2/6`. For `ps`, and not for people
    #[arg(long, hide = true)]
    pub(super) part: Option<String>,
}

impl Spread {
    /// When to begin, if not at once.
    pub(super) fn start(&self) -> Result<Option<SystemTime>, Failure> {
        let at = self.start_at.map(|start| start.resolve(SystemTime::now()));
        at.transpose().map_err(Failure::Usage)
    }
}
