//! HTTP: an honest server, and servers that misbehave in known ways.

use crate::servers::{self, Count};
use crate::ws::{site, target};
use crate::{run, scenario};
use oneloop::load::{Limit, Report, Scenario};
use oneloop::net::Dialect;
use oneloop::proto::http1::Method;
use oneloop::server::Limits;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Reads a request with its body, which is returned; `None` at the end.
fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().expect("a number");
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

/// A server that answers request `n` of a connection with what `answer` says about `n` and the
/// body, and then goes on if it is told to.
fn server(
    answer: impl Fn(usize, &[u8]) -> (Vec<u8>, bool) + Send + Sync + 'static,
) -> oneloop::net::Address {
    servers::tcp(move |_, stream| {
        let mut writer = stream.try_clone().expect("a descriptor");
        let mut reader = BufReader::new(stream);
        for number in 0.. {
            let Some(body) = read_request(&mut reader) else { return };
            let (bytes, goes_on) = answer(number, &body);
            if writer.write_all(&bytes).is_err() {
                return;
            }
            if !goes_on {
                // A request may be on its way, and closing on it would be a reset.
                let _ = writer.shutdown(Shutdown::Write);
                return servers::read_to_end(reader.into_inner());
            }
        }
    })
}

/// Three connections, 100 ms, GET.
fn against(address: oneloop::net::Address, depth: u32) -> Report {
    let target = target(&address, Dialect::Http, "/x");
    run(&Scenario { target, depth, duration_ms: 100, ..scenario(address, 3) })
}

#[track_caller]
fn assert_failed(report: &Report, reason: &str) {
    let connections = &report.connections;
    assert_eq!(connections.reasons.get(reason), Some(&3), "{connections:?}");
    assert_eq!((connections.failed, connections.phases.receive), (3, 3), "{connections:?}");
}

#[test]
fn our_server_answers_get_head_and_post_at_any_depth() {
    let (address, stop) = site(Limits::default());
    let cases = [
        (Method::Get, "/healthz", 64, 1),
        (Method::Get, "/healthz", 64, 16),
        (Method::Head, "/", 64, 3),
        (Method::Post, "/echo", 64, 1),
        (Method::Post, "/echo", 1, 9),
        (Method::Post, "/echo", 200_000, 3),
    ];
    for (method, path, size_bytes, depth) in cases {
        let target = target(&address, Dialect::Http, path);
        let base = scenario(address.clone(), 4);
        let report = run(&Scenario { target, method, size_bytes, depth, ..base });
        let (connections, messages) = (&report.connections, report.messages);
        assert_eq!(connections.connected, 4, "{method:?} {path}: {connections:?}");
        assert_eq!(messages.received, messages.sent, "{method:?} {path} {size_bytes} x {depth}");
        assert!(messages.sent > 4 * u64::from(depth), "{method:?} {path}: {messages:?}");
        assert_eq!(report.statuses.get(&200), Some(&messages.received));
    }
    stop();
}

#[test]
fn a_status_of_400_or_above_is_counted_and_ends_no_connection() {
    let (address, stop) = site(Limits::default());
    let report = against(address, 2);
    assert_eq!((report.connections.connected, report.messages.received), (3, 0));
    assert_eq!(report.messages.refused, report.messages.sent);
    assert_eq!(report.statuses.get(&404), Some(&report.messages.refused));
    stop();
}

#[test]
fn what_our_servers_say_at_a_limit_is_known() {
    let full = Limits { max_connections: 1, ..Limits::default() };
    let crowded = Limits { per_ip_max: 1, ..Limits::default() };
    let hurried = Limits { accept_rate: 1, ..Limits::default() };
    for (limits, expected) in
        [(full, Limit::ServerFull), (crowded, Limit::PerAddress), (hurried, Limit::AcceptRate)]
    {
        for dialect in [Dialect::Http, Dialect::WebSocket] {
            let (address, stop) = site(limits.clone());
            let target = target(&address, dialect, "/echo");
            let report = run(&Scenario { target, ..scenario(address, 3) });
            let connections = report.connections;
            assert_eq!(connections.limits(), [(expected, 2)], "{connections:?}");
            stop();
        }
    }
}

