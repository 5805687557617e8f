//! **What.** A server at the end of its descriptors: at the cap that it computed from them, and
//! beyond it, when something else in its process has taken what it counted on.
//!
//! **Why this way.** RLIMIT_NOFILE belongs to a process, so the server is a child and all clients
//! are outside of it. This is the failure that the project is about: no client may be stranded.
//!
//! **Costs.** A child a test; up to a second where the server looks once a second.
//!
//! **Read next.** `churn.rs`, `signals.rs`.

use crate::child::{Child, number};
use crate::support::*;
use oneloop::server::{AtLimit, Limits, Nofile};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const URL: [&str; 1] = ["tcp://127.0.0.1:0/echo"];

fn tight(nofile: u64, at_limit: AtLimit) -> Limits {
    Limits { nofile: Nofile::Set(nofile), at_limit, ..limits() }
}

/// Clients that have asked and not yet heard.
fn crowd(server: &Child, n: usize) -> Vec<TcpStream> {
    let asking = |_| {
        let mut client = connect(&server.at[0]);
        client.write_all(b"ping").unwrap();
        client.set_nonblocking(true).unwrap();
        client
    };
    (0..n).map(asking).collect()
}

/// Moves those who have been answered from `waiting` to `served`.
fn hear(waiting: &mut Vec<TcpStream>, served: &mut Vec<TcpStream>) {
    served.extend(waiting.extract_if(.., |client| matches!(client.read(&mut [0; 4]), Ok(4))));
}

#[test]
fn those_who_wait_are_served_at_once_when_others_leave() {
    let test = "descriptors::those_who_wait_are_served_at_once_when_others_leave";
    let server = Child::serve(test, &URL, tight(40, AtLimit::Pause));
    assert!((21..40).contains(&server.cap), "cap {}", server.cap);
    let (mut waiting, mut served) = (crowd(&server, 80), Vec::new());
    until("the cap is reached", || {
        hear(&mut waiting, &mut served);
        served.len() == server.cap
    });
    // As many more as may leave: nobody is stranded until the last has been served.
    while !waiting.is_empty() {
        let leave = waiting.len().min(20);
        let goal = served.len();
        served.drain(..leave);
        let start = Instant::now();
        until("as many are served as have left", || {
            hear(&mut waiting, &mut served);
            served.len() >= goal
        });
        let took = start.elapsed();
        println!("{leave} left, {leave} served after {:.1} ms", took.as_secs_f64() * 1e3);
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert_eq!(served.len(), goal, "never more than the cap");
    }
    let books = server.books();
    assert_eq!(number(&books, "faults"), 0, "{books}");
    assert_eq!(number(&books, "accept_failures"), 0, "the cap is below the limit: {books}");
    drop(served);
    let books = server.finish();
    assert_eq!(number(&books, "accepted"), 80);
}

#[test]
fn under_shed_the_cap_is_exact_and_everybody_else_is_told() {
    let test = "descriptors::under_shed_the_cap_is_exact_and_everybody_else_is_told";
    let server = Child::serve(test, &URL, tight(40, AtLimit::Shed));
    let mut clients: Vec<TcpStream> = (0..server.cap).map(|_| connect(&server.at[0])).collect();
    clients.iter_mut().for_each(ping);
    let told = format!("-ERR full: {} connections; try again later\n", server.cap);
    for _ in server.cap..80 {
        assert_eq!(last_words(&mut connect(&server.at[0])), told);
    }
    let books = server.finish();
    assert_eq!(number(&books, "refused_full") as usize, 80 - number(&books, "accepted") as usize);
    assert_eq!(number(&books, "accept_failures"), 0);
}

const ROBBED_OF: u64 = 64;

/// A server that believes in room that is not there. Returns it and a client that it has.
fn robbed(test: &str, at_limit: AtLimit) -> (Child, TcpStream) {
    let limits = Limits { evict_idle_after_ms: 1, ..tight(ROBBED_OF, at_limit) };
    let mut server = Child::serve(test, &URL, limits);
    let mut client = connect(&server.at[0]);
    ping(&mut client);
    server.take_descriptors();
    (server, client)
}

const NONE_LEFT: &str = "-ERR full: no descriptor left; try again later\n";

#[test]
fn shed_tells_why_with_the_spare_descriptor() {
    let test = "descriptors::shed_tells_why_with_the_spare_descriptor";
    let (mut server, mut client) = robbed(test, AtLimit::Shed);
    let mut extra: Vec<TcpStream> = (0..30).map(|_| connect(&server.at[0])).collect();
    for extra in &mut extra {
        assert_eq!(last_words(extra), NONE_LEFT);
    }
    ping(&mut client);
    let books = server.books();
    assert_eq!(number(&books, "refused_no_descriptor"), 30);
    assert!((1..=30).contains(&number(&books, "accept_failures")), "{books}");
    server.give_descriptors();
    ping(&mut connect(&server.at[0]));
    assert_eq!(number(&server.books(), "faults"), 0);
    server.finish();
}

