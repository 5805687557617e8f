//! Compressed messages on slices: agreed or not, answered, and refused.

use super::*;
use crate::proto::ws::deflate::{Codec, Shared};
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;

/// What asks for compression without and with context takeover.
const ALONE: &str = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";
const TAKEOVER: &str = "permessage-deflate";

fn asks(offer: &str) -> String {
    opening("/echo", "h", &format!("Sec-WebSocket-Extensions: {offer}\r\n"))
}

/// What came of it, the extensions in the response, and what was said behind it.
type Told = (Result<(), End>, String, Vec<u8>);

/// Feeds `parts` behind an upgrade. One connection may take context over.
fn tell<'a>(offer: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> Told {
    let mut bench = Bench::new(limits());
    let mut session = Session::http(bench.desk.now);
    let mut outcome = bench.receive(&mut session, asks(offer).as_bytes());
    let head = String::from_utf8(std::mem::take(&mut bench.desk.write)).expect("text");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut lines = head.split("\r\n");
    let agreed = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    for part in parts {
        if outcome.is_ok() {
            outcome = bench.receive(&mut session, part);
        }
    }
    bench.end(session);
    (outcome, agreed.unwrap_or_default().to_owned(), bench.desk.write)
}

/// The same for `frames` whole, byte by byte and at every split.
fn ask(offer: &str, frames: &[u8]) -> Told {
    let whole = tell(offer, [frames]);
    assert_eq!(tell(offer, frames.chunks(1)), whole, "byte by byte");
    for split in 0..=frames.len() {
        let (a, b) = frames.split_at(split);
        assert_eq!(tell(offer, [a, b]), whole, "split at {split}");
    }
    whole
}

fn marked(fin: bool, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame(First { fin, rsv1: true, opcode }, payload, KEY, &mut out);
    out
}

/// `message` as another library compresses it.
fn pressed(message: &[u8]) -> Vec<u8> {
    marked(true, OpCode::Text, &compress_to_vec(message, 6))
}

/// What the payloads of a server's frames say, as another library inflates them, and their first
/// bytes. With takeover they are one stream.
fn hear(mut said: &[u8], takeover: bool) -> Vec<(u8, Vec<u8>)> {
    let (mut heard, mut stream, mut so_far) = (Vec::new(), Vec::new(), 0);
    while let [first, len, rest @ ..] = said {
        let (len, rest) = match len {
            126 => (u16::from_be_bytes([rest[0], rest[1]]) as usize, &rest[2..]),
            len => (*len as usize, rest),
        };
        let (payload, behind) = rest.split_at(len);
        let mut message = payload.to_vec();
        if first & 0x40 != 0 {
            if !takeover {
                (stream, so_far) = (Vec::new(), 0);
            }
            stream.extend_from_slice(payload);
            stream.extend_from_slice(b"\0\0\xff\xff");
            let all = decompress_to_vec(&[&stream[..], b"\x03\0"].concat()).expect("compressed");
            message = all[so_far..].to_vec();
            so_far = all.len();
        }
        heard.push((*first, message));
        said = behind;
    }
    heard
}

#[test]
fn an_offer_is_accepted_or_declined() {
    let agreed = |offer| ask(offer, b"").1;
    assert_eq!(agreed(TAKEOVER), "permessage-deflate");
    assert_eq!(
        agreed(ALONE),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    );
    assert_eq!(
        agreed(
            "permessage-deflate; server_max_window_bits=7, permessage-deflate; \
                server_max_window_bits=9"
        ),
        "permessage-deflate; server_max_window_bits=9",
        "the first good one"
    );
    for declined in ["x-webkit-deflate-frame", "permessage-deflate; what=else"] {
        assert_eq!(agreed(declined), "");
    }
    let (outcome, _, said) = ask("x-other", &pressed(b"a"));
    assert_eq!(outcome, Err(End::WebSocket(WsError::ReservedBit)));
    assert_eq!(said, closed(1002, WsError::ReservedBit.reason()));
}

