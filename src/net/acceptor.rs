//! Listening: socket, bind, listen, accept.
//!
//! **What.** [`Acceptor`] owns a listening socket; [`Acceptor::accept`] takes one connection.
//! [`bind_datagram`] makes the UDP counterpart.
//!
//! **Why this way.** Options are set on the listener, because accepted sockets inherit them: an
//! accept costs no `setsockopt`. `SO_REUSEADDR` is always set (a restart must not wait for
//! TIME_WAIT to pass); `SO_REUSEPORT` only when asked, for with it two servers share a port
//! without noticing. A Unix socket's file outlives its server; it is removed only if nobody
//! answers on it.
//!
//! **Costs.** `accept4` a connection, nothing else.
//!
//! **Read next.** `src/net/link.rs`; `src/server/admission.rs` for who may stay.

use super::{Address, Endpoint, SocketOptions, Stream, holder};
use crate::sys;
use mio::event::Source;
use mio::net::{TcpListener, UdpSocket, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What an attempt to accept brought.
#[derive(Debug)]
pub enum Accept {
    /// A connection, and the address it came from (none for a Unix socket).
    Taken(Stream, Option<IpAddr>),
    /// Nobody waits: the edge is spent.
    Empty,
    /// This connection is lost, but others may wait (`accept(2)`, "Error handling").
    Aborted,
    /// The process or the system has no descriptor or memory left (or something is wrong that no
    /// manual names). Those who wait are still waiting, and **no event will tell** when there is
    /// room: look again on a close and by timer.
    NoDescriptor(io::Error),
}

/// Errors that are about the connection and not about accepting (`accept(2)`): it ended before it
/// was taken, the network failed it, or a firewall forbids it.
const LOST: [i32; 12] = [
    libc::ECONNABORTED,
    libc::EINTR,
    libc::EPERM,
    libc::EPROTO,
    libc::ENETDOWN,
    libc::ENOPROTOOPT,
    libc::EHOSTDOWN,
    libc::ENONET,
    libc::EHOSTUNREACH,
    libc::EOPNOTSUPP,
    libc::ENETUNREACH,
    libc::ETIMEDOUT,
];

/// A listening socket.
#[derive(Debug)]
pub struct Acceptor {
    /// Where it really listens: port 0 is replaced by the port the system chose.
    endpoint: Endpoint,
    listener: Listener,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, to be removed at the end.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode: by then the path may be another server's. `None` leaves the file alone.
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    fn new(path: &Path) -> SocketFile {
        SocketFile { path: path.to_owned(), identity: identity(path) }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && self.identity == identity(&self.path) {
            // Somebody else may be removing it now; there is nothing to be done about that.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

impl Acceptor {
    /// Opens a listening socket.
    ///
    /// # Errors
    /// The system's error, its message completed with who holds the address or what would help.
    pub fn bind(endpoint: &Endpoint) -> io::Result<Acceptor> {
        let mut endpoint = endpoint.clone();
        let listener = match &mut endpoint.address {
            Address::Tcp(address) => {
                let socket = bind_tcp(*address, &endpoint.options)
                    .map_err(|error| explain_tcp(error, *address))?;
                let listener = TcpListener::from_std(socket.into());
                *address = listener.local_addr()?;
                Listener::Tcp(listener)
            }
            Address::Unix(path) => {
                let socket = bind_unix(path, endpoint.options.backlog)
                    .map_err(|error| explain_unix(error, path))?;
                Listener::Unix(UnixListener::from_std(socket.into()), SocketFile::new(path))
            }
            Address::Udp(_) => return Err(invalid("a datagram socket does not accept")),
        };
        Ok(Acceptor { endpoint, listener })
    }

    /// Takes a socket that listens already. The file of a Unix socket goes with it at the end only
    /// if it is `the_last` that listens there.
    ///
    /// # Errors
    /// `getsockname(2)`; the endpoint is for datagrams.
    pub fn inherit(endpoint: &Endpoint, socket: OwnedFd, the_last: bool) -> io::Result<Acceptor> {
        let mut endpoint = endpoint.clone();
        let socket = Socket::from(socket);
        socket.set_nonblocking(true)?;
        let listener = match &mut endpoint.address {
            Address::Tcp(address) => {
                let listener = TcpListener::from_std(socket.into());
                *address = listener.local_addr()?;
                Listener::Tcp(listener)
            }
            Address::Unix(path) => {
                let mut file = SocketFile::new(path);
                file.identity = file.identity.filter(|_| the_last);
                Listener::Unix(UnixListener::from_std(socket.into()), file)
            }
            Address::Udp(_) => return Err(invalid("a datagram socket does not accept")),
        };
        Ok(Acceptor { endpoint, listener })
    }

    /// Where it listens, with the real port.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Stops listening for a while: unlike a drop it leaves a Unix socket's file, so that clients
    /// are refused rather than told that there is no such file.
    pub fn hang_up(mut self) {
        if let Listener::Unix(_, file) = &mut self.listener {
            file.identity = None;
        }
    }

    /// Stops listening, on a socket that others have too: from now on the kernel refuses. Who waits
    /// is reset. The port stays ours, to [listen](Acceptor::listen) on again.
    ///
    /// # Errors
    /// EINVAL: a Unix socket cannot.
    pub fn stop_listening(&self) -> io::Result<()> {
        // Only if it listens: each time wakes all who watch it.
        match sys::inherit::is_listening(self)? {
            true => sys::socket::stop_listening(self),
            false => Ok(()),
        }
    }

    /// Listens on a socket that may have [stopped](Acceptor::stop_listening).
    ///
    /// # Errors
    /// EADDRINUSE: somebody else has begun to listen there.
    pub fn listen(&self) -> io::Result<()> {
        let backlog = i32::try_from(self.endpoint.options.backlog).unwrap_or(i32::MAX);
        match &self.listener {
            Listener::Tcp(listener) => SockRef::from(listener).listen(backlog),
            Listener::Unix(listener, _) => SockRef::from(listener).listen(backlog),
        }
    }

    /// Leaves the socket to somebody else who listens on it: what waits can still be accepted here,
    /// but epoll, which watches the open file, tells no more of it, and the file of a Unix socket
    /// stays.
    pub fn hand_over(&mut self, registry: &Registry) {
        // One that a crew has taken out before is not there.
        let _ = self.deregister(registry);
        if let Listener::Unix(_, file) = &mut self.listener {
            file.identity = None;
        }
    }

    /// Takes one connection, non-blocking and close-on-exec (`accept4(2)`).
    pub fn accept(&self) -> Accept {
        let accepted = match &self.listener {
            Listener::Tcp(listener) => listener
                .accept()
                .map(|(stream, from)| (Stream::Tcp(stream), Some(from.ip().to_canonical()))),
            Listener::Unix(listener, _) => {
                listener.accept().map(|(stream, _)| (Stream::Unix(stream), None))
            }
        };
        match accepted {
            Ok((stream, from)) => Accept::Taken(stream, from),
            Err(error) => match error.raw_os_error() {
                // EINVAL: a sibling has stopped listening, and nobody waits there.
                Some(libc::EAGAIN | libc::EINVAL) => Accept::Empty,
                Some(errno) if LOST.contains(&errno) => Accept::Aborted,
                _ => Accept::NoDescriptor(error),
            },
        }
    }
}

impl AsRawFd for Acceptor {
    fn as_raw_fd(&self) -> RawFd {
        match &self.listener {
            Listener::Tcp(listener) => listener.as_raw_fd(),
            Listener::Unix(listener, _) => listener.as_raw_fd(),
        }
    }
}

impl Source for Acceptor {
    fn register(&mut self, registry: &Registry, token: Token, what: Interest) -> io::Result<()> {
        match &mut self.listener {
            Listener::Tcp(listener) => listener.register(registry, token, what),
            Listener::Unix(listener, _) => listener.register(registry, token, what),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, what: Interest) -> io::Result<()> {
        match &mut self.listener {
            Listener::Tcp(listener) => listener.reregister(registry, token, what),
            Listener::Unix(listener, _) => listener.reregister(registry, token, what),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut self.listener {
            Listener::Tcp(listener) => listener.deregister(registry),
            Listener::Unix(listener, _) => listener.deregister(registry),
        }
    }
}

impl Endpoint {
    /// Puts the real port of a socket that is open there into the endpoint.
    ///
    /// # Errors
    /// `getsockname(2)`.
    pub fn note_address_of(&mut self, socket: &impl AsFd) -> io::Result<()> {
        if let Address::Tcp(address) | Address::Udp(address) = &mut self.address {
            let local = SockRef::from(socket).local_addr()?;
            *address = local.as_socket().unwrap_or(*address);
        }
        Ok(())
    }
}

/// Removes what a listener that has [hung up](Acceptor::hang_up) left: a Unix socket's file, unless
/// somebody else answers on it by now.
pub fn clear_away(endpoint: &Endpoint) {
    if let Address::Unix(path) = &endpoint.address
        && is_stale(path)
    {
        let _ = std::fs::remove_file(path);
    }
}

/// Opens a datagram socket and puts the real port into `endpoint`.
///
/// # Errors
/// As [`Acceptor::bind`].
pub fn bind_datagram(endpoint: &mut Endpoint) -> io::Result<UdpSocket> {
    let Address::Udp(address) = &mut endpoint.address else {
        return Err(invalid("not a datagram address"));
    };
    let bound = bind_udp(*address, &endpoint.options).map_err(|error| explain(error, *address));
    let socket = UdpSocket::from_std(bound?.into());
    *address = socket.local_addr()?;
    Ok(socket)
}

/// Opens a socket for each of `count` workers, all on one port, and puts the real port into
/// `endpoint`. A Unix socket is always a single one. That others may share the port (SO_REUSEPORT)
/// is allowed only once the first has it: so a second server is refused all the same,
/// unless it asks to share the port.
///
/// # Errors
/// As [`Acceptor::bind`].
pub fn bind_group(endpoint: &mut Endpoint, count: usize) -> io::Result<Vec<OwnedFd>> {
    let options = SocketOptions { reuse_port: true, ..endpoint.options.clone() };
    let mut group: Vec<OwnedFd> = Vec::with_capacity(count);
    for nth in 0..count {
        let options = if nth == 0 { &endpoint.options } else { &options };
        let socket = match &mut endpoint.address {
            Address::Tcp(address) => {
                let bound = bound_tcp(*address, options);
                let bound = bound.map_err(|error| explain_tcp(error, *address))?;
                if count > 1 {
                    bound.set_reuse_port(true)?;
                }
                bound.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
                *address = bound.local_addr()?.as_socket().unwrap_or(*address);
                bound
            }
            Address::Udp(address) => {
                let bound = bind_udp(*address, options);
                let bound = bound.map_err(|error| explain(error, *address))?;
                if count > 1 {
                    bound.set_reuse_port(true)?;
                }
                *address = bound.local_addr()?.as_socket().unwrap_or(*address);
                bound
            }
            Address::Unix(path) if nth == 0 => {
                bind_unix(path, options.backlog).map_err(|error| explain_unix(error, path))?
            }
            Address::Unix(_) => break,
        };
        group.push(socket.into());
    }
    Ok(group)
}

fn bind_udp(address: SocketAddr, options: &SocketOptions) -> io::Result<Socket> {
    let socket = open(address, Type::DGRAM, Protocol::UDP, options)?;
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}

fn bind_tcp(address: SocketAddr, options: &SocketOptions) -> io::Result<Socket> {
    let socket = bound_tcp(address, options)?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

/// Bound, and not listening yet.
fn bound_tcp(address: SocketAddr, options: &SocketOptions) -> io::Result<Socket> {
    let socket = open(address, Type::STREAM, Protocol::TCP, options)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(options.nodelay)?;
    if let Some(idle) = options.keepalive {
        // The option counts whole seconds and refuses 0.
        let idle = Duration::from_secs(idle.as_secs().clamp(1, 32_767));
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
    }
    if let Some(timeout) = options.user_timeout {
        socket.set_tcp_user_timeout(Some(timeout))?;
    }
    if let Some(wait) = options.defer_accept {
        let seconds = i32::try_from(wait.as_secs().max(1)).unwrap_or(i32::MAX);
        sys::socket::set_defer_accept(&socket, seconds)?;
    }
    socket.bind(&SockAddr::from(address))?;
    match address.port() {
        // The kernel takes back a port of its own choice when the socket stops listening; one that
        // was asked for stays. It is asked for while the first socket holds it.
        0 => bound_tcp(socket.local_addr()?.as_socket().unwrap_or(address), options),
        _ => Ok(socket),
    }
}

/// A non-blocking socket with the options that TCP and UDP share.
fn open(
    address: SocketAddr,
    kind: Type,
    protocol: Protocol,
    options: &SocketOptions,
) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind.nonblocking(), Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(options.v6only)?;
    }
    if options.reuse_port {
        socket.set_reuse_port(true)?;
    }
    // Before `listen`, so that the window that the handshake offers fits the buffer.
    if let Some(bytes) = options.rcvbuf {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.sndbuf {
        socket.set_send_buffer_size(bytes)?;
    }
    Ok(socket)
}

fn bind_unix(path: &Path, backlog: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    let address = SockAddr::unix(path)?;
    if let Err(error) = socket.bind(&address) {
        if error.kind() != io::ErrorKind::AddrInUse || !is_stale(path) {
            return Err(error);
        }
        std::fs::remove_file(path)?;
        socket.bind(&address)?;
    }
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

/// A socket file that nobody listens on any more. Asked without blocking: a server that is alive
/// but stuck has a full queue, which says EAGAIN.
fn is_stale(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = || -> io::Result<bool> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        let outcome = socket.connect(&SockAddr::unix(path)?);
        Ok(outcome.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
    };
    is_socket && refused().unwrap_or(false)
}

fn explain_tcp(error: io::Error, address: SocketAddr) -> io::Error {
    if error.kind() != io::ErrorKind::AddrInUse {
        return explain(error, address);
    }
    let holder = match holder::tcp_listener(address) {
        Some((pid, name)) => format!("process {pid} ({name}) holds it"),
        None => "the system does not tell who holds it".to_owned(),
    };
    let fix = "stop that process, or choose another port (0 takes a free one)";
    io::Error::new(error.kind(), format!("address in use: {holder}; {fix}"))
}

fn explain(error: io::Error, address: SocketAddr) -> io::Error {
    let port = address.port();
    let fix = match error.raw_os_error() {
        Some(libc::EACCES) => format!(
            "port {port} is privileged: use one from 1024 up, or grant the program \
             cap_net_bind_service"
        ),
        Some(libc::EADDRINUSE) => "choose another port (0 takes a free one)".to_owned(),
        Some(libc::EADDRNOTAVAIL) => {
            format!("{} is no address of this machine: use 127.0.0.1 or 0.0.0.0", address.ip())
        }
        Some(libc::EAFNOSUPPORT) => "this system has no such protocol: use IPv4".to_owned(),
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{}; {fix}", describe(&error)))
}

fn explain_unix(error: io::Error, path: &Path) -> io::Error {
    let fix = match error.kind() {
        io::ErrorKind::AddrInUse => match unix_holder(path) {
            Some(holder) => format!("{holder} answers on it; stop it or choose another path"),
            None => "it exists and is not a stale socket; remove it or choose another path".into(),
        },
        io::ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(Path::new("/"));
            format!("the directory {0} is missing: mkdir -p {0}", parent.display())
        }
        io::ErrorKind::PermissionDenied => "choose a directory that you may write to".to_owned(),
        io::ErrorKind::InvalidInput => "a socket's path has at most 107 bytes".to_owned(),
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{}; {fix}", describe(&error)))
}

fn unix_holder(path: &Path) -> Option<String> {
    let stream = std::os::unix::net::UnixStream::connect(path).ok()?;
    let pid = u32::try_from(sys::socket::peer_pid(&stream).ok()?).ok()?;
    Some(format!("process {pid} ({})", holder::process_name(pid)))
}

/// The system's words for an error, without the number that Rust appends.
fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
