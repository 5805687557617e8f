//! The bytes that are sent, and that must come back.
//!
//! **What.** Each connection sends an endless walk over one buffer of noise; [`Pattern::at`] is the
//! stretch of it at any position.
//!
//! **Why this way.** Every byte that comes back is compared, so the comparison must cost nearly
//! nothing: it is one `memcmp` with a buffer that stays in the cache. The walks of two connections
//! begin at different places, and the buffer's period is a prime, so a lost, doubled, swapped or
//! misdelivered stretch shows. What is not sent yet is a position and not a copy. Rejected: a
//! counter in each message (only the header would be checked), a random generator run twice (costs
//! more than the server).
//!
//! **Costs.** 128 KiB a run, no copy a message.
//!
//! **Read next.** `src/load/stream.rs`.

/// Positions that are this far apart have the same bytes. A prime, so that it is no multiple of a
/// message's size.
const PERIOD: usize = 65_521;

/// The longest stretch that [`Pattern::at`] can give, and as much as is read or written at once: a
/// message of 64 KiB with its header.
pub(super) const SPAN_BYTES: usize = 64 * 1024 + 64;

/// What a message for permessage-deflate is made of. With 16 words it shrinks about as much as JSON
/// does, from the beginning on.
const WORDS: [&str; 16] = [
    "accept ",
    "backlog ",
    "close ",
    "descriptor ",
    "edge ",
    "flush ",
    "handshake ",
    "interest ",
    "loop ",
    "message ",
    "poll ",
    "queue ",
    "readiness ",
    "socket ",
    "token ",
    "wakeup ",
];

/// Noise that no refusal can be mistaken for.
pub(super) struct Pattern {
    /// One period and the beginning of the next, so that a stretch never wraps.
    bytes: Vec<u8>,
}

impl Pattern {
    /// Bytes that cannot be compressed, or words.
    pub(super) fn new(is_compressible: bool) -> Pattern {
        let noise = (0..PERIOD).map(noise);
        let period: Vec<u8> = match is_compressible {
            true => {
                let words = noise.flat_map(|byte| WORDS[usize::from(byte >> 4)].bytes());
                words.take(PERIOD).collect()
            }
            false => noise.collect(),
        };
        Pattern { bytes: period.iter().copied().cycle().take(PERIOD + SPAN_BYTES).collect() }
    }

    /// The [`SPAN_BYTES`] that `connection` sends from `position` on.
    pub(super) fn at(&self, connection: u32, position: u64) -> &[u8] {
        // Any large odd number keeps neighbours apart.
        let begin = u64::from(connection).wrapping_mul(40_503);
        let offset = (begin.wrapping_add(position) % PERIOD as u64) as usize;
        &self.bytes[offset..offset + SPAN_BYTES]
    }
}

/// Noise: the top byte of splitmix64, never a `-`. So no stretch looks like the `-ERR` of a server
/// that says no, and the first wrong byte is where the refusal begins.
fn noise(index: usize) -> u8 {
    let mut x = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    match (x >> 56) as u8 {
        b'-' => b'+',
        byte => byte,
    }
}

#[cfg(test)]
mod tests;
