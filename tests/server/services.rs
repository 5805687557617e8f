//! **What.** Services of one's own: state, greetings, large answers, the last word.
//!
//! **Why this way.** What is tested is the public trait, as a user of the library writes it.
//!
//! **Costs.** Tens of megabytes over loopback.
//!
//! **Read next.** `policies.rs`.

use crate::support::*;
use oneloop::metrics::CloseReason;
use oneloop::server::Limits;
use oneloop::service::{Outbound, Service};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

/// Greets, and lets a line from one go to all.
#[derive(Clone)]
pub(crate) struct Greeter;

impl Service for Greeter {
    type State = ();

    fn connected(&mut self, _state: &mut (), out: &mut Outbound<'_>) {
        out.send(b"welcome");
    }

    fn message(&mut self, _state: &mut (), message: &[u8], out: &mut Outbound<'_>) {
        out.broadcast(message);
    }
}

/// Counts a connection's lines, and does as they say.
#[derive(Clone, Default)]
pub(crate) struct Teller {
    /// Lines and end of each connection that is gone.
    ends: Arc<Mutex<Vec<(usize, CloseReason)>>>,
}

const BIG: usize = 10_000_000;
pub(crate) const MUCH: usize = 2_000_000;

impl Service for Teller {
    type State = usize;

    fn connected(&mut self, _lines: &mut usize, out: &mut Outbound<'_>) {
        out.send(b"welcome");
    }

    fn message(&mut self, lines: &mut usize, message: &[u8], out: &mut Outbound<'_>) {
        *lines += 1;
        match message {
            b"big" => out.send(&pattern(7, BIG)),
            b"much" | b"much and bye" => out.send(&pattern(7, MUCH)),
            b"bye" => out.send(b"bye"),
            _ => out.send(lines.to_string().as_bytes()),
        }
        if message.ends_with(b"bye") {
            out.close();
        }
    }

    fn closed(&mut self, lines: usize, reason: CloseReason) {
        self.ends.lock().unwrap().push((lines, reason));
    }
}

#[test]
fn a_connection_is_greeted_and_has_its_own_state_to_the_end() {
    let teller = Teller::default();
    let server = serve([(TCP, teller.clone())], limits());
    let (mut one, mut two) = (server.connect(), server.connect());
    for client in [&mut one, &mut two] {
        assert_eq!(read_line(client), "welcome");
    }
    one.write_all(b"a\nb\nc\n").unwrap();
    two.write_all(b"a\n").unwrap();
    assert_eq!(read_n(&mut one, 6), b"1\n2\n3\n");
    assert_eq!(read_n(&mut two, 2), b"1\n");
    drop(one);
    until("one end is told", || teller.ends.lock().unwrap().len() == 1);
    reset(two);
    server.finish();
    let ends = teller.ends.lock().unwrap();
    assert_eq!(*ends, [(3, CloseReason::PeerClosed), (1, CloseReason::Reset)]);
}

#[test]
fn a_service_has_the_last_word() {
    let teller = Teller::default();
    let server = serve([(TCP, teller.clone())], limits());
    let mut client = server.connect();
    client.write_all(b"a\nbye\nb\nc\n").unwrap();
    assert_eq!(last_words(&mut client), "welcome\n1\nbye\n");
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::ServiceClosed), 1);
    assert_eq!(*teller.ends.lock().unwrap(), [(2, CloseReason::ServiceClosed)]);
}

/// Once the service has ended it, nothing that the peer sent behind counts, however wrong it is.
#[test]
fn what_follows_the_last_word_is_not_judged() {
    let server = serve([(TCP, Teller::default())], Limits { line_bytes_max: 64, ..limits() });
    let mut client = server.connect();
    client.write_all(&[b"bye\n".to_vec(), b"x".repeat(100)].concat()).unwrap();
    assert_eq!(last_words(&mut client), "welcome\nbye\n");
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::ServiceClosed), 1);
}

#[test]
fn ten_megabytes_answer_one_line() {
    let roomy = Limits { backlog_bytes_max: 16 * 1024 * 1024, ..limits() };
    let server = serve([(TCP, Teller::default())], roomy);
    let mut client = server.connect();
    client.write_all(b"a\nbig\nb\n").unwrap();
    assert_eq!(read_n(&mut client, 10), b"welcome\n1\n");
    assert!(read_n(&mut client, BIG) == pattern(7, BIG));
    assert_eq!(read_n(&mut client, 3), b"\n3\n");
    server.finish();
}

/// A backlog is a limit for answers too: one larger than it needs a reader that keeps up.
#[test]
fn an_answer_larger_than_the_backlog_ends_a_reader_that_stalls() {
    let server = serve([(TCP, Teller::default())], limits());
    let mut client = connect_narrow(server.at(0));
    client.write_all(b"big\n").unwrap();
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    assert!(answer.len() < BIG);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::SlowConsumer), 1);
}

/// The last word may be long and its reader slow: as long as bytes move, it is not cut off.
#[test]
fn a_long_last_word_reaches_a_slow_reader() {
    let limits = Limits { backlog_bytes_max: 4 * 1024 * 1024, linger_ms: 1_000, ..limits() };
    let server = serve([("tcp://127.0.0.1:0/?sndbuf=16k", Teller::default())], limits);
    let mut client = connect_narrow(server.at(0));
    client.write_all(b"much and bye\n").unwrap();
    assert_eq!(read_line(&mut client), "welcome");
    let expected = pattern(7, MUCH);
    let answer = read_slowly(&mut client, expected.len() / 50);
    assert!(answer.len() == expected.len() + 1, "{} bytes came", answer.len());
    assert!(answer.starts_with(&expected));
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::ServiceClosed), 1);
}

/// Reads to the end, `piece` bytes every 50 ms.
pub(crate) fn read_slowly(stream: &mut impl Read, piece: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        stream.take(piece as u64).read_to_end(&mut bytes).unwrap();
        if bytes.len() - before < piece {
            return bytes;
        }
        pause_ms(50);
    }
}
