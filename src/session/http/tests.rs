//! Requests on slices: each response to the byte where bytes matter, else its status, and whether
//! the connection goes on.

use super::*;
use crate::session::tests::*;

mod upgrade;

fn http() -> Session<()> {
    Session::http(Time::ZERO)
}

/// A response, as a client reads it.
#[derive(Debug, PartialEq)]
struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Response {
    fn has(&self, line: &str) -> bool {
        self.head.split("\r\n").any(|other| other == line)
    }

    /// `200 ok`.
    fn short(&self) -> String {
        format!("{} {}", self.status, self.body.trim_end())
    }
}

/// Cuts what a server said into responses, none of which answers HEAD.
fn responses(mut said: &str) -> Vec<Response> {
    let mut found = Vec::new();
    while !said.is_empty() {
        let (head, mut rest) = said.split_once("\r\n\r\n").expect("a whole head");
        let status = head.strip_prefix("HTTP/1.1 ").expect("a status line")[..3].parse();
        let mut response =
            Response { status: status.expect("a number"), head: head.into(), body: String::new() };
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("Content-Length: "));
        if let Some(length) = length {
            let (body, behind) = rest.split_at(length.parse().expect("a number"));
            (response.body, rest) = (body.into(), behind);
        } else if response.has("Transfer-Encoding: chunked") {
            (response.body, rest) = dechunk(rest);
        } else if response.has("Connection: close") {
            (response.body, rest) = (rest.into(), "");
        }
        said = rest;
        found.push(response);
    }
    found
}

fn dechunk(mut rest: &str) -> (String, &str) {
    let mut body = String::new();
    loop {
        let Some((size, behind)) = rest.split_once("\r\n") else {
            return (body + " (cut off)", "");
        };
        let size = usize::from_str_radix(size, 16).expect("a size");
        let (data, behind) = behind.split_at(size);
        body += data;
        rest = behind.strip_prefix("\r\n").expect("a line ending");
        if size == 0 {
            return (body, rest);
        }
    }
}

/// How it ended and what was answered, the same at every split.
fn ask(input: &str) -> (Result<(), End>, Vec<Response>) {
    run_every_way(http, input.as_bytes(), |outcome| (outcome.end, responses(outcome.text())))
}

/// The same in short.
fn short(input: &str) -> (bool, Vec<String>) {
    let (outcome, responses) = ask(input);
    (outcome == Ok(()), responses.iter().map(Response::short).collect())
}

