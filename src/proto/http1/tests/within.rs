//! Limits: at each of them a request passes, one past it is refused, and neither costs more than
//! its bytes.

use super::*;

const LIMITS: Limits =
    Limits { head_bytes_max: 64, headers_max: 3, body_bytes_max: 20, chunk_extra_bytes_max: 8 };

fn error(input: &str) -> Option<Error> {
    run_with_tail(&LIMITS, input.as_bytes()).error
}

/// A head of exactly so many bytes.
fn head_of(bytes: usize) -> String {
    let (begin, end) = ("GET / HTTP/1.1\r\nHost: a\r\nX:", "\r\n\r\n");
    format!("{begin}{}{end}", "x".repeat(bytes - begin.len() - end.len()))
}

#[test]
fn head_bytes() {
    assert_eq!(error(&head_of(64)), None);
    assert_eq!(error(&head_of(65)), Some(Error::HeadTooLarge));
    assert_eq!(error(&format!("\r\n{}", head_of(62))), None, "an empty line counts");
    assert_eq!(error(&format!("\r\n{}", head_of(63))), Some(Error::HeadTooLarge));
    assert_eq!(error(&head_of(65)[..63]), None, "one more byte could end it");
    assert_eq!(error(&head_of(65)[..64]), Some(Error::HeadTooLarge), "as soon as it is known");
    let bad_behind = format!("{}\n", &head_of(70)[..64]);
    assert_eq!(error(&bad_behind), Some(Error::HeadTooLarge), "nothing past the limit is read");
}

#[test]
fn each_head_on_a_connection_has_the_whole_limit() {
    assert_eq!(run_every_way(&LIMITS, head_of(64).repeat(3).as_bytes()).seen.len(), 3);
}

#[test]
fn the_request_line_alone() {
    let line = |bytes: usize| format!("GET /{}", "x".repeat(bytes - 5));
    assert_eq!(error(&line(63)), None);
    assert_eq!(error(&line(64)), Some(Error::TargetTooLong));
    let whole = format!("{} HTTP/1.1\r\n", line(53));
    assert_eq!((whole.len(), error(&whole)), (64, Some(Error::HeadTooLarge)), "the line is whole");
}

#[test]
fn header_lines() {
    let head =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x:\r\n".repeat(count));
    assert_eq!(error(&head(2)), None);
    assert_eq!(error(&head(3)), Some(Error::TooManyHeaders));
    let third = "GET / HTTP/1.1\r\nHost: a\r\nx:\r\nx:\r\n";
    assert_eq!(error(third), None, "the head may end here");
    assert_eq!(error(&format!("{third}x")), Some(Error::TooManyHeaders), "as soon as it is known");
}

#[test]
fn more_headers_than_there_is_room_for() {
    let most = Limits { headers_max: HEADERS_MAX + 1, ..Limits::default() };
    let head =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x:\r\n".repeat(count));
    assert_eq!(run_within(&most, [head(HEADERS_MAX - 1).as_bytes()]).error, None);
    let over = run_within(&most, [head(HEADERS_MAX).as_bytes()]);
    assert_eq!(over.error, Some(Error::TooManyHeaders));
}

fn with_length(bytes: usize) -> String {
    let body = "x".repeat(bytes);
    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n{body}")
}

fn with_chunks(chunks: &str) -> String {
    // Short, to fit into 64 bytes.
    format!("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:chunked\r\n\r\n{chunks}")
}

#[test]
fn body_bytes_by_length() {
    assert_eq!(error(&with_length(20)), None);
    assert_eq!(error(&with_length(21)), Some(Error::BodyTooLarge));
    let head = with_length(21).replace('x', "");
    assert_eq!(error(&head), Some(Error::BodyTooLarge), "before any of it arrives");
}

