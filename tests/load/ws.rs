//! WebSockets: an honest server, and servers that misbehave in known ways. Frames are cut here by
//! hand, so that nothing is tested with itself.

use crate::servers::{self, Count};
use crate::{run, scenario};
use oneloop::load::{Report, Scenario};
use oneloop::net::{Address, Dialect, Endpoint, Target};
use oneloop::proto::ws::handshake::Accept;
use oneloop::server::{Limits, Nofile, Server};
use oneloop::service::Builtin;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub(crate) const CLOSE: u8 = 0x88;

pub(crate) fn target(address: &Address, dialect: Dialect, path: &str) -> Target {
    let Address::Tcp(at) = address else { panic!("not TCP") };
    let (host, path) = (at.to_string(), path.to_owned());
    Target { dialect, host, path, ..Target::from(address.clone()) }
}

/// Our own server, until the test is over; gives its address and how to end it.
pub(crate) fn site(limits: Limits) -> (Address, impl FnOnce()) {
    site_on("http://127.0.0.1:0", limits)
}

pub(crate) fn site_on(url: &str, limits: Limits) -> (Address, impl FnOnce() + use<>) {
    let at = Endpoint::parse(url).expect("a URL");
    let paths = Builtin::ALL.map(|service| (format!("/{}", service.name()), service));
    let limits = Limits { nofile: Nofile::Keep, ..limits };
    let server = Server::builder().limits(limits).site(at, paths.into()).bind().expect("binds");
    let address = server.endpoints().next().expect("the only one").address.clone();
    let stopper = server.stopper();
    let thread = std::thread::spawn(move || server.run());
    (address, move || {
        stopper.stop().expect("is told");
        thread.join().expect("no panic").expect("runs");
    })
}

/// Reads a request head away; the value of its key.
fn read_request(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("ASCII");
    assert!(head.starts_with("GET /x?y HTTP/1.1\r\nHost: 127.0.0.1:"), "{head}");
    let key = head.split("\r\n").find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    key.expect("it has a key").to_owned()
}

/// Accepts the upgrade properly, with these headers beside.
pub(crate) fn upgrade(stream: &mut TcpStream, more: &str) {
    let key = read_request(stream);
    let accept = Accept::of(key.as_bytes());
    let accept = str::from_utf8(accept.as_bytes()).expect("base64");
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    );
    let _ = stream.write_all(answer.as_bytes());
}

/// A client's frame: its first byte and its payload. `None` at the end.
pub(crate) fn read_frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).ok()?;
    let [first, length] = head;
    assert!(length >= 0x80, "masked: {length}");
    let mut long = [0; 8];
    let (place, short) = match length - 0x80 {
        126 => (6..8, 0),
        127 => (0..8, 0),
        short => (8..8, u64::from(short)),
    };
    stream.read_exact(&mut long[place]).ok()?;
    let (mut key, mut payload) = ([0; 4], vec![0; (u64::from_be_bytes(long) + short) as usize]);
    stream.read_exact(&mut key).ok()?;
    stream.read_exact(&mut payload).ok()?;
    payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    Some((first, payload))
}

pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len();
    let length = match len {
        0..=125 => vec![len as u8],
        126..=0xffff => [&[126][..], &(len as u16).to_be_bytes()].concat(),
        _ => [&[127][..], &(len as u64).to_be_bytes()].concat(),
    };
    [&[first], &length[..], payload].concat()
}

/// Echoes until the client says close, and answers that.
pub(crate) fn echo(mut stream: TcpStream) {
    while let Some((first, payload)) = read_frame(&mut stream) {
        if stream.write_all(&frame(first, &payload)).is_err() || first == CLOSE {
            return;
        }
    }
}

/// Runs three connections against `serve`, which is given each after `/x?y` was asked for.
pub(crate) fn against(
    serve: impl Fn(TcpStream) + Send + Sync + 'static,
    patience_ms: u64,
) -> Report {
    let server = servers::tcp(move |_, stream| serve(stream));
    let target = target(&server, Dialect::WebSocket, "/x?y");
    run(&Scenario {
        target,
        answer_timeout_ms: patience_ms,
        duration_ms: 100,
        ..scenario(server, 3)
    })
}

/// All three failed, for this reason and in this phase.
#[track_caller]
pub(crate) fn assert_failed(report: &Report, reason: &str, phase: &str) {
    let connections = &report.connections;
    assert_eq!(connections.failed, 3, "{connections:?}");
    assert_eq!(connections.reasons.get(reason), Some(&3), "{connections:?}");
    let phases = connections.phases.by_name();
    assert_eq!(phases.iter().find(|(_, count)| *count == 3).expect("one").0, phase);
}

