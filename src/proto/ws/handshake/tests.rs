use super::*;

const GOOD: [(&str, &str); 5] = [
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

fn fields<'a>(
    pairs: &'a [(&'a str, &'a str)],
) -> impl Iterator<Item = (&'a str, &'a [u8])> + Clone {
    pairs.iter().map(|(name, value)| (*name, value.as_bytes()))
}

fn judge(pairs: &[(&str, &str)]) -> Result<Option<&'static str>, Refusal> {
    let upgrade = check("GET", 1, fields(pairs), &["chat", "superchat"])?;
    Ok(upgrade.protocol)
}

/// The good request with one field more.
fn with(name: &str, value: &str) -> Result<Option<&'static str>, Refusal> {
    judge(&[&GOOD[..], &[(name, value)]].concat())
}

/// The good request with another value for one field; without it if that is `None`.
fn replaced(name: &str, value: Option<&str>) -> Result<Option<&'static str>, Refusal> {
    let others = GOOD.iter().filter(|(it, _)| *it != name).copied();
    judge(&others.chain(value.map(|value| (name, value))).collect::<Vec<_>>())
}

#[test]
fn the_example_of_the_rfc() {
    let upgrade = check("GET", 1, fields(&GOOD), &[]).expect("section 1.3");
    assert_eq!(upgrade.accept.as_bytes(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let mut answer = Vec::new();
    upgrade.write(&mut answer);
    let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                    \r\n";
    assert_eq!(String::from_utf8_lossy(&answer), expected);
}

#[test]
fn each_field_is_needed_and_each_wrong_one_is_refused() {
    for (name, wrong, refusal) in [
        ("Host", None, Refusal::Host),
        ("Upgrade", None, Refusal::NoUpgrade),
        ("Upgrade", Some("h2c"), Refusal::NoUpgrade),
        ("Upgrade", Some("websockets"), Refusal::NoUpgrade),
        ("Connection", None, Refusal::NoConnectionUpgrade),
        ("Connection", Some("keep-alive"), Refusal::NoConnectionUpgrade),
        ("Sec-WebSocket-Key", None, Refusal::Key),
        ("Sec-WebSocket-Key", Some(""), Refusal::Key),
        ("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25j"), Refusal::Key),
        ("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25jZWFh"), Refusal::Key),
        ("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25jZQ="), Refusal::Key),
        ("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25jZ_=="), Refusal::Key),
        ("Sec-WebSocket-Version", None, Refusal::Version),
        ("Sec-WebSocket-Version", Some("8"), Refusal::Version),
        ("Sec-WebSocket-Version", Some("13, 8"), Refusal::Version),
    ] {
        assert_eq!(replaced(name, wrong), Err(refusal), "{name}: {wrong:?}");
    }
    for (name, _) in GOOD.iter().filter(|(name, _)| !matches!(*name, "Upgrade" | "Connection")) {
        let value = GOOD.iter().find(|(it, _)| it == name).expect("it is there").1;
        assert!(with(name, value).is_err(), "{name} twice");
    }
    let good = || fields(&GOOD);
    assert_eq!(check("POST", 1, good(), &[]), Err(Refusal::Method));
    assert_eq!(check("get", 1, good(), &[]), Err(Refusal::Method), "methods have a case");
    assert_eq!(check("GET", 0, good(), &[]), Err(Refusal::HttpVersion));
    assert_eq!(with("Content-Length", "5"), Err(Refusal::Body));
    assert_eq!(with("Transfer-Encoding", "chunked"), Err(Refusal::Body));
    assert_eq!(with("Content-Length", "0"), Ok(None));
}

#[test]
fn fields_may_look_different() {
    assert_eq!(replaced("Upgrade", Some("h2c, WebSocket")), Ok(None));
    assert_eq!(replaced("Connection", Some("keep-alive,\tUPGRADE")), Ok(None));
    assert_eq!(with("Connection", "keep-alive"), Ok(None), "a list in two fields");
    assert_eq!(replaced("Sec-WebSocket-Key", Some("  dGhlIHNhbXBsZSBub25jZQ== ")), Ok(None));
    let shouted = GOOD.map(|(name, value)| (name.to_uppercase(), value));
    let shouted = shouted.each_ref().map(|(name, value)| (name.as_str(), *value));
    assert_eq!(judge(&shouted), Ok(None));
}

#[test]
fn the_first_subprotocol_of_the_client_that_the_server_speaks() {
    let ask = |value: &str| with("Sec-WebSocket-Protocol", value);
    assert_eq!(ask("mqtt, superchat, chat"), Ok(Some("superchat")));
    assert_eq!(ask("mqtt"), Ok(None));
    assert_eq!(ask("Chat"), Ok(None), "names have a case");
    for bad in ["", ",", "chat, chat", "a b", "chat;q=1"] {
        assert_eq!(ask(bad), Err(Refusal::Protocols), "{bad:?}");
    }
    let two = [("Sec-WebSocket-Protocol", "mqtt"), ("sec-websocket-protocol", "chat")];
    assert_eq!(judge(&[&GOOD[..], &two].concat()), Ok(Some("chat")), "two fields are one list");
    let names = |count: usize| (0..count).map(|i| format!("p{i}")).collect::<Vec<_>>().join(",");
    assert_eq!(ask(&names(PROTOCOLS_MAX)), Ok(None));
    assert_eq!(ask(&names(PROTOCOLS_MAX + 1)), Err(Refusal::Protocols));
    let upgrade = Upgrade { accept: Accept::of(b""), protocol: Some("chat"), deflate: None };
    let mut answer = Vec::new();
    upgrade.write(&mut answer);
    assert!(answer.ends_with(b"=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"));
}

#[test]
fn extensions_must_keep_their_grammar_and_are_declined() {
    let ask = |value: &str| with("Sec-WebSocket-Extensions", value);
    assert_eq!(ask("permessage-deflate; client_max_window_bits, foo; a=\"b\""), Ok(None));
    assert_eq!(ask("permessage-deflate; client_max_window_bits="), Err(Refusal::Extensions));
}

#[test]
fn each_refusal_has_its_status_and_its_fields() {
    assert_eq!(Refusal::Method.status(), 405);
    assert_eq!(Refusal::Method.fields(), "Allow: GET\r\n");
    for refusal in [Refusal::NoUpgrade, Refusal::Version] {
        assert_eq!(refusal.status(), 426);
        assert!(refusal.fields().contains("Sec-WebSocket-Version: 13\r\n"));
    }
    assert_eq!((Refusal::Key.status(), Refusal::Key.fields()), (400, ""));
}
