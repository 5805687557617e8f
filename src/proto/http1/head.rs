//! A request head, read and judged.
//!
//! **What.** [`Request::parse`] makes a [`Request`] of the head that some bytes begin with.
//! Everything in it is borrowed from them.
//!
//! **Why this way.** `httparse` cuts the head into tokens, checks each byte of them and finds its
//! end, so nearly every head, which comes whole and is right, needs no other pass. What the tokens
//! may say is decided here and in the modules it calls, and so is what it takes and we do not: a
//! bare LF, several empty lines before a request, UTF-8 in a target. This takes a head or refuses
//! it; which of the two is for more bytes to decide, only a [`HeadScan`](super::HeadScan) knows. A
//! parser of our own took 450 instructions a request where this takes 1,100, and is not here: what
//! the world has tested is worth more than that. RFC 9110 2.5 would let HTTP/1.2 pass as 1.1; there
//! is none, so it is refused like every other version. Methods are those that something could
//! answer: CONNECT and TRACE are not among them, because no server that is no proxy has a use for
//! them.
//!
//! **Costs.** One look at each byte, and a count of the line endings. The list of headers lies
//! on the stack, not initialised.
//!
//! **Read next.** `src/proto/http1/fields.rs`, `src/proto/http1/target.rs`.

use super::bytes::{TOKEN, is};
use super::fields::{Fields, elements};
use super::target::Target;
use super::{Error, Exchange, Extent, Limits};
use httparse::{Header, Status};
use memchr::memchr_iter;
use std::mem::MaybeUninit;

/// The most that [`Limits::headers_max`] can allow.
pub const HEADERS_MAX: usize = 256;

/// Room for the headers of one message. Make one on the stack for each: it is not initialised, so
/// that costs nothing.
#[derive(Debug)]
pub struct Slots<'a>([MaybeUninit<Header<'a>>; HEADERS_MAX]);

impl<'a> Slots<'a> {
    /// Empty ones.
    pub fn new() -> Self {
        Slots([const { MaybeUninit::uninit() }; HEADERS_MAX])
    }

    /// As many of them as a message may have headers.
    pub(super) fn first(&mut self, headers_max: usize) -> &mut [MaybeUninit<Header<'a>>] {
        &mut self.0[..headers_max.min(HEADERS_MAX)]
    }
}

impl Default for Slots<'_> {
    fn default() -> Self {
        Slots::new()
    }
}

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
    pub fn from_name(name: &str) -> Option<Method> {
        Method::NAMES.iter().find(|(known, _)| *known == name).map(|(_, method)| *method)
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
    headers: &'a [Header<'a>],
}

impl<'a> Request<'a> {
    /// Reads the head that `bytes` begin with. The number is how many of them it is; what is behind
    /// belongs to the body or to the next request.
    ///
    /// # Errors
    /// It is malformed, could be read in two ways, or passes a limit; or it is not whole, which
    /// looks the same from here. Ask a [`HeadScan`](super::HeadScan): if it finds an end, this is
    /// what is wrong, and the connection must end.
    pub fn parse<'b: 'a>(
        bytes: &'b [u8],
        limits: &Limits,
        slots: &'a mut Slots<'b>,
    ) -> Result<(Request<'a>, usize), Error> {
        let window = &bytes[..bytes.len().min(limits.head_bytes_max)];
        let head = window.strip_prefix(b"\r\n").unwrap_or(window);
        if !head.first().is_some_and(|byte| is(*byte, TOKEN)) {
            return Err(Error::RequestLine);
        }
        let mut tokens = httparse::Request::new(&mut []);
        let length = match tokens.parse_with_uninit_headers(head, slots.first(limits.headers_max)) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) => return Err(Error::RequestLine),
            Err(error) => return Err(judge(error, head)),
        };
        let (Some(method), Some(target), Some(minor)) =
            (tokens.method, tokens.path, tokens.version)
        else {
            return Err(Error::RequestLine);
        };
        // A CR stands nowhere but before an LF, so there is one for each line, or an LF is bare.
        if memchr_iter(b'\r', &head[..length]).count() != 2 + tokens.headers.len() {
            return Err(Error::LineEnding);
        }
        let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        let method = Method::from_name(method).ok_or(Error::Method)?;
        let target = Target::parse(target.as_bytes(), method).ok_or(Error::Target)?;
        let mut fields = Fields::default();
        for Header { name, value } in &*tokens.headers {
            fields.add(name.as_bytes(), value)?;
        }
        let request = Request::new(method, version, target, fields, tokens.headers)?;
        Ok((request, window.len() - head.len() + length))
    }

    fn new(
        method: Method,
        version: Version,
        target: Target<'a>,
        fields: Fields<'a>,
        headers: &'a [Header<'a>],
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
            headers,
        })
    }

    /// All headers in the order in which they came: names as they were sent, values without the
    /// white space around them. A value may hold any byte but control characters.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + Clone + use<'a> {
        self.headers.iter().map(|header| (header.name, header.value))
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
        let is_upgrade = self.is_upgrade;
        self.values("upgrade").filter(move |_| is_upgrade).flat_map(elements)
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

/// What `httparse` did not like. It has one error for a wrong version and for none.
#[cold]
fn judge(error: httparse::Error, head: &[u8]) -> Error {
    match error {
        httparse::Error::HeaderName | httparse::Error::HeaderValue => Error::Header,
        httparse::Error::TooManyHeaders => Error::TooManyHeaders,
        httparse::Error::Version if names_version(head) => Error::Version,
        _ => Error::RequestLine,
    }
}

/// Whether the request line has a version where it belongs, be it one that nobody speaks.
fn names_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let version = line.splitn(3, |byte| *byte == b' ').nth(2);
    matches!(version, Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

#[cfg(test)]
mod tests;