#[test]
fn messages_of_all_sizes_and_depths_come_back_from_our_server() {
    let (address, stop) = site(Limits::default());
    for (size_bytes, depth) in [(1, 1), (64, 7), (125, 2), (126, 2), (70_000, 3), (300_000, 1)] {
        let target = target(&address, Dialect::WebSocket, "/echo");
        let report = run(&Scenario { target, size_bytes, depth, ..scenario(address.clone(), 5) });
        let (connections, messages) = (&report.connections, report.messages);
        assert_eq!(connections.connected, 5, "{size_bytes} x {depth}: {connections:?}");
        assert_eq!(messages.received, messages.sent, "{size_bytes} x {depth}");
        assert!(messages.sent > 5 * u64::from(depth), "{size_bytes} x {depth}: {messages:?}");
        assert!(connections.phases.by_name().iter().all(|(_, count)| *count == 0));
    }
    stop();
}

#[test]
fn the_last_word_is_a_close_frame_with_1000_and_keys_differ() {
    let closes = Count::default();
    let counted = closes.clone();
    let report = against(
        move |mut stream| {
            upgrade(&mut stream, "");
            while let Some((first, payload)) = read_frame(&mut stream) {
                let _ = stream.write_all(&frame(first, &payload));
                if first == CLOSE {
                    assert_eq!(payload, 1000u16.to_be_bytes());
                    counted.add(1);
                    return;
                }
            }
        },
        20_000,
    );
    assert_eq!((closes.get(), report.connections.connected), (3, 3), "{:?}", report.connections);
}

/// 1001: the server goes, another may be there. It is announced, so nothing is lost.
#[test]
fn who_is_told_to_go_elsewhere_comes_back_with_what_is_owed() {
    for depth in [1, 3] {
        let server = servers::tcp(|_, mut stream| {
            upgrade(&mut stream, "");
            for _ in 0..5 {
                let Some((first, payload)) = read_frame(&mut stream) else { return };
                let _ = stream.write_all(&frame(first, &payload));
                if first == CLOSE {
                    return;
                }
            }
            let _ = stream.write_all(&frame(CLOSE, &1001u16.to_be_bytes()));
            while read_frame(&mut stream).is_some_and(|(first, _)| first != CLOSE) {}
        });
        let target = target(&server, Dialect::WebSocket, "/x?y");
        let report = run(&Scenario { target, depth, ..scenario(server, 3) });
        let (connections, messages) = (&report.connections, report.messages);
        assert_eq!(connections.connected, 3, "{connections:?}");
        assert_eq!((messages.received, messages.lost), (messages.sent, 0), "{messages:?}");
        assert!(connections.reopened > 6, "{connections:?}");
        let in_rows: u64 = report.rows.iter().map(|row| row.reopened).sum();
        assert!((1..=connections.reopened).contains(&in_rows), "{in_rows}: {connections:?}");
    }
}

#[test]
fn pings_are_answered_and_answers_in_fragments_are_whole() {
    let report = against(
        |mut stream| {
            upgrade(&mut stream, "X: y\r\n");
            while let Some((first, payload)) = read_frame(&mut stream) {
                if first != 0x82 {
                    let _ = stream.write_all(&frame(first, &payload));
                    return;
                }
                let (one, two) = payload.split_at(7);
                let parts = [frame(0x02, one), frame(0x89, b"there?"), frame(0x80, two)];
                for byte in parts.concat() {
                    let _ = stream.write_all(&[byte]);
                }
                assert_eq!(read_frame(&mut stream), Some((0x8a, b"there?".to_vec())));
            }
        },
        20_000,
    );
    let messages = report.messages;
    assert_eq!(report.connections.connected, 3, "{:?}", report.connections);
    assert!(messages.received == messages.sent && messages.received > 3, "{messages:?}");
}

#[test]
fn wrong_bytes_and_wrong_kinds_are_wrong_messages() {
    for change in [|it: &mut Vec<u8>| it[9] ^= 1, |it: &mut Vec<u8>| it.truncate(63)] {
        let report = against(
            move |mut stream| {
                upgrade(&mut stream, "");
                for number in 0.. {
                    let Some((first, mut payload)) = read_frame(&mut stream) else { return };
                    if number == 1 {
                        change(&mut payload);
                    }
                    let _ = stream.write_all(&frame(first, &payload));
                    if first == CLOSE {
                        return;
                    }
                }
            },
            20_000,
        );
        assert_eq!((report.messages.wrong, report.messages.lost), (3, 0));
        assert_eq!(report.connections.connected, 3, "a wrong byte ends no connection");
    }
}

