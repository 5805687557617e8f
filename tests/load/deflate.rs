//! permessage-deflate from the client's side. Another library compresses and inflates for the
//! servers (miniz_oxide), so that nothing is tested with itself.

use crate::ws::{CLOSE, assert_failed, frame, read_frame, site, target, upgrade};
use crate::{run, scenario, servers};
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;
use oneloop::load::{self, Report, Scenario};
use oneloop::net::{Address, Dialect};
use oneloop::server::Limits;
use std::io::Write;
use std::net::TcpStream;

const AGREED: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                      client_no_context_takeover\r\n";

/// Three connections that offer to compress.
fn offering(address: &Address, path: &str) -> Scenario {
    let target = target(address, Dialect::WebSocket, path);
    Scenario { target, deflate: true, ..scenario(address.clone(), 3) }
}

fn against(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Report {
    let address = servers::tcp(move |_, stream| serve(stream));
    run(&offering(&address, "/x?y"))
}

/// What the server sends for a message: compressed, and without the four bytes that end it
/// (RFC 7692 7.2.1). Here that is one final block, and the byte that 7.2.3.4 puts behind one.
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut payload = compress_to_vec(message, 9);
    payload.push(0);
    if payload.len() <= 125 {
        return frame(0xc1, &payload);
    }
    let len = u16::try_from(payload.len()).expect("short").to_be_bytes();
    [&[0xc1, 126], &len[..], &payload].concat()
}

#[test]
fn messages_of_all_sizes_come_back_from_our_server() {
    let (address, stop) = site(Limits::default());
    for (size_bytes, depth, shrinks) in [
        (1, 1, false),
        (255, 3, false),
        (300, 3, true),
        (20_000, 2, true),
        (65_536, 2, true),
        (65_537, 1, false),
        (300_000, 1, false),
    ] {
        let report = run(&Scenario { size_bytes, depth, ..offering(&address, "/echo") });
        let (connections, messages) = (&report.connections, report.messages);
        assert_eq!(connections.connected, 3, "{size_bytes}: {connections:?}");
        assert_eq!(messages.received, messages.sent, "{size_bytes} x {depth}");
        assert_eq!(report.deflate_agreed, Some(3));
        assert!(messages.sent > 3 * u64::from(depth), "{size_bytes}: {messages:?}");
        let bytes = messages.sent * size_bytes as u64;
        let sent = report.bytes_sent;
        assert_eq!(sent < bytes * 3 / 4, shrinks, "{size_bytes}: {sent} of {bytes}");
    }
    stop();
}

#[test]
fn a_server_that_declines_gets_plain_messages() {
    let (address, stop) = site(Limits { deflate: false, ..Limits::default() });
    let report = run(&Scenario { size_bytes: 1_000, ..offering(&address, "/echo") });
    assert_eq!(report.connections.connected, 3, "{:?}", report.connections);
    assert_eq!(report.messages.received, report.messages.sent);
    assert!(report.bytes_sent > report.messages.sent * 1_000);
    assert_eq!(report.deflate_agreed, Some(0), "offered, and agreed on with none");
    stop();
}

#[test]
fn a_mirror_sends_compressed_back_what_came_compressed() {
    let text = "so it goes ".repeat(100);
    let report = {
        let text = text.clone();
        let address = servers::tcp(move |_, mut stream| {
            upgrade(&mut stream, AGREED);
            let _ = stream.write_all(&compressed(text.as_bytes()));
            let (first, mut payload) = read_frame(&mut stream).expect("it is sent back");
            payload.extend_from_slice(b"\0\0\xff\xff\x03\0");
            let back = decompress_to_vec(&payload).expect("deflate");
            let code = if first == 0xc1 && back == text.as_bytes() { 1000_u16 } else { 1002 };
            let _ = stream.write_all(&frame(CLOSE, &code.to_be_bytes()));
            let _ = read_frame(&mut stream);
        });
        run(&Scenario { mirror: true, hold: true, ..offering(&address, "/x?y") })
    };
    assert_eq!(report.connections.connected, 3, "{:?}", report.connections);
    assert!(report.bytes_sent < text.len() as u64, "{} bytes", report.bytes_sent);
}

#[test]
fn an_answer_that_was_not_asked_for_opens_nothing() {
    let answers = [
        // Less than was asked for: the server would refer to what came before.
        "Sec-WebSocket-Extensions: permessage-deflate\r\n".to_owned(),
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; no=1\r\n".into(),
        "Sec-WebSocket-Extensions: x-webkit-deflate-frame\r\n".into(),
        format!("{AGREED}{AGREED}"),
    ];
    for answer in answers {
        let report = against(move |mut stream| {
            upgrade(&mut stream, &answer);
            servers::read_to_end(stream);
        });
        assert_failed(&report, "upgrade: an extension that was not asked for", "handshake");
    }
}

#[test]
fn what_cannot_be_inflated_is_refused_as_far_as_it_came() {
    let bomb = compressed(&vec![b'a'; (16 << 20) + 1]);
    let cases = [
        (bomb, 1009, "the message is too long"),
        (frame(0xc2, b"\xff\xff\xff"), 1007, "compressed data"),
        (compressed(b"\xff"), 1007, "UTF-8"),
        (frame(0xc0, b""), 1002, "reserved bit"),
    ];
    for (bytes, code, what) in cases {
        let report = against(move |mut stream| {
            upgrade(&mut stream, AGREED);
            let _ = read_frame(&mut stream);
            let _ = stream.write_all(&bytes);
            let (first, payload) = read_frame(&mut stream).expect("a close frame");
            assert_eq!((first, &payload[..2]), (CLOSE, &u16::to_be_bytes(code)[..]), "{what}");
        });
        let connections = &report.connections;
        assert_eq!(connections.failed, 3, "{what}: {connections:?}");
        let reason = connections.reasons.keys().next().expect("one");
        assert!(reason.starts_with("WebSocket: ") && reason.contains(what), "{reason}");
    }
}

#[test]
fn only_a_websocket_compresses() {
    let (address, stop) = site(Limits::default());
    let http = target(&address, Dialect::Http, "/echo");
    let scenario = Scenario { target: http, ..offering(&address, "/echo") };
    let error = load::run(&scenario, &mut ()).expect_err("not over HTTP").to_string();
    assert!(error.starts_with("deflate: ") && error.contains("ws://"), "{error}");
    stop();
}
