//! A request head, read and judged.
//!
//! **What.** [`Request::parse`] makes a [`Request`] of the head that some bytes begin with.
//! Everything in it is borrowed from them.
//!
//! **Why this way.** One pass finds the words, checks each byte and finds the end: nearly every
//! head comes whole and is right, and then there is no other pass. It takes a head or refuses it;
//! which of the two is for more bytes to decide, only a [`HeadScan`](super::HeadScan) knows.
//! `httparse` did this, and is the other opinion in the tests: it takes more than we do (a bare LF,
//! UTF-8 in a target), so its result had to be looked at again. RFC 9110 2.5 would let HTTP/1.2
//! pass as 1.1; there is none, so it is refused like every other version. Methods are those that
//! something could answer: CONNECT and TRACE are not among them, because no server that is no proxy
//! has a use for them. The header lines are not kept apart: who asks for one goes over them again,
//! and only an upgrade does.
//!
//! **Costs.** One look at each byte; no list of headers.
//!
//! **Read next.** `src/proto/http1/bytes.rs`, `src/proto/http1/fields.rs`,
//! `src/proto/http1/target.rs`.

use super::bytes::{TOKEN, span, text_span};
use super::fields::{Fields, elements};
use super::target::Target;
use super::{Error, Exchange, Extent, Limits};

/// The most that [`Limits::headers_max`] can allow.
pub const HEADERS_MAX: usize = 256;

/// A request method (RFC 9110 9, RFC 5789). Names are case-sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are called what they are")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    /// All methods with their names.
    pub const NAMES: [(&str, Method); 7] = [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("PATCH", Method::Patch),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
    ];

    /// As it is written in a request.
    pub fn name(self) -> &'static str {
        Method::NAMES.iter().find(|(_, method)| *method == self).map_or("", |(name, _)| name)
    }

    /// Whether a request with it brings something (RFC 9110 9.3).
    pub fn has_body(self) -> bool {
        matches!(self, Method::Post | Method::Put | Method::Patch)
    }

    /// The method of that name, which is case-sensitive.
    pub fn from_name(name: impl AsRef<[u8]>) -> Option<Method> {
        let named = Method::NAMES.iter().find(|(known, _)| known.as_bytes() == name.as_ref());
        named.map(|(_, method)| *method)
    }
}

/// The version of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/1.0: no chunks, no upgrade, and closes unless asked not to.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// A request, without its body.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is to be done.
    pub method: Method,
    /// HTTP/1.0 or 1.1.
    pub version: Version,
    /// Begins with `/`, or is `*` (OPTIONS). As it was sent: visible ASCII, and nothing in it is
    /// decoded.
    pub path: &'a [u8],
    /// What is behind the `?`, if there is one.
    pub query: Option<&'a [u8]>,
    /// `host[:port]`, valid; always there in HTTP/1.1.
    pub host: Option<&'a [u8]>,
    /// How the body is framed. `None` is what 411 is for, where a body is needed.
    pub extent: Extent,
    /// The connection may be used again after the response.
    pub keep_alive: bool,
    /// The client waits for [`CONTINUE`](super::CONTINUE) before it sends its body.
    pub expects_continue: bool,
    /// Upgrade is there and meant for us (RFC 9110 7.8).
    pub is_upgrade: bool,
    /// The header lines with their endings, all of them well-formed.
    lines: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads the head that `bytes` begin with. The number is how many of them it is; what is behind
    /// belongs to the body or to the next request.
    ///
    /// # Errors
    /// It is malformed, could be read in two ways, or passes a limit; or it is not whole, which
    /// looks the same from here. Ask a [`HeadScan`](super::HeadScan): if it finds an end, this is
    /// what is wrong, and the connection must end.
    pub fn parse(bytes: &'a [u8], limits: &Limits) -> Result<(Request<'a>, usize), Error> {
        let window = &bytes[..bytes.len().min(limits.head_bytes_max)];
        let head = window.strip_prefix(b"\r\n").unwrap_or(window);
        let mut rest = head;
        let (method, target, version) =
            request_line(&mut rest).ok_or_else(|| judge_request_line(head))?;
        let lines = rest;
        let mut fields = Fields::default();
        let mut room = limits.headers_max.min(HEADERS_MAX);
        let behind = loop {
            if let Some(behind) = rest.strip_prefix(b"\r\n") {
                break behind;
            }
            let (name, value) = header_line(&mut rest)?;
            room = room.checked_sub(1).ok_or(Error::TooManyHeaders)?;
            fields.add(name, value)?;
        };
        let lines = &lines[..lines.len() - rest.len()];
        let request = Request::new(method, version, target, fields, lines)?;
        Ok((request, window.len() - behind.len()))
    }

    fn new(
        method: Method,
        version: Version,
        target: Target<'a>,
        fields: Fields<'a>,
        lines: &'a [u8],
    ) -> Result<Request<'a>, Error> {
        let is_http11 = version == Version::Http11;
        match (fields.host, target.authority) {
            (None, _) if is_http11 => return Err(Error::Host),
            (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
                return Err(Error::Host);
            }
            _ => {}
        }
        let extent = fields.extent(version)?;
        let has_body = !extent.is_empty();
        if is_http11 && fields.has_upgrade && has_body {
            return Err(Error::UpgradeWithBody);
        }
        Ok(Request {
            method,
            version,
            path: target.path,
            query: target.query,
            host: target.authority.or(fields.host),
            extent,
            keep_alive: fields.keep_alive(version),
            expects_continue: is_http11 && fields.expects_continue && has_body,
            is_upgrade: is_http11 && fields.has_upgrade && fields.connection_upgrade,
            lines,
        })
    }

    /// All headers in the order in which they came: names as they were sent, values without the
    /// white space around them. A value may hold any byte but control characters.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + Clone + use<'a> {
        let mut rest = self.lines;
        std::iter::from_fn(move || next_header(&mut rest))
    }

    /// The values of each header called `name`, in whatever case.
    pub fn values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let named = self.headers().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value)
    }

    /// The value of the only header called `name`; `None` if there is none, or more than one.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// The protocols that the client would rather speak, best first; none unless it asked properly.
    pub fn upgrades(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let lines = if self.is_upgrade { self.lines } else { &[] };
        Request { lines, ..*self }.values("upgrade").flat_map(elements)
    }

    /// What the response must know of the request.
    pub fn exchange(&self) -> Exchange {
        Exchange {
            is_head: self.method == Method::Head,
            version: self.version,
            keep_alive: self.keep_alive,
        }
    }
}

