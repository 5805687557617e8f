//! A stream socket, its TLS if it has some, and the output it did not take.
//!
//! **What.** [`Link`] reads and writes once when asked, and says what happened: [`Received`],
//! [`Sent`]. Output that does not fit waits in its backlog, encrypted where it will be.
//!
//! **Why this way.** Edge-triggered epoll tells of new readiness only, so each call has to say
//! whether the edge is spent. A *short* read is the end of it and no second `read` is needed to
//! hear EAGAIN; a *full* read may have left bytes behind in silence, so the caller must look
//! again. Writing is tried at once, because it nearly always succeeds: the write interest is
//! added at the first stall, by the one `epoll_ctl` of the connection's life, and then kept. (All
//! of this is shown by `tests/kernel_facts.rs`.)
//!
//! **Costs.** One `recv` and one `send` a ready connection. 24 bytes, and a pooled block while
//! stuck. One branch a call tells a connection that has neither TLS nor a backlog, as most.
//!
//! **Read next.** `src/net/tls/mod.rs`; `src/session.rs`, which turns the bytes into messages;
//! `src/server/conn.rs`.

use super::{Stream, Tls, TlsScratch};
use crate::buf::{Backlog, Exhausted, Pool};
use crate::metrics::TlsFault;
use mio::event::Source as _;
use mio::{Interest, Registry, Token};
use std::io::{self, IoSlice};

/// Slices a `writev` takes at once; 1 MiB of full blocks.
const SLICES_MAX: usize = 64;

/// What a read brought. With TLS, what was in it: perhaps nothing, because a record is not whole
/// yet, or is one of TLS's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// There may be more: look again, for no event will tell.
    Filled(usize),
    /// All that was there.
    Short(usize),
    /// Nothing was there.
    Blocked,
    /// The peer ended its side.
    Eof,
}

/// Why a connection can receive no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiveError {
    /// The peer reset the connection, or it timed out in the kernel: as `recv(2)` says.
    Reset {
        /// Its number.
        errno: i32,
    },
    /// What TLS has to say in answer cannot be sent.
    Send(SendError),
    /// TLS cannot go on. The peer was told by an alert.
    Tls(TlsFault),
    /// The stream ended, but not its TLS: somebody may have cut it.
    Truncated,
    /// The peer speaks no TLS at all, but text. The link has dropped its TLS: the peer can be
    /// told.
    PlainOnTls,
}

impl From<Exhausted> for ReceiveError {
    fn from(_: Exhausted) -> Self {
        ReceiveError::Send(SendError::Exhausted)
    }
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
    /// TLS is not there yet, or not any more.
    Unsealed,
}

/// What a link needs of its worker.
pub struct LinkIo<'a> {
    /// Where the write interest is added.
    pub registry: &'a Registry,
    /// Where the backlog's blocks come from.
    pub pool: &'a mut Pool,
    /// Where ciphertext is on its way.
    pub tls: &'a mut TlsScratch,
}

/// What a connection without TLS that keeps up does not have.
#[derive(Debug, Default)]
struct Extra {
    /// What is still to be sent.
    backlog: Backlog,
    /// What bytes go through on their way in and out.
    tls: Option<Box<Tls>>,
}

/// A stream socket and its unsent output.
#[derive(Debug)]
pub struct Link {
    stream: Stream,
    /// There is a backlog in it, or TLS.
    extra: Option<Box<Extra>>,
    /// The socket is registered for writing too.
    watches_writes: bool,
}

impl Link {
    /// Wraps a stream that is registered for reading, and for writing too if `watches_writes`.
    pub fn new(stream: Stream, watches_writes: bool) -> Link {
        Link { stream, extra: None, watches_writes }
    }

    /// The same under TLS. A client [starts](Link::start) it.
    pub fn secured(stream: Stream, watches_writes: bool, tls: Box<Tls>) -> Link {
        let extra = Some(Box::new(Extra { tls: Some(tls), ..Extra::default() }));
        Link { stream, extra, watches_writes }
    }