/// Before the answer nobody can know that it may be compressed. Plain frames are nothing new.
#[test]
fn what_comes_with_the_request_is_not_compressed() {
    for (frames, outcome) in
        [(text("a"), Ok(())), (pressed(b"a"), Err(End::WebSocket(WsError::ReservedBit)))]
    {
        let mut bench = Bench::new(limits());
        let mut session = Session::http(bench.desk.now);
        let input = [asks(ALONE).as_bytes(), &frames].concat();
        assert_eq!(bench.receive(&mut session, &input), outcome);
        bench.end(session);
    }
}

#[test]
fn a_server_may_be_told_to_decline() {
    let mut bench = Bench::new(limits());
    bench.desk.deflate = Shared::serving(false, 9, 0);
    let mut session = Session::http(bench.desk.now);
    assert_eq!(bench.receive(&mut session, asks(ALONE).as_bytes()), Ok(()));
    assert_eq!(bench.desk.write, SWITCHED.as_bytes());
    bench.end(session);
}

#[test]
fn compressed_messages_are_answered_compressed_if_that_pays() {
    let long = "Grüße, ".repeat(60);
    let compressed = compress_to_vec(long.as_bytes(), 6);
    let (a, b) = compressed.split_at(5);
    let mut frames = pressed(long.as_bytes());
    frames.extend(pressed(b"short"));
    frames.extend(marked(false, OpCode::Binary, a));
    frames.extend(fragment(true, OpCode::Ping, b"between"));
    frames.extend(fragment(false, OpCode::Continuation, b""));
    frames.extend(fragment(true, OpCode::Continuation, b));
    frames.extend(text(&long));
    frames.extend(pressed(b""));
    let (outcome, _, said) = ask(ALONE, &frames);
    assert_eq!(outcome, Ok(()));
    let long = long.into_bytes();
    let expected = [
        (0xc1, long.clone()),
        (0x81, b"short".to_vec()),
        (0x8a, b"between".to_vec()),
        (0xc2, long.clone()),
        (0xc1, long),
        (0x81, b"".to_vec()),
    ];
    assert_eq!(hear(&said, false), expected);
}

#[test]
fn with_takeover_a_message_refers_to_those_before() {
    let once: String = (0..60).map(|n| format!("{} ", n * n * n)).collect();
    let mut frames = Vec::new();
    (0..3).for_each(|_| frames.extend(text(&once)));
    let (_, _, said) = ask(TAKEOVER, &frames);
    assert_eq!(hear(&said, true), vec![(0xc1, once.clone().into_bytes()); 3]);
    let (_, _, alone) = ask(ALONE, &frames);
    assert!(said.len() * 2 < alone.len(), "{} and {} bytes", said.len(), alone.len());

    // And the other way round: what the client's second message says is known from its first.
    let mut shared = Shared::serving(true, 9, 256);
    let wish = shared.wish().expect("it is on");
    let mut client = Codec::new(wish, Role::Client, &mut shared);
    let mut frames = Vec::new();
    for _ in 0..3 {
        let compressing = &mut shared.compressing;
        client.encode(Kind::Text, once.as_bytes(), KEY, compressing, &mut frames);
    }
    client.clear(&mut shared);
    let (outcome, _, said) = ask(TAKEOVER, &frames);
    assert_eq!(outcome, Ok(()));
    assert_eq!(hear(&said, true), vec![(0xc1, once.into_bytes()); 3]);
}

