//! A connected stream socket, TCP or Unix.
//!
//! **What.** [`Stream`] is mio's `TcpStream` or `UnixStream`.
//!
//! **Why this way.** The two differ only in their address; an enum keeps the socket inline and the
//! calls static. Rejected: `Box<dyn Read + Write>`, an allocation and a pointer a connection.
//!
//! **Costs.** 8 bytes; a branch a call.
//!
//! **Read next.** `src/net/link.rs`.

use crate::sys;
use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use std::io::{self, IoSlice, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

/// A connected, non-blocking stream socket.
#[derive(Debug)]
pub enum Stream {
    /// TCP over IPv4 or IPv6.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

/// Does the same with either kind of socket.
macro_rules! either {
    ($stream:expr, $socket:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($socket) => $call,
            Stream::Unix($socket) => $call,
        }
    };
}

impl Stream {
    /// Reads once (`recv(2)`).
    ///
    /// # Errors
    /// As `recv(2)`; `WouldBlock` if nothing is there.
    #[inline]
    pub fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        sys::socket::receive(self, bytes)
    }

    /// Writes once (`send(2)`).
    ///
    /// # Errors
    /// As `send(2)`; `WouldBlock` if the socket's buffer is full.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sys::socket::send(self, bytes)
    }

    /// Writes several slices at once (`writev(2)`).
    ///
    /// # Errors
    /// As `writev(2)`; `WouldBlock` if the socket's buffer is full.
    pub fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, socket => socket.write_vectored(slices))
    }

    /// Sends FIN: "I have said everything". Reading goes on (`shutdown(2)`).
    ///
    /// # Errors
    /// The connection is gone already.
    pub fn shutdown_write(&self) -> io::Result<()> {
        either!(self, socket => socket.shutdown(Shutdown::Write))
    }

    /// The error that is pending on the socket, if any (`SO_ERROR`).
    ///
    /// # Errors
    /// `getsockopt(2)`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        either!(self, socket => socket.take_error())
    }

    /// The peer's address; asked of the kernel rather than stored (`getpeername(2)`). `None` for
    /// a Unix socket, and for a connection that is gone.
    pub fn peer(&self) -> Option<SocketAddr> {
        match self {
            Stream::Tcp(socket) => socket.peer_addr().ok(),
            Stream::Unix(_) => None,
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, socket => socket.as_fd())
    }
}

impl Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, what: Interest) -> io::Result<()> {
        either!(self, socket => socket.register(registry, token, what))
    }

    fn reregister(&mut self, registry: &Registry, token: Token, what: Interest) -> io::Result<()> {
        either!(self, socket => socket.reregister(registry, token, what))
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        either!(self, socket => socket.deregister(registry))
    }
}
