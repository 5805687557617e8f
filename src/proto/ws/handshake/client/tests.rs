use super::*;

/// The nonce of section 1.3.
const NONCE: [u8; 16] = *b"the sample nonce";
const GOOD: [(&str, &str); 3] = [
    ("upgrade", "WebSocket"),
    ("connection", "keep-alive, Upgrade"),
    ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
];

fn judge(status: u16, pairs: &[(&str, &str)]) -> Result<Option<&'static str>, Mismatch> {
    let fields = pairs.iter().map(|(name, value)| (*name, value.as_bytes()));
    verify(status, fields, &Key::new(NONCE), &["chat", "mqtt"], &["permessage-deflate"])
}

fn with(name: &str, value: &str) -> Result<Option<&'static str>, Mismatch> {
    judge(101, &[&GOOD[..], &[(name, value)]].concat())
}

#[test]
fn the_request_is_what_the_server_wants() {
    let mut request_bytes = Vec::new();
    request(
        "a.example:81",
        "/chat?x=1",
        &Key::new(NONCE),
        &["chat", "mqtt"],
        b"x-a; b=1",
        &mut request_bytes,
    );
    let expected = "GET /chat?x=1 HTTP/1.1\r\nHost: a.example:81\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Protocol: chat, mqtt\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                    Sec-WebSocket-Extensions: x-a; b=1\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&request_bytes), expected);

    let fields = expected.lines().skip(1).filter_map(|line| line.split_once(": "));
    let fields = fields.map(|(name, value)| (name, value.as_bytes()));
    let upgrade = super::super::check("GET", 1, fields, &["mqtt"]).expect("our own server's view");
    assert_eq!(upgrade.protocol, Some("mqtt"));

    request_bytes.clear();
    request("a.example", "/", &Key::new(NONCE), &[], b"", &mut request_bytes);
    assert!(!String::from_utf8_lossy(&request_bytes).contains("Protocol"));
    assert!(request_bytes.ends_with(b"13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
}

#[test]
fn the_answer_is_judged() {
    assert_eq!(judge(101, &GOOD), Ok(None));
    assert_eq!(judge(200, &GOOD), Err(Mismatch::Status(200)));
    let mismatches = [Mismatch::Upgrade, Mismatch::Connection, Mismatch::Accept];
    for (index, mismatch) in mismatches.into_iter().enumerate() {
        let mut fields = GOOD.to_vec();
        fields[index].1 = "wrong";
        assert_eq!(judge(101, &fields), Err(mismatch));
        fields.remove(index);
        assert_eq!(judge(101, &fields), Err(mismatch), "missing");
    }
    assert_eq!(with("Sec-WebSocket-Accept", GOOD[2].1), Err(Mismatch::Accept), "twice");
}

#[test]
fn only_what_was_asked_for_may_be_agreed_to() {
    assert_eq!(with("Sec-WebSocket-Protocol", "mqtt"), Ok(Some("mqtt")));
    assert_eq!(with("Sec-WebSocket-Protocol", "other"), Err(Mismatch::Protocol));
    assert_eq!(with("Sec-WebSocket-Protocol", "chat, mqtt"), Err(Mismatch::Protocol));
    assert_eq!(with("Sec-WebSocket-Extensions", "permessage-deflate; a=1"), Ok(None));
    assert_eq!(with("Sec-WebSocket-Extensions", "other"), Err(Mismatch::Extension));
    assert_eq!(with("Sec-WebSocket-Extensions", "=, "), Err(Mismatch::Extension));
}
