//! A request head, read and judged.
//!
//! **What.** [`Request::parse`] makes a [`Request`] of the bytes that a
//! [`HeadScan`](super::HeadScan) delimited. Everything in it is borrowed from them.
//!
//! **Why this way.** `httparse` finds the tokens (with vector instructions) and checks each byte of
//! a header; what the tokens may say is decided here and in the modules it calls. RFC 9110 2.5
//! would let HTTP/1.2 pass as 1.1; there is none, so it is refused like every other version.
//! Methods are those that something could answer: CONNECT and TRACE are not among them, because no
//! server that is no proxy has a use for them.
//!
//! **Costs.** One look at each byte. The list of headers lies on the stack, not initialised.
//!
//! **Read next.** `src/proto/http1/fields.rs`, `src/proto/http1/target.rs`.

use super::fields::{Fields, elements};
use super::target::Target;
use super::{Error, Exchange, Extent};
use httparse::{Header, Status};
use std::mem::MaybeUninit;

/// The most that [`Limits::headers_max`](super::Limits::headers_max) can allow.
pub const HEADERS_MAX: usize = 256;

/// Room for the headers of one request. Make one on the stack for each: it is not initialised, so
/// that costs nothing.
#[derive(Debug)]
pub struct Slots<'a>([MaybeUninit<Header<'a>>; HEADERS_MAX]);

impl Slots<'_> {
    /// Empty ones.
    pub fn new() -> Self {
        Slots([const { MaybeUninit::uninit() }; HEADERS_MAX])
    }
}

impl<'a> Slots<'a> {
    pub(super) fn as_mut(&mut self) -> &mut [MaybeUninit<Header<'a>>] {
        &mut self.0
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
    /// Begins with `/`, or is `*` (OPTIONS). As it was sent: nothing in it is decoded.
    pub path: &'a str,
    /// What is behind the `?`, if there is one.
    pub query: Option<&'a str>,
    /// `host[:port]`, valid; always there in HTTP/1.1.
    pub host: Option<&'a str>,
    /// How the body is framed. `None` is what 411 is for, where a body is needed.
    pub extent: Extent,
    /// The connection may be used again after the response.
    pub keep_alive: bool,
    /// The client waits for [`CONTINUE`](super::CONTINUE) before it sends its body.
    pub expects_continue: bool,
    /// Upgrade is there and meant for us (RFC 9110 7.8).
    is_upgrade: bool,
    headers: &'a [Header<'a>],
}

impl<'a> Request<'a> {
    /// Reads `head`, which a [`HeadScan`](super::HeadScan) has found to be one.
    ///
    /// # Errors
    /// It is malformed, or could be read in two ways. The connection must end.
    pub fn parse<'b: 'a>(head: &'b [u8], slots: &'a mut Slots<'b>) -> Result<Request<'a>, Error> {
        let head = head.strip_prefix(b"\r\n").unwrap_or(head);
        let mut tokens = httparse::Request::new(&mut []);
        match tokens.parse_with_uninit_headers(head, &mut slots.0) {
            Ok(Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(Error::RequestLine),
            Err(error) => return Err(judge(error, head)),
        }
        let (Some(method), Some(target), Some(minor)) =
            (tokens.method, tokens.path, tokens.version)
        else {
            return Err(Error::RequestLine);
        };
        let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        let method = Method::from_name(method).ok_or(Error::Method)?;
        let target = Target::parse(target, method).ok_or(Error::Target)?;
        Request::new(method, version, target, tokens.headers)
    }

    fn new(
        method: Method,
        version: Version,
        target: Target<'a>,
        headers: &'a [Header<'a>],
    ) -> Result<Request<'a>, Error> {
        let fields = Fields::gather(headers)?;
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
