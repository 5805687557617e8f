//! Masking: the XOR that a client puts over each payload (RFC 6455 section 5.3).
//!
//! **What.** [`Mask::apply`] masks or unmasks the next piece of a payload in place; the same
//! operation does both.
//!
//! **Why this way.** Fixed-size chunks let the compiler use the widest registers that the target
//! has, without a line of `unsafe`. The mask turns itself to where the next piece begins, so a
//! payload may come in pieces of any length. Rejected: aligning to words first (unaligned loads
//! cost nothing today), and masking while copying (most payloads are read where they lie).
//!
//! **Costs.** About as much as reading the payload once.
//!
//! **Read next.** `src/proto/ws/message.rs`.

/// Bytes handled at once: two or more registers, whatever they are.
const WIDE: usize = 32;

/// The masking key of a frame, turned to the next byte of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask([u8; 4]);

impl Mask {
    /// The mask at the beginning of a payload.
    pub fn new(key: [u8; 4]) -> Mask {
        Mask(key)
    }

    /// Masks or unmasks the next bytes of the payload.
    #[inline]
    pub fn apply(&mut self, piece: &mut [u8]) {
        let word = u32::from_ne_bytes(self.0);
        let (chunks, rest) = piece.as_chunks_mut::<WIDE>();
        for chunk in chunks {
            for bytes in chunk.as_chunks_mut::<4>().0 {
                *bytes = (u32::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
            }
        }
        let (words, rest) = rest.as_chunks_mut::<4>();
        for bytes in words {
            *bytes = (u32::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(self.0) {
            *byte ^= key;
        }
        self.0.rotate_left(rest.len());
    }
}

#[cfg(test)]
mod tests;
