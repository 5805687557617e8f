//! Frame headers (RFC 6455 section 5.2): 2 to 14 bytes in front of each payload.
//!
//! **What.** [`decode`] reads a header, or says how many bytes it needs to say more.
//!
//! **Why this way.** Every rule that a header can break is checked here, and at the first byte that
//! breaks it: a length that is only half there already has a least and a largest value it can
//! become. So nothing is stored for a frame that will be refused. What may come next depends on
//! what came before and is passed in as [`Expect`]; the decoder itself remembers nothing.
//!
//! **Costs.** No copy. Decoding a header again for each byte of it that trickles in is bounded by
//! its 14 bytes.
//!
//! **Read next.** `src/proto/ws/message.rs`, which makes messages of frames.

use super::mask::Mask;
use super::{Limits, Role, WsError};

/// The longest payload of a control frame (5.5).
pub const CONTROL_BYTES_MAX: usize = 125;
/// The longest header: two bytes, eight of length, four of mask.
pub const HEADER_BYTES_MAX: usize = 14;

/// In the first byte: the last frame of its message.
pub(super) const FIN: u8 = 0x80;
/// In the first byte: the first of three reserved bits.
pub(super) const RSV1: u8 = 0x40;
const RSV2_3: u8 = 0x30;
/// In the second byte.
pub(super) const MASKED: u8 = 0x80;

/// What a frame is (5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OpCode {
    /// Goes on with the message under way.
    Continuation = 0,
    /// Begins a text.
    Text = 1,
    /// Begins a binary message.
    Binary = 2,
    /// Begins or ends the closing handshake.
    Close = 8,
    /// Asks for a pong.
    Ping = 9,
    /// Answers a ping, or shows unasked that its sender lives.
    Pong = 10,
}

impl OpCode {
    #[inline]
    fn from_bits(bits: u8) -> Option<OpCode> {
        Some(match bits {
            0 => OpCode::Continuation,
            1 => OpCode::Text,
            2 => OpCode::Binary,
            8 => OpCode::Close,
            9 => OpCode::Ping,
            10 => OpCode::Pong,
            _ => return None,
        })
    }

    /// Close, ping or pong.
    #[inline]
    pub fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// Where a message stands when a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No message is under way.
    Between,
    /// One is, and may go on.
    Within,
    /// One is, and has as many fragments as it may have.
    Full,
}

/// What the next header may say.
#[derive(Clone, Copy, Debug)]
pub struct Expect {
    /// Who reads it: a server wants a mask, a client wants none.
    pub role: Role,
    /// Whether an extension gave RSV1 its meaning: compressed, on a message's first frame
    /// (RFC 7692 section 6).
    pub rsv1: bool,
    /// Where the message stands.
    pub stage: Stage,
    /// The longest payload of a data frame, bytes.
    pub frame_bytes_max: usize,
    /// Bytes that the message under way may still grow by.
    pub message_bytes_left: usize,
}

impl Expect {
    /// What `role` expects where no message is under way.
    #[inline]
    pub fn first(role: Role, rsv1: bool, limits: &Limits) -> Expect {
        Expect {
            role,
            rsv1,
            stage: Stage::Between,
            frame_bytes_max: limits.frame_bytes_max,
            message_bytes_left: limits.message_bytes_max,
        }
    }
}

/// A header that broke no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The last frame of its message.
    pub fin: bool,
    /// The message is compressed. Only where [`Expect::rsv1`] allows it.
    pub rsv1: bool,
    /// What the frame is.
    pub opcode: OpCode,
    /// Bytes of the header itself.
    pub header_bytes: usize,
    /// Bytes that follow it.
    pub payload_bytes: usize,
    /// What is to be taken off the payload.
    pub mask: Option<Mask>,
}

/// What [`decode`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A whole header.
    Header(Header),
    /// Less: so many bytes, counted from the beginning of the header, are needed to say more.
    Short {
        /// More than were given.
        bytes_needed: usize,
    },
}