/// Takes the request line off the front of `rest`, and its ending.
fn request_line<'a>(rest: &mut &'a [u8]) -> Option<(Method, Target<'a>, Version)> {
    let (method, mut behind) = match rest.strip_prefix(b"GET ") {
        // Nearly all are.
        Some(behind) => (Method::Get, behind),
        None => {
            let (name, behind) = rest.split_at(span(rest, TOKEN));
            (Method::from_name(name)?, behind.strip_prefix(b" ")?)
        }
    };
    let target = Target::take(&mut behind, method)?;
    let (version, behind) = behind.split_first_chunk()?;
    *rest = behind;
    // Compared as a whole, where a `match` would go byte by byte.
    if version == b" HTTP/1.1\r\n" {
        Some((method, target, Version::Http11))
    } else {
        (version == b" HTTP/1.0\r\n").then_some((method, target, Version::Http10))
    }
}

/// What is wrong with the line that `head` begins with.
#[cold]
fn judge_request_line(head: &[u8]) -> Error {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (Some(name), Some(target), Some(version)) = (words.next(), words.next(), words.next())
    else {
        return Error::RequestLine;
    };
    let is_word = !target.is_empty() && !target.iter().any(u8::is_ascii_control);
    if name.is_empty() || span(name, TOKEN) < name.len() || !is_word {
        return Error::RequestLine;
    }
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" if Method::from_name(name).is_none() => Error::Method,
        b"HTTP/1.1" | b"HTTP/1.0" => Error::Target,
        // A version where it belongs, be it one that nobody speaks.
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Error::Version,
        _ => Error::RequestLine,
    }
}

/// The header at the front of `rest`, if there is one more.
#[inline(never)]
fn next_header<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let (name, value) = header_line(rest).ok()?;
    Some((str::from_utf8(name).ok()?, value))
}

/// Takes a header line off the front of `rest`, and its ending: a name, and a value without the
/// white space around it. None may stand before the colon (RFC 9112 5.1).
#[inline(always)]
fn header_line<'a>(rest: &mut &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Error> {
    let (name, behind) = rest.split_at(span(rest, TOKEN));
    let value = match behind {
        [b':', b' ', value @ ..] | [b':', value @ ..] if !name.is_empty() => value,
        _ => return Err(Error::Header),
    };
    let (value, behind) = value.split_at(text_span(value));
    *rest = match behind {
        [b'\r', b'\n', behind @ ..] => behind,
        [b'\r' | b'\n', ..] => return Err(Error::LineEnding),
        _ => return Err(Error::Header),
    };
    Ok((name, trim(value)))
}

/// Without the spaces and tabs around it.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests;
