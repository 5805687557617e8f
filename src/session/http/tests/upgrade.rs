//! From HTTP to WebSocket: the handshake, who may, and what stands behind it in the same bytes.

use super::*;
use proptest::prelude::*;

/// "Hello" of RFC 6455 5.7, masked.
const HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

#[test]
fn the_handshake_of_the_rfc_to_the_byte() {
    let input = opening("/echo", "server.example.com", "");
    let outcome = run_every_way(http, input.as_bytes(), |outcome| outcome);
    assert_eq!(outcome.text(), SWITCHED);
    assert_eq!((outcome.end, outcome.route), (Ok(()), Some(ECHO)));
    // A subprotocol that nobody here speaks and extensions that nobody knows are declined.
    let more = "Sec-WebSocket-Protocol: chat, superchat\r\n\
                Sec-WebSocket-Extensions: x-other, permessage-bzip2\r\n";
    let outcome = run(http(), [opening("/echo?x=y", "h", more).as_bytes()]);
    assert_eq!((outcome.text(), outcome.route), (SWITCHED, Some(ECHO)));
}

#[test]
fn requests_an_upgrade_and_frames_in_one_go() {
    let posted = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
    let input = [
        b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n".as_slice(),
        posted.as_bytes(),
        opening("/echo", "h", "").as_bytes(),
        HELLO,
        b"\x89\x80\0\0\0\0",
        HELLO,
        b"\x88\x80\0\0\0\0",
        HELLO,
    ]
    .concat();
    // The answer to the post is in as many chunks as reads brought it, so look behind it.
    let said = run_every_way(http, &input, |outcome| {
        assert_eq!((outcome.end, outcome.route), (Err(End::Closes), Some(ECHO)));
        let at = outcome.said.windows(14).position(|it| it == &SWITCHED.as_bytes()[..14]);
        let (before, behind) = outcome.said.split_at(at.expect("it was upgraded"));
        let before = std::str::from_utf8(before).expect("text");
        let before: Vec<String> = responses(before).iter().map(Response::short).collect();
        assert_eq!(before, ["200 ok", "200 hi"]);
        behind.to_vec()
    });
    let frames = b"\x81\x05Hello\x8a\x00\x81\x05Hello\x88\x00";
    assert_eq!(said, [SWITCHED.as_bytes(), frames].concat());
}

#[test]
fn who_joins_is_greeted_in_the_new_protocol() {
    let outcome = run_every_way(http, opening("/room", "h", "").as_bytes(), |outcome| outcome);
    assert_eq!(outcome.said, [SWITCHED.as_bytes(), b"\x81\x07welcome"].concat());
}

/// The client's order decides, over all its lines (RFC 6455 4.1); no match is no refusal (4.2.2).
#[test]
fn the_first_subprotocol_of_the_client_that_the_service_speaks_is_agreed_on() {
    let cases = [
        ("/room", "Sec-WebSocket-Protocol: chat.v2, chat.v1\r\n", Some("chat.v2")),
        ("/room", "Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n", Some("chat.v1")),
        (
            "/room",
            "Sec-WebSocket-Protocol: chat.v3\r\nsec-websocket-protocol: chat.v2\r\n",
            Some("chat.v2"),
        ),
        ("/room", "Sec-WebSocket-Protocol: Chat.v2\r\n", None),
        ("/room", "", None),
        ("/echo", "Sec-WebSocket-Protocol: chat.v2\r\n", None),
    ];
    for (path, more, agreed) in cases {
        let input = opening(path, "h", more);
        let outcome = run_every_way(http, input.as_bytes(), |outcome| outcome);
        let line = agreed.map(|name| format!("\r\nSec-WebSocket-Protocol: {name}\r\n\r\n"));
        let switched = SWITCHED.strip_suffix("\r\n\r\n").expect("an empty line");
        let expected = format!("{switched}{}", line.as_deref().unwrap_or("\r\n\r\n"));
        let said = String::from_utf8_lossy(&outcome.said);
        assert!(said.starts_with(&expected), "{more:?}: {said:?}");
    }
}

/// What is behind a failed upgrade may be frames, and must not be taken for requests.
#[test]
fn a_failed_upgrade_closes() {
    let good = opening("/echo", "h", "");
    let cases = [
        (good.replace("Version: 13", "Version: 12"), 426),
        (good.replace("dGhl", "dGh"), 400),
        (good.replace("Sec-WebSocket-Key", "X"), 400),
        (good.replace("Connection", "X"), 400),
        (opening("/echo", "h", "Origin: http://elsewhere\r\n"), 403),
        (opening("/nope", "h", ""), 404),
        (good.replace("GET", "PUT"), 405),
        (opening("/echo", "h", "Content-Length: 1\r\n"), 400),
    ];
    for (input, status) in cases {
        let behind = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
        let (outcome, responses) = ask(&[&input, behind].concat());
        assert_eq!(responses[0].status, status, "{input}");
        assert_eq!(responses.len(), 1, "{input}: {responses:?}");
        assert_ne!(outcome, Ok(()), "{input}");
        assert!(responses[0].has("Connection: close") || status == 426, "{responses:?}");
        if status == 426 {
            for line in ["Connection: upgrade, close", "Upgrade: websocket", VERSION] {
                assert!(responses[0].has(line), "{line}: {responses:?}");
            }
        }
    }
}

const VERSION: &str = "Sec-WebSocket-Version: 13";

