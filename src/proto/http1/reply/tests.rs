use super::*;
use std::fmt::Write;

/// Status, body and whether the connection goes on, of each response; what became of the last.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    replies: Vec<(u16, String, bool)>,
    whole: usize,
    error: Option<ReplyError>,
    /// Bytes behind a 101.
    left: usize,
}

fn limits() -> Limits {
    Limits { head_bytes_max: 200, headers_max: 4, body_bytes_max: 40, chunk_extra_bytes_max: 20 }
}

/// Feeds `input` in pieces of `sizes`, and then ends the connection.
fn read(input: &[u8], sizes: &[usize], to_head: bool) -> Seen {
    let (mut reader, mut pool) = (ReplyReader::default(), Pool::new(1 << 20));
    let mut seen = Seen { replies: vec![], whole: 0, error: None, left: 0 };
    let mut given = 0;
    for size in sizes.iter().chain([&usize::MAX]) {
        let mut rest = &input[given..];
        rest = &rest[..rest.len().min(*size)];
        given += rest.len();
        if let Err(error) = take(&mut reader, &mut rest, to_head, &mut pool, &mut seen) {
            seen.error = Some(error);
            break;
        }
        if seen.replies.last().is_some_and(|(status, ..)| *status == 101) {
            seen.left = input.len() - given + rest.len();
            break;
        }
        assert!(rest.is_empty());
    }
    if seen.error.is_none() {
        match reader.end() {
            Ok(whole) => seen.whole += usize::from(whole),
            Err(error) => seen.error = Some(error),
        }
    }
    reader.clear(&mut pool);
    assert_eq!(pool.blocks_out(), 0);
    seen
}

fn take(
    reader: &mut ReplyReader,
    rest: &mut &[u8],
    to_head: bool,
    pool: &mut Pool,
    seen: &mut Seen,
) -> Result<(), ReplyError> {
    loop {
        match reader.next(rest, to_head, &limits(), pool, &mut Slots::new())? {
            ReplyPart::More => return Ok(()),
            ReplyPart::Head(reply) => {
                seen.replies.push((reply.status, reply.reason.to_owned(), reply.keep_alive));
                seen.replies.last_mut().expect("pushed").1.push(':');
                if reply.status == 101 {
                    return Ok(());
                }
            }
            ReplyPart::Data(data) => {
                assert!(!data.is_empty());
                let text = str::from_utf8(data).expect("ASCII in these tests");
                seen.replies.last_mut().expect("a head first").1.push_str(text);
            }
            ReplyPart::End => seen.whole += 1,
        }
    }
}

/// The same whole, at every split and byte by byte.
fn read_anyhow(input: &str) -> Seen {
    let whole = read(input.as_bytes(), &[], false);
    for at in 1..input.len() {
        assert_eq!(read(input.as_bytes(), &[at], false), whole, "{input:?} split at {at}");
    }
    assert_eq!(read(input.as_bytes(), &vec![1; input.len()], false), whole, "{input:?} in crumbs");
    whole
}

const NEXT: &str = "HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\n\r\nT!";

#[test]
fn replies_are_framed_alike_however_they_arrive() {
    let cases = [
        ("200 OK\r\nContent-Length: 3\r\n\r\nabc", (200, "OK:abc", true)),
        ("200 OK\r\nContent-Length: 0\r\n\r\n", (200, "OK:", true)),
        ("200\r\nContent-Length: 1\r\n\r\nx", (200, ":x", true)),
        (
            "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x\r\nbc\r\n0\r\nT: 1\r\n\r\n",
            (200, "OK:abc", true),
        ),
        ("204 None\r\n\r\n", (204, "None:", true)),
        ("204 None\r\nContent-Length: 0\r\n\r\n", (204, "None:", true)),
        ("304 Same\r\nContent-Length: 7\r\n\r\n", (304, "Same:", true)),
        ("200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", (200, "OK:x", false)),
        ("200 OK\r\nHost: //\r\nExpect: much\r\nContent-Length: 1\r\n\r\nx", (200, "OK:x", true)),
    ];
    for (text, (status, said, keep_alive)) in cases {
        let expected = (status, said.to_owned(), keep_alive);
        let alone = read_anyhow(&format!("HTTP/1.1 {text}"));
        assert_eq!((alone.error, alone.whole), (None, 1), "{text}");
        assert_eq!(alone.replies, std::slice::from_ref(&expected), "{text}");
        let with_tail = read_anyhow(&format!("HTTP/1.1 {text}{NEXT}"));
        assert_eq!((with_tail.error, with_tail.whole), (None, 2), "{text}");
        assert_eq!(with_tail.replies, [expected, (418, "Teapot:T!".to_owned(), true)], "{text}");
    }
}

