//! Responses, as a client reads them.
//!
//! **What.** A [`ReplyReader`] is fed what arrives and hands out [`ReplyPart`]s: the head of a
//! response, stretches of its body, its end.
//!
//! **Why this way.** A client that frames a response otherwise than its server takes the rest for
//! the next answer, so the policy is as narrow as for requests: CRLF only, one length or chunks and
//! never both, no length where no body may be. Only one thing is looser: a response without any
//! framing ends with its connection, for that is how HTTP/1.0 has it. Where a reply ends depends on
//! its request (HEAD), so the caller says what it asked for.
//!
//! **Costs.** A head that comes whole is parsed where it lies, and a body is borrowed; a head that
//! comes in pieces is carried in a block of the pool. 64 bytes.
//!
//! **Read next.** `src/proto/http1/body.rs`; `src/load/speech/http.rs`, which asks.

use super::fields::Fields;
use super::{Body, Error, Extent, HEADERS_MAX, HeadScan, Limits, Part, Slots, Version};
use crate::buf::{Carry, Exhausted, Pool};
use httparse::{Header, ParserConfig, Response, Status};
use std::fmt;

/// Interim responses (1xx) that may precede an answer.
const INTERIM_MAX: u8 = 16;

/// What is wrong with a response. The connection is of no use after any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyError {
    /// The first byte cannot begin a response.
    NotHttp,
    /// A CR or LF that is not a CRLF.
    LineEnding,
    /// Not `version SP status SP reason`.
    StatusLine,
    /// Not HTTP/1.0 or HTTP/1.1.
    Version,
    /// The head is over its limit.
    HeadTooLarge,
    /// More header lines than the limit.
    TooManyHeaders,
    /// A header line is malformed, or continues the one before.
    Header,
    /// Content-Length is repeated, no number, or past 64 bits (RFC 9112 6.3).
    ContentLength,
    /// Both framings, chunks in HTTP/1.0, or a body where the status allows none.
    Framing,
    /// A transfer coding other than a single `chunked`.
    TransferCoding,
    /// The chunked coding is malformed (RFC 9112 7.1).
    Chunk,
    /// Chunk extensions and trailers are over their limit.
    ChunkExtra,
    /// The body is over its limit.
    BodyTooLarge,
    /// More interim responses than any server has a reason to send.
    TooManyInterim,
    /// The connection ended within the response.
    Truncated,
    /// No block is left to carry the head in. It is not the server's doing.
    Exhausted,
}

impl From<Error> for ReplyError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotHttp | Error::Tls => ReplyError::NotHttp,
            Error::LineEnding => ReplyError::LineEnding,
            Error::HeadTooLarge | Error::TargetTooLong => ReplyError::HeadTooLarge,
            Error::TooManyHeaders => ReplyError::TooManyHeaders,
            Error::ContentLength => ReplyError::ContentLength,
            Error::Framing => ReplyError::Framing,
            Error::TransferCoding => ReplyError::TransferCoding,
            Error::Chunk => ReplyError::Chunk,
            Error::ChunkExtra => ReplyError::ChunkExtra,
            Error::BodyTooLarge => ReplyError::BodyTooLarge,
            // The others are about requests.
            _ => ReplyError::Header,
        }
    }
}

impl From<Exhausted> for ReplyError {
    fn from(_: Exhausted) -> Self {
        ReplyError::Exhausted
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReplyError::NotHttp => "this is not HTTP",
            ReplyError::LineEnding => "a line does not end with CRLF",
            ReplyError::StatusLine => "malformed status line",
            ReplyError::Version => "neither HTTP/1.1 nor HTTP/1.0",
            ReplyError::HeadTooLarge => "response head over the limit",
            ReplyError::TooManyHeaders => "too many header lines",
            ReplyError::Header => "malformed header line",
            ReplyError::ContentLength => "not exactly one valid Content-Length",
            ReplyError::Framing => "the end of the body can be understood in two ways",
            ReplyError::TransferCoding => "a transfer coding other than chunked",
            ReplyError::Chunk => "malformed chunked body",
            ReplyError::ChunkExtra => "chunk extras over the limit",
            ReplyError::BodyTooLarge => "response body over the limit",
            ReplyError::TooManyInterim => "too many interim responses",
            ReplyError::Truncated => "the connection ended within a response",
            ReplyError::Exhausted => "out of buffers",
        })
    }
}

impl std::error::Error for ReplyError {}

/// The head of a response.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// 100 to 999.
    pub status: u16,
    /// What the status line says beside; may be empty.
    pub reason: &'a str,
    /// HTTP/1.0 or 1.1.
    pub version: Version,
    /// How the body is framed.
    pub extent: Extent,
    /// The connection may be used again.
    pub keep_alive: bool,
    headers: &'a [Header<'a>],
}