#[test]
fn every_error_of_a_compressed_message_has_its_code() {
    let stray =
        [marked(false, OpCode::Text, b""), marked(true, OpCode::Continuation, b"")].concat();
    let cases = [
        (pressed(b"a\xff"), 1007, WsError::InvalidUtf8),
        (pressed(b"\xc3"), 1007, WsError::InvalidUtf8),
        (marked(true, OpCode::Text, b"\xff\xff"), 1007, WsError::Deflate),
        (marked(true, OpCode::Binary, &compress_to_vec(&[7; 99], 6)[..4]), 1007, WsError::Deflate),
        (pressed(&[b'a'; 2_001]), 1009, WsError::MessageTooLong),
        (pressed(&vec![0; 1 << 20])[..1_000].to_vec(), 1009, WsError::FrameTooLong),
        (stray, 1002, WsError::ReservedBit),
        (marked(true, OpCode::Ping, b""), 1002, WsError::ReservedBit),
    ];
    for offer in [ALONE, TAKEOVER] {
        for (bad, code, error) in &cases {
            let frames = [pressed(&[b'a'; 2_000]), bad.clone(), text("not heard")].concat();
            let (outcome, _, said) = ask(offer, &frames);
            assert_eq!(outcome, Err(End::WebSocket(*error)));
            let end = closed(*code, error.reason());
            let (good, last) = said.split_at(said.len() - end.len());
            assert_eq!(last, end, "{error}");
            assert_eq!(hear(good, true), [(0xc1, vec![b'a'; 2_000])], "at the limit");
        }
    }
}

/// A kilobyte that says a megabyte, where a message may have two thousand bytes.
#[test]
fn a_bomb_is_refused() {
    let bomb = compress_to_vec(&vec![b'a'; 900_000], 9);
    assert!(bomb.len() <= 1_000, "{} bytes", bomb.len());
    let (outcome, _, said) = ask(ALONE, &marked(true, OpCode::Text, &bomb));
    assert_eq!(outcome, Err(End::WebSocket(WsError::MessageTooLong)));
    assert_eq!(said, closed(1009, WsError::MessageTooLong.reason()));
}

#[test]
fn takeover_is_for_as_many_as_the_limit_says() {
    let mut bench = Bench::new(limits());
    bench.desk.deflate = Shared::serving(true, 2, 256);
    let open = |bench: &mut Bench| {
        let mut session = Session::http(bench.desk.now);
        bench.desk.write.clear();
        assert_eq!(bench.receive(&mut session, asks(TAKEOVER).as_bytes()), Ok(()));
        let head = std::str::from_utf8(&bench.desk.write).expect("text");
        let takes_over = head.contains("\r\nSec-WebSocket-Extensions: permessage-deflate\r\n");
        (session, takes_over)
    };
    let (first, one) = open(&mut bench);
    let (second, two) = open(&mut bench);
    let (third, three) = open(&mut bench);
    assert_eq!([one, two, three], [true, true, false]);
    assert_eq!([&first, &second, &third].map(|it| it.edition().is_some()), [false, false, true]);
    bench.end(third);
    let (fourth, four) = open(&mut bench);
    bench.end(first);
    let (fifth, five) = open(&mut bench);
    assert_eq!([four, five], [false, true]);
    [second, fourth, fifth].into_iter().for_each(|session| bench.end(session));
}

#[test]
fn what_is_for_all_is_mail_as_it_is() {
    let mut bench = Bench::new(limits());
    let mut session = Session::http(bench.desk.now);
    let more = format!("Sec-WebSocket-Extensions: {ALONE}\r\n");
    let opening = opening("/room", "h", &more);
    assert_eq!(bench.receive(&mut session, opening.as_bytes()), Ok(()));
    assert_eq!(bench.receive(&mut session, &pressed(&[b'a'; 300])), Ok(()));
    assert!(bench.desk.write.ends_with(b"\r\n\r\n\x81\x07welcome"), "a greeting is short");
    let mail = bench.mail(ROOM);
    assert_eq!(mail.bytes[..4], *b"\x81\x7e\x01\x2c");
    assert_eq!((mail.bytes.len(), mail.messages), (304, 1));
    assert!(session.edition().is_some() && session.inflates());
    bench.end(session);
}
