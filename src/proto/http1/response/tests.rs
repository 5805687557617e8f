use super::*;

const KEPT: Exchange = Exchange::PLAIN;

/// RFC 9110 5.6.7 gives this second as its example.
fn date() -> Date {
    Date::at(784_111_777)
}

fn whole(status: Status, lines: &[&str], body: &str, exchange: Exchange) -> String {
    let mut out = b"before ".to_vec();
    encode(status, lines, &[body.as_bytes()], exchange, &date(), &mut out);
    let out = String::from_utf8(out).expect("ASCII in, ASCII out");
    let out = out.strip_prefix("before ").expect("it appends").to_owned();
    out.replace("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "[date]\r\n")
}

#[test]
fn a_response_is_what_it_says() {
    assert_eq!(
        whole(Status::Ok, &["Content-Type: text/plain\r\n"], "hello", KEPT),
        "HTTP/1.1 200 OK\r\n[date]\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"
    );
    assert_eq!(
        whole(Status::NotFound, &[], "", KEPT),
        "HTTP/1.1 404 Not Found\r\n[date]\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn head_has_the_length_and_no_body() {
    let head = Exchange { is_head: true, ..KEPT };
    let expected = "HTTP/1.1 200 OK\r\n[date]\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(whole(Status::Ok, &[], "hello", head), expected);
}

#[test]
fn a_status_without_content_has_no_length() {
    let expected = "HTTP/1.1 204 No Content\r\n[date]\r\n\r\n";
    assert_eq!(whole(Status::NoContent, &[], "", KEPT), expected);
    let upgrade = ["Upgrade: websocket\r\n"];
    assert_eq!(
        whole(Status::SwitchingProtocols, &upgrade, "", KEPT),
        "HTTP/1.1 101 Switching Protocols\r\n[date]\r\nConnection: upgrade\r\n\
         Upgrade: websocket\r\n\r\n"
    );
}

#[test]
fn the_connection_header_says_what_becomes_of_it() {
    let connection = |status, exchange| {
        let response = whole(status, &[], "", exchange);
        let line = response.lines().find_map(|line| line.strip_prefix("Connection: "));
        line.map(str::to_owned)
    };
    let old = Exchange { version: Version::Http10, ..KEPT };
    assert_eq!(connection(Status::Ok, KEPT), None);
    assert_eq!(connection(Status::Ok, KEPT.closing()).as_deref(), Some("close"));
    assert_eq!(connection(Status::Ok, old).as_deref(), Some("keep-alive"));
    assert_eq!(connection(Status::Ok, old.closing()).as_deref(), Some("close"));
    assert_eq!(connection(Status::BadRequest, Exchange::BROKEN).as_deref(), Some("close"));
    assert_eq!(connection(Status::UpgradeRequired, KEPT).as_deref(), Some("upgrade"));
    let failed = connection(Status::UpgradeRequired, KEPT.closing());
    assert_eq!(failed.as_deref(), Some("upgrade, close"));
}

#[test]
fn a_body_may_follow_in_parts() {
    let mut out = Vec::new();
    encode_head(Status::Ok, &[], Extent::Chunked, KEPT, &date(), &mut out);
    encode_chunk(b"", &mut out);
    encode_chunk(&[b'x'; 26], &mut out);
    encode_last_chunk(&mut out);
    let out = String::from_utf8(out).expect("ASCII in, ASCII out");
    let expected = format!("chunked\r\n\r\n1a\r\n{}\r\n0\r\n\r\n", "x".repeat(26));
    assert!(out.ends_with(&format!("Transfer-Encoding: {expected}")), "{out}");
    assert!(!out.contains("Content-Length"), "{out}");

    let mut out = Vec::new();
    encode_head(Status::Ok, &[], Extent::Length(u64::MAX), KEPT, &date(), &mut out);
    let out = String::from_utf8(out).expect("ASCII in, ASCII out");
    assert!(out.ends_with("\r\nContent-Length: 18446744073709551615\r\n\r\n"), "{out}");
}

#[test]
fn a_plain_parser_reads_it() {
    let mut out = Vec::new();
    encode(Status::HeadersTooLarge, &["A: b c\r\n"], &[b"x"], Exchange::BROKEN, &date(), &mut out);
    let mut headers = [httparse::EMPTY_HEADER; 8];
    let mut response = httparse::Response::new(&mut headers);
    assert_eq!(response.parse(&out), Ok(httparse::Status::Complete(out.len() - 1)));
    assert_eq!((response.version, response.code), (Some(1), Some(431)));
    assert_eq!(response.reason, Some("Request Header Fields Too Large"));
    let names: Vec<&str> = response.headers.iter().map(|header| header.name).collect();
    assert_eq!(names, ["Date", "Content-Length", "Connection", "A"]);
}

#[test]
fn a_status_line_begins_with_its_code() {
    let all = [
        (Status::Continue, 100),
        (Status::SwitchingProtocols, 101),
        (Status::Ok, 200),
        (Status::NoContent, 204),
        (Status::BadRequest, 400),
        (Status::Forbidden, 403),
        (Status::NotFound, 404),
        (Status::MethodNotAllowed, 405),
        (Status::RequestTimeout, 408),
        (Status::LengthRequired, 411),
        (Status::ContentTooLarge, 413),
        (Status::UriTooLong, 414),
        (Status::ExpectationFailed, 417),
        (Status::UpgradeRequired, 426),
        (Status::HeadersTooLarge, 431),
        (Status::InternalServerError, 500),
        (Status::NotImplemented, 501),
        (Status::ServiceUnavailable, 503),
        (Status::VersionNotSupported, 505),
    ];
    for (status, code) in all {
        assert_eq!(status.code(), code);
        let line = status.line();
        assert!(line.starts_with(&format!("HTTP/1.1 {code} ")) && are_lines(line), "{line}");
    }
    let line = format!("{}\r\n", Status::Continue.line());
    assert_eq!(line.as_bytes(), CONTINUE);
}

#[test]
fn a_date_moves_and_has_an_end() {
    let mut date = date();
    assert_eq!(date.line, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    date.set(784_111_777);
    assert_eq!(date, Date::at(784_111_777));
    date.set(784_111_778);
    assert_eq!(date.line, "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n");
    assert_eq!(Date::at(0).line, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
    assert_eq!(Date::at(u64::MAX).line, "Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n");
}

#[test]
fn a_kept_response_is_written_once_a_second() {
    let (mut kept, mut date, mut written) = (Kept::default(), Date::at(0), 0);
    for unix_s in [0, 0, 0, 5, 5, 6] {
        date.set(unix_s);
        let mut out = b"before ".to_vec();
        kept.append(&date, &mut out, |out| {
            written += 1;
            encode(Status::Ok, &[], &[b"hello"], KEPT, &date, out);
        });
        let mut fresh = b"before ".to_vec();
        encode(Status::Ok, &[], &[b"hello"], KEPT, &date, &mut fresh);
        assert_eq!(out, fresh, "second {unix_s}");
    }
    assert_eq!(written, 3);
}
