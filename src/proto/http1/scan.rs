//! Where a request head ends.
//!
//! **What.** A [`HeadScan`] is fed each byte once, as it arrives, and says where the empty line
//! that ends the head was. It holds the limits of a head, and refuses what no later byte can mend.
//!
//! **Why this way.** It remembers its place between two reads in a few bytes, so a head that
//! trickles in costs work linear in its length. Only CRLF ends a line: RFC 9112 2.2 would allow a
//! bare LF, and others disagree, which is how requests are smuggled. One empty line before a
//! request is ignored, for old clients send one behind a body; a second one is refused.
//!
//! **Costs.** One `memchr2` over each byte; 12 bytes.
//!
//! **Read next.** `src/proto/http1/head.rs`, which reads what was found.

use super::bytes::{TOKEN, is};
use super::{Error, Limits};
use memchr::memchr2;

/// The first byte of a TLS ClientHello (RFC 8446 5.1), and of no method.
const TLS_HANDSHAKE: u8 = 0x16;

/// How far a head has arrived. The default is at its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadScan {
    /// Bytes so far; less than the limit.
    bytes: u32,
    /// Whole lines so far, the request line and headers; at most 1 + the limit of headers.
    lines: u32,
    place: Place,
}

/// What the next byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// The first of all: of the request line, or of an empty one.
    #[default]
    Start,
    /// The LF of the empty line before the request line.
    EmptyLf,
    /// The first of the request line.
    RequestLine,
    /// Within the request line or a header line.
    Line,
    /// The LF of such a line.
    LineLf,
    /// The first of a header line, or of the empty line that ends the head.
    HeaderStart,
    /// The very last LF.
    EndLf,
}

impl HeadScan {
    /// Goes over `fresh` bytes, which follow those fed before. `Some(n)`: the head ends with the
    /// first `n` of them, what is behind belongs to the body or to the next request, and the scan
    /// is at its beginning again. `None`: all of them belong to the head, and more will come; no
    /// more than `head_bytes_max - 1` in all.
    ///
    /// # Errors
    /// A limit is passed, or no head begins like this. Which error it is depends on the bytes
    /// alone and not on how they were split.
    pub fn feed(&mut self, fresh: &[u8], limits: &Limits) -> Result<Option<usize>, Error> {
        let room = limits.head_bytes_max.saturating_sub(self.bytes as usize);
        let window = &fresh[..fresh.len().min(room)];
        let mut at = 0;
        while let Some(&byte) = window.get(at) {
            at += 1;
            self.place = match (self.place, byte) {
                (Place::Start, b'\r') => Place::EmptyLf,
                (Place::EmptyLf, b'\n') => Place::RequestLine,
                (Place::Start | Place::RequestLine, _) if is(byte, TOKEN) => Place::Line,
                (Place::Start, b'\n') | (Place::RequestLine, b'\r' | b'\n') => {
                    return Err(Error::LineEnding);
                }
                (Place::Start, TLS_HANDSHAKE) => return Err(Error::Tls),
                (Place::Start | Place::RequestLine, _) => return Err(Error::NotHttp),
                (Place::Line, b'\r') => Place::LineLf,
                (Place::Line, b'\n') => return Err(Error::LineEnding),
                (Place::Line, _) => {
                    let rest = &window[at..];
                    at += memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    Place::Line
                }
                (Place::LineLf, b'\n') => {
                    self.lines += 1;
                    Place::HeaderStart
                }
                (Place::HeaderStart, b'\r') => Place::EndLf,
                (Place::HeaderStart, b'\n') => return Err(Error::LineEnding),
                (Place::HeaderStart, _) => self.begin_header(byte, limits)?,
                (Place::EndLf, b'\n') => {
                    *self = HeadScan::default();
                    return Ok(Some(at));
                }
                (Place::EmptyLf | Place::LineLf | Place::EndLf, _) => {
                    return Err(Error::LineEnding);
                }
            };
        }
        self.bytes += at as u32;
        match self.lines {
            _ if at < room => Ok(None),
            0 => Err(Error::TargetTooLong),
            _ => Err(Error::HeadTooLarge),
        }
    }

    /// Nothing of a head has arrived: the connection is idle, and no request is late.
    pub fn is_at_start(&self) -> bool {
        self.place == Place::Start
    }

    /// A space or tab would continue the line before (obs-fold, RFC 9112 5.2).
    fn begin_header(&self, first: u8, limits: &Limits) -> Result<Place, Error> {
        if !is(first, TOKEN) {
            return Err(Error::Header);
        }
        if self.lines as usize > limits.headers_max {
            return Err(Error::TooManyHeaders);
        }
        Ok(Place::Line)
    }
}
