//! **What.** A slot that is given to a new connection while its old one still has work queued: no
//! connection ever gets another's bytes.
//!
//! **Why this way.** Under `evict-idle` with no grace a connection is closed after the turn's reads,
//! when it may stand on the again-queue, and its slot goes to the newcomer at once. With a table of
//! a few slots and every client sending more than a read takes, that happens all the time. What a
//! client hears must be its own bytes from the beginning, and behind them at most the notice.
//!
//! **Costs.** A few seconds of echo.
//!
//! **Read next.** `main.rs`.

use crate::support::*;
use oneloop::metrics::CloseReason;
use oneloop::net::Endpoint;
use oneloop::server::{AtLimit, Limits, READ_BYTES};
use std::io::{ErrorKind, Read, Write};
use std::thread;

const THREADS: usize = 6;
const CLIENTS_A_THREAD: usize = 150;
const BYTES: usize = 3 * READ_BYTES;

#[test]
fn nobody_gets_the_bytes_of_whoever_had_the_slot_before() {
    let server = serve_echo(Limits {
        max_connections: 3,
        at_limit: AtLimit::EvictIdle,
        evict_idle_after_ms: 0,
        ..limits()
    });
    thread::scope(|scope| {
        for t in 0..THREADS {
            let at = server.at(0);
            scope.spawn(move || {
                for i in 0..CLIENTS_A_THREAD {
                    assert_hears_only_itself(at, (t * CLIENTS_A_THREAD + i) as u64);
                }
            });
        }
    });
    let books = server.finish();
    println!("{}", books.to_json());
    assert!(closed(&books, CloseReason::Evicted) > 0, "{}", books.to_json());
}

/// Sends its own bytes and reads to whatever end comes.
fn assert_hears_only_itself(at: &Endpoint, seed: u64) {
    let mut client = connect(at);
    let bytes = pattern(seed, BYTES);
    let mut heard = Vec::new();
    thread::scope(|scope| {
        let (mut writer, bytes) = (client.try_clone().unwrap(), &bytes);
        scope.spawn(move || {
            // The server may end it at any time.
            let _ = writer.write_all(bytes);
            let _ = writer.shutdown(std::net::Shutdown::Write);
        });
        let ends = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        if let Err(error) = client.read_to_end(&mut heard) {
            assert!(ends.contains(&error.kind()), "{error}");
        }
    });
    // The notice of its eviction or refusal is a whole line of its own.
    let notice = heard.windows(5).rposition(|word| word == b"-ERR ").unwrap_or(heard.len());
    let (own, behind) = heard.split_at(notice);
    assert!(bytes.starts_with(own), "client {seed}: {} bytes are not all its own", own.len());
    assert!(behind.is_empty() || behind.ends_with(b"\n"), "client {seed}: {behind:?}");
}
