//! Responses, appended to a buffer.
//!
//! **What.** [`encode`] writes a whole response; [`encode_head`] only its head, for a body that
//! follows as it becomes known, by its length or in chunks ([`encode_chunk`]).
//!
//! **Why this way.** The headers that frame the message (Content-Length, Transfer-Encoding,
//! Connection) and Date are written here and nowhere else, from what is known of the request, so
//! no caller can forget or contradict them. The time comes in as a number; its text is kept for a
//! second, because making it costs more than the rest of the head. So is the whole response where
//! it is the same for everybody ([`Kept`]).
//!
//! **Costs.** One copy of each byte; no allocation once the buffer and the date have their size.
//!
//! **Read next.** `src/proto/http1/error.rs`, which says what earns which status.

use super::{Extent, Version};
use httpdate::HttpDate;
use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

/// What a client that expects it waits for (RFC 9110 15.2.1). It is no response: that follows.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The last second that has a date in four digits, which is all that the format allows.
const LAST_UNIX_S: u64 = 253_402_300_799;

/// A status code (RFC 9110 15, RFC 6585) that this server has a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
#[expect(missing_docs, reason = "their lines say what they are")]
pub enum Status {
    Continue = 100,
    SwitchingProtocols = 101,
    Ok = 200,
    NoContent = 204,
    BadRequest = 400,
    Forbidden = 403,
    NotFound = 404,
    MethodNotAllowed = 405,
    RequestTimeout = 408,
    LengthRequired = 411,
    ContentTooLarge = 413,
    UriTooLong = 414,
    ExpectationFailed = 417,
    UpgradeRequired = 426,
    HeadersTooLarge = 431,
    InternalServerError = 500,
    NotImplemented = 501,
    ServiceUnavailable = 503,
    VersionNotSupported = 505,
}

impl Status {
    /// The status line, its ending included.
    pub fn line(self) -> &'static str {
        match self {
            Status::Continue => "HTTP/1.1 100 Continue\r\n",
            Status::SwitchingProtocols => "HTTP/1.1 101 Switching Protocols\r\n",
            Status::Ok => "HTTP/1.1 200 OK\r\n",
            Status::NoContent => "HTTP/1.1 204 No Content\r\n",
            Status::BadRequest => "HTTP/1.1 400 Bad Request\r\n",
            Status::Forbidden => "HTTP/1.1 403 Forbidden\r\n",
            Status::NotFound => "HTTP/1.1 404 Not Found\r\n",
            Status::MethodNotAllowed => "HTTP/1.1 405 Method Not Allowed\r\n",
            Status::RequestTimeout => "HTTP/1.1 408 Request Timeout\r\n",
            Status::LengthRequired => "HTTP/1.1 411 Length Required\r\n",
            Status::ContentTooLarge => "HTTP/1.1 413 Content Too Large\r\n",
            Status::UriTooLong => "HTTP/1.1 414 URI Too Long\r\n",
            Status::ExpectationFailed => "HTTP/1.1 417 Expectation Failed\r\n",
            Status::UpgradeRequired => "HTTP/1.1 426 Upgrade Required\r\n",
            Status::HeadersTooLarge => "HTTP/1.1 431 Request Header Fields Too Large\r\n",
            Status::InternalServerError => "HTTP/1.1 500 Internal Server Error\r\n",
            Status::NotImplemented => "HTTP/1.1 501 Not Implemented\r\n",
            Status::ServiceUnavailable => "HTTP/1.1 503 Service Unavailable\r\n",
            Status::VersionNotSupported => "HTTP/1.1 505 HTTP Version Not Supported\r\n",
        }
    }

    /// The code.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// Whether a response with it may have a body (RFC 9110 6.4.1).
    fn has_content(self) -> bool {
        self.code() >= 200 && self != Status::NoContent
    }
}

/// The Date header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Date {
    unix_s: u64,
    /// Its line with that second, as RFC 9110 5.6.7 writes it.
    line: String,
}

impl Date {
    /// The date `unix_s` seconds after 1970 began.
    pub fn at(unix_s: u64) -> Date {
        let mut date = Date { unix_s, line: String::new() };
        date.format();
        date
    }

    /// Moves it to another second. Cheap if it is the same one.
    #[inline]
    pub fn set(&mut self, unix_s: u64) {
        if self.unix_s != unix_s {
            self.unix_s = unix_s;
            self.format();
        }
    }

    #[cold]
    fn format(&mut self) {
        let time = UNIX_EPOCH + Duration::from_secs(self.unix_s.min(LAST_UNIX_S));
        self.line.clear();
        // A String takes everything.
        let _ = write!(self.line, "Date: {}\r\n", HttpDate::from(time));
    }
}

