//! The whole way of a request, as a session goes it: scan, carry, parse, body, and on.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;

/// A request and its body, as the session sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    method: Method,
    path: String,
    query: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    keep_alive: bool,
    expects_continue: bool,
    upgrades: Vec<Vec<u8>>,
    body: Vec<u8>,
    /// The body ended.
    is_whole: bool,
}

/// What came of some bytes.
#[derive(Debug, Default)]
struct Outcome {
    seen: Vec<Seen>,
    error: Option<Error>,
    /// Bytes of heads that the parser took where they came, of others that were given to the scan,
    /// and of bodies.
    taken: usize,
    scanned: usize,
    decoded: usize,
    /// Bytes that the parser was given, whatever came of it.
    parsed: usize,
    /// Bytes that wait for the rest of a head.
    carried: usize,
}

impl Outcome {
    /// Without the counts, which differ with the splits.
    fn meaning(&self) -> (&[Seen], Option<Error>, usize) {
        (&self.seen, self.error, self.carried)
    }
}

/// A session in small: the carry is a `Vec`, and nothing is answered.
#[derive(Default)]
struct Driver {
    scan: HeadScan,
    carry: Vec<u8>,
    body: Option<Body>,
    outcome: Outcome,
}

impl Driver {
    fn receive(&mut self, fresh: &[u8], limits: &Limits) -> Result<(), Error> {
        let mut rest = fresh;
        loop {
            if let Some(body) = &mut self.body {
                let before = rest.len();
                let part = body.decode(&mut rest)?;
                self.outcome.decoded += before - rest.len();
                let seen = self.outcome.seen.last_mut().expect("a body has a head");
                match part {
                    Part::Data(data) => seen.body.extend_from_slice(data),
                    Part::More => return Ok(()),
                    Part::End => {
                        seen.is_whole = true;
                        self.body = None;
                    }
                }
                continue;
            }
            let mut slots = Slots::new();
            if self.scan.is_at_start() {
                self.outcome.parsed += rest.len().min(limits.head_bytes_max);
                if let Ok((request, length)) = Request::parse(rest, limits, &mut slots) {
                    self.outcome.parsed -= rest.len().min(limits.head_bytes_max) - length;
                    self.outcome.taken += length;
                    rest = &rest[length..];
                    self.begin(&request, limits)?;
                    continue;
                }
            }
            let end = self.scan.feed(rest, limits)?;
            let (of_head, behind) = rest.split_at(end.unwrap_or(rest.len()));
            self.outcome.scanned += of_head.len();
            self.carry.extend_from_slice(of_head);
            rest = behind;
            if end.is_none() {
                assert!(self.carry.len() < limits.head_bytes_max.max(1));
                return Ok(());
            }
            assert!(self.scan.is_at_start());
            let head = std::mem::take(&mut self.carry);
            self.outcome.parsed += head.len();
            let mut slots = Slots::new();
            let (request, length) = Request::parse(&head, limits, &mut slots)?;
            assert_eq!(length, head.len(), "the scan and the parser agree on the end");
            self.begin(&request, limits)?;
        }
    }

    fn begin(&mut self, request: &Request<'_>, limits: &Limits) -> Result<(), Error> {
        self.outcome.seen.push(seen(request));
        self.body = Some(Body::new(request.extent, limits)?);
        Ok(())
    }
}

/// Words of a request in a form that a failure shows well.
fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("ASCII")
}

fn seen(request: &Request<'_>) -> Seen {
    Seen {
        method: request.method,
        path: text(request.path),
        query: request.query.map(text),
        headers: request.headers().map(|(name, value)| (name.into(), value.into())).collect(),
        keep_alive: request.keep_alive,
        expects_continue: request.expects_continue,
        upgrades: request.upgrades().map(Into::into).collect(),
        body: Vec::new(),
        is_whole: false,
    }
}

fn run_within<'a>(limits: &Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut driver = Driver::default();
    for piece in pieces {
        if let Err(error) = driver.receive(piece, limits) {
            driver.outcome.error = Some(error);
            break;
        }
    }
    // After an error nobody looks at the carry again.
    driver.outcome.carried = if driver.outcome.error.is_some() { 0 } else { driver.carry.len() };
    driver.outcome
}

fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    run_within(&Limits::default(), pieces)
}

/// Whole, byte by byte, and at every split in two: always the same.
fn run_every_way(limits: &Limits, input: &[u8]) -> Outcome {
    let whole = run_within(limits, [input]);
    let bytewise = run_within(limits, input.chunks(1));
    assert_eq!(bytewise.meaning(), whole.meaning(), "byte by byte: {}", input.escape_ascii());
    for at in 0..=input.len() {
        let (a, b) = input.split_at(at);
        let split = run_within(limits, [a, b]);
        assert_eq!(split.meaning(), whole.meaning(), "at {at}: {}", input.escape_ascii());
    }
    whole
}

/// The request that comes behind the one that is tested.
const TAIL: &str = "GET /tail?next HTTP/1.1\r\nHost: tail\r\n\r\n";

/// The same with a tail, which must be read as if it had come alone; unless there is no end that
/// a tail could follow.
fn run_with_tail(limits: &Limits, input: &[u8]) -> Outcome {
    let alone = run_every_way(limits, input);
    let is_finished = alone.carried == 0 && alone.seen.iter().all(|seen| seen.is_whole);
    if alone.error.is_none() && !is_finished {
        return alone;
    }
    let followed = run_every_way(limits, &[input, TAIL.as_bytes()].concat());
    assert_eq!(followed.error, alone.error, "{}", input.escape_ascii());
    if alone.error.is_some() {
        assert_eq!(followed.seen, alone.seen, "{}", input.escape_ascii());
    } else {
        let (tail, first) = followed.seen.split_last().expect("the tail");
        assert_eq!(first, alone.seen, "{}", input.escape_ascii());
        assert_eq!(Some(tail), run([TAIL.as_bytes()]).seen.first(), "{}", input.escape_ascii());
    }
    alone
}

