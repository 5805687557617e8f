//! **What.** A slot that is given to a new connection while its old one still has work queued: no
//! connection ever gets another's bytes.
//!
//! **Why this way.** Under `evict-idle` with no grace a connection is closed after the turn's
//! reads, when it may stand on the again-queue, and its slot goes to the newcomer at once. With a
//! table of a few slots and every client sending more than a read takes, that happens all the time
//! (`stale_events` counts it). What a client hears must be its own bytes from the beginning, and
//! behind them at most the notice.
//!
//! **Costs.** A few seconds of echo.
//!
//! **Read next.** `main.rs`.

use crate::support::*;
use oneloop::metrics::CloseReason;
use oneloop::net::Endpoint;
use oneloop::server::{AtLimit, Limits, READ_BYTES};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::thread;

const THREADS: usize = 4;
const ROUNDS: usize = 15;
const CLIENTS_A_ROUND: usize = 12;
/// More than a read takes, and no more than the kernel's buffers do.
const BYTES: usize = READ_BYTES + READ_BYTES / 4;

#[test]
fn nobody_gets_the_bytes_of_whoever_had_the_slot_before() {
    let server = serve_echo(Limits {
        max_connections: 3,
        at_limit: AtLimit::EvictIdle,
        evict_idle_after_ms: 0,
        ..limits()
    });
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let at = server.at(0);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    clients_hear_only_themselves(at, thread * ROUNDS + round);
                }
            });
        }
    });
    let books = server.finish();
    println!("{} events came too late", books.metrics.stale_events);
    assert!(closed(&books, CloseReason::Evicted) > 0, "{}", books.to_json());
}

/// A few clients send at the same time, then read to whatever end each is given.
fn clients_hear_only_themselves(at: &Endpoint, round: usize) {
    let start = |i| {
        let bytes = pattern((round * CLIENTS_A_ROUND + i) as u64, BYTES);
        let mut client = connect(at);
        // The server may end it at any time.
        let _ = client.write_all(&bytes);
        let _ = client.shutdown(Shutdown::Write);
        (client, bytes)
    };
    let clients: Vec<_> = (0..CLIENTS_A_ROUND).map(start).collect();
    for (i, (mut client, bytes)) in clients.into_iter().enumerate() {
        let mut heard = Vec::new();
        let ends = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        if let Err(error) = client.read_to_end(&mut heard) {
            assert!(ends.contains(&error.kind()), "{error}");
        }
        // The notice of its eviction or refusal is a whole line of its own.
        let notice = heard.windows(5).rposition(|word| word == b"-ERR ").unwrap_or(heard.len());
        let (own, behind) = heard.split_at(notice);
        assert!(bytes.starts_with(own), "client {i}: {} bytes are not all its own", own.len());
        assert!(behind.is_empty() || behind.ends_with(b"\n"), "client {i}: {behind:?}");
    }
}
