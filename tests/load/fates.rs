//! What becomes of connections is found out, each once.

use crate::servers;
use crate::{run, run_watched, scenario};
use oneloop::load::{Observer, Report, Scenario};
use oneloop::net::Address;
use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc;

const REFUSAL: &[u8] = b"-ERR full: 2 of 2 connections are in use\r\n";

/// Every fate by its number, so that a mix can be made of them.
fn treat(how: usize, mut stream: TcpStream) {
    match how {
        0 => servers::echo(stream),
        // Told why, and a polite end.
        1 => {
            let _ = stream.write_all(REFUSAL);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            servers::read_to_end(stream);
        }
        // Told why, then cut off because our message was never read.
        2 => {
            let _ = stream.write_all(REFUSAL);
        }
        // Told why, then reset on purpose, when our message has arrived.
        3 => {
            servers::read_message(&mut stream, 1);
            let _ = stream.write_all(REFUSAL);
            servers::reset(stream);
        }
        4 => {
            servers::read_message(&mut stream, 64);
            servers::reset(stream);
        }
        5 => servers::read_message(&mut stream, 64),
        // Told why and reset at once, perhaps before the client has looked.
        6 => {
            let _ = stream.write_all(REFUSAL);
            servers::reset(stream);
        }
        _ => servers::read_to_end(stream),
    }
}

/// Twelve connections that are all treated alike.
fn treated(how: usize, patience_ms: u64) -> Report {
    let server = servers::tcp(move |_, stream| treat(how, stream));
    run(&Scenario { answer_timeout_ms: patience_ms, ..scenario(server, 12) })
}

#[test]
fn whoever_is_told_why_was_told_why() {
    for how in [1, 2, 3, 6] {
        let connections = treated(how, 20_000).connections;
        assert_eq!(connections.told_why, 12, "{how}: {connections:?}");
        assert_eq!(connections.reasons.len(), 1);
        assert_eq!(connections.reasons["full: 2 of 2 connections are in use"], 12);
    }
}

#[test]
fn a_reason_in_crumbs_is_the_same_reason() {
    let server = servers::tcp(|_, mut stream| {
        for byte in REFUSAL {
            let _ = stream.write_all(&[*byte]);
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
        servers::read_to_end(stream);
    });
    let connections = run(&scenario(server, 5)).connections;
    assert_eq!(connections.reasons["full: 2 of 2 connections are in use"], 5);
}

#[test]
fn what_only_begins_like_a_reason_is_wrong_bytes() {
    let server = servers::tcp(|_, mut stream| {
        servers::read_message(&mut stream, 64);
        let mut answer = [b'x'; 64];
        answer[..4].copy_from_slice(b"-ERX");
        let _ = stream.write_all(&answer[..2]);
        let _ = stream.write_all(&answer[2..]);
        servers::read_to_end(stream);
    });
    let report = run(&Scenario { hold: true, ..scenario(server, 3) });
    assert_eq!((report.connections.connected, report.messages.wrong), (3, 3));
}

#[test]
fn resets_closings_and_silence_are_told_apart() {
    assert_eq!(treated(4, 20_000).connections.reset, 12);
    assert_eq!(treated(5, 20_000).connections.closed, 12);
    let silent = treated(7, 300);
    assert_eq!(silent.connections.hung, 12);
    assert_eq!(silent.messages.lost, 12);
}

#[test]
fn nobody_listening_is_a_refusal() {
    let report = run(&scenario(Address::Tcp(servers::nobody()), 30));
    assert_eq!(report.connections.refused, 30);
    assert_eq!(report.messages.sent, 0);
}

#[test]
fn a_full_listen_queue_times_out() {
    let kind = socket2::Type::STREAM;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, kind, None).expect("a socket");
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&any.into()).expect("binds");
    socket.listen(0).expect("listens");
    let bound = socket.local_addr().expect("is bound").as_socket().expect("internet");
    let patience = Scenario {
        connect_timeout_ms: 300,
        answer_timeout_ms: 300,
        ..scenario(Address::Tcp(bound), 8)
    };
    let connections = run(&patience).connections;
    // The kernel completes one handshake for a queue of length 0 (and may another).
    assert_eq!(connections.timed_out + connections.hung, 8, "{connections:?}");
    assert!(connections.timed_out >= 6 && connections.hung >= 1, "{connections:?}");
}

#[test]
fn a_mixture_is_sorted_exactly() {
    let server = servers::tcp(|n, stream| treat(n % 8, stream));
    let report = run(&Scenario { answer_timeout_ms: 4_000, ..scenario(server, 80) });
    let expected = [10, 40, 0, 10, 10, 0, 10, 0];
    assert_eq!(report.connections.by_fate().map(|(_, count)| count), expected);
    assert_eq!(report.messages.wrong, 0);
}

#[test]
fn a_server_that_ends_in_the_middle_is_noticed() {
    let server = servers::tcp(|n, mut stream| {
        let mut message = [0; 64];
        for _ in 0..10 {
            use std::io::Read;
            if stream.read_exact(&mut message).is_err() || stream.write_all(&message).is_err() {
                return;
            }
        }
        if n % 2 == 0 {
            servers::read_message(&mut stream, 64);
            servers::reset(stream);
        } else {
            let _ = stream.write_all(REFUSAL);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            servers::read_to_end(stream);
        }
    });
    // All end by themselves, so the run does not wait for its duration.
    let report = run(&Scenario { duration_ms: 60_000, ..scenario(server, 10) });
    assert_eq!((report.connections.reset, report.connections.told_why), (5, 5));
    assert_eq!((report.messages.received, report.messages.wrong), (100, 0));
    assert!(report.messages.lost <= 10, "{:?}", report.messages);
}

/// Lets the server speak once the connections are held.
struct OnSettled(mpsc::Sender<()>, Option<Report>);

impl Observer for OnSettled {
    fn settled(&mut self, report: &Report) {
        self.1 = Some(report.clone());
        for _ in 0..report.connections.connected {
            self.0.send(()).expect("the server listens");
        }
    }
}

#[test]
fn a_held_connection_notices_that_it_is_told_why() {
    let (sender, receiver) = mpsc::channel();
    let receiver = std::sync::Mutex::new(receiver);
    let server = servers::tcp(move |_, mut stream| {
        let mut message = [0; 64];
        use std::io::Read;
        stream.read_exact(&mut message).expect("the first message");
        stream.write_all(&message).expect("its answer");
        receiver.lock().expect("unpoisoned").recv().expect("settled");
        stream.write_all(b"-ERR idle for too long\n").expect("the last word");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        servers::read_to_end(stream);
    });
    let mut observer = OnSettled(sender, None);
    let held = Scenario { hold: true, duration_ms: 60_000, ..scenario(server, 6) };
    let report = run_watched(&held, &mut observer);
    let settled = observer.1.expect("they settled first");
    assert_eq!(settled.connections.connected, 6);
    assert_eq!((report.connections.connected, report.connections.told_why), (0, 6));
    assert_eq!((report.messages.sent, report.messages.received), (6, 6));
    assert_eq!(report.rate_per_s(), 0.0, "nothing was measured");
}
