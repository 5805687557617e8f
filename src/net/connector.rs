//! Connecting, from the client's side.
//!
//! **What.** [`connect`] begins a connection and returns at once; when the socket becomes writable,
//! [`connected`] says how it went. [`connect_datagram`] makes the UDP counterpart.
//!
//! **Why this way.** A non-blocking `connect` is in progress until the handshake is done; the
//! result waits in `SO_ERROR`. A source address may be given, because ports run out per source
//! address (the cliff that `docs/kernel-facts.md` measures); the port is then left open until
//! `connect`.
//!
//! **Costs.** `socket`, `setsockopt`, `connect` (and `setsockopt`, `bind` with a source address),
//! then `getsockopt`, `getpeername` and `getsockname`.
//!
//! **Read next.** `src/load/mod.rs`, which connects by the thousand.

use super::{Address, Stream};
use crate::sys;
use mio::net::{TcpStream, UdpSocket, UnixStream};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// How an attempt to connect stands.
#[derive(Debug)]
pub enum Connect {
    /// The handshake is under way: wait until the socket is writable.
    InProgress(Stream),
    /// Connected at once (a Unix socket).
    Done(Stream),
    /// The listener's queue is full (EAGAIN of a Unix socket): [try again](connect_again) later
    /// with this socket; no event will tell when.
    Busy(Stream),
}

/// Begins to connect to `address`, from `source` if it is given.
///
/// # Errors
/// As `socket(2)`, `bind(2)` and `connect(2)`, except that it is in progress.
pub fn connect(address: &Address, source: Option<IpAddr>) -> io::Result<Connect> {
    match address {
        Address::Tcp(to) => {
            let kind = Type::STREAM.nonblocking();
            let socket = Socket::new(Domain::for_address(*to), kind, Some(Protocol::TCP))?;
            socket.set_tcp_nodelay(true)?;
            bind_source(&socket, source)?;
            let outcome = socket.connect(&(*to).into());
            let stream = Stream::Tcp(TcpStream::from_std(socket.into()));
            match outcome {
                Ok(()) => Ok(Connect::Done(stream)),
                Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                    Ok(Connect::InProgress(stream))
                }
                Err(error) => Err(error),
            }
        }
        Address::Unix(_) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
            let stream = Stream::Unix(UnixStream::from_std(socket.into()));
            match connect_again(&stream, address)? {
                true => Ok(Connect::Done(stream)),
                false => Ok(Connect::Busy(stream)),
            }
        }
        Address::Udp(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a datagram socket has no connection to begin",
        )),
    }
}

/// Connects a Unix socket that found the listener's queue full. `false`: it is full still.
///
/// # Errors
/// As `connect(2)`; an address of another kind is invalid input.
pub fn connect_again(stream: &Stream, address: &Address) -> io::Result<bool> {
    let Address::Unix(path) = address else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no Unix socket"));
    };
    match SockRef::from(stream).connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// A datagram socket that sends to `to` and hears nobody else; there is no handshake, so it is done
/// at once. That nobody listens is heard after the first datagram (ECONNREFUSED, by ICMP).
///
/// # Errors
/// As `socket(2)`, `bind(2)` and `connect(2)`; that no port is left is EADDRNOTAVAIL, as over TCP.
pub fn connect_datagram(to: SocketAddr, source: Option<IpAddr>) -> io::Result<UdpSocket> {
    let kind = Type::DGRAM.nonblocking();
    let socket = Socket::new(Domain::for_address(to), kind, Some(Protocol::UDP))?;
    bind_source(&socket, source)?;
    socket.connect(&to.into()).map_err(|error| match error.raw_os_error() {
        // What the kernel says who finds no port for a datagram socket.
        Some(libc::EAGAIN) => io::Error::from_raw_os_error(libc::EADDRNOTAVAIL),
        _ => error,
    })?;
    Ok(UdpSocket::from_std(socket.into()))
}

fn bind_source(socket: &Socket, source: Option<IpAddr>) -> io::Result<()> {
    let Some(source) = source else { return Ok(()) };
    sys::socket::set_bind_address_no_port(socket)?;
    socket.bind(&SocketAddr::new(source, 0).into())
}

/// Whether a connection in progress is established; to be asked when its socket is writable.
/// `false` if it is still under way.
///
/// # Errors
/// Why it failed: refused, timed out, unreachable. A socket that met itself is refused: when nobody
/// listens on a port that the system also chooses from, it may choose that very port for us, and a
/// TCP socket that connects to its own address succeeds (RFC 9293, simultaneous open) and hears its
/// own words.
pub fn connected(stream: &Stream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    let Stream::Tcp(socket) = stream else { return Ok(true) };
    match socket.peer_addr() {
        Ok(peer) if socket.local_addr()? == peer => {
            Err(io::Error::from_raw_os_error(libc::ECONNREFUSED))
        }
        peer => Ok(peer.is_ok()),
    }
}

#[cfg(test)]
mod tests;
