//! UDP: loss, doubles and delays are counted for what they are.

use crate::{run, scenario};
use oneloop::load::{LoadError, Report, Scenario};
use oneloop::net::Address;
use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// A datagram server. `answer` is given the number (from 0, for each client) of a datagram and the
/// datagram, and says what to send back, in order.
fn udp(answer: impl Fn(usize, &[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Address {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("binds");
    // The thread ends when nothing has come for so long.
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("settable");
    let address = socket.local_addr().expect("is bound");
    std::thread::spawn(move || {
        let mut seen: HashMap<SocketAddr, usize> = HashMap::new();
        let mut bytes = vec![0; 65_536];
        while let Ok((n, from)) = socket.recv_from(&mut bytes) {
            let number = seen.entry(from).or_default();
            for datagram in answer(*number, &bytes[..n]) {
                let _ = socket.send_to(&datagram, from);
            }
            *number += 1;
        }
    });
    Address::Udp(address)
}

/// Two seconds, a message being lost after one.
fn drive(server: Address, depth: u32) -> Report {
    let patience = Scenario { answer_timeout_ms: 10_000, ..scenario(server, 4) };
    let report = run(&Scenario { depth, duration_ms: 2_000, ..patience });
    assert_eq!(report.connections.connected, 4, "{:?}", report.connections);
    assert!(report.messages.received > 4 * 50, "{:?}", report.messages);
    report
}

#[test]
fn an_honest_server_loses_nothing() {
    for depth in [1, 8] {
        let messages = drive(udp(|_, datagram| vec![datagram.to_vec()]), depth).messages;
        assert_eq!(messages.sent, messages.received);
        assert_eq!((messages.late, messages.duplicate), (0, 0));
    }
}

#[test]
fn loss_is_counted_exactly() {
    // Of each client; 0 is the one that should settle it.
    let server = udp(|number, datagram| match number {
        0 | 10 => vec![],
        _ => vec![datagram.to_vec()],
    });
    let messages = drive(server, 1).messages;
    assert_eq!((messages.lost, messages.wrong), (4 * 2, 0));
    assert_eq!((messages.late, messages.duplicate), (0, 0));
}

#[test]
fn doubles_are_no_answers() {
    let server = udp(|number, datagram| match number {
        5 | 15 | 25 => vec![datagram.to_vec(); 3],
        _ => vec![datagram.to_vec()],
    });
    for depth in [1, 3] {
        let messages = drive(server.clone(), depth).messages;
        assert_eq!((messages.lost, messages.wrong, messages.late), (0, 0, 0));
        assert_eq!(messages.duplicate, 4 * 3 * 2);
    }
}

#[test]
fn late_answers_were_lost_and_are_not_wrong() {
    // Number 5 is answered only when the next message has come, after it was given up.
    let kept = std::sync::Mutex::new(HashMap::new());
    let server = udp(move |number, datagram| {
        let client = datagram[8..16].to_vec();
        let mut kept = kept.lock().expect("unpoisoned");
        match number {
            5 => {
                kept.insert(client, datagram.to_vec());
                vec![]
            }
            6 => vec![kept.remove(&client).expect("kept"), datagram.to_vec()],
            _ => vec![datagram.to_vec()],
        }
    });
    let messages = drive(server, 1).messages;
    assert_eq!((messages.lost, messages.late), (4, 4));
    assert_eq!((messages.wrong, messages.duplicate), (0, 0));
}

#[test]
fn wrong_bytes_are_found_in_the_body_and_in_the_header() {
    let server = udp(|number, datagram| {
        let mut answer = datagram.to_vec();
        match number {
            5 => answer[63] ^= 1,
            7 => answer[7] ^= 0x80,
            9 => answer[8] ^= 1,
            11 => answer.truncate(40),
            13 => answer.truncate(3),
            15 => answer.push(0),
            _ => {}
        }
        vec![answer]
    });
    let messages = drive(server, 1).messages;
    assert_eq!((messages.wrong, messages.lost, messages.late), (4 * 6, 0, 0));
}

#[test]
fn silence_hangs_and_nobody_refuses() {
    let silent = udp(|_, _| vec![]);
    let report = run(&Scenario { answer_timeout_ms: 200, ..scenario(silent, 5) });
    assert_eq!(report.connections.hung, 5);
    assert_eq!(report.messages.lost, report.messages.sent);

    let socket = UdpSocket::bind("127.0.0.1:0").expect("binds");
    let nobody = Address::Udp(socket.local_addr().expect("is bound"));
    drop(socket);
    assert_eq!(run(&scenario(nobody, 5)).connections.refused, 5);
}

#[test]
fn sizes_that_no_datagram_has_are_refused_before_the_run() {
    let server = udp(|_, datagram| vec![datagram.to_vec()]);
    for size_bytes in [1, 15, 65_508] {
        let impossible = Scenario { size_bytes, ..scenario(server.clone(), 1) };
        let error = oneloop::load::run(&impossible, &mut ()).expect_err("impossible");
        assert!(matches!(&error, LoadError::Usage(text) if text.contains("16 to 65507")));
    }
    for size_bytes in [16, 65_507] {
        let possible = Scenario { size_bytes, ..scenario(server.clone(), 1) };
        let messages = run(&possible).messages;
        assert!(messages.wrong == 0 && messages.received > 1, "{messages:?}");
    }
}
