//! Messages compressed and inflated (RFC 7692), by what many before them went through.

use crate::buffer;
use gungraun::{LibraryBenchmarkConfig, library_benchmark, library_benchmark_group};
use oneloop::proto::ws::Role;
use oneloop::proto::ws::deflate::{Compressor, Flow, Inflater, Params};

const LONGEST: usize = 1 << 20;

/// What services send: one like the other, and yet not the same.
fn json(bytes: usize) -> Vec<u8> {
    let row = |id: usize| format!("{{\"id\":{id},\"name\":\"user {}\",\"ok\":true}},", id * 7919);
    let rows: Vec<u8> = (0..bytes).flat_map(|id| row(id).into_bytes()).take(bytes).collect();
    buffer(&rows)
}

fn flow(takeover: bool) -> Flow {
    Flow { takeover, ..Params::default().flow(Role::Server) }
}

struct Deflating {
    compressor: Compressor,
    message: Vec<u8>,
    out: Vec<u8>,
}

fn to_compress(takeover: bool) -> Box<Deflating> {
    let (mut compressor, message) = (Compressor::new(flow(takeover)), json(1 << 10));
    let mut out = buffer(b"");
    assert!(compressor.message(&message, &mut out) && out.len() < message.len() / 2);
    out.clear();
    Box::new(Deflating { compressor, message, out })
}

#[library_benchmark(setup = to_compress)]
#[bench::alone_1k(false)]
#[bench::takeover_1k(true)]
fn compress(mut deflating: Box<Deflating>) -> Box<Deflating> {
    let Deflating { compressor, message, out } = &mut *deflating;
    assert!(compressor.message(message, out));
    deflating
}

struct Inflating {
    inflater: Inflater,
    message: Vec<u8>,
    out: Vec<u8>,
}

fn to_inflate(takeover: bool) -> Box<Inflating> {
    let Deflating { mut compressor, message, mut out } = *to_compress(takeover);
    // The first refers to nothing; with takeover the second is little more than "as before".
    let mut inflater = Inflater::new(flow(takeover));
    let mut first = buffer(b"");
    Compressor::new(flow(takeover)).message(&message, &mut first);
    let mut inflated = buffer(b"");
    inflater.message(&first, LONGEST, &mut inflated).expect("it was compressed");
    inflated.clear();
    compressor.message(&message, &mut out);
    Box::new(Inflating { inflater, message: out, out: inflated })
}

#[library_benchmark(setup = to_inflate)]
#[bench::alone_1k(false)]
#[bench::takeover_1k(true)]
fn inflate(mut inflating: Box<Inflating>) -> Box<Inflating> {
    let Inflating { inflater, message, out } = &mut *inflating;
    inflater.message(message, LONGEST, out).expect("it was compressed");
    assert_eq!(out.len(), 1 << 10);
    inflating
}

/// libc is told to zero and copy by vectors. Its `rep stosb`, which is one instruction, callgrind
/// counts once for each byte: for zlib's table 131,000 times, and all else would be lost beside it.
fn config() -> LibraryBenchmarkConfig {
    let thresholds = ["stosb", "movsb"]
        .map(|rep| format!("glibc.cpu.x86_rep_{rep}_threshold={}", usize::MAX))
        .join(":");
    let mut config = LibraryBenchmarkConfig::default();
    config.env("GLIBC_TUNABLES", thresholds);
    config
}

library_benchmark_group!(
    name = permessage_deflate,
    config = config(),
    benchmarks = [compress, inflate]
);
