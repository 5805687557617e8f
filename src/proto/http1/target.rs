//! What a request is for: its target, and the authority in it or in Host.
//!
//! **What.** [`Target::take`] takes the forms that a server meets (RFC 9112 3.2): origin
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
use super::bytes::{HOST, PATH, TARGET, is, span};
use core::net::Ipv6Addr;
use memchr::memchr;

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
    /// Takes a target off the front of `rest`, as far as it may reach. `None` if it is none that
    /// `method` may have.
    pub(super) fn take(rest: &mut &'a [u8], method: Method) -> Option<Target<'a>> {
        if rest.first() == Some(&b'/') {
            return Some(Target::take_origin(rest, None));
        }
        let (target, behind) = rest.split_at(span(rest, TARGET));
        if target == b"*" {
            *rest = behind;
            let target = Target { authority: None, path: target, query: None };
            return (method == Method::Options).then_some(target);
        }
        let scheme = memchr(b':', target)?;
        let (scheme, behind) = rest.split_at(scheme);
        if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
            return None;
        }
        *rest = behind.strip_prefix(b"://")?;
        let authority = rest.iter().position(|byte| !is(*byte, PATH) || *byte == b'/')?;
        let (authority, behind) = rest.split_at(authority);
        *rest = behind;
        is_authority(authority).then(|| Target::take_origin(rest, Some(authority)))
    }

    fn take_origin(rest: &mut &'a [u8], authority: Option<&'a [u8]>) -> Target<'a> {
        let (path, behind) = rest.split_at(span(rest, PATH));
        let path = if path.is_empty() { b"/" } else { path };
        let Some((b'?', behind)) = behind.split_first() else {
            *rest = behind;
            return Target { authority, path, query: None };
        };
        let (query, behind) = behind.split_at(span(behind, TARGET));
        *rest = behind;
        Target { authority, path, query: Some(query) }
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

/// Rust's own parser would take a plus sign.
fn is_port(port: &[u8]) -> bool {
    let digits = str::from_utf8(port).ok().filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    digits.is_some_and(|port| port.is_empty() || port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests;
