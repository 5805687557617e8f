//! What a request is for: its target, and the authority in it or in Host.
//!
//! **What.** [`Target::parse`] takes the forms that a server meets (RFC 9112 3.2): origin
//! (`/path?query`), absolute (`http://host/path`) and, for OPTIONS, `*`. [`is_authority`] judges
//! `host[:port]`.
//!
//! **Why this way.** The path stays as it was sent: who decodes percent signs or dots before a
//! comparison compares something else than the next program. The authority form is for CONNECT,
//! and this is no proxy. User information in a URI is refused: it is there to deceive
//! (RFC 9110 4.2.4).
//!
//! **Costs.** Some looks at each byte; nothing is copied.
//!
//! **Read next.** `src/proto/http1/fields.rs`.

use super::Method;
use core::net::Ipv6Addr;
use memchr::memchr;

/// A request target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// `host[:port]`, in the absolute form only.
    pub(super) authority: Option<&'a str>,
    /// Begins with `/`, or is `*`.
    pub(super) path: &'a str,
    /// What is behind the first `?`.
    pub(super) query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// `None` if the target is none that `method` may have. Only visible ASCII may be in it, and no
    /// `#`: a fragment never leaves the client.
    pub(super) fn parse(target: &'a str, method: Method) -> Option<Target<'a>> {
        if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return None;
        }
        if target.starts_with('/') {
            return Some(Target::origin(target, None));
        }
        if target == "*" {
            return (method == Method::Options).then_some(Target::origin(target, None));
        }
        let (scheme, behind) = target.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let (authority, rest) = behind.split_at(behind.find(['/', '?']).unwrap_or(behind.len()));
        is_authority(authority).then_some(Target::origin(rest, Some(authority)))
    }

    fn origin(target: &'a str, authority: Option<&'a str>) -> Target<'a> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        Target { authority, path: if path.is_empty() { "/" } else { path }, query }
    }
}

/// Whether `text` is `host[:port]` (RFC 3986 3.2.2). The host of an `http` URI is never empty
/// (RFC 9110 4.2.1), the port may be.
pub(super) fn is_authority(text: &str) -> bool {
    let (is_host, port) = match text.strip_prefix('[') {
        Some(literal) => {
            let Some((address, behind)) = literal.split_once(']') else { return false };
            (address.parse::<Ipv6Addr>().is_ok(), behind)
        }
        None => {
            let (name, port) = text.split_at(memchr(b':', text.as_bytes()).unwrap_or(text.len()));
            (is_name(name), port)
        }
    };
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// Bytes that a name may have as they are. A table, for each request asks for each byte.
const IN_NAMES: [bool; 256] = {
    let marks = b"-._~!$&'()*+,;=";
    let (mut table, mut at) = ([false; 256], 0);
    while at < marks.len() {
        table[marks[at] as usize] = true;
        at += 1;
    }
    let mut byte = 0;
    while byte < 128u8 {
        table[byte as usize] |= byte.is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

/// A registered name or an IPv4 address: unreserved, sub-delims and percent-encoded bytes.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        let mut is_hex = || bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        let is_valid = IN_NAMES[byte as usize] || (byte == b'%' && is_hex() && is_hex());
        if !is_valid {
            return false;
        }
    }
    !name.is_empty()
}

/// Rust's own parser would take a plus sign.
fn is_port(port: &str) -> bool {
    port.is_empty() || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests;
