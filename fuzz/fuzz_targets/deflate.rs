//! permessage-deflate: what is compressed comes back, and what is not is bounded.
//!
//! **What.** Messages survive a compressor and an inflater, with and without takeover, in every
//! window. Any other bytes inflate to no more than the limit, the same whole and in pieces, and
//! leave a shared inflater as good as new.
//!
//! **Why this way.** An inflater is fed by strangers; its memory must follow from our limit alone.
//!
//! **Costs.** A compressor an input.
//!
//! **Read next.** `src/proto/ws/deflate/mod.rs`.

#![no_main]

mod pieces;

use libfuzzer_sys::fuzz_target;
use oneloop::proto::ws::WsError;
use oneloop::proto::ws::deflate::{Compressor, Flow, Inflater, WindowBits};

/// Messages come back, one after the other.
fn round_trip<'a>(flow: Flow, messages: impl Iterator<Item = &'a [u8]>) {
    let (mut compressor, mut inflater) = (Compressor::new(flow), Inflater::new(flow));
    for message in messages {
        let (mut payload, mut back) = (Vec::new(), Vec::new());
        if compressor.message(message, &mut payload) {
            assert_eq!(inflater.message(&payload, message.len(), &mut back), Ok(()));
            assert_eq!(back, message);
        } else {
            assert!(payload.is_empty(), "what is sent as it is leaves nothing here");
        }
    }
}

/// What a payload says, given in pieces.
fn inflate<'a>(
    inflater: &mut Inflater,
    pieces: impl Iterator<Item = &'a [u8]>,
    bytes_max: usize,
) -> Result<Vec<u8>, WsError> {
    let mut out = Vec::new();
    for piece in pieces {
        let outcome = inflater.piece(piece, bytes_max, &mut out);
        assert!(out.len() <= bytes_max, "{} of {bytes_max} bytes", out.len());
        outcome?;
    }
    let outcome = inflater.end(bytes_max, &mut out);
    assert!(out.len() <= bytes_max, "{} of {bytes_max} bytes", out.len());
    outcome.map(|()| out)
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let Some(split) = pieces::split(data) else { return };
    let Some(window_bits) = WindowBits::new(8 + (choice & 7)) else { return };
    let flow = Flow { takeover: choice & 8 != 0, window_bits };
    if choice & 16 == 0 {
        // Long enough to be worth it, and alike enough that the window is used.
        let long = split.input.repeat(300usize.div_ceil(split.input.len().max(1)));
        round_trip(flow, [&long[..]].into_iter().chain(split.pieces()).chain([split.input]));
        return;
    }
    let bytes_max = 1 << (choice >> 5 << 1);
    let (mut one, mut other) = (Inflater::new(flow), Inflater::new(flow));
    let whole = inflate(&mut one, std::iter::once(split.input), bytes_max);
    let pieces = inflate(&mut other, split.pieces(), bytes_max);
    assert_eq!(pieces, whole, "in pieces, and whole");
    if whole.is_err() && !flow.takeover {
        let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
        assert_eq!(inflate(&mut one, std::iter::once(&hello[..]), 5), Ok(b"Hello".to_vec()));
    }
});