    /// The socket.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The same, to be registered.
    pub fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Nothing waits to be sent, and there is no TLS.
    #[inline]
    pub fn is_bare(&self) -> bool {
        self.extra.is_none()
    }

    /// Bytes that wait to be sent.
    #[inline]
    pub fn backlog_bytes(&self) -> usize {
        self.extra.as_ref().map_or(0, |extra| extra.backlog.len())
    }

    /// The bytes go through TLS.
    pub fn tls(&self) -> Option<&Tls> {
        self.extra.as_ref()?.tls.as_deref()
    }

    fn tls_mut(&mut self) -> Option<&mut Tls> {
        self.extra.as_mut()?.tls.as_deref_mut()
    }

    /// The backlog is out: lets go of what it took.
    fn lighten(&mut self) {
        match &mut self.extra {
            Some(extra) if extra.tls.is_some() => extra.backlog = Backlog::default(),
            extra => *extra = None,
        }
    }

    /// Reads once into `bytes`, which with TLS are at least 64 KiB.
    ///
    /// # Errors
    /// See [`ReceiveError`]; the connection must end.
    #[inline(always)]
    pub fn receive(
        &mut self,
        bytes: &mut [u8],
        token: Token,
        mut io: LinkIo<'_>,
    ) -> Result<Received, ReceiveError> {
        match &self.extra {
            None => read_once(&mut self.stream, bytes),
            Some(_) => self.receive_sealed(bytes, token, &mut io),
        }
    }

    #[inline(never)]
    fn receive_sealed(
        &mut self,
        bytes: &mut [u8],
        token: Token,
        io: &mut LinkIo<'_>,
    ) -> Result<Received, ReceiveError> {
        let Some(tls) = self.extra.as_mut().and_then(|extra| extra.tls.as_mut()) else {
            return read_once(&mut self.stream, bytes);
        };
        let received = tls.receive(&mut self.stream, bytes, io.tls, io.pool);
        if received == Err(ReceiveError::PlainOnTls) {
            // Nothing was held, and nothing waits.
            self.extra = None;
        }
        // Its part of the handshake, or the alert that says why not.
        let sent = self.send_sealed(token, io).map_err(ReceiveError::Send);
        received.and_then(|received| sent.map(|_| received))
    }

    /// Begins the handshake as a client; the socket is connected.
    ///
    /// # Errors
    /// See [`ReceiveError`]; the connection must end.
    pub fn start(&mut self, token: Token, mut io: LinkIo<'_>) -> Result<(), ReceiveError> {
        if let Some(tls) = self.tls_mut() {
            tls.start(io.tls)?;
        }
        self.send_sealed(token, &mut io).map(|_| ()).map_err(ReceiveError::Send)
    }

    /// What the end of the stream means, now that it has come: nothing, or why it is no good end.
    pub fn fault_of_end(&self) -> Option<ReceiveError> {
        self.tls().and_then(Tls::fault_of_end)
    }

    /// Reads once what the socket has: all that there is of a link that [is bare](Link::is_bare);
    /// under TLS only good to be forgotten, after the last word.
    ///
    /// # Errors
    /// As [`receive`](Link::receive).
    #[inline(always)]
    pub fn receive_raw(&mut self, bytes: &mut [u8]) -> Result<Received, ReceiveError> {
        read_once(&mut self.stream, bytes)
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
        mut io: LinkIo<'_>,
    ) -> Result<Sent, SendError> {
        if self.extra.is_some() {
            return self.seal_and_send(bytes, token, &mut io);
        }
        let taken = write_once(&mut self.stream, &[IoSlice::new(bytes)])?;
        match &bytes[taken..] {
            [] => Ok(Sent::All),
            rest => self.queue(rest, token, &mut io),
        }
    }

    /// Sends what the socket takes of `bytes`, over a link that [is bare](Link::is_bare). How many
    /// bytes that were.
    ///
    /// # Errors
    /// See [`SendError`]; the connection must end.
    #[inline(always)]
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<usize, SendError> {
        write_once(&mut self.stream, &[IoSlice::new(bytes)])
    }

