//! What the headers say about the message itself, and not to whom it is for.
//!
//! **What.** [`Fields::add`] is given one header after the other and collects Host, the framing of
//! the body, Connection, Expect and Upgrade.
//!
//! **Why this way.** These are the headers that two programs on one path must read alike, so all
//! that is strict about them stands in one place. A number that is there twice is refused even if
//! both are equal: RFC 9112 6.3 allows either, and only one of the two cannot be got wrong.
//!
//! **Costs.** Each name is compared with six, which their lengths mostly decide.
//!
//! **Read next.** `src/proto/http1/body.rs`.

use super::target::is_authority;
use super::{Error, Extent, Version};
use httparse::Header;

/// The headers that frame a message.
const FRAMING: [&str; 3] = ["content-length", "transfer-encoding", "connection"];

/// Collected from the headers of one request.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    /// Valid, if it is there.
    pub(super) host: Option<&'a [u8]>,
    /// `Expect: 100-continue`.
    pub(super) expects_continue: bool,
    /// There is an Upgrade, whatever it says.
    pub(super) has_upgrade: bool,
    /// `Connection: upgrade`, without which Upgrade is meant for somebody else.
    pub(super) connection_upgrade: bool,
    connection_close: bool,
    connection_keep_alive: bool,
    content_length: Option<u64>,
    is_chunked: bool,
}

impl<'a> Fields<'a> {
    /// Collects what frames a response; the rest is not for whom it is sent to.
    pub(super) fn gather_framing(headers: &[Header<'a>]) -> Result<Fields<'a>, Error> {
        let mut fields = Fields::default();
        for Header { name, value } in headers {
            if FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
                fields.add(name.as_bytes(), value)?;
            }
        }
        Ok(fields)
    }

    /// Adds a header. The first that must not be is the error.
    #[inline]
    pub(super) fn add(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Error> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("host") {
            if self.host.is_some() || !is_authority(value) {
                return Err(Error::Host);
            }
            self.host = Some(value);
        } else if is("content-length") {
            let length = decimal(value);
            if length.is_none() || self.content_length.is_some() {
                return Err(Error::ContentLength);
            }
            self.content_length = length;
        } else if is("transfer-encoding") {
            if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Error::TransferCoding);
            }
            self.is_chunked = true;
        } else if is("connection") {
            for option in elements(value) {
                self.connection_close |= option.eq_ignore_ascii_case(b"close");
                self.connection_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                self.connection_upgrade |= option.eq_ignore_ascii_case(b"upgrade");
            }
        } else if is("expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(Error::Expectation);
            }
            self.expects_continue = true;
        } else if is("upgrade") {
            self.has_upgrade = true;
        }
        Ok(())
    }

    /// How the body is framed (RFC 9112 6.3).
    pub(super) fn extent(&self, version: Version) -> Result<Extent, Error> {
        match (self.is_chunked, self.content_length) {
            (true, None) if version == Version::Http11 => Ok(Extent::Chunked),
            (true, _) => Err(Error::Framing),
            (false, Some(length)) => Ok(Extent::Length(length)),
            (false, None) => Ok(Extent::None),
        }
    }

    /// Whether the connection outlives the request (RFC 9112 9.3).
    pub(super) fn keep_alive(&self, version: Version) -> bool {
        let keep = version == Version::Http11 || self.connection_keep_alive;
        keep && !self.connection_close
    }
}

/// The elements of a list (RFC 9110 5.6.1), without white space and empty ones. A quoted string
/// that contains a comma is more than a list of tokens, and comes apart.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|part| !part.is_empty())
}

/// Digits and nothing else, up to 64 bits.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