#[test]
fn body_bytes_in_chunks() {
    let twenty = with_chunks(&format!("14\r\n{}\r\n0\r\n\r\n", "x".repeat(20)));
    assert_eq!(error(&twenty), None);
    assert_eq!(error(&with_chunks("15")), Some(Error::BodyTooLarge), "by its size alone");
    let ten = format!("a\r\n{}\r\n", "x".repeat(10));
    assert_eq!(error(&with_chunks(&format!("{ten}{ten}0\r\n\r\n"))), None);
    let over = with_chunks(&format!("{ten}{ten}1"));
    assert_eq!(error(&over), Some(Error::BodyTooLarge), "all chunks together");
    let padded = with_chunks("0000000000000001\r\nx\r\n0\r\n\r\n");
    assert_eq!(error(&padded), None, "16 digits");
}

#[test]
fn extensions_and_trailers() {
    assert_eq!(error(&with_chunks("1;abcdefg\r\nx\r\n0\r\n\r\n")), None, "8 bytes");
    assert_eq!(error(&with_chunks("1;abcdefgh")), Some(Error::ChunkExtra));
    assert_eq!(error(&with_chunks("1;a\r\nx\r\n1;b\r\nx\r\n0;c\r\nd:\r\n\r\n")), None, "8 in all");
    assert_eq!(error(&with_chunks("1;a\r\nx\r\n1;b\r\nx\r\n0;c\r\nd: ")), Some(Error::ChunkExtra));
    assert_eq!(error(&with_chunks("0\r\nd:efghij\r\n\r\n")), None);
    assert_eq!(error(&with_chunks("0\r\nd:efghijk")), Some(Error::ChunkExtra));
}

#[test]
fn each_refusal_has_its_status() {
    let statuses = [
        (Error::TargetTooLong, 414),
        (Error::HeadTooLarge, 431),
        (Error::TooManyHeaders, 431),
        (Error::BodyTooLarge, 413),
        (Error::ChunkExtra, 413),
        (Error::Version, 505),
        (Error::Method, 501),
        (Error::TransferCoding, 501),
        (Error::Expectation, 417),
        (Error::LineEnding, 400),
        (Error::UpgradeWithBody, 400),
    ];
    for (error, code) in statuses {
        assert_eq!(error.status().code(), code, "{error:?}");
    }
}

/// The parser looks at a head that comes whole once. One that trickles in is looked at by it when
/// it begins and when it is whole, and by the scan in between: none keeps any to look at again.
#[test]
fn a_trickled_head_costs_linear_work() {
    let limits = Limits::default();
    for bytes in [1_000, 4_000, limits.head_bytes_max] {
        let head = head_of(bytes);
        for (size, taken) in [(1, 0), (7, 0), (bytes, bytes)] {
            let outcome = run_within(&limits, head.as_bytes().chunks(size));
            assert_eq!((outcome.error, outcome.seen.len()), (None, 1));
            let tried = if taken == 0 { size } else { 0 };
            assert_eq!((outcome.taken, outcome.scanned), (taken, bytes - taken), "by {size}");
            assert_eq!(outcome.parsed, bytes + tried, "by {size}");
        }
    }
}

/// 100 KB one byte at a time: refused at the limit, each byte scanned once and none parsed but the
/// first.
#[test]
fn a_huge_trickled_head_is_refused_at_the_limit() {
    let limits = Limits::default();
    let head = head_of(100_000);
    let mut driver = Driver::default();
    let mut given = 0;
    let error = head.as_bytes().chunks(1).find_map(|byte| {
        given += 1;
        driver.receive(byte, &limits).err()
    });
    assert_eq!((error, given), (Some(Error::HeadTooLarge), limits.head_bytes_max));
    assert_eq!((driver.outcome.scanned, driver.outcome.parsed), (given - 1, 1));
}

#[test]
fn a_connection_pays_little() {
    assert!(size_of::<HeadScan>() <= 12);
    assert!(size_of::<Body>() <= 24);
    assert!(size_of::<Exchange>() <= 3);
}
