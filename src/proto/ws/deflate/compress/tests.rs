use super::*;
use crate::proto::ws::deflate::{Inflater, WindowBits};
use proptest::prelude::*;

/// All that can be agreed on for one direction.
fn flows() -> impl Iterator<Item = Flow> {
    let sizes = (8..=15).filter_map(WindowBits::new);
    let both = |window_bits| [false, true].map(|takeover| Flow { takeover, window_bits });
    sizes.flat_map(both)
}

fn flow(takeover: bool, bits: u8) -> Flow {
    Flow { takeover, window_bits: WindowBits::new(bits).expect("8 to 15") }
}

fn compressed(compressor: &mut Compressor, payload: &[u8]) -> Option<Vec<u8>> {
    let mut out = b"before".to_vec();
    let is_kept = compressor.message(payload, &mut out);
    assert_eq!(&out[..6], b"before", "what is there stays");
    assert!(is_kept || out.len() == 6, "and nothing is added to it");
    is_kept.then(|| out.split_off(6))
}

/// What another library makes of all messages of a stream.
fn theirs(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut stream: Vec<u8> = payloads.iter().flat_map(|it| [&it[..], &TAIL].concat()).collect();
    // An empty block that is the final one.
    stream.extend_from_slice(&[0x03, 0x00]);
    miniz_oxide::inflate::decompress_to_vec(&stream).expect("it is compressed data")
}

/// Bytes of which none can be foretold.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut byte = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len).map(|_| byte()).collect()
}

fn messages() -> Vec<Vec<u8>> {
    let text: String = (0..9000).map(|n| format!("{{\"id\":{n},\"at\":{}}},", n * n)).collect();
    let mut messages =
        vec![b"Hello".to_vec(), b"Hello".to_vec(), vec![], vec![], b"Hello".to_vec()];
    messages
        .extend([1, 31, 258, 1000, 40_000, text.len()].map(|len| text.as_bytes()[..len].to_vec()));
    messages.extend([10, 1000, 70_000].map(|len| noise(len, len as u64)));
    messages.push(vec![0; 100_000]);
    messages.push(vec![]);
    messages
}

#[test]
fn round_trips_over_all_that_can_be_agreed_on() {
    for flow in flows() {
        let (mut compressor, mut inflater) = (Compressor::new(flow), Inflater::new(flow));
        let (mut sent, mut expected) = (Vec::new(), Vec::new());
        for message in messages() {
            let Some(payload) = compressed(&mut compressor, &message) else {
                assert!(!flow.takeover, "later messages may refer to it");
                continue;
            };
            let mut out = Vec::new();
            assert_eq!(inflater.message(&payload, message.len(), &mut out), Ok(()));
            assert_eq!(out, message, "{flow:?}");
            expected.extend_from_slice(&message);
            sent.push(payload);
        }
        assert_eq!(theirs(&sent), expected, "{flow:?}");
    }
}

#[test]
fn round_trips_at_every_split() {
    let long = messages().swap_remove(8);
    let texts: [&[u8]; 4] = [&long[..], b"Hello, Hello, Hello, Hello, Hello", b"", &[7; 300]];
    for flow in flows() {
        let mut compressor = Compressor::new(flow);
        let mut before: Vec<Vec<u8>> = Vec::new();
        for text in texts {
            let Some(payload) = compressed(&mut compressor, text) else { continue };
            for split in 0..=payload.len() {
                let (mut inflater, mut out) = (Inflater::new(flow), Vec::new());
                for payload in &before {
                    assert_eq!(inflater.message(payload, 9000, &mut out), Ok(()));
                }
                out.clear();
                let (a, b) = payload.split_at(split);
                assert_eq!(inflater.piece(a, 9000, &mut out), Ok(()));
                assert_eq!(inflater.piece(b, 9000, &mut out), Ok(()));
                assert_eq!(inflater.end(9000, &mut out), Ok(()));
                assert_eq!(out, text, "{flow:?}, split at {split}");
            }
            before.push(payload);
        }
        assert!(before.len() > 1, "{flow:?}");
    }
}

#[test]
fn messages_as_the_rfc_has_them() {
    let mut compressor = Compressor::new(flow(true, 15));
    let hello = compressed(&mut compressor, b"Hello");
    assert_eq!(hello.as_deref(), Some(&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..]));
    // The example refers to four of the five bytes. zlib refers to all.
    assert_eq!(compressed(&mut compressor, b"Hello").as_deref(), Some(&b"\x02\x13\x00\x00"[..]));
    for _ in 0..3 {
        assert_eq!(compressed(&mut compressor, b""), Some(vec![EMPTY]));
    }
    assert_eq!(compressed(&mut Compressor::new(flow(true, 9)), b""), Some(vec![EMPTY]));
}

#[test]
fn what_gains_nothing_is_sent_as_it_is() {
    let text = [b'a'; 256];
    let mut alone = Compressor::new(flow(false, 15));
    assert_eq!(compressed(&mut alone, &noise(1000, 1)), None, "it would grow");
    assert!(compressed(&mut alone, &text).is_some(), "and the next is as good as ever");
    let grown = compressed(&mut Compressor::new(flow(true, 15)), &noise(1000, 1));
    assert!(grown.is_some_and(|it| it.len() > 1000), "a later one may refer to it");
}

#[test]
fn without_takeover_each_message_is_like_the_first() {
    let mut compressor = Compressor::new(flow(false, 15));
    let text = b"Hello, Hello, World, Hello, World";
    let first = compressed(&mut compressor, text);
    compressed(&mut compressor, &noise(500, 7));
    assert_eq!(compressed(&mut compressor, text), first);
    assert!(first.is_some());
}

/// A piece of noise is smaller the second time if the first is within the window, and only then.
#[test]
fn no_message_refers_back_further_than_was_agreed() {
    for flow in flows() {
        let window = 1 << flow.window_bits.get();
        let far = noise(window + 1, 3);
        let mut compressor = Compressor::new(flow);
        let len = compressed(&mut compressor, &far.repeat(3)).map_or(usize::MAX, |it| it.len());
        assert!(len > 3 * far.len(), "{flow:?}: {len}");
        let near = noise(window.max(512) - 300, 3);
        let len = compressed(&mut compressor, &near.repeat(3)).map_or(usize::MAX, |it| it.len());
        assert!(len < 2 * near.len(), "{flow:?}: {len}");
    }
}

proptest! {
    #[test]
    fn round_trips(
        texts in prop::collection::vec(prop::collection::vec(0u8..5, 0..3000), 1..6),
        takeover in any::<bool>(),
        bits in 8u8..=15,
    ) {
        let flow = flow(takeover, bits);
        let (mut compressor, mut inflater) = (Compressor::new(flow), Inflater::new(flow));
        for text in &texts {
            let Some(payload) = compressed(&mut compressor, text) else { continue };
            let mut out = Vec::new();
            prop_assert_eq!(inflater.message(&payload, text.len(), &mut out), Ok(()));
            prop_assert_eq!(&out, text);
        }
    }

    /// The output has to be made larger at every possible place.
    #[test]
    fn noise_round_trips(len in 0usize..3000, seed in any::<u64>(), bits in 8u8..=15) {
        let (flow, text) = (flow(true, bits), noise(len, seed));
        let payload = compressed(&mut Compressor::new(flow), &text).expect("with takeover, always");
        let mut out = Vec::new();
        prop_assert_eq!(Inflater::new(flow).message(&payload, len, &mut out), Ok(()));
        prop_assert_eq!(out, text);
    }
}