#[test]
fn an_answer_is_compared_wherever_it_is_cut() {
    for (size_bytes, header_bytes) in [(64, 2), (1_000, 4), (65_536, 10)] {
        let serve = move |mut stream: TcpStream| {
            upgrade(&mut stream, "");
            for number in 0.. {
                let Some((first, mut payload)) = read_frame(&mut stream) else { return };
                if number == 1 {
                    payload[size_bytes / 2] ^= 1;
                }
                // In each place of the header, then soon behind it.
                let cut = 1 + number % (header_bytes + 20);
                let frame = frame(first, &payload);
                let (front, back) = frame.split_at(cut.min(frame.len()));
                let _ = stream.write_all(front).and_then(|()| stream.write_all(back));
                if first == CLOSE {
                    return;
                }
            }
        };
        let server = servers::tcp(move |_, stream| serve(stream));
        let target = target(&server, Dialect::WebSocket, "/x?y");
        let depth = 3;
        let report = run(&Scenario { target, size_bytes, depth, ..scenario(server, 3) });
        let messages = report.messages;
        assert_eq!((messages.wrong, messages.lost), (3, 0), "{size_bytes} bytes: {messages:?}");
        assert_eq!(report.connections.connected, 3, "a wrong byte ends no connection");
        assert!(messages.received >= 3 * 20, "{size_bytes} bytes: {messages:?}");
    }
}

#[test]
fn an_upgrade_that_is_none_fails_in_the_handshake() {
    let wrong_key = |mut stream: TcpStream| {
        read_request(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
        servers::read_to_end(stream);
    };
    let reason = "upgrade: Sec-WebSocket-Accept does not answer the key";
    assert_failed(&against(wrong_key, 20_000), reason, "handshake");
    let extension = |mut stream: TcpStream| {
        upgrade(&mut stream, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
        servers::read_to_end(stream);
    };
    let reason = "upgrade: an extension that was not asked for";
    assert_failed(&against(extension, 20_000), reason, "handshake");
    let truncated = |mut stream: TcpStream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 101 Up\r\nUpgrade: webso");
    };
    let reason = "upgrade: the connection ended within a response";
    assert_failed(&against(truncated, 20_000), reason, "handshake");
}

#[test]
fn refused_upgrades_and_close_codes_are_told_why() {
    let refuse = |mut stream: TcpStream| {
        read_request(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 12\r\nConnection: close\r\n\r\n\
              full: 2 of 2",
        );
    };
    let connections = against(refuse, 20_000).connections;
    assert_eq!((connections.told_why, connections.phases.handshake), (3, 3), "{connections:?}");
    assert_eq!(connections.reasons["503 Service Unavailable: full: 2 of 2"], 3);
    let answered = Count::default();
    let counted = answered.clone();
    let close = move |mut stream: TcpStream| {
        upgrade(&mut stream, "");
        read_frame(&mut stream);
        let _ = stream.write_all(&frame(CLOSE, b"\x03\xf5full"));
        assert_eq!(read_frame(&mut stream), Some((CLOSE, b"\x03\xf5".to_vec())));
        counted.add(1);
    };
    let connections = against(close, 20_000).connections;
    assert_eq!((connections.told_why, connections.reasons["close 1013: full"]), (3, 3));
    assert_eq!((connections.phases.receive, answered.get()), (3, 3));
}

#[test]
fn a_shedding_server_of_ours_tells_why() {
    let (address, stop) = site(Limits { max_connections: 2, ..Limits::default() });
    let target = target(&address, Dialect::WebSocket, "/echo");
    let report = run(&Scenario { target, ..scenario(address, 6) });
    let connections = report.connections;
    assert_eq!((connections.connected, connections.told_why), (2, 4), "{connections:?}");
    let reason = connections.reasons.keys().next().expect("a reason");
    assert!(reason.starts_with("503 Service Unavailable: full"), "{reason}");
    stop();
}

#[test]
fn what_no_server_may_send_fails_and_is_answered_with_the_code() {
    let cases: [(&[u8], &str, u16); 3] = [
        (b"\x82\x81\0\0\0\0x", "WebSocket: a server's frames must not be masked", 1002),
        (b"\xc2\x01x", "WebSocket: a reserved bit is set", 1002),
        (b"\x81\x01\xff", "WebSocket: the text is not UTF-8", 1007),
    ];
    for (bytes, reason, code) in cases {
        let told = Count::default();
        let counted = told.clone();
        let serve = move |mut stream: TcpStream| {
            upgrade(&mut stream, "");
            read_frame(&mut stream);
            let _ = stream.write_all(bytes);
            let (first, payload) = read_frame(&mut stream).expect("a close frame");
            assert_eq!((first, &payload[..2]), (CLOSE, &code.to_be_bytes()[..]));
            counted.add(1);
        };
        assert_failed(&against(serve, 20_000), reason, "receive");
        assert_eq!(told.get(), 3, "{reason}");
    }
}

#[test]
fn unasked_messages_resets_and_silence_are_told_apart() {
    let twice = |mut stream: TcpStream| {
        upgrade(&mut stream, "");
        let Some((first, payload)) = read_frame(&mut stream) else { return };
        let _ = stream.write_all(&frame(first, &payload).repeat(9));
        servers::read_to_end(stream);
    };
    let report = against(twice, 20_000);
    let failed = &report.connections.reasons;
    let reason = "WebSocket: more messages came back than were sent";
    assert_eq!(failed.get(reason), Some(&3), "{failed:?}");
    let reset = |mut stream: TcpStream| {
        upgrade(&mut stream, "");
        read_frame(&mut stream);
        let _ = stream.write_all(&[0x82, 64, 1, 2, 3]);
        servers::reset(stream);
    };
    let connections = against(reset, 20_000).connections;
    assert_eq!((connections.reset, connections.phases.receive), (3, 3), "{connections:?}");
    let silent = |mut stream: TcpStream| {
        upgrade(&mut stream, "");
        servers::read_to_end(stream);
    };
    let connections = against(silent, 300).connections;
    assert_eq!((connections.hung, connections.phases.receive), (3, 3), "{connections:?}");
    let mute = |stream: TcpStream| servers::read_to_end(stream);
    let connections = against(mute, 300).connections;
    assert_eq!((connections.hung, connections.phases.handshake), (3, 3), "{connections:?}");
}

#[test]
fn who_does_not_take_leave_hangs_in_the_close() {
    let stubborn = |mut stream: TcpStream| {
        upgrade(&mut stream, "");
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first != CLOSE {
                let _ = stream.write_all(&frame(first, &payload));
            }
        }
    };
    // Long enough for a server that is kept from its CPU for a moment.
    let report = against(stubborn, 1_500);
    let connections = &report.connections;
    assert_eq!((connections.hung, connections.phases.close), (3, 3), "{connections:?}");
    assert_eq!(report.messages.lost, 0, "all answers came");
}