#[test]
fn a_server_that_sheds_tells_why() {
    let (address, stop) = site(Limits { max_connections: 1, ..Limits::default() });
    let target = target(&address, Dialect::Http, "/healthz");
    let report = run(&Scenario { target, ..scenario(address, 3) });
    let connections = report.connections;
    assert_eq!((connections.connected, connections.told_why), (1, 2), "{connections:?}");
    let reason = connections.reasons.keys().next().expect("a reason");
    assert!(reason.starts_with("503 Service Unavailable: full"), "{reason}");
    assert_eq!(report.statuses[&503], 2);
    stop();
}

#[test]
fn an_announced_end_is_followed_by_another_connection() {
    // Each connection serves five requests; those pipelined behind are asked again.
    for depth in [1, 4] {
        let answered = Count::default();
        let counted = answered.clone();
        let address = server(move |number, _| {
            counted.add(1);
            match number {
                4 => {
                    let last = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                    (last.to_vec(), false)
                }
                _ => (OK.to_vec(), true),
            }
        });
        let report = against(address, depth);
        let (connections, messages) = (&report.connections, report.messages);
        assert_eq!((connections.connected, connections.attempted), (3, 3), "{connections:?}");
        assert_eq!((messages.received, messages.lost), (messages.sent, 0), "{messages:?}");
        assert_eq!(answered.get(), messages.received, "none was asked twice in vain");
        assert!(connections.reopened > 6, "it goes on over each new one: {connections:?}");
        assert!(connections.reopened >= messages.received / 5 - 3, "{connections:?}");
    }
}

#[test]
fn a_body_may_end_with_its_connection() {
    let address = server(|_, _| (b"HTTP/1.0 200 OK\r\n\r\nhello".to_vec(), false));
    let report = against(address, 1);
    let (connections, messages) = (&report.connections, report.messages);
    assert_eq!((connections.connected, messages.lost), (3, 0), "{connections:?}");
    assert!(messages.received > 6 && connections.reopened > 6, "{messages:?}");
}

#[test]
fn crumbs_chunks_and_interim_responses_are_put_together() {
    let address = servers::tcp(|_, stream| {
        let mut writer = stream.try_clone().expect("a descriptor");
        let mut reader = BufReader::new(stream);
        while let Some(body) = read_request(&mut reader) {
            let (one, two) = body.split_at(20);
            let mut answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n".to_vec();
            answer.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in [one, two] {
                answer.extend(format!("{:x}\r\n", chunk.len()).bytes());
                answer.extend([chunk, b"\r\n"].concat());
            }
            answer.extend(b"0\r\n\r\n");
            for crumb in answer.chunks(3) {
                if writer.write_all(crumb).is_err() {
                    return;
                }
            }
        }
    });
    let target = target(&address, Dialect::Http, "/a/echo?b");
    let post = Scenario { target, method: Method::Post, ..scenario(address, 2) };
    let messages = run(&post).messages;
    assert!(messages.received == messages.sent && messages.sent > 2, "{messages:?}");
}