/// Reads the header at the front of `input`.
///
/// # Errors
/// Whatever the bytes that are there already prove to be wrong.
#[inline]
pub fn decode(input: &[u8], expect: &Expect) -> Result<Decoded, WsError> {
    let [first, rest @ ..] = input else { return Ok(Decoded::Short { bytes_needed: 2 }) };
    let opcode = check_first(*first, expect)?;
    let [second, rest @ ..] = rest else { return Ok(Decoded::Short { bytes_needed: 2 }) };
    let is_masked = second & MASKED != 0;
    if is_masked != (expect.role == Role::Server) {
        return Err(if is_masked { WsError::Masked } else { WsError::NotMasked });
    }
    let length = second & !MASKED;
    if opcode.is_control() && length as usize > CONTROL_BYTES_MAX {
        return Err(WsError::ControlTooLong);
    }
    let (length_bytes, shortest) = match length {
        126 => (2, 126),
        127 => (8, 0x1_0000),
        _ => (0, length as usize),
    };
    let mut payload_bytes = shortest;
    if !opcode.is_control() {
        check_limits(shortest, expect)?;
    }
    if length_bytes > 0 {
        payload_bytes = extended_length(rest, length_bytes, shortest)?;
        check_limits(payload_bytes, expect)?;
    }
    let header_bytes = 2 + length_bytes + if is_masked { 4 } else { 0 };
    if input.len() < header_bytes {
        return Ok(Decoded::Short { bytes_needed: header_bytes });
    }
    let mask = rest[length_bytes..].first_chunk().filter(|_| is_masked).copied().map(Mask::new);
    let (fin, rsv1) = (first & FIN != 0, first & RSV1 != 0);
    Ok(Decoded::Header(Header { fin, rsv1, opcode, header_bytes, payload_bytes, mask }))
}

/// All that the first byte can get wrong.
#[inline]
fn check_first(first: u8, expect: &Expect) -> Result<OpCode, WsError> {
    let opcode = OpCode::from_bits(first & 0x0f);
    let begins = matches!(opcode, Some(OpCode::Text | OpCode::Binary));
    if first & RSV2_3 != 0 || (first & RSV1 != 0 && !(expect.rsv1 && begins)) {
        return Err(WsError::ReservedBit);
    }
    let opcode = opcode.ok_or(WsError::ReservedOpCode)?;
    match (opcode, expect.stage) {
        (OpCode::Close | OpCode::Ping | OpCode::Pong, _) if first & FIN == 0 => {
            Err(WsError::ControlFragmented)
        }
        (OpCode::Text | OpCode::Binary, Stage::Within | Stage::Full) => {
            Err(WsError::MessageNotFinished)
        }
        (OpCode::Continuation, Stage::Between) => Err(WsError::NothingToContinue),
        (OpCode::Continuation, Stage::Full) => Err(WsError::TooManyFragments),
        _ => Ok(opcode),
    }
}

/// The length in the `length_bytes` at the front of `input`; the least that it can become, if some
/// of them are still to come. In this form it must be `shortest` at least.
#[inline(never)]
fn extended_length(input: &[u8], length_bytes: usize, shortest: usize) -> Result<usize, WsError> {
    let (mut least, mut most) = ([0; 8], [0; 8]);
    let from = 8 - length_bytes;
    most[from..].fill(0xff);
    for (index, byte) in input.iter().take(length_bytes).enumerate() {
        (least[from + index], most[from + index]) = (*byte, *byte);
    }
    let (least, most) = (u64::from_be_bytes(least), u64::from_be_bytes(most));
    if least >> 63 != 0 {
        return Err(WsError::LengthTooLarge);
    }
    if most < shortest as u64 {
        return Err(WsError::LengthNotMinimal);
    }
    Ok(usize::try_from(least).unwrap_or(usize::MAX).max(shortest))
}

/// The lower of the two limits is the one that is passed first, also while a length is half there.
#[inline]
fn check_limits(payload_bytes: usize, expect: &Expect) -> Result<(), WsError> {
    let Expect { frame_bytes_max, message_bytes_left, .. } = *expect;
    if payload_bytes <= frame_bytes_max.min(message_bytes_left) {
        Ok(())
    } else if frame_bytes_max <= message_bytes_left {
        Err(WsError::FrameTooLong)
    } else {
        Err(WsError::MessageTooLong)
    }
}

#[cfg(test)]
mod tests;
