//! A stream socket and the output it did not take.
//!
//! **What.** [`Link`] reads and writes once when asked, and says what happened: [`Received`],
//! [`Sent`]. Output that does not fit waits in its backlog.
//!
//! **Why this way.** Edge-triggered epoll tells of new readiness only, so each call has to say
//! whether the edge is spent. A *short* read is the end of it and no second `read` is needed to
//! hear EAGAIN; a *full* read may have left bytes behind in silence, so the caller must look
//! again. Writing is tried at once, because it nearly always succeeds: the write interest is
//! added at the first stall, by the one `epoll_ctl` of the connection's life, and then kept. (All
//! of this is shown by `tests/kernel_facts.rs`.)
//!
//! **Costs.** One `recv` and one `send` a ready connection. 24 bytes, and a pooled block while
//! stuck.
//!
//! **Read next.** `src/session.rs`, which turns the bytes into messages; `src/server/conn.rs`.

use super::Stream;
use crate::buf::{Backlog, Pool};
use mio::event::Source as _;
use mio::{Interest, Registry, Token};
use std::io::{self, IoSlice};

/// Slices a `writev` takes at once; 1 MiB of full blocks.
const SLICES_MAX: usize = 64;

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The buffer is full to the brim: there may be more.
    Filled(usize),
    /// All that was there.
    Short(usize),
    /// Nothing was there.
    Blocked,
    /// The peer ended its side.
    Eof,
}

/// What became of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The socket took all of it.
    All,
    /// Some of it waits in the backlog.
    Queued,
}

/// Why a connection can send no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The peer reset the connection, or the network did.
    Reset,
    /// The pool has no block left for the backlog.
    Exhausted,
    /// The kernel refused to watch the socket for room to write (`epoll_ctl(2)`).
    Unwatchable,
}

/// What a link needs of its worker to send.
pub struct LinkIo<'a> {
    /// Where the write interest is added.
    pub registry: &'a Registry,
    /// Where the backlog's blocks come from.
    pub pool: &'a mut Pool,
}

/// A stream socket and its unsent output.
#[derive(Debug)]
pub struct Link {
    stream: Stream,
    /// Not empty if it is there.
    backlog: Option<Box<Backlog>>,
    /// The socket is registered for writing too.
    watches_writes: bool,
}

impl Link {
    /// Wraps a stream that is registered for reading, and for writing too if `watches_writes`.
    pub fn new(stream: Stream, watches_writes: bool) -> Link {
        Link { stream, backlog: None, watches_writes }
    }

    /// The socket.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Whether output waits to be sent.
    #[inline]
    pub fn is_stuck(&self) -> bool {
        self.backlog.is_some()
    }

    /// Bytes that wait to be sent.
    #[inline]
    pub fn backlog_bytes(&self) -> usize {
        self.backlog.as_ref().map_or(0, |backlog| backlog.len())
    }

    /// Reads once into `bytes`.
    ///
    /// # Errors
    /// The connection was reset, or timed out in the kernel.
    #[inline]
    pub fn receive(&mut self, bytes: &mut [u8]) -> io::Result<Received> {
        loop {
            return match self.stream.read(bytes) {
                Ok(0) => Ok(Received::Eof),
                Ok(n) if n == bytes.len() => Ok(Received::Filled(n)),
                Ok(n) => Ok(Received::Short(n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Blocked),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }

    /// Sends `bytes` behind what already waits; what the socket does not take is queued.
    ///
    /// # Errors
    /// See [`SendError`]; the connection must end.
    #[inline(always)]
    pub fn send(
        &mut self,
        bytes: &[u8],
        token: Token,
        io: &mut LinkIo<'_>,
    ) -> Result<Sent, SendError> {
        let taken = match self.backlog {
            None => write_once(|| self.stream.write(bytes))?,
            Some(_) => 0,
        };
        if taken == bytes.len() { Ok(Sent::All) } else { self.queue(&bytes[taken..], token, io) }
    }

    /// What the socket did not take waits for it.
    #[cold]
    fn queue(
        &mut self,
        bytes: &[u8],
        token: Token,
        io: &mut LinkIo<'_>,
    ) -> Result<Sent, SendError> {
        let backlog = self.backlog.get_or_insert_default();
        backlog.push(bytes, io.pool).map_err(|_| SendError::Exhausted)?;
        self.watch_writes(token, io.registry)?;
        Ok(Sent::Queued)
    }

    /// Writes what waits, once, as much as the socket takes.
    ///
    /// # Errors
    /// See [`SendError`]; the connection must end.
    pub fn flush(&mut self, pool: &mut Pool) -> Result<Sent, SendError> {
        while let Some(backlog) = &self.backlog {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = backlog.slices(&mut slices);
            let offered: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            let taken = write_once(|| match &slices[..count] {
                [only] => self.stream.write(only),
                several => self.stream.write_vectored(several),
            })?;
            let Some(backlog) = &mut self.backlog else { break };
            backlog.consume(taken, pool);
            if backlog.is_empty() {
                self.backlog = None;
            } else if taken < offered {
                return Ok(Sent::Queued);
            }
        }
        Ok(Sent::All)
    }

    /// Gives the backlog's blocks back; what waits is not sent any more.
    pub fn clear(&mut self, pool: &mut Pool) {
        if let Some(mut backlog) = self.backlog.take() {
            backlog.clear(pool);
        }
    }

    /// Asks for events when there is room to write. Later stalls need no call: the interest stays,
    /// and a stalled write arms the kernel's edge.
    fn watch_writes(&mut self, token: Token, registry: &Registry) -> Result<(), SendError> {
        if self.watches_writes {
            return Ok(());
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        self.stream.reregister(registry, token, both).map_err(|_| SendError::Unwatchable)?;
        self.watches_writes = true;
        Ok(())
    }
}

/// How much one write takes; 0 if the socket is full.
#[inline(always)]
fn write_once(mut write: impl FnMut() -> io::Result<usize>) -> Result<usize, SendError> {
    loop {
        return match write() {
            Ok(n) => Ok(n),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => Err(SendError::Reset),
        };
    }
}
