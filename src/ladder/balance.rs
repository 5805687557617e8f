//! How evenly several workers share what comes.
//!
//! **What.** [`weigh`] starts the server with one number of workers after another, of each kind and
//! in each way of accepting, puts the same load on it, and tells how many connections there may be,
//! each worker's share and Jain's index ([`jain`](crate::server::jain)). [`table`] and [`json`]
//! show it.
//!
//! **Why this way.** Both ways promise to share a port, and neither promises evenly: a hash spreads
//! by chance, a shared socket by who is free. How much that is shows only under a load, and in the
//! server's own books. So is what kind of workers it takes to go past the limit of open files:
//! processes have one each, threads share one.
//!
//! **Costs.** Two seconds a number and way.
//!
//! **Read next.** `src/server/crew.rs`.

use super::LadderError;
use super::children::{Children, Stream};
use super::server::{Server, command};
use crate::limits::words::grouped;
use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

/// How long the load lasts, and may last.
const LOAD_S: u64 = 2;
const PATIENCE_MS: u64 = 60_000;

/// What to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancePlan {
    /// Numbers of workers.
    pub workers: Vec<usize>,
    /// Ways of accepting, as `serve --accept` has them.
    pub accept: Vec<String>,
    /// Kinds of workers, as `serve --worker-kind` has them.
    pub kinds: Vec<String>,
    /// Connections of the load.
    pub connections: u64,
}

/// What one worker had of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Share {
    /// Connections that it may have at once.
    pub cap: u64,
    /// Connections that it took in.
    #[serde(rename(deserialize = "accepted"))]
    pub connections: u64,
    /// Messages that it was sent.
    #[serde(rename(deserialize = "messages_in"))]
    pub messages: u64,
}

/// What was found for one number of workers and one way.
#[derive(Clone, Debug, Serialize)]
pub struct Balance {
    /// The way of accepting.
    pub accept: String,
    /// The kind of workers.
    pub kind: String,
    /// By worker.
    pub workers: Vec<Share>,
    /// Jain's index of connections: 1 if all have the same.
    pub jain_connections: f64,
    /// Jain's index of messages.
    pub jain_messages: f64,
}

/// What is read of a server's books; only several workers have shares and indices.
#[derive(Deserialize)]
struct Books {
    #[serde(flatten)]
    all: Share,
    workers: Option<Vec<Share>>,
    #[serde(default = "even")]
    jain_connections: f64,
    #[serde(default = "even")]
    jain_messages: f64,
}

fn even() -> f64 {
    1.0
}

/// Measures every number of workers in every way.
///
/// # Errors
/// See [`LadderError`]. No child process stays, with or without one.
pub fn weigh(plan: &BalancePlan, progress: &dyn Fn(&str)) -> Result<Vec<Balance>, LadderError> {
    let mut children =
        Children::new().map_err(|error| LadderError::Run(format!("epoll, signalfd: {error}")))?;
    let mut found = Vec::new();
    for accept in &plan.accept {
        for kind in &plan.kinds {
            for &workers in &plan.workers {
                progress(&format!("{workers} workers, {kind}, {accept}"));
                found.push(measure(&mut children, (accept, kind), workers, plan.connections)?);
            }
        }
    }
    Ok(found)
}

fn measure(
    children: &mut Children,
    (accept, kind): (&str, &str),
    workers: usize,
    connections: u64,
) -> Result<Balance, LadderError> {
    let mut serve = command("serve")?;
    serve.args(["--listen", "tcp://127.0.0.1:0/echo", "--log", "info", "--accept", accept]);
    serve.args(["--workers", &workers.to_string(), "--worker-kind", kind]);
    let server = Server::launch(children, &mut serve, None, &format!("{workers} workers"))?;
    let mut load = command("load")?;
    load.args([&server.url, "--quiet", "--json", "-", "--duration", &format!("{LOAD_S}s")]);
    load.args(["--connections", &connections.to_string()]);
    let started = children.start(&mut load, None);
    let load = started.map_err(|error| LadderError::Run(format!("load: {error}")))?;
    children.wait_for("the load to end", PATIENCE_MS, |children| {
        while children.line(load, Stream::Out).is_some() {}
        Ok(children.is_silent(load).then_some(()))
    })?;
    // A load that doubts itself (3) is load enough.
    match children.end(load).map(|status| status.and_then(|status| status.code())) {
        Ok(Some(0 | 3)) => {}
        other => return Err(LadderError::Run(format!("load: it ended with {other:?}"))),
    }
    let books: Books = server.books(children)?;
    server.stop(children)?;
    let Books { all, workers, jain_connections, jain_messages } = books;
    let workers = workers.unwrap_or_else(|| vec![all]);
    let (accept, kind) = (accept.to_owned(), kind.to_owned());
    Ok(Balance { accept, kind, workers, jain_connections, jain_messages })
}

/// All that was found, as one JSON object, indented.
pub fn json(found: &[Balance]) -> String {
    // Numbers, strings and lists of them: nothing that JSON cannot hold.
    let found = serde_json::json!({ "balance": found });
    serde_json::to_string_pretty(&found).unwrap_or_default() + "\n"
}

/// All that was found, a row for each number and way.
pub fn table(found: &[Balance]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_width(100);
    table.set_header([
        "accept",
        "kind",
        "workers",
        "cap\nof all",
        "connections\nby worker",
        "Jain",
        "messages\nby worker",
        "Jain",
    ]);
    for Balance { accept, kind, workers, jain_connections, jain_messages } in found {
        let list = |of: fn(&Share) -> u64| {
            workers.iter().map(|share| grouped(of(share))).collect::<Vec<_>>().join("  ")
        };
        table.add_row([
            accept.clone(),
            kind.clone(),
            workers.len().to_string(),
            grouped(workers.iter().map(|share| share.cap).sum()),
            list(|share| share.connections),
            format!("{jain_connections:.3}"),
            list(|share| share.messages),
            format!("{jain_messages:.3}"),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string() + "\n"
}