#[test]
fn a_goodbye_has_its_own_time_however_long_nothing_was_said_before() {
    let server = servers::tcp(|_, mut stream| {
        upgrade(&mut stream, "");
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                servers::dawdle(Duration::from_millis(1_000));
            }
            let _ = stream.write_all(&frame(first, &payload));
        }
    });
    let target = target(&server, Dialect::WebSocket, "/x?y");
    // A message each; the first answer is older than the patience before the goodbye is answered.
    let slow = Scenario { rate_per_s: Some(2), duration_ms: 1_500, ..scenario(server, 3) };
    let slow = Scenario { target, answer_timeout_ms: 2_000, ..slow };
    let connections = run(&slow).connections;
    assert_eq!((connections.connected, connections.hung), (3, 0), "{connections:?}");
}

#[test]
fn who_takes_leave_and_does_not_hang_up_is_left() {
    let lingering = |mut stream: TcpStream| {
        upgrade(&mut stream, "");
        while let Some((first, payload)) = read_frame(&mut stream) {
            let _ = stream.write_all(&frame(first, &payload));
        }
    };
    let report = against(lingering, 20_000);
    assert_eq!((report.connections.connected, report.messages.lost), (3, 0));
}

#[test]
fn held_connections_answer_pings_and_leave_in_order() {
    let pinged = Count::default();
    let counted = pinged.clone();
    let server = servers::tcp(move |_, mut stream| {
        upgrade(&mut stream, "");
        let (first, payload) = read_frame(&mut stream).expect("the first message");
        let _ = stream.write_all(&frame(first, &payload));
        let _ = stream.write_all(&frame(0x89, b""));
        assert_eq!(read_frame(&mut stream), Some((0x8a, vec![])));
        counted.add(1);
        echo(stream);
    });
    let target = target(&server, Dialect::WebSocket, "/x?y");
    let report = run(&Scenario { target, hold: true, ..scenario(server, 4) });
    assert_eq!((report.connections.connected, pinged.get()), (4, 4), "{:?}", report.connections);
    assert_eq!(report.messages.sent, 4);
}

#[test]
fn a_mirror_sends_back_what_comes_until_it_is_closed() {
    let server = servers::tcp(|_, mut stream| {
        upgrade(&mut stream, "");
        for text in ["one", "", "three"] {
            let _ = stream.write_all(&frame(0x81, text.as_bytes()));
            assert_eq!(read_frame(&mut stream), Some((0x81, text.as_bytes().to_vec())));
        }
        let _ = stream.write_all(&frame(CLOSE, &1000u16.to_be_bytes()));
        assert_eq!(read_frame(&mut stream), Some((CLOSE, 1000u16.to_be_bytes().to_vec())));
    });
    let target = target(&server, Dialect::WebSocket, "/x?y");
    let mirror = Scenario { target, hold: true, mirror: true, ..scenario(server, 2) };
    let report = run(&Scenario { duration_ms: 60_000, ..mirror });
    assert_eq!((report.connections.connected, report.messages.received), (2, 6));
}
