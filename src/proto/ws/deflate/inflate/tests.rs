use super::*;
use crate::proto::ws::utf8;
use proptest::prelude::*;

const TAKEOVER: Flow = Flow { takeover: true, window_bits: WindowBits::MAX };
const ALONE: Flow = Flow { takeover: false, window_bits: WindowBits::MAX };
const LIMIT: usize = 1000;

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

/// What pieces say, and how it ended.
type Outcome = (Vec<u8>, Result<(), WsError>);

fn pieces<'a>(
    inflater: &mut Inflater,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    bytes_max: usize,
) -> Outcome {
    let mut out = Vec::new();
    let fed = pieces.into_iter().try_for_each(|it| inflater.piece(it, bytes_max, &mut out));
    let end = fed.and_then(|()| inflater.end(bytes_max, &mut out));
    (out, end)
}

fn whole(inflater: &mut Inflater, payload: &[u8], bytes_max: usize) -> Outcome {
    let mut out = Vec::new();
    let end = inflater.message(payload, bytes_max, &mut out);
    (out, end)
}

/// One message whole, byte by byte, and at every split in two.
fn run(payload: &[u8], bytes_max: usize) -> Outcome {
    let outcome = whole(&mut Inflater::new(ALONE), payload, bytes_max);
    let mut one = Inflater::new(ALONE);
    assert_eq!(pieces(&mut one, payload.chunks(1), bytes_max), outcome, "byte by byte");
    for split in 0..=payload.len() {
        let (a, b) = payload.split_at(split);
        assert_eq!(pieces(&mut one, [a, b], bytes_max), outcome, "split at {split}");
        assert_eq!(pieces(&mut one, [a, b"", b], bytes_max), outcome, "an empty piece at {split}");
    }
    outcome
}

fn said(text: &[u8]) -> Outcome {
    (text.to_vec(), Ok(()))
}

/// `text` as another library compresses it, up to a sync flush and without the tail.
fn theirs(texts: &[&[u8]]) -> Vec<Vec<u8>> {
    use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
    use miniz_oxide::deflate::stream::deflate;
    let mut zlib = CompressorOxide::new(create_comp_flags_from_zip_params(9, -15, 0));
    let mut compress = |text: &&[u8]| {
        let mut out = vec![0; text.len() + text.len() / 10 + 100];
        let result = deflate(&mut zlib, text, &mut out, miniz_oxide::MZFlush::Sync);
        assert_eq!((result.bytes_consumed, result.status.is_ok()), (text.len(), true));
        out.truncate(result.bytes_written);
        assert!(out.ends_with(&TAIL));
        out.truncate(out.len() - TAIL.len());
        out
    };
    texts.iter().map(&mut compress).collect()
}

