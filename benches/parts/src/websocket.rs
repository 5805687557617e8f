//! Frames: opened, unmasked, validated, gathered and written (RFC 6455).

use crate::{buffer, payload, text};
use gungraun::{library_benchmark, library_benchmark_group};
use oneloop::buf::Pool;
use oneloop::proto::ws::encode::{self, First};
use oneloop::proto::ws::frame::OpCode;
use oneloop::proto::ws::handshake::Accept;
use oneloop::proto::ws::{
    Assembly, Decoder, Event, Kind, Limits, Mask, Role, Whole, open_long, open_short,
};
use std::hint::black_box;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const LONGEST: usize = 1 << 20;

/// A message as a client sends it.
fn frame(bytes: usize) -> Vec<u8> {
    let mut frame = buffer(b"");
    encode::message(Kind::Binary, &payload(bytes), Some(KEY), &mut frame);
    frame
}

/// A text as a client sends it in so many fragments.
fn fragments(bytes: usize, count: usize) -> Vec<u8> {
    let mut frames = buffer(b"");
    for (index, fragment) in text(false, bytes).chunks(bytes / count).enumerate() {
        let opcode = if index == 0 { OpCode::Text } else { OpCode::Continuation };
        let first = First { fin: index + 1 == count, rsv1: false, opcode };
        encode::frame(first, fragment, Some(KEY), &mut frames);
    }
    frames
}

/// The receiving half of a server's connection, and what it is to read.
struct Incoming {
    bytes: Vec<u8>,
    read_bytes: usize,
    decoder: Decoder,
    assembly: Assembly,
    pool: Pool,
}

impl Incoming {
    /// One message in so many reads. The memory for what is half there has been used before.
    fn new(bytes: Vec<u8>, reads: usize) -> Box<Incoming> {
        let mut incoming = Box::new(Incoming {
            read_bytes: bytes.len().div_ceil(reads),
            bytes: buffer(&bytes),
            decoder: Decoder::new(Role::Server),
            assembly: Assembly::new(Limits::default()),
            pool: Pool::new(2 * LONGEST as u64),
        });
        incoming.hear();
        incoming.bytes = bytes;
        incoming
    }

    fn hear(&mut self) {
        let mut messages = 0;
        for mut read in self.bytes.chunks_mut(self.read_bytes) {
            let Incoming { decoder, assembly, pool, .. } = self;
            while let Some(event) = decoder.next(&mut read, assembly, pool).expect("it is valid") {
                messages += usize::from(matches!(black_box(event), Event::Message(..)));
            }
        }
        assert_eq!(messages, 1);
    }
}

#[library_benchmark]
#[bench::whole_64(Incoming::new(frame(64), 1))]
#[bench::whole_1k(Incoming::new(frame(1 << 10), 1))]
#[bench::whole_64k(Incoming::new(frame(1 << 16), 1))]
#[bench::cut_64(Incoming::new(frame(64), 4))]
#[bench::cut_1k(Incoming::new(frame(1 << 10), 4))]
#[bench::cut_64k(Incoming::new(frame(1 << 16), 4))]
#[bench::bytewise_64(Incoming::new(frame(64), 70))]
#[bench::fragments_1k(Incoming::new(fragments(1 << 10, 16), 1))]
fn decode(mut incoming: Box<Incoming>) -> Box<Incoming> {
    incoming.hear();
    incoming
}

// As an echo does: sixteen in one read, moved up while they are unmasked.
#[library_benchmark]
#[bench::x16_64(buffer(&frame(64).repeat(16)))]
fn open_and_pack(mut input: Vec<u8>) -> Vec<u8> {
    let (mut at, mut packed) = (0, 0);
    while let Some(whole) = open_short(&mut input, at, packed, LONGEST) {
        (at, packed) = (whole.end, whole.payload.end);
    }
    assert_eq!(at, input.len());
    input
}

#[library_benchmark]
#[bench::x16_1k(buffer(&frame(1 << 10).repeat(16)))]
fn open_long_and_pack(mut input: Vec<u8>) -> Vec<u8> {
    let (mut at, mut packed) = (0, 0);
    while let Some(whole) = open_long(&mut input, at, packed, LONGEST) {
        (at, packed) = (whole.end, whole.payload.end);
    }
    assert_eq!(at, input.len());
    input
}

#[library_benchmark]
#[bench::whole_1k(frame(1 << 10))]
#[bench::whole_64k(frame(1 << 16))]
fn open(mut input: Vec<u8>) -> Vec<u8> {
    let whole = open_long(&mut input, 0, 0, LONGEST).expect("it is whole");
    black_box(whole);
    input
}

#[library_benchmark]
#[bench::odd_61(payload(61))]
#[bench::even_64(payload(64))]
#[bench::even_1k(payload(1 << 10))]
#[bench::even_64k(payload(1 << 16))]
fn mask(mut bytes: Vec<u8>) -> Vec<u8> {
    black_box(Mask::new(KEY)).apply(&mut bytes);
    bytes
}

#[library_benchmark]
#[bench::ascii_64(text(true, 64))]
#[bench::ascii_1k(text(true, 1 << 10))]
#[bench::mixed_64(text(false, 64))]
#[bench::mixed_1k(text(false, 1 << 10))]
#[bench::mixed_64k(text(false, 1 << 16))]
fn utf8(text: Vec<u8>) -> Vec<u8> {
    let whole = Whole { kind: Kind::Text, payload: 0..text.len(), end: text.len() };
    assert!(black_box(whole).is_valid(&text));
    text
}

/// A payload, and room for its frame.
fn outgoing(bytes: usize) -> (Vec<u8>, Vec<u8>) {
    (payload(bytes), buffer(b""))
}

#[library_benchmark(setup = outgoing)]
#[bench::plain_64(64)]
#[bench::plain_1k(1 << 10)]
#[bench::plain_64k(1 << 16)]
fn encode_server((payload, mut out): (Vec<u8>, Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    encode::message(Kind::Binary, &payload, None, &mut out);
    (payload, out)
}

#[library_benchmark(setup = outgoing)]
#[bench::masked_64(64)]
#[bench::masked_1k(1 << 10)]
#[bench::masked_64k(1 << 16)]
fn encode_client((payload, mut out): (Vec<u8>, Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    encode::message(Kind::Binary, &payload, black_box(Some(KEY)), &mut out);
    (payload, out)
}

// What a key is answered with: SHA-1 and base64.
#[library_benchmark]
#[bench::of_a_key(b"dGhlIHNhbXBsZSBub25jZQ==")]
fn accept(key: &[u8]) -> Accept {
    Accept::of(black_box(key))
}

library_benchmark_group!(
    name = ws,
    benchmarks = [
        decode,
        open_and_pack,
        open_long_and_pack,
        open,
        mask,
        utf8,
        encode_server,
        encode_client,
        accept
    ]
);