#[test]
fn wrong_short_and_long_echoes_are_wrong_messages() {
    for change in [
        |body: &mut Vec<u8>| body[30] ^= 1,
        |body: &mut Vec<u8>| body.truncate(63),
        |body: &mut Vec<u8>| body.push(b'x'),
    ] {
        let address = server(move |number, body| {
            let mut body = body.to_vec();
            if number == 2 {
                change(&mut body);
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            ([head.as_bytes(), &body].concat(), true)
        });
        let target = target(&address, Dialect::Http, "/echo");
        let post = Scenario { target, method: Method::Post, ..scenario(address, 3) };
        let report = run(&post);
        assert_eq!((report.messages.wrong, report.messages.lost), (3, 0));
        assert_eq!(report.connections.connected, 3, "a wrong byte ends no connection");
        assert_eq!(report.statuses[&200], report.messages.sent);
    }
}

#[test]
fn what_is_no_response_fails_and_says_why() {
    let cases: [(&[u8], &str); 5] = [
        (b"\x15\x03\x01", "HTTP: this is not HTTP"),
        (b"HTTP/1.1 200 OK\nA: b\n\n", "HTTP: a line does not end with CRLF"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP: the end of the body can be understood in two ways",
        ),
        (b"HTTP/1.1 101 Up\r\n\r\n", "HTTP: 101, and nobody asked for it"),
        (&[OK, OK].concat(), "HTTP: more answers came than were asked for"),
    ];
    for (bytes, reason) in cases {
        let bytes = bytes.to_vec();
        assert_failed(&against(server(move |_, _| (bytes.clone(), true)), 1), reason);
    }
}

#[test]
fn extra_bytes_and_truncated_bodies_are_noticed() {
    let extra = server(|_, _| ([OK, b"\0and more"].concat(), true));
    assert_failed(&against(extra, 1), "HTTP: this is not HTTP");
    let truncated = server(|number, _| match number {
        0 => (OK.to_vec(), true),
        _ => (OK[..OK.len() - 1].to_vec(), false),
    });
    let report = against(truncated, 1);
    assert_failed(&report, "HTTP: the connection ended within a response");
    assert_eq!((report.messages.received, report.messages.lost), (3, 3));
}

#[test]
fn resets_closings_and_silence_are_told_apart() {
    let reset = servers::tcp(|_, mut stream| {
        servers::read_message(&mut stream, 20);
        let _ = stream.write_all(&OK[..30]);
        servers::reset(stream);
    });
    assert_eq!(against(reset, 1).connections.reset, 3);
    let closed = server(|_, _| (OK.to_vec(), false));
    assert_eq!(against(closed, 1).connections.closed, 3, "it did not say that it would");
    let silent = servers::tcp(|_, stream| servers::read_to_end(stream));
    let target = target(&silent, Dialect::Http, "/");
    let patience = Scenario { target, answer_timeout_ms: 300, ..scenario(silent, 3) };
    let connections = run(&patience).connections;
    assert_eq!((connections.hung, connections.phases.receive), (3, 3), "{connections:?}");
}

#[test]
fn a_long_answer_that_keeps_coming_is_not_hung() {
    // In all it takes longer than silence may, each piece much less.
    let slow = servers::tcp(|_, stream| {
        let mut writer = stream.try_clone().expect("a descriptor");
        let mut reader = BufReader::new(stream);
        let (_nobody_sends, pause) = mpsc::channel::<()>();
        while read_request(&mut reader).is_some() {
            let _ = writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
            for byte in b"a while" {
                let _ = pause.recv_timeout(Duration::from_millis(200));
                let _ = writer.write_all(&[*byte]);
            }
        }
    });
    let target = target(&slow, Dialect::Http, "/");
    let patience = Scenario { target, answer_timeout_ms: 1_200, ..scenario(slow, 2) };
    let report = run(&Scenario { hold: true, ..patience });
    assert_eq!((report.connections.connected, report.messages.received), (2, 2));
}

#[test]
fn half_a_body_that_is_wrong_is_wrong_and_not_lost() {
    let half = |body: &[u8]| [b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n", body].concat();
    let wrong = server(move |_, _| (half(b"half"), false));
    let right = server(move |_, body| (half(&body[..32]), false));
    for (address, counts) in [(wrong, (3, 0)), (right, (0, 3))] {
        let target = target(&address, Dialect::Http, "/echo");
        let report = run(&Scenario { target, method: Method::Post, ..scenario(address, 3) });
        assert_eq!((report.messages.wrong, report.messages.lost), counts);
        assert_failed(&report, "HTTP: the connection ended within a response");
    }
}

#[test]
fn a_first_answer_that_drips_is_hung() {
    // Never silent for long, and never done.
    for begin in ["HTTP/1.1 200 OK\r\nX-Filler: ", "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"]
    {
        let dripping = servers::tcp(move |_, mut stream| {
            let (_nobody_sends, pause) = mpsc::channel::<()>();
            for byte in begin.bytes().chain(std::iter::repeat_n(b'x', 900)) {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                let _ = pause.recv_timeout(Duration::from_millis(20));
            }
            servers::read_to_end(stream);
        });
        let target = target(&dripping, Dialect::Http, "/");
        let (connect_timeout_ms, answer_timeout_ms) = (200, 400);
        let patience =
            Scenario { target, connect_timeout_ms, answer_timeout_ms, ..scenario(dripping, 2) };
        let connections = run(&patience).connections;
        assert_eq!((connections.hung, connections.phases.receive), (2, 2), "{connections:?}");
    }
}

#[test]
fn a_held_connection_that_is_closed_is_closed() {
    let address = server(|_, _| (b"HTTP/1.0 200 OK\r\n\r\nhello".to_vec(), false));
    let target = target(&address, Dialect::Http, "/");
    let held = Scenario { target, hold: true, duration_ms: 60_000, ..scenario(address, 2) };
    let report = run(&held);
    assert_eq!((report.connections.closed, report.messages.received), (2, 2));
}