impl<'a> Reply<'a> {
    /// Reads `head`, which a [`HeadScan`] has found to be one. It answers HEAD if `to_head`.
    ///
    /// # Errors
    /// It is malformed, or could be read in two ways.
    pub fn parse<'b: 'a>(
        head: &'b [u8],
        to_head: bool,
        slots: &'a mut Slots<'b>,
    ) -> Result<Reply<'a>, ReplyError> {
        let mut tokens = Response::new(&mut []);
        let config = ParserConfig::default();
        match config.parse_response_with_uninit_headers(&mut tokens, head, slots.first(HEADERS_MAX))
        {
            // An empty line before a response has no excuse (RFC 9112 2.2 has one for requests).
            _ if head.starts_with(b"\r\n") => return Err(ReplyError::LineEnding),
            Ok(Status::Complete(length)) if length == head.len() => {}
            Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
                return Err(ReplyError::Header);
            }
            Err(httparse::Error::TooManyHeaders) => return Err(ReplyError::TooManyHeaders),
            Err(httparse::Error::Version) => return Err(ReplyError::Version),
            Ok(_) | Err(_) => return Err(ReplyError::StatusLine),
        }
        let (Some(status @ 100..), Some(minor)) = (tokens.code, tokens.version) else {
            return Err(ReplyError::StatusLine);
        };
        let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        let fields = Fields::gather_framing(tokens.headers)?;
        let extent = match (status, fields.extent(version)?) {
            (100..200 | 204, Extent::None | Extent::Length(0)) => Extent::None,
            (100..200 | 204, _) => return Err(ReplyError::Framing),
            (304, _) => Extent::None,
            _ if to_head => Extent::None,
            (_, Extent::None) => Extent::UntilClose,
            (_, extent) => extent,
        };
        let keep_alive = extent != Extent::UntilClose && fields.keep_alive(version);
        let reason = tokens.reason.unwrap_or_default();
        Ok(Reply { status, reason, version, extent, keep_alive, headers: tokens.headers })
    }

    /// All headers in the order in which they came, values without the white space around them.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + Clone + use<'a> {
        self.headers.iter().map(|header| (header.name, header.value))
    }

    /// It announces the response and is none (RFC 9110 15.2). 101 is the last of its connection.
    fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }
}

/// What [`ReplyReader::next`] found.
#[derive(Clone, Copy, Debug)]
pub enum ReplyPart<'a> {
    /// All that was there is used up.
    More,
    /// The head of a response. Behind that of 1xx comes no [`End`](ReplyPart::End): the response
    /// is still to come, or (101) what is left is another protocol's.
    Head(Reply<'a>),
    /// The next bytes of its body, at least one.
    Data(&'a [u8]),
    /// The response is over; what is left belongs to the next one.
    End,
}

/// Reads the responses of one connection.
#[derive(Debug, Default)]
pub struct ReplyReader {
    scan: HeadScan,
    /// The beginning of a head, or the head that was handed out last.
    carry: Carry,
    /// It is the latter.
    is_spent: bool,
    /// Interim responses since the last one that was whole; at most [`INTERIM_MAX`].
    interim: u8,
    /// What is coming in, behind a head.
    body: Option<Body>,
}

impl ReplyReader {
    /// Takes the next part off the front of `rest`. Call it until it says [`ReplyPart::More`]: only
    /// the next call gives back what a head was carried in.
    ///
    /// # Errors
    /// The response is malformed, or over a limit. The connection must end.
    pub fn next<'i: 'e, 'e>(
        &'e mut self,
        rest: &mut &'i [u8],
        to_head: bool,
        limits: &Limits,
        pool: &mut Pool,
        slots: &'e mut Slots<'e>,
    ) -> Result<ReplyPart<'e>, ReplyError> {
        if std::mem::take(&mut self.is_spent) {
            self.carry.clear(pool);
        }
        if let Some(body) = &mut self.body {
            return Ok(match body.decode(rest)? {
                Part::Data(data) => ReplyPart::Data(data),
                Part::More => ReplyPart::More,
                Part::End => {
                    self.body = None;
                    ReplyPart::End
                }
            });
        }
        let Some(length) = self.scan.feed(rest, limits)? else {
            self.carry.append(std::mem::take(rest), pool)?;
            return Ok(ReplyPart::More);
        };
        let (mut head, behind) = rest.split_at(length);
        *rest = behind;
        if !self.carry.is_empty() {
            self.carry.append(head, pool)?;
            self.is_spent = true;
            head = self.carry.bytes();
        }
        let reply = Reply::parse(head, to_head, slots)?;
        if reply.is_interim() {
            self.interim += 1;
            if self.interim > INTERIM_MAX {
                return Err(ReplyError::TooManyInterim);
            }
        } else if reply.status != 101 {
            self.interim = 0;
            self.body = Some(Body::new(reply.extent, limits)?);
        }
        Ok(ReplyPart::Head(reply))
    }

    /// The server ended the connection. True if that ends the response, as [`ReplyPart::End`] does;
    /// false if there was none.
    ///
    /// # Errors
    /// [`ReplyError::Truncated`].
    pub fn end(&mut self) -> Result<bool, ReplyError> {
        match self.body.take() {
            Some(body) if body.is_until_close() => Ok(true),
            None if self.is_between() => Ok(false),
            _ => Err(ReplyError::Truncated),
        }
    }

    /// Nothing of a response has arrived that is not over.
    pub fn is_between(&self) -> bool {
        self.body.is_none() && self.scan.is_at_start() && self.interim == 0
    }

    /// Begins anew, for another connection, and gives back what was held.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.carry.clear(pool);
        *self = ReplyReader::default();
    }
}

#[cfg(test)]
mod tests;
