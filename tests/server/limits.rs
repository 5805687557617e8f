//! **What.** Each limit of a request and of a WebSocket message: what is at it is served, what is
//! one past it is told so, and counted under its own name. The same for each kind of fault.
//!
//! **Why this way.** Two tables. Whoever reads the books must see which limit to raise.
//!
//! **Costs.** A connection a row.
//!
//! **Read next.** `http.rs`, `websocket.rs`.

use crate::support::*;
use crate::ws::*;
use oneloop::metrics::CloseReason;
use oneloop::server::Limits;
use std::io::Write;

/// Counted so, and nothing else but ends that nobody minds.
#[track_caller]
fn assert_counts(server: Running, expected: &[CloseReason]) {
    let books = server.finish();
    for &reason in CloseReason::ALL {
        let count = expected.iter().filter(|it| **it == reason).count() as u64;
        match reason {
            CloseReason::PeerClosed | CloseReason::ServiceClosed => {}
            _ => assert_eq!(closed(&books, reason), count, "{}", reason.name()),
        }
    }
}

#[test]
fn each_limit_and_each_fault_of_a_request_has_its_status_and_its_counter() {
    use CloseReason::*;
    let server = serve_site(Limits {
        head_bytes_max: 1_000,
        headers_max: 8,
        body_bytes_max: 100,
        ..limits()
    });
    let head = |bytes: usize| get(&format!("/{}", "x".repeat(bytes - get("/").len())));
    let with = |lines: &str| get("/healthz").replace("\r\n\r\n", &format!("\r\n{lines}\r\n"));
    let posted = |lines: &str| with(&format!("{lines}\r\n")).replace("GET /healthz", "POST /echo");
    let by_length = |bytes: usize| {
        let request = posted(&format!("Content-Length: {bytes}"));
        request + &"x".repeat(bytes)
    };
    let chunked = |body: &str| posted("Transfer-Encoding: chunked") + body;
    let chunk = |bytes: usize| chunked(&format!("{bytes:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(bytes)));
    let from = |origin: &str| {
        opening("/echo").replace("\r\n\r\n", &format!("\r\nOrigin: {origin}\r\n\r\n"))
    };
    let cases = [
        (head(1_000), 404, None),
        (head(1_001), 431, Some(HeadTooLarge)),
        (get(&format!("/{}", "x".repeat(1_000))), 414, Some(HeadTooLarge)),
        (with(&"X: y\r\n".repeat(7)), 200, None),
        (with(&"X: y\r\n".repeat(8)), 431, Some(TooManyHeaders)),
        (by_length(100), 200, None),
        (by_length(101), 413, Some(BodyTooLarge)),
        (chunk(100), 200, None),
        (chunk(101), 413, Some(BodyTooLarge)),
        (chunked(&format!("1;{}", "x".repeat(10_000))), 413, Some(BodyTooLarge)),
        (from("http://h"), 101, None),
        (from("http://elsewhere"), 403, Some(OriginForbidden)),
        (get("/healthz").replace("\r\n", "\n"), 400, Some(BadRequest)),
        (get("/healthz").replace("1.1", "1.2"), 505, Some(UnsupportedRequest)),
        (get("/healthz").replace("GET", "BREW"), 501, Some(UnsupportedRequest)),
        (posted("Transfer-Encoding: gzip, chunked"), 501, Some(UnsupportedRequest)),
        (posted("Content-Length: 1\r\nExpect: tea"), 417, Some(UnsupportedRequest)),
        ("\x16\x03\x01".into(), 400, Some(TlsOnPlain)),
    ];
    for (request, status, reason) in &cases {
        let mut client = server.connect();
        client.write_all(request.as_bytes()).unwrap();
        let head = read_head(&mut client);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {head}");
        assert_eq!(head.contains("\r\nConnection: close\r\n"), reason.is_some(), "{request}");
        half_close(&client);
        assert_eq!(read_to_end(&mut client).1, End::Fin, "{request}");
    }
    assert_counts(server, &cases.iter().filter_map(|it| it.2).collect::<Vec<_>>());
}

#[test]
fn each_limit_and_each_fault_of_a_message_has_its_close_code_and_its_counter() {
    use CloseReason::*;
    let server = serve_site(Limits {
        frame_bytes_max: 1_000,
        message_bytes_max: 1_500,
        fragments_max: 3,
        control_frames_per_s_max: 4,
        ..limits()
    });
    let piece = |first, len| frame(first, &vec![b'x'; len]);
    let cases = [
        (piece(TEXT, 1_000), None),
        (piece(TEXT, 1_001), Some((1009, "the frame is too long", FrameTooLong))),
        ([piece(1, 1_000), piece(0x80, 500)].concat(), None),
        (
            [piece(1, 1_000), piece(0x80, 501)].concat(),
            Some((1009, "the message is too long", MessageTooLong)),
        ),
        ([piece(1, 1), piece(0, 1), piece(0x80, 1)].concat(), None),
        (
            [piece(1, 1), piece(0, 1), piece(0, 1), piece(0x80, 1)].concat(),
            Some((1008, "the message has too many fragments", TooManyFragments)),
        ),
        ([piece(PONG, 1).repeat(4), piece(TEXT, 1)].concat(), None),
        (
            piece(PONG, 1).repeat(5),
            Some((1008, "too many control frames in a second", ControlFlood)),
        ),
        (frame(TEXT, b"\xff"), Some((1007, "the text is not UTF-8", BadMessage))),
        (b"\x81\x01x".to_vec(), Some((1002, "a client's frames must be masked", BadFrame))),
        (piece(0xc1, 1), Some((1002, "a reserved bit is set", BadFrame))),
    ];
    for (bytes, refusal) in &cases {
        let mut client = Ws::open(&server, "/echo");
        client.0.write_all(bytes).unwrap();
        match *refusal {
            Some((code, reason, _)) => {
                assert_eq!(client.read_close(), (code, reason.to_owned()), "{bytes:?}");
            }
            None => assert!(client.hear().starts_with('x')),
        }
    }
    assert_counts(server, &cases.iter().filter_map(|it| Some(it.1?.2)).collect::<Vec<_>>());
}