    /// Keeps what the socket did not take of a [`send_raw`](Link::send_raw) until it does.
    ///
    /// # Errors
    /// See [`SendError`]; the connection must end.
    pub fn hold(
        &mut self,
        bytes: &[u8],
        token: Token,
        mut io: LinkIo<'_>,
    ) -> Result<Sent, SendError> {
        self.queue(bytes, token, &mut io)
    }

    #[inline(never)]
    fn seal_and_send(
        &mut self,
        bytes: &[u8],
        token: Token,
        io: &mut LinkIo<'_>,
    ) -> Result<Sent, SendError> {
        let Some(tls) = self.tls_mut() else { return self.send_as_is(bytes, token, io) };
        tls.seal(bytes, io.tls)?;
        self.send_sealed(token, io)
    }

    /// Says by TLS that nothing more will be sent (`close_notify`), behind what waits. To be done
    /// before FIN; without TLS there is nothing to say.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn end(&mut self, token: Token, mut io: LinkIo<'_>) -> Result<Sent, SendError> {
        let Some(tls) = self.tls_mut() else { return Ok(Sent::All) };
        tls.seal_end(io.tls);
        self.send_sealed(token, &mut io)
    }

    /// Sends what TLS has left in the scratch.
    fn send_sealed(&mut self, token: Token, io: &mut LinkIo<'_>) -> Result<Sent, SendError> {
        let sealed = io.tls.take_outgoing();
        let sent = match sealed.is_empty() {
            true => Ok(Sent::All),
            false => self.send_as_is(&sealed, token, io),
        };
        io.tls.give_outgoing(sealed);
        sent
    }

    fn send_as_is(
        &mut self,
        bytes: &[u8],
        token: Token,
        io: &mut LinkIo<'_>,
    ) -> Result<Sent, SendError> {
        let taken = match self.backlog_bytes() {
            0 => write_once(&mut self.stream, &[IoSlice::new(bytes)])?,
            _ => 0,
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
        let extra = self.extra.get_or_insert_default();
        extra.backlog.push(bytes, io.pool).map_err(|_| SendError::Exhausted)?;
        self.watch_writes(token, io.registry)?;
        Ok(Sent::Queued)
    }

    /// Writes what waits, once, as much as the socket takes.
    ///
    /// # Errors
    /// See [`SendError`]; the connection must end.
    pub fn flush(&mut self, pool: &mut Pool) -> Result<Sent, SendError> {
        let Some(Extra { backlog, .. }) = self.extra.as_deref_mut() else { return Ok(Sent::All) };
        while !backlog.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = backlog.slices(&mut slices);
            let offered: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            let taken = write_once(&mut self.stream, &slices[..count])?;
            backlog.consume(taken, pool);
            if taken < offered {
                return Ok(Sent::Queued);
            }
        }
        self.lighten();
        Ok(Sent::All)
    }

    /// Gives back what is held; what waits is not sent any more.
    pub fn clear(&mut self, pool: &mut Pool) {
        if let Some(extra) = &mut self.extra {
            extra.backlog.clear(pool);
            if let Some(tls) = &mut extra.tls {
                tls.clear(pool);
            }
        }
        self.lighten();
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

/// Reads once.
#[inline(always)]
pub(super) fn read_once(stream: &mut Stream, bytes: &mut [u8]) -> Result<Received, ReceiveError> {
    loop {
        return match stream.read(bytes) {
            Ok(0) => Ok(Received::Eof),
            Ok(n) if n < bytes.len() => Ok(Received::Short(n)),
            Ok(_) => Ok(Received::Filled(bytes.len())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Blocked),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(ReceiveError::Reset { errno: error.raw_os_error().unwrap_or(0) }),
        };
    }
}

/// Writes once; 0 if the socket is full.
#[inline(always)]
fn write_once(stream: &mut Stream, slices: &[IoSlice<'_>]) -> Result<usize, SendError> {
    loop {
        let result = match slices {
            [only] => stream.write(only),
            several => stream.write_vectored(several),
        };
        return match result {
            Ok(n) => Ok(n),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => Err(SendError::Reset),
        };
    }
}
