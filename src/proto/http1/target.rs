//! What a request is for: its target, and the authority in it or in Host.
//!
//! **What.** [`Target::parse`] reads the forms that a server meets (RFC 9112 3.2): origin
//! (`/path?query`), absolute (`http://host/path`) and, for OPTIONS, `*`. [`is_authority`] judges
//! `host[:port]`.
//!
//! **Why this way.** The path stays as it was sent: who decodes percent signs or dots before a
//! comparison compares something else than the next program. The authority form is for CONNECT,
//! and this is no proxy. User information in a URI is refused: it is there to deceive
//! (RFC 9110 4.2.4).
//!
//! **Costs.** One look at each byte of the origin form; nothing is copied.
//!
//! **Read next.** `src/proto/http1/fields.rs`.

use super::Method;
use super::bytes::{HOST, PATH, TARGET, span};
use core::net::Ipv6Addr;
use memchr::{memchr, memchr2};

/// A request target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// `host[:port]`, in the absolute form only.
    pub(super) authority: Option<&'a [u8]>,
    /// Begins with `/`, or is `*`.
    pub(super) path: &'a [u8],
    /// What is behind the first `?`.
    pub(super) query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// Reads a target. `None` if it is none that `method` may have.
    pub(super) fn parse(target: &'a [u8], method: Method) -> Option<Target<'a>> {
        if target.first() == Some(&b'/') {
            return Target::origin(target, None);
        }
        if target == b"*" {
            let target = Target { authority: None, path: target, query: None };
            return (method == Method::Options).then_some(target);
        }
        let (scheme, behind) = target.split_at(memchr(b':', target)?);
        if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
            return None;
        }
        let behind = behind.strip_prefix(b"://")?;
        let end = memchr2(b'/', b'?', behind).unwrap_or(behind.len());
        let (authority, behind) = behind.split_at(end);
        is_authority(authority).then(|| Target::origin(behind, Some(authority)))?
    }

    fn origin(target: &'a [u8], authority: Option<&'a [u8]>) -> Option<Target<'a>> {
        let (path, behind) = target.split_at(span(target, PATH));
        let path = if path.is_empty() { b"/" } else { path };
        match behind {
            [] => Some(Target { authority, path, query: None }),
            [b'?', query @ ..] if span(query, TARGET) == query.len() => {
                Some(Target { authority, path, query: Some(query) })
            }
            _ => None,
        }
    }
}

/// Whether `text` is `host[:port]` (RFC 3986 3.2.2). The host of an `http` URI is never empty
/// (RFC 9110 4.2.1), the port may be.
pub(super) fn is_authority(text: &[u8]) -> bool {
    let host = match text {
        [b'[', literal @ ..] => address_span(literal).map(|bytes| bytes + 2),
        _ => name_span(text),
    };
    match host.map(|bytes| &text[bytes..]) {
        Some([]) => true,
        Some([b':', port @ ..]) => is_port(port),
        Some(_) | None => false,
    }
}

/// How long the IPv6 address is that a bracket follows.
fn address_span(literal: &[u8]) -> Option<usize> {
    let bytes = memchr(b']', literal)?;
    let address = str::from_utf8(&literal[..bytes]).ok()?;
    address.parse::<Ipv6Addr>().is_ok().then_some(bytes)
}

/// How long the registered name or IPv4 address is that `text` begins with: unreserved, sub-delims
/// and percent-encoded bytes.
fn name_span(text: &[u8]) -> Option<usize> {
    let mut bytes = span(text, HOST);
    while let [b'%', digits @ ..] = &text[bytes..] {
        let (digits, _) = digits.split_first_chunk::<2>()?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        bytes += 3;
        bytes += span(&text[bytes..], HOST);
    }
    (bytes > 0).then_some(bytes)
}

/// Digits and nothing else, up to 16 bits; none is the port of the scheme.
fn is_port(port: &[u8]) -> bool {
    let add = |number: u32, digit: &u8| {
        let number = number * 10 + char::from(*digit).to_digit(10)?;
        (number <= u32::from(u16::MAX)).then_some(number)
    };
    port.iter().try_fold(0, add).is_some()
}

#[cfg(test)]
mod tests;
