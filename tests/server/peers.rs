//! **What.** Limits by address: how many connections, how many new ones a second.
//!
//! **Why this way.** Loopback has sixteen million addresses to come from.
//!
//! **Costs.** A dozen connections.
//!
//! **Read next.** `timeouts.rs`.

use crate::support::*;
use oneloop::metrics::RefuseReason;
use oneloop::server::{AtLimit, Limits};
use std::time::Instant;

#[test]
fn an_address_has_so_many_connections_and_others_have_theirs() {
    let server = serve_echo(Limits { per_ip_max: 2, ..limits() });
    let mut mine = [connect_from(2, server.at(0)), connect_from(2, server.at(0))];
    mine.iter_mut().for_each(ping);
    let told = "-ERR too many connections from your address: at most 2\n";
    for _ in 0..5 {
        assert_eq!(last_words(&mut connect_from(2, server.at(0))), told);
    }
    for host in 3..10 {
        ping(&mut connect_from(host, server.at(0)));
    }
    let [one, mut two] = mine;
    reset(one);
    until("its place is free", || is_served(&mut connect_from(2, server.at(0))));
    ping(&mut two);
    let books = server.finish();
    assert!(refused(&books, RefuseReason::PerIp) >= 5);
}

/// A refused connection must not count as one that its address has.
#[test]
fn a_connection_that_was_shed_does_not_count_for_its_address() {
    let limits = Limits { per_ip_max: 2, max_connections: 1, at_limit: AtLimit::Shed, ..limits() };
    let server = serve_echo(limits);
    let mut only = connect_from(2, server.at(0));
    ping(&mut only);
    for _ in 0..5 {
        let told = last_words(&mut connect_from(3, server.at(0)));
        assert_eq!(told, "-ERR full: 1 connections; try again later\n");
    }
    drop(only);
    until("there is room", || is_served(&mut connect_from(3, server.at(0))));
    let books = server.finish();
    assert_eq!(refused(&books, RefuseReason::PerIp), 0);
}

#[test]
fn an_address_has_so_many_new_connections_a_second() {
    let server = serve_echo(Limits { accept_rate: 2, ..limits() });
    let start = Instant::now();
    let served = (0..20).filter(|_| is_served(&mut connect_from(2, server.at(0)))).count();
    let earned = 2 * (start.elapsed().as_millis() as usize + 1) / 1_000 + 1;
    assert!((2..=2 + earned).contains(&served), "{served} served, {earned} earned");
    ping(&mut connect_from(3, server.at(0)));
    let mut told = String::new();
    until("it may come again", || {
        let mut client = connect_from(2, server.at(0));
        let served = is_served(&mut client);
        if !served && told.is_empty() {
            told = last_words(&mut connect_from(2, server.at(0)));
        }
        served
    });
    if !told.is_empty() {
        assert_eq!(told, "-ERR too many new connections from your address: at most 2 a second\n");
    }
    let books = server.finish();
    assert!(refused(&books, RefuseReason::Rate) as usize >= 20 - served);
}