#[test]
fn a_response_to_the_byte() {
    let said = run_every_way(http, b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", |it| it.said);
    let expected = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                    Content-Length: 3\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nok\n";
    assert_eq!(String::from_utf8(said).expect("text"), expected);
}

#[test]
fn the_first_page_names_what_there_is() {
    let (_, responses) = ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let page = &responses[0].body;
    for line in ["/healthz   GET", "/echo      WebSocket, POST", "/room      WebSocket"] {
        assert!(page.lines().any(|other| other == line), "{line:?} in {page}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let input = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n\
                 GET /nope HTTP/1.1\r\nHost: h\r\n\r\n\
                 POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\r\n\
                 POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                 2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n\
                 GET /healthz?now HTTP/1.1\r\nHost: h\r\n\r\n";
    let (open, answers) = short(input);
    assert!(open);
    assert_eq!(answers, ["200 ok", "404 not found; see GET /", "200 hello", "200 hello", "200 ok"]);
}

#[test]
fn bodies_of_requests_that_want_none_are_read_away() {
    let input = "POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /\
                 POST /nope HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                 4\r\nGET \r\n0\r\n\r\n\
                 GET /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxx\
                 GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    let (open, answers) = short(input);
    assert!(open);
    let expected = ["405 read it with GET", "404 not found; see GET /", "200 ok", "200 ok"];
    assert_eq!(answers, expected);
}

#[test]
fn the_connection_goes_on_as_the_client_wants() {
    let next = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    let cases = [
        ("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", None),
        ("GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", Some("close")),
        ("GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", Some("close")),
        ("GET /healthz HTTP/1.0\r\n\r\n", Some("close")),
        ("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Some("keep-alive")),
    ];
    for (request, option) in cases {
        let (outcome, responses) = ask(&[request, next].concat());
        let closes = option == Some("close");
        assert_eq!(outcome, if closes { Err(End::Closes) } else { Ok(()) }, "{request}");
        assert_eq!(responses.len(), if closes { 1 } else { 2 }, "{request}");
        let line = option.map(|option| format!("Connection: {option}"));
        let said = responses[0].head.split("\r\n").find(|line| line.starts_with("Connection"));
        assert_eq!(said, line.as_deref(), "{request}");
    }
}

/// Each status, and whether the connection ends with it, which the response must say too.
#[test]
fn every_refusal_has_its_status_and_says_whether_it_ends_the_connection() {
    let long = "x".repeat(600);
    let many = "A: b\r\n".repeat(9);
    let cases = [
        (404, false, "GET /nope HTTP/1.1\r\nHost: h\r\n\r\n".to_owned()),
        (404, false, "GET /echo/ HTTP/1.1\r\nHost: h\r\n\r\n".into()),
        (404, false, "GET /%65cho HTTP/1.1\r\nHost: h\r\n\r\n".into()),
        (405, false, "POST / HTTP/1.1\r\nHost: h\r\n\r\n".into()),
        (405, false, "DELETE /healthz HTTP/1.1\r\nHost: h\r\n\r\n".into()),
        (405, false, "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx".into()),
        (405, false, "POST /room HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx".into()),
        (426, false, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n".into()),
        (411, true, "POST /echo HTTP/1.1\r\nHost: h\r\n\r\n".into()),
        (413, true, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 33\r\n\r\n".into()),
        (413, true, "POST /nope HTTP/1.1\r\nHost: h\r\nContent-Length: 33\r\n\r\n".into()),
        (414, true, format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n")),
        (417, true, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n".into()),
        (431, true, format!("GET / HTTP/1.1\r\nHost: h\r\nA: {long}\r\n\r\n")),
        (431, true, format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n")),
        (501, true, "BREW / HTTP/1.1\r\nHost: h\r\n\r\n".into()),
        (501, true, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n".into()),
        (505, true, "GET / HTTP/2.0\r\nHost: h\r\n\r\n".into()),
        (505, true, "GET / HTTP/1.2\r\nHost: h\r\n\r\n".into()),
        (400, true, "GET / HTTP/1.1\r\n\r\n".into()),
        (400, true, "GET / HTTP/1.1\nHost: h\n\n".into()),
        (400, true, "\x16\x03\x01".into()),
        (
            400,
            true,
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                .into(),
        ),
    ];
    for (status, closes, input) in cases {
        let (outcome, responses) = ask(&input);
        assert_eq!(responses.len(), 1, "{input}: {responses:?}");
        assert_eq!(responses[0].status, status, "{input}");
        assert_eq!(outcome.is_err(), closes, "{input}: {outcome:?}");
        assert_eq!(responses[0].has("Connection: close"), closes, "{input}: {responses:?}");
        assert!(!responses[0].body.is_empty(), "{input}: the reason is in the body");
    }
}

#[test]
fn a_refused_method_hears_what_is_allowed() {
    let cases = [
        ("POST / HTTP/1.1", "GET, HEAD"),
        ("PUT /echo HTTP/1.1", "GET, POST"),
        ("POST /room HTTP/1.1", "GET"),
        ("OPTIONS /room HTTP/1.1", "GET"),
    ];
    for (line, allowed) in cases {
        let (_, responses) = ask(&format!("{line}\r\nHost: h\r\n\r\n"));
        assert!(responses[0].has(&format!("Allow: {allowed}")), "{line}: {responses:?}");
    }
}

#[test]
fn what_is_behind_an_error_is_not_heard() {
    let input = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n x\r\n\r\n\
                 GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    let (open, answers) = short(input);
    assert!(!open);
    assert_eq!(answers, ["200 ok", "400 malformed header line"]);
}

#[test]
fn head_is_get_without_the_body() {
    let head = |method| format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n");
    let get = run(http(), [head("GET").as_bytes()]).said;
    let input = [head("HEAD"), "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n".into()].concat();
    let said = run_every_way(http, input.as_bytes(), |outcome| outcome.text().to_owned());
    let (of_head, behind) = said.split_once("\r\n\r\n").expect("two heads");
    assert!(get.starts_with(of_head.as_bytes()), "{of_head}");
    assert!(behind.starts_with("HTTP/1.1 200 OK\r\n"), "no body: {behind}");
}

#[test]
fn who_expects_it_is_told_to_continue() {
    let input = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\
                 Expect: 100-continue\r\n\r\nhi";
    let (outcome, responses) = ask(input);
    assert_eq!(outcome, Ok(()));
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    assert_eq!((&statuses[..], &responses[1].body[..]), (&[100, 200][..], "hi"));
}

/// It may send the body or not (RFC 9110 10.1.1), so nobody knows where its next request begins.
#[test]
fn who_expects_to_continue_and_is_refused_is_closed() {
    for (path, status) in [("/nope", 404), ("/room", 405), ("/healthz", 405)] {
        let input = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        );
        let (outcome, responses) = ask(&input);
        assert_eq!(outcome, Err(End::Closes), "{path}");
        assert_eq!((responses.len(), responses[0].status), (1, status), "{path}");
        assert!(responses[0].has("Connection: close"), "{path}");
    }
}

/// HTTP/1.0 has no chunks: the end of the connection is the end of the body.
#[test]
fn an_old_client_is_echoed_to_without_chunks() {
    let input = b"POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";
    let outcome = run_every_way(http, input, |outcome| (outcome.end, outcome.said));
    let said = String::from_utf8(outcome.1).expect("text");
    assert_eq!(outcome.0, Err(End::Closes));
    assert!(
        said.contains("\r\nConnection: close\r\n") && said.ends_with("\r\n\r\nhello"),
        "{said}"
    );
    assert!(!said.contains("Transfer-Encoding"), "{said}");
}

/// The response has begun with the first byte for the service: a second one in the middle of it
/// would be read as its body. That the body has no end tells the client.
#[test]
fn a_body_that_breaks_cuts_its_answer_off() {
    let head = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, error) in [
        ("2\r\nhi\r\nxx\r\n", http1::Error::Chunk),
        ("2\r\nhi\r\n20\r\n", http1::Error::BodyTooLarge),
        ("2\r\nhi\r\n1;aaaaaaaaaaaaaaaaaa\r\n", http1::Error::ChunkExtra),
    ] {
        let (outcome, responses) = ask(&[head, body].concat());
        assert_eq!(outcome, Err(End::Http(error)));
        assert_eq!((responses.len(), responses[0].status), (1, 200));
        assert_eq!(responses[0].body, "hi (cut off)");
    }
    // Until then there is a status for it.
    for (body, error, status) in [
        ("xx\r\n", http1::Error::Chunk, 400),
        ("21\r\n", http1::Error::BodyTooLarge, 413),
        ("1;aaaaaaaaaaaaaaaaaa\r\n", http1::Error::ChunkExtra, 413),
    ] {
        let (outcome, responses) = ask(&[head, body].concat());
        assert_eq!(outcome, Err(End::Http(error)));
        assert_eq!((responses.len(), responses[0].status), (1, status), "{body:?}");
        assert!(responses[0].has("Connection: close"), "{body:?}");
    }
    // And where the body was only read away, its request has been answered already.
    let head = "POST /nope HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (outcome, responses) = ask(&[head, "xx\r\n"].concat());
    assert_eq!(outcome, Err(End::Http(http1::Error::Chunk)));
    assert_eq!((responses.len(), responses[0].status), (1, 404));
}

#[test]
fn a_service_may_close_after_a_body() {
    let input = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nquit!!";
    let (head, body) = input.split_at(input.len() - 6);
    let outcome = run(http(), [head, &body[..4], &body[4..]]);
    assert_eq!(outcome.end, Err(End::Closes));
    assert_eq!(responses(outcome.text())[0].short(), "200 quit", "and the answer is whole");
}

/// Those who hear it speak WebSocket, whatever the one who said it speaks.
#[test]
fn what_is_posted_for_all_reaches_them_in_frames() {
    for (version, goes_on) in [("1.0", Err(End::Closes)), ("1.1", Ok(()))] {
        let input =
            format!("POST /echo HTTP/{version}\r\nHost: h\r\nContent-Length: 5\r\n\r\nshout");
        let (mut bench, mut session) = (Bench::new(limits()), http());
        assert_eq!(bench.receive(&mut session, input.as_bytes()), goes_on);
        assert_eq!(bench.mail(ECHO).bytes, b"\x82\x05heard");
        assert!(
            responses(std::str::from_utf8(&bench.desk.write).expect("text"))[0].body.is_empty()
        );
        bench.end(session);
    }
}

#[test]
fn the_deadline_of_a_head_is_not_moved_by_bytes() {
    let mut bench = Bench::new(limits());
    let mut session: Session<()> = Session::http(Time::from_ms(5));
    let due =
        |session: &Session<()>, bench: &Bench| session.expiry(bench.desk.now, &bench.desk.limits);
    let late = |ms| Some((Time::from_ms(ms), Expiry::RequestLate));
    assert_eq!(due(&session, &bench), late(205), "from the connection on");
    for (ms, byte) in (10..).step_by(10).zip("GET /healthz HTTP/1.1\r\nHost: h\r\n\r".bytes()) {
        bench.desk.now = Time::from_ms(ms);
        assert_eq!(bench.receive(&mut session, &[byte]), Ok(()));
        assert_eq!(due(&session, &bench), late(205), "after {ms} ms");
    }
    bench.desk.now = Time::from_ms(1_000);
    assert_eq!(bench.receive(&mut session, b"\n"), Ok(()));
    assert_eq!(due(&session, &bench), Some((Time::from_ms(1_300), Expiry::Idle)), "keep-alive");
    bench.desk.now = Time::from_ms(1_200);
    assert_eq!(bench.receive(&mut session, b"POST /echo HTTP/1.1\r\n"), Ok(()));
    bench.desk.now = Time::from_ms(1_250);
    assert_eq!(bench.receive(&mut session, b"Host: h\r\n"), Ok(()));
    assert_eq!(due(&session, &bench), late(1_400), "of the next one from its first byte on");
    assert_eq!(bench.receive(&mut session, b"Content-Length: 2\r\n\r\n"), Ok(()));
    assert_eq!(due(&session, &bench), late(1_450), "a body has so long from byte to byte");
    bench.desk.limits.head_timeout_ms = 0;
    assert_eq!(due(&session, &bench), None);
    bench.end(session);
}

/// One that trickles in would hold its connection for ever if each byte gave it new time.
#[test]
fn a_body_has_the_time_that_its_bytes_are_worth() {
    let mut bench = Bench::new(limits());
    let mut session = http();
    let due = |session: &Session<()>, bench: &Bench| {
        let due = session.expiry(bench.desk.now, &bench.desk.limits);
        due.map(|(due, expiry)| (due.as_ms(), expiry))
    };
    let head = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\n";
    bench.desk.now = Time::from_ms(1_000);
    assert_eq!(bench.receive(&mut session, head), Ok(()));
    assert_eq!(due(&session, &bench), Some((1_200, Expiry::RequestLate)));
    // Ten bytes a second are asked for, so one is worth 100 ms; it came after 180.
    for (ms, until) in [(1_180, 1_300), (1_299, 1_400), (1_390, 1_500)] {
        bench.desk.now = Time::from_ms(ms);
        assert_eq!(bench.receive(&mut session, b"x"), Ok(()));
        assert_eq!(due(&session, &bench), Some((until, Expiry::RequestLate)), "at {ms}");
    }
    // Twenty at once are worth two seconds, but nobody may pause for so long.
    assert_eq!(bench.receive(&mut session, &[b'x'; 20]), Ok(()));
    assert_eq!(due(&session, &bench), Some((1_590, Expiry::RequestLate)));
    bench.desk.limits.body_bytes_per_s_min = 0;
    bench.desk.now = Time::from_ms(60_000);
    assert_eq!(due(&session, &bench), Some((60_200, Expiry::RequestLate)), "from byte to byte");
    bench.end(session);
}

#[test]
fn only_who_has_begun_a_request_is_told_that_it_is_late() {
    let farewell = |input: &str, why| {
        let (mut bench, mut session) = (Bench::new(limits()), http());
        assert_eq!(bench.receive(&mut session, input.as_bytes()), Ok(()));
        let mut said = Vec::new();
        session.farewell(why, "late", &bench.desk.date, &mut said);
        bench.end(session);
        String::from_utf8(said).expect("text")
    };
    let begun = "GET / HTTP/1.1\r\nHo";
    let awaited = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n";
    for input in [begun, awaited] {
        let told = responses(&farewell(input, Farewell::RequestLate));
        assert_eq!(told[0].short(), "408 late");
        assert!(told[0].has("Connection: close"), "{told:?}");
    }
    let body = format!("{awaited}h");
    for (input, why) in [
        ("", Farewell::RequestLate),
        ("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", Farewell::Idle),
        (&body, Farewell::RequestLate),
        (begun, Farewell::Drain),
    ] {
        assert_eq!(farewell(input, why), "", "{input:?} {why:?}");
    }
}

#[test]
fn between_requests_a_connection_is_expendable() {
    let (mut bench, mut session) = (Bench::new(limits()), http());
    let steps = [
        ("", true),
        ("POST /echo HTTP/1.1\r\n", false),
        ("Host: h\r\nContent-Length: 2\r\n\r\n", false),
        ("h", false),
        ("i", true),
        ("\r\n", false),
    ];
    for (bytes, expendable) in steps {
        assert_eq!(bench.receive(&mut session, bytes.as_bytes()), Ok(()));
        assert_eq!(session.is_expendable(), expendable, "after {bytes:?}");
    }
    bench.end(session);
}