/// What a response must know of its request. Keep it while the body arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The method is HEAD: the head of the answer to GET, and nothing behind it.
    pub is_head: bool,
    /// The client's.
    pub version: Version,
    /// The connection goes on. Whoever decides otherwise says so here, before it is written.
    pub keep_alive: bool,
}

impl Exchange {
    /// For a request that could not be read. The connection ends.
    pub const BROKEN: Exchange =
        Exchange { is_head: false, version: Version::Http11, keep_alive: false };

    /// For a GET as nearly all are: HTTP/1.1, and the connection goes on.
    pub const PLAIN: Exchange =
        Exchange { is_head: false, version: Version::Http11, keep_alive: true };

    /// The same, but the connection ends.
    pub fn closing(self) -> Exchange {
        Exchange { keep_alive: false, ..self }
    }

    /// The Connection header's line, where one is due (RFC 9112 9.3, RFC 9110 7.8).
    fn connection(self, status: Status) -> &'static str {
        match (status, self.keep_alive, self.version) {
            (Status::SwitchingProtocols, ..) => "Connection: upgrade\r\n",
            (Status::UpgradeRequired, true, _) => "Connection: upgrade\r\n",
            (Status::UpgradeRequired, false, _) => "Connection: upgrade, close\r\n",
            (_, false, _) => "Connection: close\r\n",
            (_, true, Version::Http10) => "Connection: keep-alive\r\n",
            (_, true, Version::Http11) => "",
        }
    }
}

/// A response that is the same for everybody in one second, and asked for often: written once, and
/// then copied.
#[derive(Debug, Default)]
pub struct Kept {
    /// Empty before the first.
    bytes: Vec<u8>,
    /// Of the date in it.
    unix_s: u64,
}

impl Kept {
    /// Appends the response. `encode` appends what it is, and is called when `date` has moved.
    pub fn append(&mut self, date: &Date, out: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.unix_s != date.unix_s || self.bytes.is_empty() {
            self.bytes.clear();
            encode(&mut self.bytes);
            self.unix_s = date.unix_s;
        }
        out.extend_from_slice(&self.bytes);
    }
}

/// Appends a whole response, whose body is these parts. `lines` are the headers that are not
/// written here in any case, each with its line ending.
pub fn encode(
    status: Status,
    lines: &[&str],
    body: &[&[u8]],
    exchange: Exchange,
    date: &Date,
    out: &mut Vec<u8>,
) {
    let len = body.iter().map(|part| part.len() as u64).sum();
    debug_assert!(status.has_content() || len == 0);
    encode_head(status, lines, Extent::Length(len), exchange, date, out);
    if !exchange.is_head {
        body.iter().for_each(|part| out.extend_from_slice(part));
    }
}

/// Appends the head of a response whose body, as long as `extent` says, the caller appends.
/// A status that has no body has no `extent` either, whatever is given. Chunks are for HTTP/1.1
/// only.
pub fn encode_head(
    status: Status,
    lines: &[&str],
    extent: Extent,
    exchange: Exchange,
    date: &Date,
    out: &mut Vec<u8>,
) {
    debug_assert!(extent != Extent::Chunked || exchange.version == Version::Http11);
    debug_assert!(lines.iter().all(|lines| are_lines(lines)), "{lines:?}");
    out.extend_from_slice(status.line().as_bytes());
    out.extend_from_slice(date.line.as_bytes());
    match extent {
        _ if !status.has_content() => {}
        Extent::None | Extent::UntilClose => {}
        Extent::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            digits::<10>(length, out);
            out.extend_from_slice(b"\r\n");
        }
        Extent::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    out.extend_from_slice(exchange.connection(status).as_bytes());
    lines.iter().for_each(|line| out.extend_from_slice(line.as_bytes()));
    out.extend_from_slice(b"\r\n");
}

/// Appends `data` as one chunk; nothing for no data, because an empty chunk ends the body.
pub fn encode_chunk(data: &[u8], out: &mut Vec<u8>) {
    if data.is_empty() {
        return;
    }
    digits::<16>(data.len() as u64, out);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Appends the end of a body in chunks.
pub fn encode_last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

/// Whether a caller's lines are whole, and nothing else than lines.
fn are_lines(lines: &str) -> bool {
    let mut each = lines.split_terminator("\r\n");
    each.all(|line| !line.bytes().any(|byte| byte.is_ascii_control()))
        && (lines.is_empty() || lines.ends_with("\r\n"))
}

/// Appends a number. (`write!` would take ten times as long.)
fn digits<const RADIX: u64>(mut number: u64, out: &mut Vec<u8>) {
    let mut text = [0; 20];
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = b"0123456789abcdef"[(number % RADIX) as usize];
        number /= RADIX;
        if number == 0 {
            return out.extend_from_slice(&text[at..]);
        }
    }
}

#[cfg(test)]
mod tests;
