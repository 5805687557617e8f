//! Heads, bodies and answers (RFC 9112).

use crate::{buffer, payload};
use gungraun::{library_benchmark, library_benchmark_group};
use oneloop::proto::http1::{
    Body, Date, Exchange, Extent, HeadScan, Limits, Part, Request, Slots, Status, encode,
    encode_chunk, encode_last_chunk,
};
use std::hint::black_box;

pub(crate) const PLAIN: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";

/// Fifteen fields, as a browser sends them.
pub(crate) const BROWSER: &[u8] = b"GET /feed?since=1732300000&limit=50 HTTP/1.1\r\n\
    Host: news.example:8080\r\n\
    Connection: keep-alive\r\n\
    Cache-Control: max-age=0\r\n\
    sec-ch-ua: \"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Dest: document\r\n\
    Referer: http://news.example:8080/\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\r\n";

/// The request of RFC 6455 1.3, as browsers send it.
pub(crate) const UPGRADE: &[u8] = b"GET /echo HTTP/1.1\r\n\
    Host: news.example:8080\r\n\
    Connection: Upgrade\r\n\
    Upgrade: websocket\r\n\
    Origin: http://news.example:8080\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[library_benchmark]
#[bench::plain(buffer(PLAIN))]
#[bench::browser(buffer(BROWSER))]
#[bench::upgrade(buffer(UPGRADE))]
fn head(bytes: Vec<u8>) -> Vec<u8> {
    let mut slots = Slots::new();
    let parsed = Request::parse(black_box(&bytes), &Limits::default(), &mut slots);
    let (request, length) = parsed.expect("it is a request");
    assert_eq!(black_box((request, length)).1, bytes.len());
    bytes
}

// What a head costs that comes in pieces, beside being parsed once.
#[library_benchmark]
#[bench::pieces_of_64(buffer(BROWSER), 64)]
#[bench::bytewise(buffer(BROWSER), 1)]
fn scan(bytes: Vec<u8>, read_bytes: usize) -> Vec<u8> {
    let (mut scan, limits) = (HeadScan::default(), Limits::default());
    let mut end = None;
    for read in bytes.chunks(read_bytes) {
        end = scan.feed(black_box(read), &limits).expect("it is a head");
    }
    assert!(end.is_some());
    bytes
}

/// A body in so many chunks of so many bytes.
fn chunked(count: usize, bytes: usize) -> Vec<u8> {
    let mut body = buffer(b"");
    for _ in 0..count {
        encode_chunk(&payload(bytes), &mut body);
    }
    encode_last_chunk(&mut body);
    body
}

#[library_benchmark]
#[bench::chunks_16_of_64(chunked(16, 64))]
#[bench::chunk_of_64k(chunked(1, 1 << 16))]
fn body(bytes: Vec<u8>) -> Vec<u8> {
    let limits = Limits::default();
    let mut body = Body::new(black_box(Extent::Chunked), &limits).expect("any chunks will do");
    let mut rest = &bytes[..];
    while let Part::Data(data) = body.decode(&mut rest).expect("it is a body") {
        black_box(data);
    }
    assert!(rest.is_empty());
    bytes
}

/// The date is that of RFC 9110 5.6.7.
fn reply() -> (Date, Vec<u8>) {
    (Date::at(784_111_777), buffer(b""))
}

#[library_benchmark(setup = reply)]
#[bench::short_text()]
fn answer((date, mut out): (Date, Vec<u8>)) -> (Date, Vec<u8>) {
    let lines = ["Content-Type: text/plain\r\n"];
    encode(Status::Ok, &lines, &[b"ok\n"], black_box(Exchange::PLAIN), &date, &mut out);
    (date, out)
}

library_benchmark_group!(name = http1, benchmarks = [head, scan, body, answer]);