/// Even the spare is gone: then they wait, and are served without anybody new knocking.
#[test]
fn shed_without_a_spare_serves_those_who_wait_when_it_can() {
    let test = "descriptors::shed_without_a_spare_serves_those_who_wait_when_it_can";
    let (mut server, client) = robbed(test, AtLimit::Shed);
    assert_eq!(last_words(&mut connect(&server.at[0])), NONE_LEFT);
    until("its descriptor is closed", || server.descriptors() < ROBBED_OF as usize);
    server.take_descriptors();
    recovers(server, client);
}

#[test]
fn pause_serves_those_who_wait_when_it_can() {
    let test = "descriptors::pause_serves_those_who_wait_when_it_can";
    let (server, client) = robbed(test, AtLimit::Pause);
    recovers(server, client);
}

#[test]
fn refuse_serves_those_who_wait_when_it_can() {
    let test = "descriptors::refuse_serves_those_who_wait_when_it_can";
    let (server, client) = robbed(test, AtLimit::Refuse);
    recovers(server, client);
}

/// Clients wait in vain, at a bounded cost; when descriptors are given back they are served.
fn recovers(mut server: Child, mut client: TcpStream) {
    let (mut waiting, mut served) = (crowd(&server, 20), Vec::new());
    let start = Instant::now();
    pause_ms(500);
    hear(&mut waiting, &mut served);
    assert!(served.is_empty());
    ping(&mut client);
    server.give_descriptors();
    let (failed_for, given) = (start.elapsed(), Instant::now());
    until("those who wait are served", || {
        hear(&mut waiting, &mut served);
        waiting.is_empty()
    });
    println!("served {:.1} ms after there was room", given.elapsed().as_secs_f64() * 1e3);
    // There is no descriptor to write the books with before.
    let books = server.books();
    assert_eq!(number(&books, "faults"), 0);
    let failures = number(&books, "accept_failures");
    println!("{failures} failed accepts in {failed_for:?}");
    assert!((1..200 * (failed_for.as_millis() as u64) / 1_000).contains(&failures), "{failures}");
    drop((served, client));
    server.finish();
}

#[test]
fn evict_idle_finds_a_descriptor_by_evicting() {
    let test = "descriptors::evict_idle_finds_a_descriptor_by_evicting";
    let (mut server, mut client) = robbed(test, AtLimit::EvictIdle);
    pause_ms(10);
    let mut new = connect(&server.at[0]);
    ping(&mut new);
    assert!(last_words(&mut client).starts_with("-ERR idle for "));
    server.give_descriptors();
    let books = server.finish();
    assert_eq!(number(&books, "closed_evicted"), 1);
}

#[test]
fn a_raised_limit_serves_those_who_wait() {
    let test = "descriptors::a_raised_limit_serves_those_who_wait";
    let server = Child::serve(test, &URL, tight(40, AtLimit::Pause));
    let (mut waiting, mut served) = (crowd(&server, server.cap + 16), Vec::new());
    until("the cap is reached", || {
        hear(&mut waiting, &mut served);
        served.len() == server.cap
    });
    server.set_nofile(56);
    until("all are served", || {
        hear(&mut waiting, &mut served);
        waiting.is_empty()
    });
    drop(served);
    let books = server.finish();
    assert_eq!(number(&books, "cap"), number(&books, "accepted"), "{books}");
}

/// Nobody is thrown out by a lowered limit, and nobody comes in until enough have left.
#[test]
fn the_cap_follows_the_limit_down_and_up() {
    let test = "descriptors::the_cap_follows_the_limit_down_and_up";
    let server = Child::serve(test, &URL, tight(40, AtLimit::Shed));
    let cap = server.cap;
    let mut clients: Vec<TcpStream> = (0..cap - 2).map(|_| connect(&server.at[0])).collect();
    clients.iter_mut().for_each(ping);
    let told = |cap: usize| format!("-ERR full: {cap} connections; try again later\n");
    server.set_nofile(36);
    // The limit is read at most once a second.
    pause_ms(1_100);
    assert_eq!(last_words(&mut connect(&server.at[0])), told(cap - 4));
    clients.iter_mut().for_each(ping);
    clients.truncate(cap - 5);
    let mut new = None;
    until("there is room for one", || {
        new = Some(connect(&server.at[0])).take_if(is_served);
        new.is_some()
    });
    assert_eq!(last_words(&mut connect(&server.at[0])), told(cap - 4));
    server.set_nofile(50);
    pause_ms(1_100);
    let mut more: Vec<TcpStream> = (0..14).map(|_| connect(&server.at[0])).collect();
    more.iter_mut().for_each(ping);
    assert_eq!(last_words(&mut connect(&server.at[0])), told(cap + 10));
    drop((clients, new, more));
    server.finish();
}
