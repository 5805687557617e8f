//! The clients: children of our own binary that connect and hold on.
//!
//! **What.** A [`Crowd`] is a number of clients that come together and leave together. It tells
//! what each of them met: at first, and again when they leave.
//!
//! **Why this way.** Clients need descriptors as the server does, and source ports (the port
//! cliff, `src/load/sources.rs`), so a large crowd is several processes, each with a source address
//! of its own. That they hold on silently is what fills a server; that they leave when their
//! standard input ends means that they never outlive the ladder.
//!
//! **Costs.** A process for 12,000 clients.
//!
//! **Read next.** `src/load/mod.rs`, `src/load/fates.rs`.

use super::LadderError;
use super::children::{ChildId, Children, Stream};
use super::server::command;
use crate::load::Connections;
use crate::sys;
use serde::Deserialize;
use std::net::Ipv4Addr;

/// Clients of one process and source address: below the port cliff.
const CLIENTS_PER_PROCESS: u64 = 12_000;

/// Descriptors a client process needs beside its connections, generously.
const RESERVE: u64 = 24;

/// How long a crowd may take to settle beyond its patience, and to leave.
const PATIENCE_MS: u64 = 120_000;

/// How long clients wait for an answer when nothing but a slow machine keeps it from them.
pub(super) const LONG_MS: u64 = 60_000;

/// Where crowds go to, and where they come from: each process has a source address of its own.
pub(super) struct Route<'a> {
    url: &'a str,
    sources: u32,
}

impl Route<'_> {
    /// To a server.
    pub(super) fn to(url: &str) -> Route<'_> {
        Route { url, sources: 0 }
    }

    /// 127.0.0.2 and up: 127.0.0.1 is left to everybody else.
    fn next_source(&mut self) -> Ipv4Addr {
        self.sources += 1;
        Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + self.sources)
    }
}

/// Clients that come together and leave together.
pub(super) struct Crowd {
    processes: Vec<ChildId>,
    patience_ms: u64,
}

/// What the ladder reads of the load's report.
#[derive(Deserialize)]
struct Report {
    connections: Connections,
}

impl Crowd {
    /// Starts `clients` that wait `patience_ms` for the connection and as long for an answer.
    ///
    /// # Errors
    /// A process cannot be started.
    pub(super) fn start(
        children: &mut Children,
        route: &mut Route<'_>,
        clients: u64,
        patience_ms: u64,
    ) -> Result<Crowd, LadderError> {
        let hard = sys::rlimit::nofile().map_or(CLIENTS_PER_PROCESS, |limit| limit.hard);
        let most = hard.saturating_sub(RESERVE).clamp(1, CLIENTS_PER_PROCESS);
        let mut processes = Vec::new();
        let mut left = clients;
        while left > 0 {
            let clients = left.min(most);
            left -= clients;
            let mut load = command("load")?;
            load.args([route.url, "--hold", "--quiet", "--json", "-", "--duration", "1day"]);
            load.args(["--connections", &clients.to_string()]);
            load.args(["--source", &route.next_source().to_string()]);
            let patience = format!("{patience_ms}ms");
            load.args(["--answer-timeout", &patience, "--connect-timeout", &patience]);
            let started = children.start(&mut load, None);
            processes.push(started.map_err(|error| LadderError::Run(format!("load: {error}")))?);
        }
        Ok(Crowd { processes, patience_ms })
    }

    /// Waits until every client knows what became of it, and tells.
    ///
    /// # Errors
    /// The clients fail or take too long.
    pub(super) fn settle(&self, children: &mut Children) -> Result<Connections, LadderError> {
        let mut all = Connections::default();
        for &id in &self.processes {
            let limit_ms = PATIENCE_MS + self.patience_ms;
            let settled = children.wait_for("the clients to settle", limit_ms, |children| {
                while let Some(line) = children.line(id, Stream::Out) {
                    if let Some(json) = line.strip_prefix("settled ") {
                        return read(json).map(Some);
                    }
                }
                match children.is_silent(id) {
                    true => Err(failure(children, id)),
                    false => Ok(None),
                }
            })?;
            all.merge(&settled);
        }
        Ok(all)
    }

    /// Lets all clients go and waits until they have left. Tells what had become of them by then.
    ///
    /// # Errors
    /// The clients fail or take too long.
    pub(super) fn leave(self, children: &mut Children) -> Result<Connections, LadderError> {
        for &id in &self.processes {
            children.close_stdin(id);
        }
        let mut all = Connections::default();
        for &id in &self.processes {
            children.wait_for("the clients to leave", PATIENCE_MS, |children| {
                Ok(children.is_silent(id).then_some(()))
            })?;
            let mut json = String::new();
            while let Some(line) = children.line(id, Stream::Out) {
                if !line.starts_with("settled ") {
                    json.push_str(&line);
                }
            }
            let failure = failure(children, id);
            match children.end(id) {
                Ok(Some(status)) if status.code().is_some() && !json.is_empty() => {
                    all.merge(&read(&json)?);
                }
                _ => return Err(failure),
            }
        }
        Ok(all)
    }
}

fn read(json: &str) -> Result<Connections, LadderError> {
    let report: Report = serde_json::from_str(json).map_err(|error| {
        LadderError::Run(format!("load: a report that makes no sense: {error}"))
    })?;
    Ok(report.connections)
}

fn failure(children: &mut Children, id: ChildId) -> LadderError {
    let words = children.last_words(id).unwrap_or_else(|| "it did not say why".to_owned());
    LadderError::Run(format!("load failed: {}", words.strip_prefix("error: ").unwrap_or(&words)))
}
