//! Frames on their way out.
//!
//! **What.** [`message`], [`ping`], [`pong`] and [`close`] append a frame to a buffer; [`frame`] is
//! below them and also makes fragments.
//!
//! **Why this way.** Header and payload go into one buffer, so that all answers to a read leave in
//! one write. A server's frames have no mask, so what is encoded once can be sent to everybody. A
//! client's key is an argument: where randomness comes from is the caller's matter.
//!
//! **Costs.** One copy of the payload; a client's is masked on its way. [`message_in_place`] copies
//! nothing.
//!
//! **Read next.** `src/service/outbound.rs`, where the answers of a service are encoded.

use super::Kind;
use super::close::{CloseCode, REASON_BYTES_MAX};
use super::frame::{CONTROL_BYTES_MAX, FIN, HEADER_BYTES_MAX, MASKED, OpCode, RSV1};
use super::mask::Mask;
use std::ops::Range;

/// The masking key of a client's frame; none for a server's. It must be fresh for each frame, and
/// such that no one who chooses the payload can foretell it (10.3).
pub type Key = Option<[u8; 4]>;

/// The first byte of a frame to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// The last frame of its message.
    pub fin: bool,
    /// The message is compressed; on its first frame only.
    pub rsv1: bool,
    /// What the frame is.
    pub opcode: OpCode,
}

impl First {
    /// Of a message or control frame that is not fragmented.
    #[inline]
    pub fn whole(opcode: OpCode) -> First {
        First { fin: true, rsv1: false, opcode }
    }

    /// The byte itself (5.2).
    #[inline]
    pub fn bits(self) -> u8 {
        self.opcode as u8 | if self.fin { FIN } else { 0 } | if self.rsv1 { RSV1 } else { 0 }
    }
}

/// Appends a frame. The payload of a control frame has at most 125 bytes.
#[inline]
pub fn frame(first: First, payload: &[u8], key: Key, out: &mut Vec<u8>) {
    debug_assert!(!first.opcode.is_control() || payload.len() <= CONTROL_BYTES_MAX);
    append(first.bits(), payload, key, out);
}

#[inline(never)]
fn append(first: u8, payload: &[u8], key: Key, out: &mut Vec<u8>) {
    out.reserve(HEADER_BYTES_MAX + payload.len());
    match (payload.len(), key) {
        (len @ 0..=125, None) => out.extend_from_slice(&[first, len as u8]),
        (len @ 0..=125, Some([a, b, c, d])) => {
            out.extend_from_slice(&[first, MASKED | len as u8, a, b, c, d]);
        }
        (len, None) => long_header(first, 0, len, out),
        (len, Some(key)) => {
            long_header(first, MASKED, len, out);
            out.extend_from_slice(&key);
        }
    }
    match key {
        None => out.extend_from_slice(payload),
        Some(key) => Mask::new(key).append(payload, out),
    }
}

#[inline(never)]
fn long_header(first: u8, masked: u8, len: usize, out: &mut Vec<u8>) {
    if let Ok(len) = u16::try_from(len) {
        let [high, low] = len.to_be_bytes();
        out.extend_from_slice(&[first, masked | 126, high, low]);
    } else {
        out.extend_from_slice(&[first, masked | 127]);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
}

/// Appends a whole text (which must be UTF-8) or binary message.
#[inline(always)]
pub fn message(kind: Kind, payload: &[u8], key: Key, out: &mut Vec<u8>) {
    let first = First::whole(kind.opcode());
    match (payload.len(), key) {
        // What is sent most, without a call.
        (len @ 0..=125, None) => {
            out.reserve(2 + len);
            out.extend_from_slice(&[first.bits(), len as u8]);
            out.extend_from_slice(payload);
        }
        (len @ 0..=125, Some([a, b, c, d])) => {
            out.reserve(6 + len);
            out.extend_from_slice(&[first.bits(), MASKED | len as u8, a, b, c, d]);
            Mask::new([a, b, c, d]).append(payload, out);
        }
        _ => frame(first, payload, key, out),
    }
}

/// Makes a message of a server out of the payload of a client's that lies at `payload` of `bytes`:
/// its header, four bytes shorter, is put right before it. Where the frame is now.
#[inline(always)]
pub fn message_in_place(kind: Kind, payload: Range<usize>, bytes: &mut [u8]) -> Range<usize> {
    let first = First::whole(kind.opcode()).bits();
    let Range { start, end } = payload;
    if end - start > 125 {
        return long_in_place(first, payload, bytes);
    }
    bytes[start - 2..start].copy_from_slice(&[first, (end - start) as u8]);
    start - 2..end
}

#[inline(never)]
fn long_in_place(first: u8, Range { start, end }: Range<usize>, bytes: &mut [u8]) -> Range<usize> {
    if let Ok(len) = u16::try_from(end - start) {
        let [high, low] = len.to_be_bytes();
        bytes[start - 4..start].copy_from_slice(&[first, 126, high, low]);
        start - 4..end
    } else {
        bytes[start - 10..start - 8].copy_from_slice(&[first, 127]);
        bytes[start - 8..start].copy_from_slice(&((end - start) as u64).to_be_bytes());
        start - 10..end
    }
}

/// Appends a ping. Of `payload` at most 125 bytes are sent.
pub fn ping(payload: &[u8], key: Key, out: &mut Vec<u8>) {
    control(OpCode::Ping, payload, key, out);
}

/// Appends the answer to a ping, whose payload it repeats.
pub fn pong(payload: &[u8], key: Key, out: &mut Vec<u8>) {
    control(OpCode::Pong, payload, key, out);
}

/// Appends a close frame. A reason is sent with a code only; of a long one, the characters that
/// fit.
pub fn close(code: Option<CloseCode>, reason: &str, key: Key, out: &mut Vec<u8>) {
    let mut payload = [0; CONTROL_BYTES_MAX];
    let mut len = 0;
    if let Some(code) = code {
        let reason = &reason.as_bytes()[..reason.floor_char_boundary(REASON_BYTES_MAX)];
        len = 2 + reason.len();
        payload[..2].copy_from_slice(&code.get().to_be_bytes());
        payload[2..len].copy_from_slice(reason);
    }
    control(OpCode::Close, &payload[..len], key, out);
}

fn control(opcode: OpCode, payload: &[u8], key: Key, out: &mut Vec<u8>) {
    let payload = &payload[..payload.len().min(CONTROL_BYTES_MAX)];
    frame(First::whole(opcode), payload, key, out);
}

#[cfg(test)]
mod tests;
