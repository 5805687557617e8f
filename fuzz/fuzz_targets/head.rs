//! Requests: heads and their bodies, whole and in pieces.
//!
//! **What.** Nothing panics; the verdict and what was read do not depend on the split; a head that
//! is taken has none of the shapes by which requests are smuggled, looked for here in another way.
//!
//! **Why this way.** The scanner remembers where it is between two reads, and the parser sees only
//! whole heads: where the two disagree, or a split changes the verdict, is a hole.
//!
//! **Costs.** Two passes over the input.
//!
//! **Read next.** `src/proto/http1/mod.rs`.

#![no_main]

mod pieces;

use libfuzzer_sys::fuzz_target;
use oneloop::proto::http1::{Body, Error, Extent, HeadScan, Limits, Part, Request, Slots, Version};

/// Small, so that the limits are found too.
const LIMITS: Limits =
    Limits { head_bytes_max: 512, headers_max: 8, body_bytes_max: 64, chunk_extra_bytes_max: 16 };

/// What came of an input.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// Each head that was taken, and its body as far as it came.
    requests: Vec<(String, Vec<u8>)>,
    error: Option<Error>,
    /// Whether an empty head, or a part of one, is what is left.
    is_at_start: bool,
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Seen {
    let (mut seen, mut scan, mut head) = (Seen::default(), HeadScan::default(), Vec::new());
    let mut body: Option<Body> = None;
    for mut rest in pieces {
        if let Err(error) = take(&mut rest, &mut seen, &mut scan, &mut head, &mut body) {
            seen.error = Some(error);
            return seen;
        }
    }
    seen.is_at_start = scan.is_at_start();
    seen
}

fn take(
    rest: &mut &[u8],
    seen: &mut Seen,
    scan: &mut HeadScan,
    head: &mut Vec<u8>,
    body: &mut Option<Body>,
) -> Result<(), Error> {
    while !rest.is_empty() {
        if let (Some(decoder), Some((_, bytes))) = (body.as_mut(), seen.requests.last_mut()) {
            match decoder.decode(rest)? {
                Part::Data(data) => bytes.extend_from_slice(data),
                Part::More => assert!(rest.is_empty(), "there is more"),
                Part::End => *body = None,
            }
            continue;
        }
        let mut slots = Slots::new();
        if scan.is_at_start()
            && let Ok((request, end)) = Request::parse(rest, &LIMITS, &mut slots)
        {
            let found = scan.feed(rest, &LIMITS);
            assert_eq!(found, Ok(Some(end)), "the scan and the parser agree on the end");
            begin(&rest[..end], &request, seen, body)?;
            *rest = &rest[end..];
            continue;
        }
        let Some(end) = scan.feed(rest, &LIMITS)? else {
            head.extend_from_slice(rest);
            return Ok(());
        };
        head.extend_from_slice(&rest[..end]);
        *rest = &rest[end..];
        let head = std::mem::take(head);
        let mut slots = Slots::new();
        let (request, length) = Request::parse(&head, &LIMITS, &mut slots)?;
        assert_eq!(length, head.len(), "the scan and the parser agree on the end");
        begin(&head, &request, seen, body)?;
    }
    Ok(())
}

fn begin(
    head: &[u8],
    request: &Request<'_>,
    seen: &mut Seen,
    body: &mut Option<Body>,
) -> Result<(), Error> {
    check(head, request);
    *body = Some(Body::new(request.extent, &LIMITS)?);
    seen.requests.push((format!("{request:?}"), Vec::new()));
    Ok(())
}

/// What must not be in a head that was taken, by looking at its bytes.
fn check(head: &[u8], request: &Request<'_>) {
    assert!(head.len() <= LIMITS.head_bytes_max);
    for pair in head.windows(2) {
        assert_eq!(pair[0] == b'\r', pair[1] == b'\n', "only CRLF ends a line");
    }
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let lines = || text.trim_start_matches("\r\n").split("\r\n").skip(1);
    let fields = |name: &str| lines().filter(|line| line.starts_with(name)).count();
    assert!(lines().filter(|line| !line.is_empty()).count() <= LIMITS.headers_max);
    for line in lines().filter(|line| !line.is_empty()) {
        let (name, _) = line.split_once(':').expect("a colon");
        assert!(!name.is_empty() && !name.contains([' ', '\t']), "{line:?}");
    }
    let (host, length, coding) =
        (fields("host:"), fields("content-length:"), fields("transfer-encoding:"));
    assert!(host <= 1 && length <= 1 && coding <= 1, "{text:?}");
    assert!(host == 1 || request.version == Version::Http10, "{text:?}");
    assert_eq!(coding == 1, request.extent == Extent::Chunked, "{text:?}");
    assert_eq!(length == 1, matches!(request.extent, Extent::Length(_)), "{text:?}");
}

fuzz_target!(|data: &[u8]| {
    if let Some(split) = pieces::split(data) {
        let whole = read(std::iter::once(split.input));
        assert_eq!(read(split.pieces()), whole, "in pieces, and whole");
    }
});
