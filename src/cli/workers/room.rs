//! Whether so many workers fit.
//!
//! **What.** [`check`] counts what they need of descriptors and memory before the first is started.
//!
//! **Why this way.** A worker that starts and then finds no room is worse than none: its siblings
//! serve, and the supervisor starts it again and again. Descriptors are counted exactly; memory is
//! what all workers' connections take by the figures of the cap, if it was said how many there may
//! be. If not, the cap is what memory carries, and only the workers themselves count.
//!
//! **Costs.** Once, at start: the doctor's files.
//!
//! **Read next.** `src/server/admission.rs`, for the cap of each.

use crate::cli::Failure;
use crate::config::{Accept, Config, WorkerKind};
use crate::limits::facts::Facts;
use crate::limits::words::bytes;
use crate::server::{Nofile, Price};
use crate::sys;
use crate::sys::rlimit::Rlimit;
use std::io;

/// Descriptors that a supervisor needs for each worker beside its sockets, and while it starts one.
const DESCRIPTORS_EACH: usize = 5;

/// Memory of a worker without connections. Measured: 0.6 MB of its own, and what the kernel has for
/// a process; its inbox may hold 1 MiB.
const BYTES_EACH: u64 = 2 * 1024 * 1024;

/// Refuses more workers than open files and memory allow. Memory is not asked of a `successor`: it
/// gets the connections that take it now.
pub(super) fn check(config: &Config, workers: usize, is_successor: bool) -> Result<(), Failure> {
    let system = |error: io::Error| Failure::Run(format!("workers: {error}"));
    let limit = sys::rlimit::nofile().map_err(system)?;
    let open = sys::process::open_descriptors().map_err(system)?;
    check_descriptors(config, workers, open, limit.soft).map_err(Failure::Usage)?;
    match Facts::read().memory_room_bytes() {
        Some(room) if !is_successor => {
            check_memory(config, workers, limit, room).map_err(Failure::Usage)
        }
        _ => Ok(()),
    }
}

fn check_descriptors(
    config: &Config,
    workers: usize,
    open: usize,
    limit: u64,
) -> Result<(), String> {
    // A worker is started with a copy of everything it gets.
    let sockets = config.listen.len() * if config.accept == Accept::Shared { 1 } else { workers };
    let need = open + 2 * sockets + (DESCRIPTORS_EACH + 1) * workers + 16;
    let each = match config.worker_kind {
        WorkerKind::Process => 0,
        WorkerKind::Thread => workers * (sockets + workers + 4),
    };
    match need + each {
        need if need as u64 > limit => Err(format!(
            "workers: {workers} of them on {} listeners need {need} descriptors in one process, \
             and {limit} are allowed: ask for fewer, use --accept shared, or raise `ulimit -n`",
            config.listen.len()
        )),
        _ => Ok(()),
    }
}

fn check_memory(
    config: &Config,
    workers: usize,
    nofile: Rlimit,
    room_bytes: u64,
) -> Result<(), String> {
    let workers = workers as u64;
    let connections = connections_each(config, workers, nofile);
    let has_tls = config.listen.iter().any(|(endpoint, _)| endpoint.tls.is_some());
    let price = Price::of(&config.limits, has_tls);
    let need = price.bytes(connections).saturating_add(BYTES_EACH).saturating_mul(workers);
    // The rest is for what is on its way.
    let allowed = room_bytes / 4 * 3;
    if need <= allowed {
        return Ok(());
    }
    let (need, allowed, room) = (bytes(need), bytes(allowed), bytes(room_bytes));
    Err(format!(
        "workers: {workers} of them with {connections} connections each need {need} of memory, and \
         {allowed} may be used of the {room} that are available: ask for fewer, or for a lower \
         --max-connections or --deflate-takeover-max"
    ))
}

/// As many as were asked for, if open files allow so many.
fn connections_each(config: &Config, workers: u64, nofile: Rlimit) -> u64 {
    let files = match config.limits.nofile {
        Nofile::Max => nofile.hard,
        Nofile::Keep => nofile.soft,
        Nofile::Set(files) => files,
    };
    let files_each = match config.worker_kind {
        WorkerKind::Process => files,
        WorkerKind::Thread => files / workers,
    };
    match config.limits.max_connections as u64 {
        0 => 1,
        max => max.min(files_each),
    }
}

#[cfg(test)]
mod tests;
