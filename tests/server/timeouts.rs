//! **What.** Who is silent too long, who does not leave, and who is stuck when memory runs out.
//!
//! **Why this way.** "Not before" is exact, because the server's clock started before the client
//! looked at its own. "Soon after" is a matter of the machine and not asserted. Activity comes many
//! times within a timeout, so that a busy machine does not make it look like silence.
//!
//! **Costs.** Seconds of waiting, side by side.
//!
//! **Read next.** `drain.rs`.

use crate::services::read_slowly;
use crate::support::*;
use oneloop::metrics::CloseReason;
use oneloop::server::Limits;
use oneloop::service::{Builtin, Outbound, Service};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn silence_ends_a_connection_and_it_is_told() {
    let server = serve_echo(Limits { idle_timeout_ms: 100, ..limits() });
    let (mut never_spoke, mut spoke) = (server.connect(), server.connect());
    let start = Instant::now();
    ping(&mut spoke);
    assert_eq!(last_words(&mut spoke), "-ERR idle for 100 ms\n");
    assert!(start.elapsed() >= Duration::from_millis(100), "after {:?}", start.elapsed());
    assert_eq!(last_words(&mut never_spoke), "-ERR idle for 100 ms\n");
    drop((spoke, never_spoke));
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::IdleTimeout), 2);
}

#[test]
fn a_byte_now_and_then_keeps_a_connection() {
    let server = serve_echo(Limits { idle_timeout_ms: 1_000, ..limits() });
    let mut client = server.connect();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2_500) {
        ping(&mut client);
        pause_ms(20);
    }
    let silent = Instant::now();
    ping(&mut client);
    assert_eq!(last_words(&mut client), "-ERR idle for 1000 ms\n");
    assert!(silent.elapsed() >= Duration::from_millis(1_000));
    server.finish();
}

/// Bytes that go out are bytes that move: who only listens is not idle.
#[test]
fn a_listener_who_is_told_things_is_not_idle() {
    let limits = Limits { idle_timeout_ms: 1_000, ..limits() };
    let server = serve([(TCP, Builtin::Broadcast)], limits);
    let (mut hears, mut says) = (server.connect(), server.connect());
    hears.write_all(b"here\n").unwrap();
    assert_eq!(read_line(&mut hears), "here");
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2_500) {
        says.write_all(b"news\n").unwrap();
        assert_eq!(read_line(&mut hears), "news");
        pause_ms(20);
    }
    drop((hears, says));
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::IdleTimeout), 0);
}

/// A peer that has sent its FIN and takes its answer slowly is not silent.
#[test]
fn a_half_closed_slow_reader_is_not_idle() {
    let limits = Limits { idle_timeout_ms: 1_000, ..limits() };
    let server = serve([("tcp://127.0.0.1:0/?sndbuf=16k", Builtin::Echo)], limits);
    let mut client = connect_narrow(server.at(0));
    let bytes = pattern(5, 150_000);
    client.write_all(&bytes).unwrap();
    half_close(&client);
    let answer = read_slowly(&mut client, bytes.len() / 50);
    assert!(answer == bytes, "{} of {} bytes", answer.len(), bytes.len());
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::PeerClosed), 1);
}

/// One that has sent its FIN and does not read at all is.
#[test]
fn a_half_closed_peer_that_never_reads_is_ended_by_the_idle_timeout() {
    let limits = Limits { idle_timeout_ms: 200, ..limits() };
    let server = serve([("tcp://127.0.0.1:0/?sndbuf=16k", Builtin::Echo)], limits);
    let mut client = connect_narrow(server.at(0));
    client.write_all(&pattern(5, 150_000)).unwrap();
    half_close(&client);
    until("it is cut off", || client.take_error().unwrap().is_some());
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::IdleTimeout), 1);
}

/// Idle timeouts cost no wake-up before their time, and activity does not re-arm them.
#[test]
fn timeouts_far_away_wake_nobody() {
    let server = serve_echo(Limits { idle_timeout_ms: 60_000, ..limits() });
    let mut clients: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(ping);
    pause_ms(500);
    drop(clients);
    let books = server.finish();
    // An accept, a message and a FIN each, at most a turn apiece; the stop, and turns to drain.
    assert!(books.metrics.turns <= 310, "{} turns", books.metrics.turns);
}

#[test]
fn a_peer_that_never_leaves_is_left_after_the_linger_time() {
    let server = serve(
        [(TCP, Builtin::Broadcast)],
        Limits { line_bytes_max: 64, linger_ms: 100, ..limits() },
    );
    let mut client = server.connect();
    client.write_all(&b"x".repeat(100)).unwrap();
    let start = Instant::now();
    assert_eq!(read_line(&mut client), "-ERR line longer than 64 bytes");
    assert_eq!(read_line(&mut client), "", "then its FIN");
    // Until it is left, what it sends is read away.
    until("it is left", || client.write_all(b"and another thing").is_err());
    assert!(start.elapsed() >= Duration::from_millis(90), "{:?}", start.elapsed());
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::LineTooLong), 1);
}

/// Answers each line with itself.
#[derive(Clone)]
struct EchoLines;

impl Service for EchoLines {
    type State = ();

    fn message(&mut self, _state: &mut (), message: &[u8], out: &mut Outbound<'_>) {
        out.send(message);
    }
}

/// Memory for eight stuck connections, and a ninth: it goes, the others stay, and nobody gets
/// another's bytes.
#[test]
fn the_one_that_memory_does_not_suffice_for_goes_alone() {
    let least = 128 * 1024;
    let limits = Limits { backlog_bytes_max: least, buffers_bytes_max: least as u64, ..limits() };
    let server = serve([(TCP, EchoLines)], limits);
    let mut stuck: Vec<TcpStream> = (0..8).map(|_| server.connect()).collect();
    for client in &mut stuck {
        client.write_all(b"whole\nhalf").unwrap();
        assert_eq!(read_line(client), "whole");
    }
    let mut ninth = server.connect();
    ninth.write_all(b"mine\nhalf").unwrap();
    let (heard, _) = read_to_end(&mut ninth);
    assert_eq!(heard, b"mine\n-ERR out of buffers; try again later\n");
    for client in &mut stuck {
        client.write_all(b" and half\n").unwrap();
        assert_eq!(read_line(client), "half and half");
    }
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::BuffersExhausted), 1);
}
