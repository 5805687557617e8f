//! **What.** SIGTERM and SIGINT drain, a second one ends at once, SIGUSR1 writes the books.
//!
//! **Why this way.** Signals go to processes, so the server is a child. Its descriptors are its own
//! too: here the books' count of them is checked in the middle of things.
//!
//! **Costs.** A child a test.
//!
//! **Read next.** `child.rs`.

use crate::child::{Child, number};
use crate::support::*;
use oneloop::server::Limits;
use std::net::TcpStream;

const URLS: [&str; 3] =
    ["tcp://127.0.0.1:0/echo", "tcp://127.0.0.1:0/broadcast", "udp://127.0.0.1:0/echo"];

#[test]
fn sigterm_drains() {
    let server = Child::serve("signals::sigterm_drains", &URLS, limits());
    let mut client = connect(&server.at[0]);
    ping(&mut client);
    server.signal(libc::SIGTERM);
    assert_eq!(last_words(&mut client), "");
    drop(client);
    let (exit, books) = server.wait();
    assert_eq!((exit.as_str(), number(&books, "closed_drained")), ("Drained", 1));
}

#[test]
fn sigint_drains_too() {
    let server = Child::serve("signals::sigint_drains_too", &URLS, limits());
    server.signal(libc::SIGINT);
    assert_eq!(server.wait().0, "Drained");
}

#[test]
fn a_second_signal_ends_at_once() {
    let patience = Limits { linger_ms: 600_000, drain_ms: 600_000, ..limits() };
    let server = Child::serve("signals::a_second_signal_ends_at_once", &URLS, patience);
    let mut client = connect(&server.at[0]);
    ping(&mut client);
    server.signal(libc::SIGTERM);
    assert_eq!(read_line(&mut client), "", "the drain has begun");
    server.signal(libc::SIGINT);
    let (exit, books) = server.wait();
    assert_eq!(exit, format!("Signalled({})", libc::SIGINT));
    assert_eq!(number(&books, "faults"), 0);
    assert_eq!(number(&books, "connections"), 1, "it was cut off, not closed");
}

#[test]
fn sigusr1_writes_books_that_balance() {
    let server = Child::serve("signals::sigusr1_writes_books_that_balance", &URLS, limits());
    let before = server.books();
    let mut clients: Vec<TcpStream> = (0..30).map(|i| connect(&server.at[i % 2])).collect();
    clients.iter_mut().step_by(2).for_each(ping);
    until("all are accepted", || server.count("accepted") == 30);
    let books = server.books();
    for (name, should) in [("connections", 30), ("faults", 0), ("messages_in", 15)] {
        assert_eq!(number(&books, name), should, "{name} in {books}");
    }
    let open = number(&books, "descriptors");
    assert_eq!(open, number(&books, "descriptors_expected"), "{books}");
    assert_eq!(open, number(&before, "descriptors") + 30, "{books}");
    assert!(number(&books, "cap") > 0 && number(&books, "uptime_ms") > 0, "{books}");
    drop(clients);
    until("all are gone", || server.count("connections") == 0);
    assert_eq!(server.count("descriptors"), number(&before, "descriptors"));
    server.finish();
}
