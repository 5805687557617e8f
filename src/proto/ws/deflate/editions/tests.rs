use super::*;
use crate::buf::Pool;
use crate::proto::ws::deflate::{Codec, Params, Shared};
use crate::proto::ws::{Assembly, Decoder, Event, Kind};

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).expect("8 to 15")
}

/// What a client of this window reads.
fn read(frames: &[u8], server_bits: u8) -> Vec<(Kind, Vec<u8>)> {
    let agreed = Params { server_max_window_bits: Some(bits(server_bits)), ..Params::default() };
    let mut shared = Shared::new(agreed, 0);
    let mut codec = Codec::new(agreed, Role::Client, &mut shared);
    assert_eq!(codec.incoming(), Flow { takeover: false, window_bits: bits(server_bits) });
    let mut decoder = Decoder::new(Role::Client);
    decoder.expect_compressed();
    let (mut assembly, mut pool) = (Assembly::new(NO_LIMITS), Pool::new(u64::MAX));
    let mut frames = frames.to_vec();
    let (mut rest, mut heard) = (&mut frames[..], Vec::new());
    while let Some(event) = decoder.next(&mut rest, &mut assembly, &mut pool).expect("good frames")
    {
        heard.push(match event {
            Event::Message(kind, message) => (kind, message.to_vec()),
            Event::Compressed(kind, payload) => {
                let inflated = codec.decode(kind, payload, 1 << 20, &mut shared.inflating);
                (kind, inflated.expect("compressed").to_vec())
            }
            other => panic!("{other:?}"),
        });
    }
    heard
}

#[test]
fn all_editions_say_the_same_and_each_is_made_once() {
    let messages = [
        (Kind::Text, "hello".to_owned()),
        (Kind::Text, "hello ".repeat(50)),
        (Kind::Binary, "0123456789".repeat(10_000)),
        (Kind::Text, String::new()),
        (Kind::Binary, "abc".repeat(100)),
    ];
    let mut plain = Vec::new();
    for (kind, message) in &messages {
        encode::message(*kind, message.as_bytes(), None, &mut plain);
    }
    let expected = messages.map(|(kind, message)| (kind, message.into_bytes()));
    let mut shared = Shared::serving(true, 0, 256);
    let (mut editions, compressing) = (Editions::default(), &mut shared.compressing);
    for size in [8, 9, 15] {
        let first = editions.of(bits(size), &plain, compressing).to_vec();
        assert_eq!(read(&first, size), expected);
        assert!(first.len() < plain.len() / 2, "{} bytes", first.len());
        assert_eq!(editions.of(bits(size), b"never looked at", compressing), first);
    }
    let count = shared.counts().compressed;
    assert_eq!(count, 3 * 3, "three of the five, for each of three windows");
    editions.clear(1000);
    let mut other = Vec::new();
    encode::message(Kind::Text, b"short", None, &mut other);
    assert_eq!(editions.of(bits(15), &other, &mut shared.compressing), other);
    assert!(editions.0.iter().all(|edition| edition.capacity() <= 1000));
}
