//! **What.** The doctor, `oneloop limits [--for N] [--json]`: every limit between a machine and N
//! sockets, which one binds first, the command that lifts it, and which is next.
//!
//! **Why this way.** Three steps that do not know each other: [`facts`] reads (and `cgroup.rs`, for
//! containers); [`doctor`] judges without touching the machine ([`limit`] says what each limit is,
//! [`plan`] what to do about it); [`render`] prints. Rejected: a shell script, which nobody tests.
//!
//! **Costs.** A few milliseconds and some 20 small files read; nothing is changed.
//!
//! **Read next.** `src/limits/limit.rs`: the limits, one by one.

mod cgroup;
pub mod doctor;
pub mod facts;
pub mod limit;
pub mod plan;
pub mod render;
pub(crate) mod words;

use std::io::{self, Write};

/// Examines this machine and writes the report to `out`: a table, or JSON. Returns whether
/// `for_n` connections fit as things are; without `for_n`, true. `reserve_fds` is what a server
/// keeps for itself.
///
/// # Errors
/// Only those of `out`; what cannot be read is part of the report.
pub fn run(
    for_n: Option<u64>,
    reserve_fds: u64,
    json: bool,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let report = doctor::examine(&facts::Facts::read(), for_n, reserve_fds);
    match json {
        true => render::json(&report, out)?,
        false => render::text(&report, out)?,
    }
    Ok(report.fits())
}
