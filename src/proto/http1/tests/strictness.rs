//! The table: what is taken, what is refused and why, what is waited for.

use super::*;

/// A name, the bytes, and what is seen of each request in them.
type Taken = (&'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const TAKEN: &[Taken] = &[
    ("plain", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", &["Get /"]),
    ("names in any case, a tab, an empty value",
        "GET / HTTP/1.1\r\nhoSt:\texample.com\r\nempty:\r\n\r\n", &["Get /"]),
    ("an empty value behind a space", "{G}X-Empty: \r\n\r\n", &["Get /"]),
    ("bytes above ASCII in a value", "{G}X: \u{e9}\r\n\r\n", &["Get /"]),
    ("one empty line first", "\r\nGET / HTTP/1.1{H}", &["Get /"]),
    ("an empty line behind a body",
        "{P}Content-Length: 2\r\n\r\nhi\r\nGET /b HTTP/1.1{H}", &["Post / hi", "Get /b"]),
    ("a query", "GET /a%20b?x=1?y HTTP/1.1{H}", &["Get /a%20b?x=1?y"]),
    ("an empty query", "GET /? HTTP/1.1{H}", &["Get /?"]),
    ("two slashes are a path", "GET //a HTTP/1.1{H}", &["Get //a"]),
    ("absolute form", "GET http://a:80/x?y HTTP/1.1\r\nHost: A:80\r\n\r\n", &["Get /x?y"]),
    ("absolute form without a path", "GET HTTPS://a HTTP/1.1{H}", &["Get /"]),
    ("absolute form, query only", "GET http://a?y HTTP/1.1{H}", &["Get /?y"]),
    ("absolute form in 1.0 without Host", "GET http://a/x HTTP/1.0\r\n\r\n", &["Get /x close"]),
    ("asterisk", "OPTIONS * HTTP/1.1{H}", &["Options *"]),
    ("an IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", &["Get /"]),
    ("1.0 without Host", "GET / HTTP/1.0\r\n\r\n", &["Get / close"]),
    ("1.0 that stays", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &["Get /"]),
    ("close", "{G}Connection: close\r\n\r\n", &["Get / close"]),
    ("close in a list, and on a second line",
        "{G}Connection: keep-alive\r\nConnection: , x ,\tCLOSE\r\n\r\n", &["Get / close"]),
    ("no close within a word", "{G}Connection: closed\r\n\r\n", &["Get /"]),
    ("Content-Length", "{P}Content-Length: 5\r\n\r\nhello", &["Post / hello"]),
    ("Content-Length with zeros", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nhello",
        &["Put / hello"]),
    ("Content-Length 0", "{P}Content-Length: 0\r\n\r\n", &["Post /"]),
    ("a body of GET", "{G}Content-Length: 1\r\n\r\n\n", &["Get / \\n"]),
    ("chunked, in any case",
        "{P}Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00\r\n\r\n", &["Post / hello"]),
    ("chunked, extensions and trailers",
        "{C}A;a=\"b;c\" ; d\r\n0123456789\r\n1;\r\n!\r\n0;e\r\nX-T: 1\r\ny:\r\n\r\n",
        &["Post / 0123456789!"]),
    ("Expect, and a body",
        "{P}Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx", &["Post / expects x"]),
    ("Expect without a body", "{G}Expect: 100-continue\r\n\r\n", &["Get /"]),
    ("Expect in 1.0",
        "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
        &["Post / close x"]),
    ("Upgrade",
        "{G}Connection: keep-alive, Upgrade\r\nUpgrade: h2c, websocket\r\nUpgrade: x/1\r\n\r\n",
        &["Get / +h2c +websocket +x/1"]),
    ("Upgrade and Content-Length 0",
        "{G}Connection: upgrade\r\nUpgrade: a\r\nContent-Length: 0\r\n\r\n", &["Get / +a"]),
    ("Upgrade that is not for us", "{G}Upgrade: websocket\r\n\r\n", &["Get /"]),
    ("Upgrade in 1.0",
        "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", &["Get / close"]),
];

#[rustfmt::skip]
const REFUSED: &[(&str, &str, Error)] = &[
    // Line endings.
    ("bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", Error::LineEnding),
    ("bare LF behind a header", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", Error::LineEnding),
    ("bare LF for the end", "{G}\n", Error::LineEnding),
    ("bare CR in the request line", "GET /\r HTTP/1.1{H}", Error::LineEnding),
    ("bare CR in a value", "{G}X: a\rb\r\n\r\n", Error::LineEnding),
    ("bare CR at a line's start", "{G}\rX: b\r\n\r\n", Error::LineEnding),
    ("CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", Error::LineEnding),
    ("two empty lines first", "\r\n\r\nGET / HTTP/1.1{H}", Error::LineEnding),
    ("a bare LF first", "\nGET / HTTP/1.1{H}", Error::LineEnding),
    ("a bare CR first", "\rGET / HTTP/1.1{H}", Error::LineEnding),
    // The first byte.
    ("a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03", Error::Tls),
    ("a space first", " GET / HTTP/1.1{H}", Error::NotHttp),
    ("NUL", "\0", Error::NotHttp),
    // The request line.
    ("no version", "GET /{H}", Error::RequestLine),
    ("no version behind a space", "GET / \r\n\r\n", Error::RequestLine),
    ("a method alone", "GET\r\n\r\n", Error::RequestLine),
    ("a word too many", "Extra lineGET / HTTP/1.1{H}", Error::RequestLine),
    ("two spaces before the target", "GET  / HTTP/1.1{H}", Error::RequestLine),
    ("two spaces before the version", "GET /  HTTP/1.1{H}", Error::RequestLine),
    ("a tab for a space", "GET\t/ HTTP/1.1{H}", Error::RequestLine),
    ("a space behind the version", "GET / HTTP/1.1 {H}", Error::RequestLine),
    ("a small http", "GET / http/1.1{H}", Error::RequestLine),
    ("a version of three digits", "GET / HTTP/1.10{H}", Error::RequestLine),
    ("a method with a colon", "GE:T / HTTP/1.1{H}", Error::RequestLine),
    ("HTTP/1.2", "GET / HTTP/1.2{H}", Error::Version),
    ("HTTP/9.9", "GET / HTTP/9.9{H}", Error::Version),
    ("HTTP/0.9 by name", "GET / HTTP/0.9{H}", Error::Version),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Error::Version),
    ("an unknown method", "BREW / HTTP/1.1{H}", Error::Method),
    ("a method in small letters", "get / HTTP/1.1{H}", Error::Method),
    ("CONNECT", "CONNECT a:443 HTTP/1.1{H}", Error::Method),
    ("TRACE", "TRACE / HTTP/1.1{H}", Error::Method),
    // The target.
    ("a relative path", "GET a HTTP/1.1{H}", Error::Target),
    ("asterisk with GET", "GET * HTTP/1.1{H}", Error::Target),
    ("an authority", "GET a:80 HTTP/1.1{H}", Error::Target),
    ("another scheme", "GET ftp://a/ HTTP/1.1{H}", Error::Target),
    ("user information", "GET http://u@a/ HTTP/1.1{H}", Error::Target),
    ("no authority", "GET http:///x HTTP/1.1{H}", Error::Target),
    ("a fragment", "GET /#x HTTP/1.1{H}", Error::Target),
    ("UTF-8 in the path", "GET /\u{e9} HTTP/1.1{H}", Error::Target),
    ("a control byte in the path", "GET /\x01 HTTP/1.1{H}", Error::RequestLine),
    ("NUL in the path", "GET /\0 HTTP/1.1{H}", Error::RequestLine),
    ("DEL in the path", "GET /\x7f HTTP/1.1{H}", Error::RequestLine),
    // Headers.
    ("a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", Error::Header),
    ("no name", "{G}: b\r\n\r\n", Error::Header),
    ("no colon", "{G}X\r\n\r\n", Error::Header),
    ("brackets in a name", "{G}X-Invalid[]: b\r\n\r\n", Error::Header),
    ("UTF-8 in a name", "{G}X\u{e9}: b\r\n\r\n", Error::Header),
    ("obs-fold", "{G}X: b\r\n c\r\n\r\n", Error::Header),
    ("obs-fold with a tab", "{G}X: b\r\n\tc\r\n\r\n", Error::Header),
    ("a space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", Error::Header),
    ("a bell in a value", "{G}X: b\x07\r\n\r\n", Error::Header),
    ("NUL in a value", "{G}X: \0\r\n\r\n", Error::Header),
    ("DEL in a value", "{G}X: \x7f\r\n\r\n", Error::Header),
    // Host.
    ("no Host", "GET / HTTP/1.1\r\nX: a\r\n\r\n", Error::Host),
    ("two Hosts", "{G}Host: b\r\n\r\n", Error::Host),
    ("one Host twice", "{G}host: a\r\n\r\n", Error::Host),
    ("two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Error::Host),
    ("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", Error::Host),
    ("a list of Hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Error::Host),
    ("a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Error::Host),
    ("a Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", Error::Host),
    ("a Host of UTF-8", "GET / HTTP/1.1\r\nHost: \u{e9}\r\n\r\n", Error::Host),
    ("a Host not the target's", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", Error::Host),
    ("a port not the target's", "GET http://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", Error::Host),
    ("a target does not replace Host", "GET http://a/ HTTP/1.1\r\nX: a\r\n\r\n", Error::Host),
    // Framing.
    ("two lengths", "{P}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", Error::ContentLength),
    ("a length twice",
        "{P}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", Error::ContentLength),
    ("a list of lengths", "{P}Content-Length: 5, 5\r\n\r\nhello", Error::ContentLength),
    ("a negative length", "{P}Content-Length: -1234\r\n\r\n", Error::ContentLength),
    ("a very negative length", "{P}Content-Length: -123456789123456789123456789\r\n\r\n",
        Error::ContentLength),
    ("a plus sign", "{P}Content-Length: +5\r\n\r\nhello", Error::ContentLength),
    ("no number", "{P}Content-Length: abc\r\n\r\n", Error::ContentLength),
    ("hexadecimal", "{P}Content-Length: 0x5\r\n\r\nhello", Error::ContentLength),
    ("an empty length", "{P}Content-Length:\r\n\r\n", Error::ContentLength),
    ("a space in it", "{P}Content-Length: 1 0\r\n\r\n", Error::ContentLength),
    ("past 64 bits", "{P}Content-Length: 18446744073709551616\r\n\r\n", Error::ContentLength),
    ("far past 64 bits", "{P}Content-Length: 99999999999999999999\r\n\r\n",
        Error::ContentLength),
    ("the most of 64 bits", "{P}Content-Length: 18446744073709551615\r\n\r\n", Error::BodyTooLarge),
    ("chunked, then a length",
        "{P}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", Error::Framing),
    ("a length, then chunked",
        "{P}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Error::Framing),
    ("chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Error::Framing),
    ("gzip, chunked", "{P}Transfer-Encoding: gzip, chunked\r\n\r\n", Error::TransferCoding),
    ("identity", "{P}Transfer-Encoding: identity\r\n\r\n", Error::TransferCoding),
    ("chunked twice", "{P}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        Error::TransferCoding),
    ("nearly chunked", "{P}Transfer-Encoding: xchunked\r\n\r\n", Error::TransferCoding),
    ("chunked with a parameter", "{P}Transfer-Encoding: chunked;a\r\n\r\n", Error::TransferCoding),
    ("chunked with a vertical tab", "{P}Transfer-Encoding: \x0bchunked\r\n\r\n", Error::Header),
    ("no coding", "{P}Transfer-Encoding:\r\n\r\n", Error::TransferCoding),
    // Expect and Upgrade.
    ("another expectation", "{P}Expect: 200-ok\r\n\r\n", Error::Expectation),
    ("two expectations", "{P}Expect: 100-continue, x\r\n\r\n", Error::Expectation),
    ("Upgrade with a length",
        "{P}Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello",
        Error::UpgradeWithBody),
    ("Upgrade with chunks",
        "{P}Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n",
        Error::UpgradeWithBody),
    ("Upgrade for somebody else, with a body",
        "{P}Upgrade: websocket\r\nContent-Length: 5\r\n\r\nhello", Error::UpgradeWithBody),
    // Chunks.
    ("no size", "{C}\r\n\r\n", Error::Chunk),
    ("no digit", "{C}x\r\n", Error::Chunk),
    ("a sign", "{C}+5\r\nhello\r\n0\r\n\r\n", Error::Chunk),
    ("0x", "{C}0x5\r\nhello\r\n0\r\n\r\n", Error::Chunk),
    ("a space before the size", "{C} 5\r\nhello\r\n0\r\n\r\n", Error::Chunk),
    ("a space behind the size", "{C}5 \r\nhello\r\n0\r\n\r\n", Error::Chunk),
    ("a bare LF behind the size", "{C}5\nhello\r\n0\r\n\r\n", Error::Chunk),
    ("a bare CR behind the size", "{C}5\rxhello\r\n0\r\n\r\n", Error::Chunk),
    ("a bare LF in an extension", "{C}5;a\nhello\r\n0\r\n\r\n", Error::Chunk),
    ("NUL in an extension", "{C}5;\0\r\nhello\r\n0\r\n\r\n", Error::Chunk),
    ("an extension without a size", "{C};a\r\nhello\r\n0\r\n\r\n", Error::Chunk),
    ("more data than the size", "{C}4\r\nhello\r\n0\r\n\r\n", Error::Chunk),
    ("less data than the size", "{C}6\r\nhello\r\n0\r\n\r\n", Error::Chunk),
    ("a bare LF behind the data", "{C}5\r\nhello\n0\r\n\r\n", Error::Chunk),
    ("no CR behind the data", "{C}5\r\nhellox\n0\r\n\r\n", Error::Chunk),
    ("a bare CR behind the data", "{C}5\r\nhello\rx0\r\n\r\n", Error::Chunk),
    ("17 digits", "{C}00000000000000005\r\nhello\r\n0\r\n\r\n", Error::Chunk),
    ("a huge size", "{C}ffffffffffffffff\r\n", Error::BodyTooLarge),
    ("a bare LF for the end", "{C}0\r\n\n", Error::Chunk),
    ("a bare CR for the end", "{C}0\r\n\rx", Error::Chunk),
    ("a folded trailer", "{C}0\r\nX: a\r\n b\r\n\r\n", Error::Chunk),
    ("a space before a trailer's colon", "{C}0\r\nX : a\r\n\r\n", Error::Chunk),
    ("a trailer without a colon", "{C}0\r\nX\r\n\r\n", Error::Chunk),
    ("a trailer without a name", "{C}0\r\n: a\r\n\r\n", Error::Chunk),
    ("NUL in a trailer", "{C}0\r\nX: \0\r\n\r\n", Error::Chunk),
    ("a bare LF behind a trailer", "{C}0\r\nX: a\n\r\n", Error::Chunk),
    ("a bare CR behind a trailer", "{C}0\r\nX: a\rb\r\n\r\n", Error::Chunk),
];

/// What breaks off, and is neither taken nor refused: some of it is carried, or of a body.
#[rustfmt::skip]
const AWAITED: &[&str] = &[
    "", "\r", "\r\n", "G", "GET ", "GET /hello", "GET /hello ", "GET /hello HTTP",
    "GET /hello HTTP/1.1", "GET /hello HTTP/1.1\r", "GET /hello HTTP/1.1\r\n",
    "GET /hello HTTP/1.1\r\nHos", "GET /hello HTTP/1.1\r\nHost:", "GET /hello HTTP/1.1\r\nHost: ",
    "GET /hello HTTP/1.1\r\nHost: a", "GET /hello HTTP/1.1\r\nHost: a\r",
    "GET /hello HTTP/1.1\r\nHost: a\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n\r",
];

/// Spells out what stands in the tables for the beginning or the rest of a request.
fn filled(template: &str) -> String {
    let host = "\r\nHost: a\r\n";
    let (get, post) = (format!("GET / HTTP/1.1{host}"), format!("POST / HTTP/1.1{host}"));
    let chunked = format!("{post}Transfer-Encoding: chunked\r\n\r\n");
    let rest = format!("{host}\r\n");
    let words = [("{G}", get), ("{P}", post), ("{C}", chunked), ("{H}", rest)];
    words.iter().fold(template.to_owned(), |text, (word, meaning)| text.replace(word, meaning))
}

#[test]
fn good_requests_are_taken_however_they_arrive() {
    for (name, input, expected) in TAKEN {
        let outcome = run_with_tail(&Limits::default(), filled(input).as_bytes());
        assert_eq!(outcome.error, None, "{name}");
        let seen: Vec<String> = outcome.seen.iter().map(summary).collect();
        assert_eq!(seen, *expected, "{name}");
    }
}

#[test]
fn bad_requests_are_refused_however_they_arrive() {
    for (name, input, error) in REFUSED {
        let outcome = run_with_tail(&Limits::default(), filled(input).as_bytes());
        assert_eq!(outcome.error, Some(*error), "{name}");
        assert!(outcome.seen.iter().all(|seen| !seen.is_whole), "{name}");
    }
    let kinds: std::collections::HashSet<Error> = REFUSED.iter().map(|row| row.2).collect();
    assert_eq!(kinds.len(), 16, "every kind but those that need a limit is in the table");
}

#[test]
fn unfinished_requests_are_waited_for() {
    for input in AWAITED {
        let outcome = run_every_way(&Limits::default(), input.as_bytes());
        assert_eq!((outcome.error, outcome.carried), (None, input.len()), "{input:?}");
        assert_eq!(outcome.seen, [], "{input:?}");
    }
    for (name, input, expected) in TAKEN {
        let input = filled(input);
        for end in 0..input.len() {
            let outcome = run([&input.as_bytes()[..end]]);
            assert_eq!(outcome.error, None, "{name}, broken off at {end}");
            let whole = outcome.seen.iter().filter(|seen| seen.is_whole).count();
            assert!(whole < expected.len(), "{name}, broken off at {end}");
        }
    }
}

#[test]
fn a_refusal_does_not_wait_for_the_end_of_the_head() {
    let early = [
        ("\x16", Error::Tls),
        ("\r\n\r", Error::LineEnding),
        ("GET /\n", Error::LineEnding),
        ("GET / HTTP/1.1\r\n ", Error::Header),
        ("GET / HTTP/1.1\r\nX: a\r\n\t", Error::Header),
        ("GET / HTTP/1.1\r\n:", Error::Header),
    ];
    for (input, error) in early {
        assert_eq!(run_every_way(&Limits::default(), input.as_bytes()).error, Some(error));
        let before = &input.as_bytes()[..input.len() - 1];
        assert_eq!(run_every_way(&Limits::default(), before).error, None, "{input:?}");
    }
}