/// The examples of section 7.2.3.
#[test]
fn the_examples_of_the_rfc() {
    for (name, payload) in [
        ("one block", HELLO),
        ("no compression", b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),
        ("a final block", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
        ("two blocks", b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
    ] {
        assert_eq!(run(payload, LIMIT), said(b"Hello"), "{name}");
    }
    let mut inflater = Inflater::new(TAKEOVER);
    assert_eq!(whole(&mut inflater, HELLO, LIMIT), said(b"Hello"));
    for _ in 0..3 {
        assert_eq!(whole(&mut inflater, HELLO_AGAIN, LIMIT), said(b"Hello"));
        assert_eq!(pieces(&mut inflater, HELLO_AGAIN.chunks(1), LIMIT), said(b"Hello"));
    }
}

#[test]
fn an_empty_message_may_look_different() {
    for payload in [&b"\x00"[..], b"", b"\x01", b"\x02\x00", b"\x03\x00", b"\x01\x00\x00\xff\xff"] {
        assert_eq!(run(payload, LIMIT), said(b""), "{payload:?}");
        let mut inflater = Inflater::new(TAKEOVER);
        assert_eq!(whole(&mut inflater, payload, LIMIT), said(b""));
        assert_eq!(whole(&mut inflater, HELLO, LIMIT), said(b"Hello"));
    }
}

#[test]
fn a_final_block_ends_a_stream_and_not_a_message() {
    let last = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
    assert_eq!(run(last, LIMIT), said(b"Hello"), "with nothing behind it");
    assert_eq!(run(&last.repeat(3), LIMIT), said(b"HelloHelloHello"));
    assert_eq!(run(&[&last[..], HELLO].concat(), LIMIT), said(b"HelloHello"));
    let mut inflater = Inflater::new(TAKEOVER);
    assert_eq!(whole(&mut inflater, last, LIMIT), said(b"Hello"));
    assert_eq!(whole(&mut inflater, HELLO, LIMIT), said(b"Hello"));
    assert_eq!(whole(&mut inflater, HELLO_AGAIN, LIMIT), said(b"Hello"));
    assert_eq!(whole(&mut inflater, last, LIMIT), said(b"Hello"));
    let none = whole(&mut inflater, HELLO_AGAIN, LIMIT).1;
    assert_eq!(none, Err(WsError::Deflate), "the window went with the stream");
}

#[test]
fn nothing_of_one_connection_is_seen_by_the_next() {
    let mut inflater = Inflater::new(ALONE);
    assert_eq!(whole(&mut inflater, HELLO, LIMIT), said(b"Hello"));
    assert_eq!(whole(&mut inflater, HELLO_AGAIN, LIMIT).1, Err(WsError::Deflate));
    assert_eq!(whole(&mut inflater, HELLO, LIMIT), said(b"Hello"), "and an error is forgotten");
    assert_eq!(whole(&mut inflater, HELLO, 4).1, Err(WsError::MessageTooLong));
    assert_eq!(whole(&mut inflater, HELLO, LIMIT), said(b"Hello"));
}

#[test]
fn what_ends_within_a_block_is_no_message() {
    let text: String = (0..200).map(|n| format!("{{\"id\":{n},\"at\":{}}},", n * n)).collect();
    for payload in [HELLO.to_vec(), theirs(&[text.as_bytes()]).remove(0)] {
        for len in 1..payload.len() {
            let cut = whole(&mut Inflater::new(ALONE), &payload[..len], 10_000);
            assert_eq!(cut.1, Err(WsError::Deflate), "{len} of {}", payload.len());
        }
    }
}

#[test]
fn what_is_not_compressed_data() {
    for payload in [
        // A reserved kind of block; a length that is not what its complement says; garbage.
        &b"\x06"[..],
        b"\x07\x00",
        b"\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00",
        b"\xff\xff\xff\xff",
        b"Hello",
        // Behind a good one.
        b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x06",
    ] {
        assert_eq!(run(payload, LIMIT).1, Err(WsError::Deflate), "{payload:?}");
    }
}

/// A message that says 1,000 times as much as it has bytes.
#[test]
fn a_bomb_goes_off_within_its_limit() {
    const BYTES: usize = 4 << 20;
    let bomb = theirs(&[&vec![0; BYTES]]).remove(0);
    assert!(BYTES / bomb.len() > 950, "{} bytes", bomb.len());
    let mut inflater = Inflater::new(ALONE);
    for limit in [0, 1, STEP_BYTES_MIN, STEP_BYTES_MAX, 1 << 20, BYTES - 1] {
        let (out, end) = whole(&mut inflater, &bomb, limit);
        assert_eq!(end, Err(WsError::MessageTooLong), "{limit}");
        assert_eq!(inflater.zlib.total_out(), limit as u64 + 1, "no more was inflated");
        assert!(out.capacity() <= limit, "{} for {limit}", out.capacity());
        assert_eq!(out.len(), limit);
        assert_eq!(pieces(&mut inflater, bomb.chunks(1), limit).1, end);
    }
    for limit in [BYTES, BYTES + 1, usize::MAX] {
        let (out, end) = whole(&mut inflater, &bomb, limit);
        assert_eq!((out.len(), end), (BYTES, Ok(())), "{limit}");
        assert!(out.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn the_limit_is_exact() {
    for len in [0, 1, 5, 1023, 1024, 1025, 16_383, 16_384, 16_385, 20_000] {
        let text: Vec<u8> = (0..len).map(|n: usize| (n / 7 * n) as u8).collect();
        let payload = &theirs(&[&text])[0];
        let mut inflater = Inflater::new(ALONE);
        assert_eq!(whole(&mut inflater, payload, len), said(&text), "{len}");
        if len > 0 {
            assert_eq!(whole(&mut inflater, payload, len - 1).1, Err(WsError::MessageTooLong));
        }
    }
    let mut out = b"before".to_vec();
    assert_eq!(Inflater::new(ALONE).message(HELLO, 11, &mut out), Ok(()));
    assert_eq!(out, b"beforeHello", "what is there stays, and counts");
    let mut out = b"before".to_vec();
    assert_eq!(Inflater::new(ALONE).message(HELLO, 10, &mut out), Err(WsError::MessageTooLong));
}

/// How a caller checks a text as it comes.
#[test]
fn a_text_fails_at_its_first_impossible_byte() {
    let text = [&"Grüße ".repeat(100).into_bytes()[..], b"\xed\xa0\x80", &[b'x'; 5000]].concat();
    let payload = &theirs(&[&text])[0];
    let (mut inflater, mut out, mut valid) = (Inflater::new(TAKEOVER), Vec::new(), 0);
    let mut check = |byte: &u8| {
        inflater.piece(&[*byte], 10_000, &mut out).expect("it is compressed data");
        let checked = utf8::valid_up_to(&out[valid..]);
        valid += checked.unwrap_or(0);
        checked.is_err()
    };
    let fails_at = payload.iter().position(&mut check).expect("it is no text");
    assert!(fails_at < payload.len() - 5, "{fails_at} of {}", payload.len());
    assert!((800..=802).contains(&valid), "{valid}");
}

proptest! {
    #[test]
    fn what_another_library_compressed(
        texts in prop::collection::vec(prop::collection::vec(0u8..4, 0..2000), 1..5),
        cuts in prop::collection::vec(1usize..50, 1..20),
    ) {
        let payloads = theirs(&texts.iter().map(|it| &it[..]).collect::<Vec<_>>());
        let (mut one, mut other) = (Inflater::new(TAKEOVER), Inflater::new(TAKEOVER));
        for (text, mut payload) in texts.iter().zip(payloads.iter().map(|it| &it[..])) {
            prop_assert_eq!(whole(&mut one, payload, 2000), said(text));
            let mut cut = cuts.iter().cycle().map_while(|cut| {
                let (piece, behind) = payload.split_at((*cut).min(payload.len()));
                payload = behind;
                (!piece.is_empty()).then_some(piece)
            });
            prop_assert_eq!(pieces(&mut other, &mut cut, 2000), said(text));
        }
    }

    /// Whatever comes in: no panic, the limit holds, and the same however it comes.
    #[test]
    fn any_bytes_are_judged_alike_however_they_arrive(
        payload in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let (out, _) = run(&payload, 300);
        prop_assert!(out.len() <= 300);
    }

    /// Good data with one byte changed.
    #[test]
    fn damaged_data_are_judged_alike_however_they_arrive(
        text in prop::collection::vec(0u8..8, 1..200),
        at in any::<prop::sample::Index>(),
        by in 1u8..,
    ) {
        let mut payload = theirs(&[&text]).remove(0);
        let at = at.index(payload.len());
        payload[at] ^= by;
        let (out, _) = run(&payload, 300);
        prop_assert!(out.len() <= 300);
    }
}