#[test]
fn what_has_no_length_ends_with_its_connection() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"] {
        for body in ["", "abc", "HTTP/1.1 200 OK\r\n\r\n", &"x".repeat(40)] {
            let seen = read_anyhow(&format!("{head}{body}"));
            assert_eq!((seen.error, seen.whole), (None, 1));
            assert_eq!(seen.replies, [(200, format!("OK:{body}"), false)]);
        }
        let seen = read_anyhow(&format!("{head}{}", "x".repeat(41)));
        assert_eq!(seen.error, Some(ReplyError::BodyTooLarge));
    }
}

#[test]
fn http_1_0_goes_on_only_if_it_says_so() {
    let seen = read_anyhow("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx");
    assert!(!seen.replies[0].2);
    let seen =
        read_anyhow("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx");
    assert!(seen.replies[0].2);
}

#[test]
fn an_answer_to_head_has_no_body() {
    let input = format!("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{NEXT}");
    let seen = read(&input.as_bytes()[..input.len() - 2], &[], true);
    assert_eq!((seen.error, seen.whole, seen.replies.len()), (None, 2, 2));
}

#[test]
fn interim_responses_precede_the_answer_and_are_none() {
    let seen =
        read_anyhow(&format!("HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n{NEXT}"));
    let statuses: Vec<u16> = seen.replies.iter().map(|(status, ..)| *status).collect();
    assert_eq!((statuses, seen.whole, seen.error), (vec![100, 103, 418], 1, None));
    let alone = read_anyhow("HTTP/1.1 100 Go\r\n\r\n");
    assert_eq!(alone.error, Some(ReplyError::Truncated));
    let many = read_anyhow(&"HTTP/1.1 100 Go\r\n\r\n".repeat(17));
    assert_eq!((many.replies.len(), many.error), (16, Some(ReplyError::TooManyInterim)));
}

#[test]
fn behind_101_is_another_protocol() {
    let seen = read_anyhow("HTTP/1.1 101 Up\r\nUpgrade: websocket\r\n\r\n\u{1}frame");
    assert_eq!((seen.replies[0].0, seen.left, seen.error), (101, 6, None));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    use ReplyError::*;
    let mut many = String::from("HTTP/1.1 200 OK\r\n");
    (0..5).for_each(|n| write!(many, "A{n}: b\r\n").expect("a String"));
    let cases = [
        ("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", LineEnding),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n", LineEnding),
        ("\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", LineEnding),
        ("\u{16}\u{3}\u{1}", NotHttp),
        ("SSH-2.0-x\r\n\r\n", Version),
        ("HTTP/1.1 20 OK\r\n\r\n", StatusLine),
        ("HTTP/1.1 2000 OK\r\n\r\n", StatusLine),
        ("HTTP/1.1 099 OK\r\n\r\n", StatusLine),
        ("HTTP/2.0 200 OK\r\n\r\n", Version),
        ("HTTP/1.1 200 OK\r\nA b\r\n\r\n", Header),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Header),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Header),
        (&many, TooManyHeaders),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", ContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx", ContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", ContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", Framing),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Framing),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", TransferCoding),
        ("HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\nx", Framing),
        ("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Framing),
        ("HTTP/1.1 100 Go\r\nContent-Length: 1\r\n\r\nx", Framing),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx", Chunk),
        ("HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n", BodyTooLarge),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n29\r\n", BodyTooLarge),
    ];
    for (input, error) in cases {
        assert_eq!(read_anyhow(input).error, Some(error), "{input:?}");
    }
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(200));
    assert_eq!(read_anyhow(&long).error, Some(HeadTooLarge));
}

#[test]
fn an_end_in_the_middle_is_told_from_an_end_between() {
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(read(b"", &[], false).error, None);
    for length in 1..whole.len() {
        let seen = read(&whole.as_bytes()[..length], &[], false);
        assert_eq!((seen.error, seen.whole), (Some(ReplyError::Truncated), 0), "{length}");
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for length in 1..chunked.len() {
        let seen = read(&chunked.as_bytes()[..length], &[], false);
        assert_eq!((seen.error, seen.whole), (Some(ReplyError::Truncated), 0), "{length}");
    }
}

#[test]
fn without_blocks_no_head_is_carried() {
    let (mut reader, mut pool) = (ReplyReader::default(), Pool::new(1));
    let block = pool.take().expect("the only one");
    let mut rest = &b"HTTP/1.1 2"[..];
    let mut slots = Slots::new();
    let got = reader.next(&mut rest, false, &limits(), &mut pool, &mut slots);
    assert_eq!(got.err(), Some(ReplyError::Exhausted));
    pool.give(block);
}
