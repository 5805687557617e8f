//! From compressed messages to messages (RFC 7692 section 7.2.2).
//!
//! **What.** An [`Inflater`] appends what a message says to a buffer: [all](Inflater::message) at
//! once, or [piece](Inflater::piece) by piece with an [end](Inflater::end).
//!
//! **Why this way.** A kilobyte can say a megabyte, so the limit is checked while inflating: never
//! is more than one byte beyond it inflated, and that one is not kept. The window is always 32 KiB,
//! whatever was agreed: it costs the same, and nothing that a peer may send is refused. Without
//! context takeover any message can follow any other, so one inflater serves all connections of a
//! worker; it must then be given whole messages. A text is checked by the caller, as one that was
//! never compressed: `utf8::is_valid` on the whole, or `utf8::valid_up_to` on what each piece
//! added, which fails at the first impossible byte.
//!
//! **Costs.** 47.5 KB an inflater; 0.5 µs a message and 1 ns for each byte of it. Who wants to
//! waste time gets 65 ns for each byte that he sends (final blocks that say nothing). The buffer
//! gets room for the limit (for 1 MiB at first, if that is less) before it is known to be needed;
//! pages that nothing is written to cost nothing. No copy: bytes are inflated where they stay.
//!
//! **Read next.** `src/proto/ws/deflate/compress.rs`.

use super::negotiate::{Flow, WindowBits};
use crate::proto::ws::WsError;
use std::fmt;
use zlib_rs::{Inflate, InflateFlush, Status};

/// What a sender leaves out at the end of each message (7.2.1).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// A block that says nothing. Whether it does tells a message that is whole from one that ends
/// within a block: nearly always if the window is still needed,
const EMPTY_BLOCK: [u8; 5] = [0x00, 0x00, 0x00, 0xff, 0xff];
/// and always if not, as it must then end the stream.
const LAST_BLOCK: [u8; 5] = [0x01, 0x00, 0x00, 0xff, 0xff];

/// Bytes inflated at once: each is set to zero first, which costs little while they are few.
const STEP_BYTES_MAX: usize = 16 * 1024;
/// The same for what seems to be short.
const STEP_BYTES_MIN: usize = 1024;
/// Room of a buffer that is new; after it, room doubles.
const ROOM_BYTES_MIN: usize = 1024 * 1024;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing of it has come.
    Fresh,
    /// It is under way.
    Within,
    /// Its last block so far was marked as the final one (BFINAL) and nothing has followed.
    Ended,
}

/// Inflates the messages of one connection, or of all that do not take context over.
pub struct Inflater {
    zlib: Inflate,
    takeover: bool,
    stage: Stage,
}

impl Inflater {
    /// With an empty window.
    pub fn new(flow: Flow) -> Inflater {
        let zlib = Inflate::new(false, WindowBits::MAX.get());
        Inflater { zlib, takeover: flow.takeover, stage: Stage::Fresh }
    }

    /// Appends what the message `payload` says to `out`, which then has at most `bytes_max` bytes.
    ///
    /// # Errors
    /// As for [`piece`](Inflater::piece) and [`end`](Inflater::end).
    pub fn message(
        &mut self,
        payload: &[u8],
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), WsError> {
        self.piece(payload, bytes_max, out)?;
        self.end(bytes_max, out)
    }

    /// Appends what the next piece of a message says, as far as that can be told yet.
    ///
    /// # Errors
    /// [`WsError::MessageTooLong`]: `out` would have more than `bytes_max` bytes.
    /// [`WsError::Deflate`]: this is not compressed data. After either the connection must end; an
    /// inflater without takeover is as good as new.
    pub fn piece(
        &mut self,
        mut piece: &[u8],
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), WsError> {
        if self.stage == Stage::Fresh && !self.takeover {
            self.zlib.reset(false);
        }
        let mut step_bytes = piece.len().saturating_mul(4).clamp(STEP_BYTES_MIN, STEP_BYTES_MAX);
        let mut is_full = false;
        while is_full || !piece.is_empty() {
            let step = self.step(piece, step_bytes, bytes_max, out);
            let step = step.inspect_err(|_| self.stage = Stage::Fresh)?;
            (piece, is_full) = (&piece[step.read..], step.is_full);
            step_bytes = STEP_BYTES_MAX;
        }
        Ok(())
    }

    /// Ends a message of which all pieces were given.
    ///
    /// # Errors
    /// As for a piece, and [`WsError::Deflate`] if the message ends within a block.
    pub fn end(&mut self, bytes_max: usize, out: &mut Vec<u8>) -> Result<(), WsError> {
        // If no block is under way no tail was left out: some senders make an empty payload of an
        // empty message, or end one with a final block and nothing behind it (7.2.3.4).
        if self.stage == Stage::Within {
            self.piece(&TAIL, bytes_max, out)?;
            let said = out.len();
            self.piece(if self.takeover { &EMPTY_BLOCK } else { &LAST_BLOCK }, bytes_max, out)?;
            if out.len() > said || !(self.takeover || self.stage == Stage::Ended) {
                self.stage = Stage::Fresh;
                return Err(WsError::Deflate);
            }
        }
        self.stage = Stage::Fresh;
        Ok(())
    }

    /// Appends at most `step_bytes` bytes.
    fn step(
        &mut self,
        piece: &[u8],
        step_bytes: usize,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Step, WsError> {
        if !piece.is_empty() {
            self.stage = Stage::Within;
        }
        let from = out.len();
        // At the limit, one byte tells a message that is too long from one that just fits.
        let mut beyond = [0];
        let room = if from < bytes_max {
            let to = bytes_max.min(from + step_bytes);
            reserve(to, bytes_max, out);
            out.resize(to, 0);
            &mut out[from..]
        } else {
            &mut beyond[..]
        };
        let room_bytes = room.len();
        let (read, written) = (self.zlib.total_in(), self.zlib.total_out());
        let status = self.zlib.decompress(piece, room, InflateFlush::NoFlush);
        let read = (self.zlib.total_in() - read) as usize;
        let written = (self.zlib.total_out() - written) as usize;
        out.truncate(from + written);
        let is_full = written == room_bytes;
        match status {
            _ if from >= bytes_max && is_full => Err(WsError::MessageTooLong),
            Err(_) => Err(WsError::Deflate),
            Ok(Status::StreamEnd) => {
                self.zlib.reset(false);
                self.stage = Stage::Ended;
                Ok(Step { read, is_full: false })
            }
            Ok(_) if read < piece.len() && !is_full => Err(WsError::Deflate),
            Ok(_) => Ok(Step { read, is_full }),
        }
    }
}

/// Makes room for `len` bytes in `out`, which will never have more than `len_max`.
fn reserve(len: usize, len_max: usize, out: &mut Vec<u8>) {
    if len > out.capacity() {
        let room = len_max.min(ROOM_BYTES_MIN.max(2 * out.capacity()));
        out.reserve_exact(room.max(len) - out.len());
    }
}

/// How far one step came.
struct Step {
    /// Bytes of the piece used up.
    read: usize,
    /// All the room was used: there may be more to write.
    is_full: bool,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inflater { zlib: _, takeover, stage } = self;
        write!(f, "Inflater {{ takeover: {takeover}, stage: {stage:?} }}")
    }
}

#[cfg(test)]
mod tests;
