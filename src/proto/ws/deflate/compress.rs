//! From messages to compressed messages (RFC 7692 section 7.2.1).
//!
//! **What.** [`Compressor::message`] appends a message in compressed form, or says that it is
//! better sent as it is.
//!
//! **Why this way.** Any message may be sent uncompressed, so those that would gain nothing are:
//! the short ones (see `src/proto/ws/deflate/shared.rs`), and, where no later message can refer to
//! them, those that grew. Level 1 writes symbols out at once, with codes known beforehand: level 6
//! makes messages a third smaller and takes four times as long, and a worker has one thread. It
//! also makes the smallest buffers as good as large ones. zlib keeps 262 bytes of its window for
//! what is ahead, so its smallest, of 512, refers back 250 bytes and serves who wants one of 256.
//! (Huffman codes alone, which refer to nothing: nine times the time, three times the length.)
//!
//! **Costs.** A compressor with a window of 9, 12 or 15 bits: 137, 152 or 266 KB, of which 128 KiB
//! are a table that is zeroed for each message without takeover: half of the 2 to 3 µs that a
//! message of 1 KiB takes. One compressor serves all connections of a worker that want the same
//! window and no takeover.
//!
//! **Read next.** `src/proto/ws/deflate/inflate.rs`.

use super::inflate::TAIL;
use super::negotiate::Flow;
use std::fmt;
use zlib_rs::{Deflate, DeflateConfig, DeflateError, DeflateFlush};

/// Room that must be left in the output, or zlib may repeat its last block; bytes.
const ROOM_BYTES_MIN: usize = 64;

/// The smallest window of zlib; it refers back no further than one of 8 bits may.
const WINDOW_BITS_MIN: u8 = 9;

/// An empty message is an empty block without its tail (7.2.3.6).
const EMPTY: u8 = 0x00;

/// Compresses the messages of one connection, or of all whose [`Flow`] is the same and without
/// takeover.
pub struct Compressor {
    zlib: Deflate,
    takeover: bool,
}

impl Compressor {
    /// With an empty window.
    pub fn new(flow: Flow) -> Compressor {
        let bits = flow.window_bits.get().max(WINDOW_BITS_MIN);
        let config = DeflateConfig {
            level: 1,
            // Negative: without the header and the checksum of zlib.
            window_bits: -i32::from(bits),
            mem_level: 1,
            ..DeflateConfig::default()
        };
        Compressor { zlib: Deflate::new_with_config(config), takeover: flow.takeover }
    }

    /// Appends `payload` to `out`, compressed, and returns true; false, and `out` as it was, if it
    /// is to be sent as it is, because it would grow and no later message would refer to it. What
    /// was appended must be sent, and in this order.
    pub fn message(&mut self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        if !self.takeover {
            self.zlib.reset();
        }
        let from = out.len();
        if self.flush(payload, out).is_err() {
            // Not known to happen. It is always right to send it as it is and to begin anew.
            self.zlib.reset();
            out.truncate(from);
            return false;
        }
        if out[from..].ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        } else {
            debug_assert!(payload.is_empty(), "only nothing, straight after a flush, has no tail");
            out.push(EMPTY);
        }
        let is_kept = self.takeover || out.len() - from < payload.len();
        if !is_kept {
            out.truncate(from);
        }
        is_kept
    }

    /// Appends all that `payload` becomes, up to a byte's boundary.
    fn flush(&mut self, mut payload: &[u8], out: &mut Vec<u8>) -> Result<(), DeflateError> {
        loop {
            let from = out.len();
            out.resize(from + payload.len() / 2 + ROOM_BYTES_MIN, 0);
            let (read, written) = (self.zlib.total_in(), self.zlib.total_out());
            let status = self.zlib.compress(payload, &mut out[from..], DeflateFlush::SyncFlush);
            let room = out.len() - from;
            let written = (self.zlib.total_out() - written) as usize;
            out.truncate(from + written);
            payload = &payload[(self.zlib.total_in() - read) as usize..];
            status?;
            if written < room {
                return Ok(());
            }
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compressor {{ takeover: {} }}", self.takeover)
    }
}

#[cfg(test)]
mod tests;