#[test]
fn who_did_not_ask_for_an_upgrade_is_told_how_and_goes_on() {
    let next = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    let (outcome, responses) = ask(&["GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", next].concat());
    assert_eq!((outcome, responses.len()), (Ok(()), 2));
    for line in ["Connection: upgrade", "Upgrade: websocket", VERSION] {
        assert!(responses[0].has(line), "{line}: {responses:?}");
    }
    // HTTP/1.0 knows no Upgrade: it is not even looked at (RFC 9110 7.8).
    let old = opening("/echo", "h", "").replace("HTTP/1.1", "HTTP/1.0");
    let (outcome, responses) = ask(&old);
    assert_eq!((outcome, responses[0].status), (Err(End::Closes), 400));
}

/// The status of an upgrade on `host` by a page of `origin`.
fn judged(host: &str, origin: &str, allow: &[&str]) -> u16 {
    let mut limits = limits();
    limits.allow_origin = allow.iter().map(|origin| (*origin).to_owned()).collect();
    let (mut bench, mut session) = (Bench::new(limits), http());
    let outcome = bench.receive(&mut session, opening("/echo", host, origin).as_bytes());
    assert_eq!(outcome == Ok(()), session.route().is_some());
    bench.end(session);
    let said = String::from_utf8(bench.desk.write).expect("text");
    said["HTTP/1.1 ".len()..][..3].parse().expect("a status")
}

#[test]
fn a_page_may_connect_to_its_own_server_only() {
    const HOST: &str = "127.0.0.1:7080";
    let cases = [
        (HOST, "", 101),
        (HOST, "Origin: http://127.0.0.1:7080\r\n", 101),
        (HOST, "Origin: https://127.0.0.1:7080\r\n", 101),
        (HOST, "origin: http://127.0.0.1:7080\r\n", 101),
        ("Example.ORG", "Origin: https://eXample.org\r\n", 101),
        ("[::1]:7080", "Origin: http://[::1]:7080\r\n", 101),
        ("[::1]:7080", "Origin: http://[::1]\r\n", 403),
        ("[::1]:7080", "Origin: http://[::2]:7080\r\n", 403),
        (HOST, "Origin: http://127.0.0.1:7080.evil.example\r\n", 403),
        (HOST, "Origin: http://evil.example/127.0.0.1:7080\r\n", 403),
        (HOST, "Origin: http://evil.example#http://127.0.0.1:7080\r\n", 403),
        (HOST, "Origin: http://x@127.0.0.1:7080\r\n", 403),
        (HOST, "Origin: http://127.0.0.1:7081\r\n", 403),
        (HOST, "Origin: http://127.0.0.1\r\n", 403),
        (HOST, "Origin: http://127.0.0.1:70800\r\n", 403),
        (HOST, "Origin: http://127.0.0.1:7080/\r\n", 403),
        (HOST, "Origin: 127.0.0.1:7080\r\n", 403),
        (HOST, "Origin: ftp://127.0.0.1:7080\r\n", 403),
        (HOST, "Origin: null\r\n", 403),
        (HOST, "Origin:\r\n", 403),
        (HOST, "Origin: *\r\n", 403),
        (HOST, "Origin: http://127.0.0.1:7080\r\nOrigin: http://127.0.0.1:7080\r\n", 403),
        (HOST, "Origin: http://127.0.0.1:7080 http://evil.example\r\n", 403),
        (HOST, "Origin: http://\u{e9}vil.example\r\n", 403),
        ("example.org", "Origin: http://evilexample.org\r\n", 403),
        ("example.org", "Origin: http://sub.example.org\r\n", 403),
    ];
    for (host, origin, status) in cases {
        assert_eq!(judged(host, origin, &[]), status, "{origin:?} on {host}");
    }
}

#[test]
fn other_pages_may_if_they_are_listed_exactly() {
    let allow = ["https://app.example", "https://b.example:444"];
    let cases = [
        ("https://app.example", 101),
        ("https://b.example:444", 101),
        ("https://APP.example", 101),
        ("http://h", 101),
        ("http://app.example", 403),
        ("https://app.example:444", 403),
        ("https://b.example", 403),
        ("https://app.example.evil", 403),
        ("https://evil-app.example", 403),
        ("https://app.exampl", 403),
        ("null", 403),
    ];
    for (origin, status) in cases {
        assert_eq!(judged("h", &format!("Origin: {origin}\r\n"), &allow), status, "{origin}");
    }
    for origin in ["null", "https://evil.example", ""] {
        let line = format!("Origin: {origin}\r\n");
        assert_eq!(judged("h", &line, &["*"]), 101, "all of them: {origin:?}");
    }
    assert_eq!(judged("h", "Origin: null\r\n", &["null"]), 101);
}

proptest! {
    #[test]
    fn any_split_says_the_same(cuts in prop::collection::vec(1usize..60, 0..40)) {
        let head = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
        let input = [head.as_bytes(), opening("/room", "h", "").as_bytes(), HELLO, HELLO].concat();
        let (mut parts, mut rest) = (Vec::new(), &input[..]);
        for cut in cuts {
            let (part, behind) = rest.split_at(cut.min(rest.len()));
            parts.push(part);
            rest = behind;
        }
        parts.push(rest);
        let outcome = run(http(), parts);
        prop_assert_eq!(&outcome.mail, b"\x81\x05Hello\x81\x05Hello");
        prop_assert_eq!(outcome, run(http(), [&input[..]]));
    }
}
