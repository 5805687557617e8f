//! **What.** Datagrams: every size, many at once, and never more back than was asked with.
//!
//! **Why this way.** Loopback loses a datagram only if a receive queue is full, so what is under
//! way at once is kept below what a queue holds.
//!
//! **Costs.** A few thousand datagrams.
//!
//! **Read next.** `addresses.rs`.

use crate::support::*;
use oneloop::server::Limits;
use oneloop::service::{Builtin, Outbound, Service};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::UdpSocket;

const URL: &str = "udp://127.0.0.1:0/";
/// The largest UDP payload over IPv4.
const LARGEST: usize = 65_507;

fn client(server: &Running, listener: usize) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(address(server.at(listener))).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

fn receive(client: &UdpSocket) -> Vec<u8> {
    let mut answer = vec![0; LARGEST + 1];
    let len = client.recv(&mut answer).unwrap();
    answer.truncate(len);
    answer
}

#[test]
fn every_size_is_echoed() {
    let server = serve([(URL, Builtin::Echo)], limits());
    let client = client(&server, 0);
    let sizes = [0, 1, 2, 1_471, 1_472, 1_473, 9_000, 32_768, LARGEST - 1, LARGEST];
    for (i, size) in sizes.into_iter().enumerate() {
        let question = pattern(i as u64, size);
        client.send(&question).unwrap();
        assert!(receive(&client) == question, "{size} bytes");
    }
    let books = server.finish();
    assert_eq!(books.metrics.datagrams_in, sizes.len() as u64);
    assert_eq!(books.metrics.datagrams_out, sizes.len() as u64);
    assert_eq!(books.metrics.datagrams_cut, 0);
}

#[test]
fn hundreds_at_once_are_answered_each_to_its_sender() {
    let server = serve([(URL, Builtin::Echo)], limits());
    let clients: Vec<UdpSocket> = (0..4).map(|_| client(&server, 0)).collect();
    for round in 0..20 {
        for n in 0..50u8 {
            for (i, client) in clients.iter().enumerate() {
                client.send(&[round, n, i as u8]).unwrap();
            }
        }
        for (i, client) in clients.iter().enumerate() {
            let answers: HashSet<Vec<u8>> = (0..50).map(|_| receive(client)).collect();
            let questions = (0..50u8).map(|n| vec![round, n, i as u8]);
            assert_eq!(answers, questions.collect(), "client {i}");
        }
    }
    let books = server.finish();
    assert_eq!((books.metrics.datagrams_in, books.metrics.datagrams_out), (4_000, 4_000));
    assert_eq!(books.datagrams_dropped_by_kernel, 0);
}

/// Says everything three times.
#[derive(Clone)]
struct Thrice;

impl Service for Thrice {
    type State = ();

    fn message(&mut self, _state: &mut (), message: &[u8], out: &mut Outbound<'_>) {
        for _ in 0..3 {
            out.send(message);
        }
    }
}

#[test]
fn an_answer_is_never_longer_than_the_question() {
    let server = serve([(URL, Thrice)], limits());
    let client = client(&server, 0);
    for size in [1, 100, LARGEST] {
        let question = pattern(size as u64, size);
        client.send(&question).unwrap();
        assert!(receive(&client) == question, "{size} bytes");
    }
    let books = server.finish();
    assert_eq!((books.metrics.datagrams_cut, books.metrics.datagrams_out), (3, 3));
}

#[test]
fn a_service_that_says_nothing_sends_nothing() {
    let server = serve([(URL, Builtin::Discard)], limits());
    let client = client(&server, 0);
    for size in [1, 100, 0, LARGEST] {
        client.send(&pattern(1, size)).unwrap();
    }
    client.set_read_timeout(Some(QUIET)).unwrap();
    let error = client.recv(&mut [0; 1]).expect_err("nothing is answered");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let books = server.finish();
    assert_eq!((books.metrics.datagrams_in, books.metrics.datagrams_unanswered), (4, 4));
    assert_eq!(books.metrics.datagrams_out, 0);
}

/// Both kinds in one server; datagrams need no room under the cap.
#[test]
fn datagrams_are_answered_while_connections_are_at_the_cap() {
    let limits = Limits { max_connections: 1, ..limits() };
    let server = serve([(TCP, Builtin::Echo), (URL, Builtin::Echo)], limits);
    let mut only = server.connect();
    ping(&mut only);
    assert!(last_words(&mut server.connect()).starts_with("-ERR full"));
    let client = client(&server, 1);
    client.send(b"ping").unwrap();
    assert_eq!(receive(&client), b"ping");
    ping(&mut only);
    server.finish();
}