/// One line a request: what the table below compares.
fn summary(seen: &Seen) -> String {
    let query = seen.query.iter().map(|query| format!("?{query}"));
    let mut text = format!("{:?} {}{}", seen.method, seen.path, query.collect::<String>());
    if !seen.keep_alive {
        text += " close";
    }
    if seen.expects_continue {
        text += " expects";
    }
    for protocol in &seen.upgrades {
        text += &format!(" +{}", protocol.escape_ascii());
    }
    if !seen.body.is_empty() {
        text += &format!(" {}", seen.body.escape_ascii());
    }
    assert!(seen.is_whole, "{text}");
    text
}

mod strictness;
mod twin;
mod within;

const HEADER_NAMES: [&str; 5] = ["Accept", "x-a", "X-A", "Cookie", "~!#$%&'*+-.^_`|9"];

prop_compose! {
    fn header()(name in select(&HEADER_NAMES[..]), value in "([!-~]([ -~\t]{0,20}[!-~])?)?")
        -> (String, Vec<u8>)
    {
        (name.to_owned(), value.into_bytes())
    }
}

/// A body, and how it is sent: in one piece, or in chunks of these sizes.
fn body() -> impl Strategy<Value = (Vec<u8>, Option<Vec<usize>>)> {
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    (bytes, prop::option::of(prop::collection::vec(1usize..60, 0..10)))
}

prop_compose! {
    fn request()(
        (method, known) in select(&Method::NAMES[..]),
        path in "/[!-\"$->@-~]{0,30}",
        query in prop::option::of("[!-\"$-~]{0,30}"),
        mut headers in prop::collection::vec(header(), 0..8),
        body in prop::option::of(body()),
        closes in any::<bool>(),
        host_at in 0usize..9,
    ) -> (Vec<u8>, Seen) {
        headers.insert(host_at.min(headers.len()), ("hOsT".into(), b"[::1]:80".into()));
        if closes {
            headers.push(("Connection".into(), b"x, Close".into()));
        }
        let mut sent = Vec::new();
        if let Some((bytes, chunks)) = &body {
            match chunks {
                None => {
                    headers.push(("Content-Length".into(), bytes.len().to_string().into()));
                    sent.extend_from_slice(bytes);
                }
                Some(sizes) => {
                    headers.push(("Transfer-Encoding".into(), b"Chunked".into()));
                    let mut rest = &bytes[..];
                    for size in sizes {
                        let (chunk, behind) = rest.split_at((*size).min(rest.len()));
                        encode_chunk(chunk, &mut sent);
                        rest = behind;
                    }
                    encode_chunk(rest, &mut sent);
                    encode_last_chunk(&mut sent);
                }
            }
        }
        let mut bytes = format!("{method} {path}").into_bytes();
        if let Some(query) = &query {
            bytes.extend_from_slice(format!("?{query}").as_bytes());
        }
        bytes.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in &headers {
            bytes.extend_from_slice(&[name.as_bytes(), b": \t", value, b" \r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&sent);
        let seen = Seen {
            method: known,
            path,
            query,
            headers,
            keep_alive: !closes,
            expects_continue: false,
            upgrades: vec![],
            body: body.map(|(bytes, _)| bytes).unwrap_or_default(),
            is_whole: true,
        };
        (bytes, seen)
    }
}

/// Cuts `input` into pieces of these sizes; what is left is the last one.
fn cut<'a>(input: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let (mut pieces, mut rest) = (Vec::new(), input);
    for size in sizes {
        let (piece, behind) = rest.split_at((*size).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

proptest! {
    #[test]
    fn what_is_sent_is_seen_however_it_is_split(
        requests in prop::collection::vec(request(), 1..5),
        sizes in prop::collection::vec(1usize..80, 0..60),
    ) {
        let (bytes, sent): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        let bytes = bytes.concat();
        let outcome = run(cut(&bytes, &sizes));
        prop_assert_eq!(outcome.error, None);
        prop_assert_eq!(outcome.seen, sent);
        prop_assert_eq!(outcome.carried, 0);
        let passed = outcome.taken + outcome.scanned + outcome.decoded;
        prop_assert_eq!(passed, bytes.len(), "each byte once");
        let again = outcome.taken + 2 * outcome.scanned;
        prop_assert!(outcome.parsed <= again, "of a head that comes in pieces twice more");
    }

    #[test]
    fn no_bytes_make_it_panic(
        begins_well in any::<bool>(),
        noise in prop::collection::vec(select(&NOISE[..]), 0..60),
        sizes in prop::collection::vec(1usize..9, 0..40),
    ) {
        let begin = if begins_well { "POST / HTTP/1.1\r\nHost: a\r\n" } else { "" };
        let bytes = [begin, &noise.concat()].concat().into_bytes();
        let whole = run([&bytes[..]]);
        let split = run(cut(&bytes, &sizes));
        prop_assert_eq!(split.meaning(), whole.meaning());
    }

    /// The parser is safe also where no scan came before it.
    #[test]
    fn any_bytes_may_be_parsed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Request::parse(&bytes, &Limits::default(), &mut Slots::new());
    }
}

/// Words that may matter to a parser, to be thrown together.
const NOISE: [&str; 22] = [
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\n",
    " ",
    ":",
    ";",
    "0",
    "5",
    "f",
    "GET / HTTP/1.1\r\n",
    "Host: a\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Content-Length: 5\r\n",
    "Upgrade: a\r\n",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "\0",
    "x: y\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "\u{e9}",
];
