//! **What.** An echo server gives back the right bytes, whatever a client does to them on the way.
//!
//! **Why this way.** Sizes lie around the size of a read, where the edge-triggered loop must decide
//! whether to look again. Ends are what TCP knows: FIN first, reset, reset during a stall.
//!
//! **Costs.** A few megabytes over loopback.
//!
//! **Read next.** `backpressure.rs`.

use crate::support::*;
use oneloop::metrics::CloseReason;
use oneloop::server::{Limits, READ_BYTES, SPIN_US_MAX};
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread;

#[test]
fn every_size_comes_back_whole() {
    let server = serve_echo(limits());
    let mut client = server.connect();
    let around_a_read = READ_BYTES - 1..=READ_BYTES + 1;
    let sizes = [1, 2, 1_000].into_iter().chain(around_a_read);
    let mut sent = 0;
    for (seed, size) in sizes.chain([2 * READ_BYTES, 200_000, 5_000_000]).enumerate() {
        let bytes = pattern(seed as u64, size);
        assert!(exchange(&mut client, &bytes) == bytes, "{size} bytes came back wrong");
        sent += size as u64;
    }
    drop(client);
    let books = server.finish();
    assert_eq!((books.metrics.bytes_in, books.metrics.bytes_out), (sent, sent));
    assert_eq!(closed(&books, CloseReason::PeerClosed), 1);
}

#[test]
fn three_hundred_clients_get_their_own_bytes() {
    let server = serve_echo(limits());
    let mut clients: Vec<TcpStream> = (0..300).map(|_| server.connect()).collect();
    for round in 0..3 {
        let bytes = |i: usize| pattern((round * 1_000 + i) as u64, 1 + i * 37);
        for (i, client) in clients.iter_mut().enumerate() {
            client.write_all(&bytes(i)).unwrap();
        }
        for (i, client) in clients.iter_mut().enumerate() {
            let expected = bytes(i);
            assert!(read_n(client, expected.len()) == expected, "client {i}, round {round}");
        }
    }
    drop(clients);
    let books = server.finish();
    assert_eq!(books.metrics.accepted, 300);
    assert_eq!(closed(&books, CloseReason::PeerClosed), 300);
}

#[test]
fn bytes_one_at_a_time_come_back_in_order() {
    let server = serve_echo(limits());
    let mut client = server.connect();
    let bytes = pattern(1, 2_000);
    for byte in &bytes {
        client.write_all(std::slice::from_ref(byte)).unwrap();
    }
    assert!(read_n(&mut client, bytes.len()) == bytes);
    server.finish();
}

#[test]
fn requests_in_a_row_are_all_answered() {
    let server = serve_echo(limits());
    let mut client = server.connect();
    let requests: Vec<Vec<u8>> = (0..1_000).map(|i| pattern(i, 64)).collect();
    for request in &requests {
        client.write_all(request).unwrap();
    }
    for request in &requests {
        assert!(read_n(&mut client, 64) == *request);
    }
    server.finish();
}

#[test]
fn a_server_that_spins_answers_the_same_and_finds_what_it_looks_for() {
    let server = serve_echo(Limits { spin_us: SPIN_US_MAX, ..limits() });
    let mut client = server.connect();
    for seed in 0..500 {
        let bytes = pattern(seed, 64);
        assert!(exchange(&mut client, &bytes) == bytes, "message {seed}");
    }
    drop(client);
    let books = server.finish();
    assert!(books.metrics.spins_found > 0, "{}", books.to_json());
}

#[test]
fn a_server_that_does_not_spin_counts_none() {
    let server = serve_echo(limits());
    ping(&mut server.connect());
    let books = server.finish();
    assert_eq!((books.metrics.spins_found, books.metrics.spins_in_vain), (0, 0));
}

#[test]
fn half_close_is_answered_to_the_last_byte_then_by_fin() {
    let server = serve_echo(limits());
    for size in [0, 1, 1_000, READ_BYTES, 100_000] {
        let mut client = server.connect();
        let bytes = pattern(size as u64, size);
        client.write_all(&bytes).unwrap();
        half_close(&client);
        let (answer, end) = read_to_end(&mut client);
        assert!(answer == bytes, "{size} bytes: {} came back", answer.len());
        assert_eq!(end, End::Fin);
    }
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::PeerClosed), 5);
}

#[test]
fn half_close_behind_megabytes_is_answered_too() {
    let server = serve_echo(limits());
    let mut client = server.connect();
    let bytes = pattern(3, 4_000_000);
    let (answer, end) = thread::scope(|scope| {
        let mut writer = client.try_clone().unwrap();
        let bytes = &bytes;
        scope.spawn(move || {
            writer.write_all(bytes).unwrap();
            half_close(&writer);
        });
        read_to_end(&mut client)
    });
    assert!(answer == bytes, "{} bytes came back", answer.len());
    assert_eq!(end, End::Fin);
    server.finish();
}

#[test]
fn reset_in_the_middle_is_counted_and_leaves_nothing() {
    let server = serve_echo(limits());
    for i in 0..20 {
        let mut client = server.connect();
        client.write_all(&pattern(i, 100_000)).unwrap();
        read_n(&mut client, 10);
        reset(client);
    }
    ping(&mut server.connect());
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::Reset), 20);
}

#[test]
fn disconnect_during_a_stall_gives_the_memory_back() {
    let server = serve_echo(limits());
    let mut stuck: Vec<TcpStream> = (0..5).map(|_| connect_narrow(server.at(0))).collect();
    for client in &mut stuck {
        write_until_stuck(client);
    }
    // The unread echo makes the kernel answer with a reset; one of them sends its FIN before.
    half_close(&stuck[0]);
    drop(stuck);
    ping(&mut server.connect());
    let books = server.finish();
    assert!(books.metrics.stalls >= 5, "{}", books.to_json());
    assert_eq!(closed(&books, CloseReason::Reset), 5);
}

/// Writes until nothing moves any more: every buffer on the way there and back is full.
pub(crate) fn write_until_stuck(client: &mut TcpStream) -> usize {
    let bytes = pattern(0, 64 * 1024);
    client.set_write_timeout(Some(QUIET)).unwrap();
    let mut written = 0;
    loop {
        match client.write(&bytes) {
            Ok(n) => written += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("write: {error}"),
        }
    }
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    written
}
