//! **What.** A hundred thousand connections come and go, and nothing of them stays.
//!
//! **Why this way.** Descriptors and memory are the process's, so the server is a child. Most
//! clients end with a reset, which leaves no port in TIME_WAIT; several source addresses have
//! several times the ports. The first wave makes real what the server keeps on purpose: its table,
//! and the allocator's arena.
//!
//! **Costs.** About five seconds of two cores.
//!
//! **Read next.** `reuse.rs`.

use crate::child::{Child, number};
use crate::support::*;
use oneloop::net::Endpoint;
use std::io::Write;
use std::thread;

const THREADS: u8 = 4;
const CONNECTIONS: usize = 100_000;
const RESIDENT_TOLERANCE_BYTES: u64 = 1024 * 1024;

#[test]
fn a_hundred_thousand_connections_leave_nothing_behind() {
    let test = "churn::a_hundred_thousand_connections_leave_nothing_behind";
    let server = Child::serve(test, &["tcp://127.0.0.1:0/echo"], limits());
    wave(&server.at[0], CONNECTIONS / 20);
    until("the first wave is gone", || server.count("connections") == 0);
    let (descriptors, resident) = (server.descriptors(), server.resident_bytes());
    wave(&server.at[0], CONNECTIONS);
    until("all are gone", || server.count("connections") == 0);
    assert_eq!(server.descriptors(), descriptors);
    let grown = server.resident_bytes().saturating_sub(resident);
    println!("resident: {resident} bytes before, {grown} more after");
    assert!(grown <= RESIDENT_TOLERANCE_BYTES, "grown by {grown} bytes from {resident}");
    let books = server.finish();
    let accounted = number(&books, "accepted") + number(&books, "accept_aborted");
    assert_eq!(accounted, (CONNECTIONS + CONNECTIONS / 20) as u64, "{books}");
    assert_eq!(number(&books, "accept_failures"), 0);
}

/// `n` connections from several threads, which end in three different ways.
fn wave(at: &Endpoint, n: usize) {
    thread::scope(|scope| {
        for host in 2..2 + THREADS {
            scope.spawn(move || {
                for i in 0..n / THREADS as usize {
                    let mut client = connect_from(host, at);
                    match i % 20 {
                        0 => {
                            client.write_all(b"all").unwrap();
                            half_close(&client);
                            assert_eq!(last_words(&mut client), "all");
                        }
                        1..10 => {
                            ping(&mut client);
                            reset(client);
                        }
                        _ => reset(client),
                    }
                }
            });
        }
    });
}
