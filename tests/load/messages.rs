//! What is sent comes back, is compared and is counted.

use crate::servers::{self, Count};
use crate::{run, scenario};
use oneloop::load::Scenario;
use std::io::{Read, Write};

#[test]
fn half_an_answer_that_is_wrong_is_wrong_and_not_lost() {
    // A banner: shorter than the message, and nothing follows.
    let server = servers::tcp(|_, mut stream| {
        servers::read_message(&mut stream, 64);
        let _ = stream.write_all(b"220 mail.example.org ready\r\n");
        servers::read_to_end(stream);
    });
    let report = run(&Scenario { answer_timeout_ms: 300, ..scenario(server, 3) });
    assert_eq!((report.messages.wrong, report.messages.lost), (3, 0));
    assert_eq!(report.connections.hung, 3);
    // The right half of one.
    let server = servers::tcp(|_, mut stream| {
        let mut half = [0; 32];
        let _ = stream.read_exact(&mut half);
        let _ = stream.write_all(&half);
        servers::read_message(&mut stream, 32);
    });
    let report = run(&scenario(server, 3));
    assert_eq!((report.messages.wrong, report.messages.lost), (0, 3));
    assert_eq!(report.connections.closed, 3);
}

#[test]
fn every_message_of_an_honest_server_is_received() {
    let bytes = Count::default();
    let counted = bytes.clone();
    let server = servers::tcp(move |_, stream| {
        servers::echo_changed(stream, |_, part| {
            counted.add(part.len());
        });
    });
    let report = run(&scenario(server, 20));
    assert_eq!(report.connections.connected, 20);
    assert_eq!(report.messages.received, report.messages.sent);
    assert!(report.messages.received > 20, "it went on after the first message");
    assert_eq!(report.bytes_received, report.messages.sent * 64);
    assert_eq!(bytes.get(), report.bytes_sent);
    assert!(report.rate_per_s() > 0.0 && report.measured_answers <= report.messages.received - 20);
    let percentiles = [0.5, 0.9, 0.99, 0.999].map(|q| report.latency_us(q).expect("answers"));
    assert!(percentiles.is_sorted() && percentiles[3] <= report.latency_max_us().expect("max"));
}

#[test]
fn sending_begins_at_once() {
    let server = servers::tcp(|_, stream| servers::echo(stream));
    let report = run(&Scenario { duration_ms: 1, depth: 3, ..scenario(server, 5) });
    assert!(report.messages.sent >= 5 + 5 * 3, "{:?}", report.messages);
    assert_eq!(report.messages.received, report.messages.sent, "the last answers are awaited");
}

#[test]
fn sizes_and_depths_do_not_matter() {
    for (size_bytes, depth) in [(1, 1), (64, 7), (100_000, 1), (64 * 1024, 4), (3, 1_000)] {
        let server = servers::tcp(|_, stream| servers::echo(stream));
        let report = run(&Scenario { size_bytes, depth, ..scenario(server, 3) });
        assert_eq!(report.connections.connected, 3, "{size_bytes} x {depth}");
        assert_eq!(report.messages.received, report.messages.sent, "{size_bytes} x {depth}");
        assert_eq!(report.bytes_sent, report.messages.sent * size_bytes as u64);
        assert!(report.messages.sent > 3 * u64::from(depth), "{size_bytes} x {depth}");
    }
}

#[test]
fn answers_in_crumbs_are_put_together() {
    let server = servers::tcp(|_, mut stream| {
        let mut bytes = [0; 1_000];
        while let Ok(n @ 1..) = stream.read(&mut bytes) {
            for crumb in bytes[..n].chunks(7) {
                if stream.write_all(crumb).is_err() {
                    return;
                }
            }
        }
    });
    let report = run(&Scenario { size_bytes: 50, depth: 3, ..scenario(server, 2) });
    assert_eq!(report.messages.received, report.messages.sent);
    assert_eq!(report.connections.connected, 2);
}

#[test]
fn one_wrong_byte_is_one_wrong_message() {
    // Byte 25 is in the third message of 10 bytes.
    let server = servers::tcp(|n, stream| {
        servers::echo_changed(stream, |position, bytes| {
            let at = 25u64.checked_sub(position).map_or(usize::MAX, |at| at as usize);
            if n == 1 && at < bytes.len() {
                bytes[at] ^= 1;
            }
        });
    });
    let report = run(&Scenario { size_bytes: 10, depth: 2, ..scenario(server, 4) });
    assert_eq!((report.messages.wrong, report.messages.lost), (1, 0));
    assert_eq!(report.connections.connected, 4, "a wrong byte ends no connection");
}

#[test]
fn a_byte_too_few_makes_everything_behind_it_wrong() {
    let server = servers::tcp(|_, mut stream| {
        servers::read_message(&mut stream, 1);
        servers::echo(stream);
    });
    let report = run(&Scenario { answer_timeout_ms: 300, ..scenario(server, 1) });
    assert_eq!(report.messages.received, 0);
    // The first message never gets its last byte, but those it got were others.
    assert_eq!(report.connections.hung, 1);
    assert_eq!((report.messages.wrong, report.messages.lost), (1, 0));
}

#[test]
fn bytes_that_nobody_asked_for_end_the_connection() {
    let server = servers::tcp(|_, mut stream| {
        let mut message = [0; 64];
        if stream.read_exact(&mut message).is_ok() {
            let _ = stream.write_all(&[&message[..], b"and more"].concat());
        }
        servers::read_to_end(stream);
    });
    let report = run(&Scenario { hold: true, ..scenario(server, 2) });
    assert_eq!(report.connections.failed, 2, "{:?}", report.connections);
    assert_eq!(report.connections.reasons["more bytes came back than were sent"], 2);
    assert_eq!(report.messages.received, 2);
}
