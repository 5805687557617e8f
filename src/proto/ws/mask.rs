//! Masking: the XOR that a client puts over each payload (RFC 6455 section 5.3).
//!
//! **What.** [`Mask::apply`] masks or unmasks the next piece of a payload in place; the same
//! operation does both.
//!
//! **Why this way.** Fixed-size chunks let the compiler use the widest registers that the target
//! has, without a line of `unsafe`. The mask turns itself to where the next piece begins, so a
//! payload may come in pieces of any length. A payload that is to be copied or moved anyway is
//! masked on its way. Rejected: aligning to words first (unaligned loads cost nothing today).
//!
//! **Costs.** About as much as reading the payload once.
//!
//! **Read next.** `src/proto/ws/message.rs`.

use std::cell::Cell;

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
    #[inline(always)]
    pub fn apply(&mut self, piece: &mut [u8]) {
        let word = u32::from_ne_bytes(self.0);
        let (chunks, rest) = piece.as_chunks_mut::<WIDE>();
        for chunk in chunks {
            apply_to(chunk, word);
        }
        let (words, rest) = rest.as_chunks_mut::<4>();
        apply_to(words.as_flattened_mut(), word);
        for (byte, key) in rest.iter_mut().zip(self.0) {
            *byte ^= key;
        }
        self.0.rotate_left(rest.len());
    }

    /// Appends a whole payload, masked on its way: chunk by chunk, which needs no set-up, for most
    /// are short.
    #[inline(always)]
    pub fn append(self, payload: &[u8], out: &mut Vec<u8>) {
        let (chunks, rest) = payload.as_chunks::<{ 4 * WIDE }>();
        for chunk in chunks {
            self.append_chunk(chunk, out);
        }
        let (chunks, rest) = rest.as_chunks::<WIDE>();
        for chunk in chunks {
            self.append_chunk(chunk, out);
        }
        if !rest.is_empty() {
            self.append_rest(rest, out);
        }
    }

    #[inline(always)]
    fn append_chunk<const N: usize>(self, chunk: &[u8; N], out: &mut Vec<u8>) {
        let mut chunk = *chunk;
        apply_to(&mut chunk, u32::from_ne_bytes(self.0));
        out.extend_from_slice(&chunk);
    }

    /// The same of less than [`WIDE`] bytes.
    #[inline(never)]
    fn append_rest(mut self, payload: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(payload);
        self.apply(&mut out[start..]);
    }

    /// Masks or unmasks a whole payload, which is all of `window` but the first `gap` bytes,
    /// while moving it to the front. The two places may overlap, hence the cells.
    #[inline(always)]
    pub fn apply_moving(self, window: &mut [u8], gap: usize) {
        let window = Cell::from_mut(window).as_slice_of_cells();
        let (to, from) = (&window[..window.len() - gap], &window[gap..]);
        let ((to, to_rest), (from, from_rest)) = (to.as_chunks::<WIDE>(), from.as_chunks::<WIDE>());
        for (to, from) in to.iter().zip(from) {
            put(self.masked(from), to);
        }
        if !to_rest.is_empty() {
            self.move_rest(to_rest, from_rest);
        }
    }

    /// The same of less than [`WIDE`] bytes. Apart, so that it takes no register from the loop over
    /// frames.
    #[inline(never)]
    fn move_rest(self, to: &[Cell<u8>], from: &[Cell<u8>]) {
        let is_moved = self.move_ends::<16>(to, from)
            || self.move_ends::<8>(to, from)
            || self.move_ends::<4>(to, from);
        if !is_moved {
            for ((to, from), key) in to.iter().zip(from).zip(self.0) {
                to.set(from.get() ^ key);
            }
        }
    }

    /// The same of `N` to `2 * N` bytes, by a chunk from either end, which may overlap: no loop.
    /// False if there are less.
    #[inline(always)]
    fn move_ends<const N: usize>(self, to: &[Cell<u8>], from: &[Cell<u8>]) -> bool {
        let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
            return false;
        };
        let turned = u32::from_le_bytes(self.0).rotate_right(8 * (from.len() - N) as u32 % 32);
        // Both are read before either is written.
        let (first, last) = (self.masked(first), Mask(turned.to_le_bytes()).masked(last));
        put(first, &to[..N]);
        put(last, &to[to.len() - N..]);
        true
    }

    /// A chunk as it is under the mask.
    #[inline(always)]
    fn masked<const N: usize>(self, from: &[Cell<u8>; N]) -> [u8; N] {
        let mut chunk = from.each_ref().map(Cell::get);
        apply_to(&mut chunk, u32::from_ne_bytes(self.0));
        chunk
    }
}

#[inline(always)]
fn put<const N: usize>(chunk: [u8; N], to: &[Cell<u8>]) {
    for (to, byte) in to.iter().zip(chunk) {
        to.set(byte);
    }
}

#[inline(always)]
fn apply_to(piece: &mut [u8], word: u32) {
    for bytes in piece.as_chunks_mut::<4>().0 {
        *bytes = (u32::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
}

#[cfg(test)]
mod tests;
