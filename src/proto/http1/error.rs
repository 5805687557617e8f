//! What can be wrong with a request.
//!
//! **What.** [`Error`], with the [`Status`] that each one earns and a line that says what it is.
//!
//! **Why this way.** All are the peer's doing, so they are counted, answered and never logged
//! loudly. After each of them the connection must end: the framing of the message is broken, or
//! its body was never looked at. An unknown method or expectation would leave the framing whole,
//! but then a body of unknown use has to be read away; RFC 9110 lets us close, and one rule is
//! easier to trust than two.
//!
//! **Costs.** One byte.
//!
//! **Read next.** `src/proto/http1/response.rs`, which tells the peer.

use super::Status;
use std::fmt;

/// Why a request is refused. The connection must end after each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// The first byte cannot begin a method.
    NotHttp,
    /// The first byte begins a TLS handshake (RFC 8446 5.1).
    Tls,
    /// A CR or LF that is not a CRLF, or more than one empty line before a request.
    LineEnding,
    /// Not `method SP target SP version`.
    RequestLine,
    /// Not HTTP/1.0 or HTTP/1.1.
    Version,
    /// No method that anything here implements.
    Method,
    /// The target is none of the forms that the method may have (RFC 9112 3.2).
    Target,
    /// The request line alone fills the limit of a head.
    TargetTooLong,
    /// The head is over its limit.
    HeadTooLarge,
    /// More header lines than the limit.
    TooManyHeaders,
    /// A header line is malformed, or continues the one before (obs-fold).
    Header,
    /// Host is missing, repeated, malformed, or not the target's (RFC 9112 3.2).
    Host,
    /// Content-Length is repeated, no number, or past 64 bits (RFC 9112 6.3).
    ContentLength,
    /// Transfer-Encoding beside Content-Length, or in HTTP/1.0 (RFC 9112 6.1).
    Framing,
    /// A transfer coding other than a single `chunked`.
    TransferCoding,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A request to upgrade has a body, which the new protocol could take for its own bytes.
    UpgradeWithBody,
    /// The chunked coding is malformed (RFC 9112 7.1).
    Chunk,
    /// Chunk extensions and trailers are over their limit.
    ChunkExtra,
    /// The body is over its limit.
    BodyTooLarge,
}

impl Error {
    /// The status to answer with.
    pub fn status(self) -> Status {
        self.earns().0
    }

    fn earns(self) -> (Status, &'static str) {
        let bad = |reason| (Status::BadRequest, reason);
        match self {
            Error::NotHttp => bad("this is not HTTP"),
            Error::Tls => bad("this port speaks HTTP without TLS: use http://"),
            Error::LineEnding => bad("lines end with CRLF, and only they do"),
            Error::RequestLine => bad("malformed request line"),
            Error::Version => (Status::VersionNotSupported, "HTTP/1.1 or HTTP/1.0 only"),
            Error::Method => (Status::NotImplemented, "no such method here"),
            Error::Target => bad("malformed request target"),
            Error::TargetTooLong => (Status::UriTooLong, "request line over the limit"),
            Error::HeadTooLarge => (Status::HeadersTooLarge, "request head over the limit"),
            Error::TooManyHeaders => (Status::HeadersTooLarge, "too many header lines"),
            Error::Header => bad("malformed header line"),
            Error::Host => bad("exactly one valid Host, the same as in the target"),
            Error::ContentLength => bad("exactly one valid Content-Length"),
            Error::Framing => bad("Transfer-Encoding beside Content-Length or in HTTP/1.0"),
            Error::TransferCoding => (Status::NotImplemented, "no transfer coding but chunked"),
            Error::Expectation => (Status::ExpectationFailed, "no expectation but 100-continue"),
            Error::UpgradeWithBody => bad("an upgrade cannot have a body"),
            Error::Chunk => bad("malformed chunked body"),
            Error::ChunkExtra => (Status::ContentTooLarge, "chunk extras over the limit"),
            Error::BodyTooLarge => (Status::ContentTooLarge, "request body over the limit"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.earns().1)
    }
}

impl std::error::Error for Error {}
