//! The other opinion on the grammar: plain `httparse` behind the scan, and plain words for what a
//! target and a host may be. The parser takes what they take, and finds the same in it.

use super::*;
use proptest::sample::Index;

/// What the other one found.
#[derive(Debug)]
struct Twin {
    method: String,
    version: Version,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    /// One valid Host, or none in HTTP/1.0; the same as in the target.
    is_host_fine: bool,
}

/// Reads `head`, of which only the scan has said something.
fn read(head: &[u8]) -> Option<Twin> {
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut plain = httparse::Request::new(&mut slots);
    assert!(!plain.parse(head).ok()?.is_partial(), "the scan has found the end");
    let (method, target) = (plain.method?.to_owned(), plain.path?.to_owned());
    let version = if plain.version == Some(1) { Version::Http11 } else { Version::Http10 };
    let headers = plain.headers.iter().map(|h| (h.name.to_owned(), h.value.to_vec()));
    let headers: Vec<(String, Vec<u8>)> = headers.collect();
    let authority = authority_of(&target, &method)?;
    Method::NAMES.iter().find(|(name, _)| *name == method)?;
    let hosts = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    let is_host_fine = match &hosts.map(|(_, value)| &value[..]).collect::<Vec<_>>()[..] {
        [] => version == Version::Http10,
        [host] => is_authority(host) && authority.is_none_or(|it| it.eq_ignore_ascii_case(host)),
        _ => false,
    };
    Some(Twin { method, version, target, headers, is_host_fine })
}

/// `None`: no target that `method` may have. `Some(None)`: one without an authority.
fn authority_of<'t>(target: &'t str, method: &str) -> Option<Option<&'t [u8]>> {
    if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return None;
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Some(None);
    }
    let (scheme, behind) = target.split_once("://")?;
    let authority = behind.split(['/', '?']).next()?.as_bytes();
    let is_http = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    (is_http && is_authority(authority)).then_some(Some(authority))
}

fn is_authority(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let (is_host, port) = match text.strip_prefix('[') {
        Some(literal) => {
            let Some((address, behind)) = literal.split_once(']') else { return false };
            (address.parse::<core::net::Ipv6Addr>().is_ok(), behind)
        }
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (is_name(name), port)
        }
    };
    let is_port = |port: &str| {
        let is_decimal = port.bytes().all(|byte| byte.is_ascii_digit());
        port.is_empty() || (is_decimal && port.parse::<u16>().is_ok())
    };
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

fn is_name(name: &str) -> bool {
    let mut pieces = name.split('%');
    let is_plain = |text: &str| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&b))
    };
    let is_escape = |text: &str| {
        let digits = text.as_bytes().first_chunk::<2>();
        digits.is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit)) && is_plain(&text[2..])
    };
    !name.is_empty() && pieces.next().is_some_and(is_plain) && pieces.all(is_escape)
}

/// Both on the head that `bytes` begin with.
fn compare(bytes: &[u8]) {
    let limits = Limits::default();
    let (mut slots, shown) = (Slots::new(), bytes.escape_ascii());
    let ours = Request::parse(bytes, &limits, &mut slots);
    let Ok(Some(end)) = HeadScan::default().feed(bytes, &limits) else {
        assert!(ours.is_err(), "taken, and the scan finds no end: {shown}");
        return;
    };
    match (ours, read(&bytes[..end])) {
        (Ok((request, length)), Some(twin)) => {
            assert_eq!(length, end, "{shown}");
            assert_eq!((request.method.name(), request.version), (&twin.method[..], twin.version));
            assert!(twin.target.contains(&text(request.path)) || request.path == b"/", "{shown}");
            let query = twin.target.split_once('?').map(|(_, query)| query.as_bytes());
            assert_eq!(request.query, query, "{shown}");
            assert_eq!(seen(&request).headers, twin.headers, "{shown}");
            assert!(twin.is_host_fine, "{shown}");
        }
        (Ok(_), None) => panic!("taken by us alone: {shown}"),
        (Err(Error::Host), Some(twin)) => assert!(!twin.is_host_fine, "{shown}"),
        // What the headers mean together is no question of grammar.
        (Err(error), Some(_)) => assert!(
            matches!(
                error,
                Error::ContentLength
                    | Error::Framing
                    | Error::TransferCoding
                    | Error::Expectation
                    | Error::UpgradeWithBody
            ),
            "refused by us alone, {error:?}: {shown}"
        ),
        (Err(_), None) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Valid requests with some bytes replaced by such as may matter, or by any.
    #[test]
    fn both_take_the_same_heads(
        (mut bytes, _) in request(),
        changes in prop::collection::vec((any::<Index>(), select(&CHANGES[..])), 0..3),
        others in prop::collection::vec((any::<Index>(), any::<u8>()), 0..2),
    ) {
        for (at, byte) in changes.iter().chain(&others) {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        compare(&bytes);
    }

    /// The same of short heads, in which a change meets what matters.
    #[test]
    fn both_take_the_same_short_heads(
        target in select(&TARGETS[..]),
        host in select(&HOSTS[..]),
        value in prop::collection::vec(any::<u8>(), 0..20),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..3),
    ) {
        let mut bytes = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nx:").into_bytes();
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(b"\r\n\r\n");
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        compare(&bytes);
    }

    #[test]
    fn both_take_the_same_noise(
        noise in prop::collection::vec(select(&NOISE[..]), 0..12),
    ) {
        compare(["GET / HTTP/1.1\r\n", &noise.concat(), "\r\n\r\n"].concat().as_bytes());
        compare(["POST / HTTP/1.0\r\n", &noise.concat(), "\r\n\r\n"].concat().as_bytes());
    }
}

/// What a byte is changed into: whatever may matter to a parser.
const CHANGES: [u8; 16] = *b"\r\n \t:,;/0a\0\x7f\x80\xff%?";
const TARGETS: [&str; 8] =
    ["/", "/a?b?c", "*", "http://a", "http://a?b", "https://A:1/", "//", "a"];
const HOSTS: [&str; 7] = ["a", "A:1", "[::1]:80", "%41b", "a%4", "a:65536", ""];

/// Every byte at every place of a head.
#[test]
fn both_judge_each_byte_alike_wherever_it_stands() {
    let head =
        b"\r\nGET /a?b HTTP/1.1\r\nHost: [::1]:80\r\nx-long-name: a value, of words\t \r\n\r\n";
    compare(head);
    for at in 0..head.len() {
        for byte in 0..=255 {
            let mut changed = *head;
            changed[at] = byte;
            compare(&changed);
            compare(&[&head[..at], &[byte], &head[at..]].concat());
        }
        compare(&head[..at]);
        compare(&[&head[..at], &head[at + 1..]].concat());
    }
}
