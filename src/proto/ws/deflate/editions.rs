//! What many get, compressed once.
//!
//! **What.** [`Editions`] holds the frames of a mailing once more for each size of window that one
//! of its receivers has agreed to.
//!
//! **Why this way.** Without takeover a compressed message refers to nothing, so whoever can read
//! it may have it. An edition is made for the first who needs it, from the frames that the others
//! get: who broadcasts need not know who listens, and without such a receiver nothing happens. A
//! receiver with takeover gets the plain frames, which is always right (RFC 7692 section 6): its
//! own compressor would have to compress each message again.
//!
//! **Costs.** One compression a message and window; the bytes, until the next mailing. Three words
//! a window where nobody compresses.
//!
//! **Read next.** `src/server/mail.rs`.

use super::{Compressing, Flow, WindowBits};
use crate::proto::ws::encode::{self, First};
use crate::proto::ws::frame::{self, Decoded, Expect};
use crate::proto::ws::{Limits, Role};

const NO_LIMITS: Limits =
    Limits { frame_bytes_max: usize::MAX, message_bytes_max: usize::MAX, fragments_max: u32::MAX };

/// The editions of one mailing; by default, none is made.
#[derive(Debug, Default)]
pub struct Editions([Vec<u8>; 8]);

impl Editions {
    /// The frames `plain`, as a server sends them, with each message compressed that gains by it.
    pub fn of(
        &mut self,
        window_bits: WindowBits,
        plain: &[u8],
        compressing: &mut Compressing,
    ) -> &[u8] {
        let edition = &mut self.0[window_bits.index()];
        if edition.is_empty() {
            let flow = Flow { takeover: false, window_bits };
            reframe(flow, plain, compressing, edition);
        }
        edition
    }

    /// None is made.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    /// Forgets them. Of each buffer at most `spare_bytes_max` are kept for the next.
    pub fn clear(&mut self, spare_bytes_max: usize) {
        for edition in &mut self.0 {
            edition.clear();
            edition.shrink_to(spare_bytes_max);
        }
    }
}

fn reframe(flow: Flow, plain: &[u8], compressing: &mut Compressing, out: &mut Vec<u8>) {
    let expect = Expect::first(Role::Client, false, &NO_LIMITS);
    let mut rest = plain;
    while let Ok(Decoded::Header(header)) = frame::decode(rest, &expect) {
        let (frame, behind) = rest.split_at(header.header_bytes + header.payload_bytes);
        match compressing.message(flow, None, &frame[header.header_bytes..]) {
            Some(compressed) => {
                let first = First { rsv1: true, ..First::whole(header.opcode) };
                encode::frame(first, compressed, None, out);
            }
            None => out.extend_from_slice(frame),
        }
        rest = behind;
    }
    debug_assert!(rest.is_empty(), "only whole messages of ours, in one frame each");
}

#[cfg(test)]
mod tests;
