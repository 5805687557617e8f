//! A body, decoded as it arrives.
//!
//! **What.** [`Body::decode`] hands out the next stretch of the body, borrowed from the bytes that
//! it came in, and stops exactly where the body ends.
//!
//! **Why this way.** The chunked coding (RFC 9112 7.1) is a state machine with a name for each
//! place that a read can end in, so there is nothing to carry and nothing to read twice. It is
//! strict: CRLF only, at most 16 digits, no white space before an extension (the RFC would have
//! that repaired; nobody sends it, and what one program repairs another may not). Extensions and
//! trailers are checked, counted and dropped.
//!
//! **Costs.** Nothing a byte of data; a `match` a byte of what is around it. 24 bytes.
//!
//! **Read next.** `src/proto/http1/response.rs`.

use super::bytes::{TEXT, TOKEN, is};
use super::{Error, Limits};

/// How the length of a body is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// There is no body, and no word of one.
    #[default]
    None,
    /// So many bytes (Content-Length).
    Length(u64),
    /// By chunks.
    Chunked,
    /// Until the connection ends; a response's only (RFC 9112 6.3, the last rule).
    UntilClose,
}

impl Extent {
    /// Whether no body follows. (One in chunks follows even if it turns out to be empty.)
    pub fn is_empty(self) -> bool {
        matches!(self, Extent::None | Extent::Length(0))
    }
}

/// What [`Body::decode`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The next bytes of the body, at least one.
    Data(&'a [u8]),
    /// The body goes on in bytes that have not arrived yet; all that were there are used up.
    More,
    /// The body is over; what is left belongs to the next message.
    End,
}

/// A decoder for one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// Bytes to come: of the body, or of the chunk, whose size may still be on its way.
    left: u64,
    /// Bytes that chunks may still announce.
    budget: u64,
    /// Bytes that extensions and trailers may still have.
    extra: u32,
    /// Digits of this chunk's size so far; at most [`DIGITS_MAX`].
    digits: u8,
    place: Place,
}

/// A size of more hexadecimal digits does not fit into 64 bits, unless it begins with idle zeros.
const DIGITS_MAX: u8 = 16;

/// What the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Data of a body that is not in chunks; some is left.
    Length,
    /// Data of a body that the end of the connection ends; some would be allowed.
    UntilClose,
    /// That body has all that is allowed.
    Full,
    /// A digit of a chunk's size, or what ends it.
    Size,
    /// Within a chunk extension.
    Extension,
    /// The LF behind the size and its extensions.
    SizeLf,
    /// Data of a chunk; some is left.
    Data,
    /// The CR behind a chunk's data.
    DataCr,
    /// The LF behind that.
    DataLf,
    /// The first of a trailer, or of the empty line that ends the body.
    TrailerStart,
    /// Within a trailer's name.
    TrailerName,
    /// Within a trailer's value.
    TrailerValue,
    /// The LF behind a trailer.
    TrailerLf,
    /// The very last LF.
    EndLf,
    /// No longer ours.
    End,
}

impl Body {
    /// A decoder for the body that a head announces.
    ///
    /// # Errors
    /// [`Error::BodyTooLarge`]: its length is known, and over the limit.
    pub fn new(extent: Extent, limits: &Limits) -> Result<Body, Error> {
        let (place, left) = match extent {
            Extent::None | Extent::Length(0) => (Place::End, 0),
            Extent::Length(length) if length > limits.body_bytes_max => {
                return Err(Error::BodyTooLarge);
            }
            Extent::Length(length) => (Place::Length, length),
            Extent::Chunked => (Place::Size, 0),
            Extent::UntilClose if limits.body_bytes_max == 0 => (Place::Full, 0),
            Extent::UntilClose => (Place::UntilClose, limits.body_bytes_max),
        };
        let (budget, extra) = (limits.body_bytes_max, limits.chunk_extra_bytes_max);
        Ok(Body { left, budget, extra, digits: 0, place })
    }

    /// Takes the next part of the body off the front of `rest`. Call it until it says
    /// [`Part::More`] or [`Part::End`].
    ///
    /// # Errors
    /// The coding is malformed, or a limit is passed; the connection must end.
    pub fn decode<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Part<'a>, Error> {
        loop {
            let behind_data = match self.place {
                Place::End => return Ok(Part::End),
                Place::Length => Some(Place::End),
                Place::UntilClose => Some(Place::Full),
                Place::Data => Some(Place::DataCr),
                _ => None,
            };
            let Some((&byte, behind)) = rest.split_first() else { return Ok(Part::More) };
            let Some(behind_data) = behind_data else {
                *rest = behind;
                self.place = self.step(byte)?;
                continue;
            };
            let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
            let (data, behind) = rest.split_at(length);
            *rest = behind;
            self.left -= length as u64;
            if self.left == 0 {
                self.place = behind_data;
            }
            return Ok(Part::Data(data));
        }
    }

    /// Whether it is the end of the connection that ends the body.
    pub fn is_until_close(&self) -> bool {
        matches!(self.place, Place::UntilClose | Place::Full)
    }

    /// Where one byte leads that is not data.
    fn step(&mut self, byte: u8) -> Result<Place, Error> {
        Ok(match (self.place, byte) {
            (Place::Size, b'\r') if self.digits > 0 => Place::SizeLf,
            (Place::Size, b';') if self.digits > 0 => self.spend(Place::Extension)?,
            (Place::Size, _) => self.digit(byte)?,
            (Place::Extension, b'\r') => Place::SizeLf,
            (Place::Extension, _) if is(byte, TEXT) => self.spend(Place::Extension)?,
            (Place::SizeLf, b'\n') => self.begin_chunk(),
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => Place::Size,
            (Place::TrailerStart, b'\r') => Place::EndLf,
            (Place::TrailerStart | Place::TrailerName, _) if is(byte, TOKEN) => {
                self.spend(Place::TrailerName)?
            }
            (Place::TrailerName, b':') => self.spend(Place::TrailerValue)?,
            (Place::TrailerValue, b'\r') => Place::TrailerLf,
            (Place::TrailerValue, _) if is(byte, TEXT) => self.spend(Place::TrailerValue)?,
            (Place::TrailerLf, b'\n') => Place::TrailerStart,
            (Place::EndLf, b'\n') => Place::End,
            (Place::Full, _) => return Err(Error::BodyTooLarge),
            _ => return Err(Error::Chunk),
        })
    }

    fn digit(&mut self, byte: u8) -> Result<Place, Error> {
        let digit = char::from(byte).to_digit(16).ok_or(Error::Chunk)?;
        if self.digits == DIGITS_MAX {
            return Err(Error::Chunk);
        }
        self.digits += 1;
        self.left = self.left << 4 | u64::from(digit);
        if self.left > self.budget {
            return Err(Error::BodyTooLarge);
        }
        Ok(Place::Size)
    }

    fn begin_chunk(&mut self) -> Place {
        self.budget -= self.left;
        self.digits = 0;
        if self.left == 0 { Place::TrailerStart } else { Place::Data }
    }

    fn spend(&mut self, place: Place) -> Result<Place, Error> {
        self.extra = self.extra.checked_sub(1).ok_or(Error::ChunkExtra)?;
        Ok(place)
    }
}

#[cfg(test)]
mod tests;
