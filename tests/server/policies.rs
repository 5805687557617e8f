//! **What.** The cap, and one connection more under each policy.
//!
//! **Why this way.** The cap is set low by `max_connections`: descriptors are `descriptors.rs`.
//! That a policy holds "until somebody leaves" includes that somebody leaves and all is well again.
//!
//! **Costs.** A few dozen connections a test.
//!
//! **Read next.** `descriptors.rs`.

use crate::support::*;
use oneloop::metrics::{CloseReason, RefuseReason};
use oneloop::server::{AtLimit, CapBy, Limits};
use oneloop::service::Builtin;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;

const CAP: usize = 4;
const FULL: &str = "-ERR full: 4 connections; try again later\n";

fn capped(at_limit: AtLimit) -> Limits {
    Limits { max_connections: CAP, at_limit, ..limits() }
}

/// As many clients as fit, all served.
fn fill(server: &Running) -> Vec<TcpStream> {
    let mut clients: Vec<TcpStream> = (0..CAP).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(ping);
    clients
}

#[test]
fn the_cap_is_what_was_configured() {
    let server = bind([(TCP, Builtin::Echo)], capped(AtLimit::Shed));
    assert_eq!(server.cap(), (CAP, CapBy::Configured));
}

#[test]
fn shed_tells_one_more_why_and_serves_after_a_close() {
    let server = serve_echo(capped(AtLimit::Shed));
    let mut clients = fill(&server);
    for size in [0, 1, 1_000, 60_000].repeat(10) {
        let mut extra = server.connect();
        // It may be told before it has finished: then the write fails, and the words are there.
        let _ = extra.write_all(&pattern(0, size));
        assert_eq!(last_words(&mut extra), FULL, "after {size} bytes");
    }
    clients.iter_mut().for_each(ping);
    drop(clients.pop());
    until("there is room", || is_served(&mut server.connect()));
    clients.iter_mut().for_each(ping);
    let books = server.finish();
    assert!(refused(&books, RefuseReason::Full) >= 40);
    assert_eq!(books.metrics.accepted, CAP as u64 + 1);
}

#[test]
fn pause_lets_them_wait_and_serves_one_for_each_that_leaves() {
    let server = serve_echo(capped(AtLimit::Pause));
    let mut clients = fill(&server);
    let mut waiting: Vec<TcpStream> = (0..6).map(|_| server.connect()).collect();
    for client in &mut waiting {
        client.write_all(b"ping").unwrap();
    }
    assert_silent(&mut waiting[0]);
    for mut client in waiting {
        drop(clients.remove(0));
        assert_eq!(read_n(&mut client, 4), b"ping", "the first in the queue has its turn");
        clients.push(client);
    }
    drop(clients);
    let books = server.finish();
    assert_eq!(books.metrics.accepted, CAP as u64 + 6);
    assert_eq!(books.metrics.refused_total(), 0);
}

#[test]
fn evict_idle_makes_room_from_the_one_that_was_idle_longest() {
    let server = serve_echo(Limits { evict_idle_after_ms: 20, ..capped(AtLimit::EvictIdle) });
    let mut clients = fill(&server);
    // Their order of age is not that of their places.
    for i in [2, 0, 3, 1] {
        ping(&mut clients[i]);
        pause_ms(10);
    }
    pause_ms(20);
    let mut new = server.connect();
    ping(&mut new);
    let told = last_words(&mut clients[2]);
    assert!(
        told.starts_with("-ERR idle for ") && told.ends_with(", closed to make room\n"),
        "{told}"
    );
    for i in [0, 3, 1] {
        ping(&mut clients[i]);
    }
    ping(&mut new);
    drop(clients);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::Evicted), 1);
    assert_eq!(books.metrics.refused_total(), 0);
}

#[test]
fn evict_idle_tells_the_newcomer_if_nobody_is_idle() {
    let server = serve_echo(Limits { evict_idle_after_ms: 60_000, ..capped(AtLimit::EvictIdle) });
    let mut clients = fill(&server);
    assert_eq!(last_words(&mut server.connect()), FULL);
    clients.iter_mut().for_each(ping);
    let books = server.finish();
    assert_eq!(refused(&books, RefuseReason::Full), 1);
    assert_eq!(closed(&books, CloseReason::Evicted), 0);
}

/// Half a line is work under way, however old.
#[test]
fn evict_idle_spares_who_is_in_the_middle_of_something() {
    let limits =
        Limits { evict_idle_after_ms: 1, max_connections: 2, ..capped(AtLimit::EvictIdle) };
    let server = serve([(TCP, Builtin::Broadcast)], limits);
    let mut busy = server.connect();
    busy.write_all(b"one\nha").unwrap();
    assert_eq!(read_line(&mut busy), "one");
    let mut idle = server.connect();
    idle.write_all(b"two\n").unwrap();
    assert_eq!((read_line(&mut busy), read_line(&mut idle)), ("two".into(), "two".into()));
    pause_ms(20);
    let mut new = server.connect();
    assert!(last_words(&mut idle).starts_with("-ERR idle"));
    new.write_all(b"three\n").unwrap();
    assert_eq!(read_line(&mut new), "three");
    busy.write_all(b"lf\n").unwrap();
    assert_eq!((read_line(&mut busy), read_line(&mut busy)), ("three".into(), "half".into()));
    server.finish();
}

#[test]
fn refuse_lets_the_kernel_say_no_and_listens_again_on_the_same_port() {
    let server = serve_echo(capped(AtLimit::Refuse));
    let mut clients = fill(&server);
    for _ in 0..3 {
        until("the kernel refuses", || {
            let refused = TcpStream::connect(address(server.at(0)));
            refused.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        });
        clients.iter_mut().for_each(ping);
        drop(clients.pop());
        until("somebody is served on the same port", || {
            let new = TcpStream::connect(address(server.at(0)));
            let mut new = new.ok().map(patient);
            clients.extend(new.take_if(is_served));
            clients.len() == CAP
        });
    }
    drop(clients);
    let books = server.finish();
    assert_eq!(books.metrics.accepted, CAP as u64 + 3);
    assert_eq!(books.metrics.accept_failures, 0);
}
