use super::*;

const HEAD: &str =
    "HEAD /a?b HTTP/1.1\r\nHost: h:1\r\nAccept: x, ,y\r\nKey: one\r\naCCEPT:  z \r\n\r\n";

fn parse<'a>(head: &'static str, slots: &'a mut Slots<'static>) -> Request<'a> {
    Request::parse(head.as_bytes(), &Limits::default(), slots).expect("valid").0
}

#[test]
fn headers_are_found_by_name_in_any_case() {
    let mut slots = Slots::new();
    let request = parse(HEAD, &mut slots);
    let names: Vec<&str> = request.headers().map(|(name, _)| name).collect();
    assert_eq!(names, ["Host", "Accept", "Key", "aCCEPT"]);
    let accepted: Vec<&[u8]> = request.values("accept").collect();
    assert_eq!(accepted, [&b"x, ,y"[..], b"z"]);
    assert_eq!(request.header("kEY"), Some(&b"one"[..]));
    assert_eq!(request.header("accept"), None, "there are two");
    assert_eq!(request.header("other"), None);
    assert_eq!(request.upgrades().next(), None);
}

#[test]
fn everything_is_borrowed_from_the_head() {
    let mut slots = Slots::new();
    let request = parse(HEAD, &mut slots);
    let head = HEAD.as_bytes().as_ptr_range();
    let query = request.query.expect("there is one");
    let key = request.header("key").expect("there is one");
    for part in [request.path, query, key] {
        assert!(head.contains(&part.as_ptr()), "{}", part.escape_ascii());
    }
}

#[test]
fn the_host_is_the_targets_or_else_the_headers() {
    let host = |head| {
        let mut slots = Slots::new();
        let host = parse(head, &mut slots).host;
        host.map(|host| String::from_utf8_lossy(host).into_owned())
    };
    assert_eq!(host(HEAD).as_deref(), Some("h:1"));
    assert_eq!(host("GET http://a:2/ HTTP/1.1\r\nHost: A:2\r\n\r\n").as_deref(), Some("a:2"));
    assert_eq!(host("GET http://a:2/ HTTP/1.0\r\n\r\n").as_deref(), Some("a:2"));
    assert_eq!(host("GET / HTTP/1.0\r\n\r\n"), None);
}

#[test]
fn the_response_learns_what_it_must() {
    let exchange = |head| parse(head, &mut Slots::new()).exchange();
    let kept = Exchange { is_head: true, version: Version::Http11, keep_alive: true };
    assert_eq!(exchange(HEAD), kept);
    let old = Exchange { is_head: false, version: Version::Http10, keep_alive: false };
    assert_eq!(exchange("GET / HTTP/1.0\r\n\r\n"), old);
}
