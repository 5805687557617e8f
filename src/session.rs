//! One connection's protocol joined to one service: bytes in, bytes out.
//!
//! **What.** [`Session::receive`] cuts fresh bytes into messages and hands each to the service,
//! whose answers land in an [`Outbound`]. What is not a whole message yet is carried to the next
//! read.
//!
//! **Why this way.** Pure (sans-I/O): no socket, no clock, so every rule is tested on slices at
//! every split. The protocol is an inline enum, so that changing it (HTTP becomes WebSocket) is
//! an assignment.
//!
//! **Costs.** Messages are borrowed where they lie; only the tail of a read that ends inside a
//! message is copied.
//!
//! **Read next.** `src/proto/line.rs`, then `src/server/conn.rs` which does the I/O around it.

use crate::buf::{Carry, Exhausted, Pool};
use crate::proto::line;
use crate::service::{Framing, Outbound, Service};

/// Why a session cannot go on. It is the peer's doing, or the memory limit's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// A line is longer than the limit.
    LineTooLong,
    /// No block is left to carry the message in.
    Exhausted,
}

impl From<Exhausted> for SessionError {
    fn from(_: Exhausted) -> Self {
        SessionError::Exhausted
    }
}

/// What a session may use up.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Bytes of a line, its ending included; at most [`BLOCK_BYTES`](crate::buf::BLOCK_BYTES).
    pub line_bytes_max: usize,
}

/// The protocol state of one connection, and what the service remembers of it.
#[derive(Debug)]
pub struct Session<T> {
    framing: Framing,
    /// The beginning of a message. Always empty for a byte stream.
    carry: Carry,
    /// The service's.
    pub state: T,
}

impl<T: Default> Session<T> {
    /// A session at its beginning.
    pub fn new(framing: Framing) -> Session<T> {
        Session { framing, carry: Carry::default(), state: T::default() }
    }

    /// Handles `fresh` bytes, and adds to `messages` how many the service was given.
    ///
    /// # Errors
    /// See [`SessionError`]; answers to earlier messages are in `out` all the same.
    pub fn receive<S: Service<State = T>>(
        &mut self,
        fresh: &[u8],
        service: &mut S,
        out: &mut Outbound<'_>,
        pool: &mut Pool,
        limits: &SessionLimits,
        messages: &mut u64,
    ) -> Result<(), SessionError> {
        match self.framing {
            Framing::Bytes => {
                service.message(&mut self.state, fresh, out);
                *messages += 1;
                Ok(())
            }
            Framing::Lines => {
                self.receive_lines(fresh, service, out, pool, limits.line_bytes_max, messages)
            }
        }
    }

    /// The peer ended its side: a last line without an ending counts as one. Returns how many
    /// messages the service was given.
    pub fn receive_end<S: Service<State = T>>(
        &mut self,
        service: &mut S,
        out: &mut Outbound<'_>,
        pool: &mut Pool,
    ) -> u64 {
        if self.carry.is_empty() {
            return 0;
        }
        service.message(&mut self.state, line::trim(self.carry.bytes()), out);
        self.carry.clear(pool);
        1
    }

    /// No message has begun that has not ended.
    pub fn is_between(&self) -> bool {
        self.carry.is_empty()
    }

    /// Gives back what the session holds.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.carry.clear(pool);
    }

    fn receive_lines<S: Service<State = T>>(
        &mut self,
        fresh: &[u8],
        service: &mut S,
        out: &mut Outbound<'_>,
        pool: &mut Pool,
        line_bytes_max: usize,
        messages: &mut u64,
    ) -> Result<(), SessionError> {
        let mut rest = fresh;
        while !out.is_closed() {
            let Some((line, behind)) = line::split(rest) else {
                // The ending is still to come, so at the limit itself the line is already too long.
                if self.carry.bytes().len() + rest.len() >= line_bytes_max {
                    return Err(SessionError::LineTooLong);
                }
                self.carry.append(rest, pool)?;
                break;
            };
            if self.carry.bytes().len() + line.len() > line_bytes_max {
                return Err(SessionError::LineTooLong);
            }
            if self.carry.is_empty() {
                service.message(&mut self.state, line::trim(line), out);
            } else {
                self.carry.append(line, pool)?;
                service.message(&mut self.state, line::trim(self.carry.bytes()), out);
                self.carry.clear(pool);
            }
            *messages += 1;
            rest = behind;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
