//! Random bytes that nobody can foretell, for a client's masks and handshakes.
//!
//! **What.** [`Keys::take`] gives the next few bytes of a buffer that the kernel fills.
//!
//! **Why this way.** A mask is there so that no page can choose what bytes its browser sends to an
//! unsuspecting proxy (RFC 6455 10.3); a generator that anybody could run along would defeat that,
//! so the bytes are the kernel's. A thousand keys are drawn at once, because a system call for each
//! message would cost as much as sending it.
//!
//! **Costs.** 4 KiB, and one `getrandom` a thousand messages.
//!
//! **Read next.** `src/proto/ws/mask.rs`, `src/load/speech/websocket.rs`.

use super::client::Life;
use super::fates::Fate;
use std::ops::ControlFlow::{Break, Continue};

/// Bytes drawn at once.
const DRAW_BYTES: usize = 4096;

/// Random bytes, each given out once.
pub(super) struct Keys {
    bytes: Box<[u8]>,
    /// How many of them were given out.
    used: usize,
}

impl Keys {
    /// None drawn yet.
    pub(super) fn new() -> Keys {
        Keys { bytes: vec![0; DRAW_BYTES].into_boxed_slice(), used: DRAW_BYTES }
    }

    /// The next `N` bytes. A connection for which the kernel has none fails.
    #[inline]
    pub(super) fn take<const N: usize>(&mut self) -> Life<[u8; N]> {
        loop {
            if let Some(key) = self.bytes[self.used..].first_chunk() {
                self.used += N;
                return Continue(*key);
            }
            self.draw()?;
        }
    }

    #[cold]
    fn draw(&mut self) -> Life {
        if let Err(error) = getrandom::fill(&mut self.bytes) {
            return Break(Fate::Failed(format!("no random bytes for a mask: {error}")));
        }
        self.used = 0;
        Continue(())
    }
}

#[cfg(test)]
mod tests;
