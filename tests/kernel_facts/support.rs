//! **What.** Socket pairs, an epoll instance that answers in the kernel's own flags, and questions
//! to a socket (how much is unread, unsent, waiting to be accepted).
//!
//! **Why this way.** The tests should read like the facts. `holds` asks a socket by `poll(2)`,
//! which is level-triggered and stands outside the epoll instance: a test can wait until the
//! kernel has received something without touching the edge that it is about to examine.
//!
//! **Costs.** Waiting for a condition spins with `yield_now`, for at most `PATIENCE_MS`.
//!
//! **Read next.** `reading.rs`.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::BitOr;
use std::os::fd::{AsRawFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::{Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

/// How long silence is watched before it counts as "no event".
pub(crate) const QUIET_MS: i32 = 30;
/// How long something that must happen may take on a machine that is busy with other work.
pub(crate) const PATIENCE_MS: i32 = 10_000;

/// Readiness flags as `epoll_wait` and `poll(2)` report them (both use the same bits).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ready(pub(crate) u32);

pub(crate) const IN: Ready = Ready(libc::EPOLLIN as u32);
pub(crate) const OUT: Ready = Ready(libc::EPOLLOUT as u32);
pub(crate) const ERR: Ready = Ready(libc::EPOLLERR as u32);
pub(crate) const HUP: Ready = Ready(libc::EPOLLHUP as u32);
pub(crate) const RDHUP: Ready = Ready(libc::EPOLLRDHUP as u32);
pub(crate) const EXCLUSIVE: Ready = Ready(libc::EPOLLEXCLUSIVE as u32);

impl BitOr for Ready {
    type Output = Ready;
    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [(IN, "IN"), (OUT, "OUT"), (ERR, "ERR"), (HUP, "HUP"), (RDHUP, "RDHUP")];
        let set = named.iter().filter(|(flag, _)| self.0 & flag.0 != 0);
        let names: Vec<&str> = set.map(|(_, name)| *name).collect();
        write!(f, "{} ({:#x})", names.join("|"), self.0)
    }
}

/// One epoll instance with one socket in it. Registration goes through mio, as in the crate.
pub(crate) struct Watch {
    poll: Poll,
}

impl Watch {
    /// Registers `source` through mio, which is always edge-triggered and, for reading, always
    /// with RDHUP.
    pub(crate) fn new(source: &mut impl Source, interest: Interest) -> Watch {
        let poll = Poll::new().unwrap();
        poll.registry().register(source, Token(0), interest).unwrap();
        Watch { poll }
    }

    /// Registers `socket` past mio, level-triggered.
    pub(crate) fn level_triggered(socket: &impl AsRawFd, flags: Ready) -> Watch {
        let poll = Poll::new().unwrap();
        epoll_add(&poll, socket, flags, 0);
        Watch { poll }
    }

    /// One `EPOLL_CTL_MOD`.
    pub(crate) fn change(&self, source: &mut impl Source, interest: Interest) {
        self.poll.registry().reregister(source, Token(0), interest).unwrap();
    }

    /// The event that must come.
    #[track_caller]
    pub(crate) fn next(&self) -> Ready {
        self.wait(PATIENCE_MS).expect("an event was due and none came")
    }

    /// Nothing comes, neither now nor within `QUIET_MS`.
    #[track_caller]
    pub(crate) fn assert_silent(&self) {
        assert_eq!(self.wait(QUIET_MS), None, "an event came where none was expected");
    }

    /// One `epoll_wait`.
    pub(crate) fn wait(&self, timeout_ms: i32) -> Option<Ready> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: `event` is one valid, writable epoll_event, as the count of 1 says.
        let n = unsafe { libc::epoll_wait(self.poll.as_raw_fd(), &mut event, 1, timeout_ms) };
        assert!(n >= 0, "epoll_wait: {}", std::io::Error::last_os_error());
        (n == 1).then_some(Ready(event.events))
    }
}

/// `EPOLL_CTL_ADD` past mio, into mio's own epoll instance.
pub(crate) fn epoll_add(poll: &Poll, socket: &impl AsRawFd, flags: Ready, token: usize) {
    let mut event = libc::epoll_event { events: flags.0, u64: token as u64 };
    let (epoll, fd) = (poll.as_raw_fd(), socket.as_raw_fd());
    // SAFETY: both descriptors are open for the length of the call, `event` is valid.
    let done = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) };
    assert_eq!(done, 0, "epoll_ctl: {}", std::io::Error::last_os_error());
}

/// A connected TCP pair: our end as mio has it (non-blocking), and the peer (blocking, bounded).
pub(crate) fn tcp_pair() -> (mio::net::TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    peer.set_nodelay(true).unwrap();
    peer.set_read_timeout(Some(Duration::from_millis(PATIENCE_MS as u64))).unwrap();
    ours.set_nonblocking(true).unwrap();
    (mio::net::TcpStream::from_std(ours), peer)
}

/// A non-blocking socket bound to `address` that shares it with others of its kind.
pub(crate) fn reuseport_socket(kind: Type, address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::for_address(address), kind, None).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// `n` blocking connects, made one after the other.
pub(crate) fn connect_many(listener: &TcpListener, n: usize) -> Vec<TcpStream> {
    let to = listener.local_addr().unwrap();
    (0..n).map(|_| TcpStream::connect(to).unwrap()).collect()
}

/// One `read` with room for `room` bytes; `None` is EAGAIN.
#[track_caller]
pub(crate) fn read_once(socket: &mut impl Read, room: usize) -> Option<Vec<u8>> {
    let mut buf = vec![0; room];
    match socket.read(&mut buf) {
        Ok(n) => Some(buf[..n].to_vec()),
        Err(e) if e.kind() == ErrorKind::WouldBlock => None,
        Err(e) => panic!("read: {e}"),
    }
}

/// The peer sends its last bytes and closes its direction.
pub(crate) fn send_with_fin(peer: &mut TcpStream, bytes: &[u8]) {
    peer.write_all(bytes).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
}

/// Writes until a write falls short and the socket is stuck: nothing is in flight whose
/// acknowledgement (it may be delayed by 40 ms) could still make room. Returns the bytes taken.
pub(crate) fn fill(socket: &mut (impl Write + AsRawFd)) -> usize {
    let block = vec![b'x'; 1 << 20];
    let mut taken = 0;
    loop {
        match socket.write(&block) {
            Ok(n) if n == block.len() => {
                taken += n;
                continue;
            }
            Ok(n) => taken += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => panic!("write: {e}"),
        }
        until("the socket is writable or stuck", || holds(socket, OUT) || in_flight(socket) == 0);
        if !holds(socket, OUT) {
            return taken;
        }
    }
}

/// The peer reads exactly `n` bytes.
pub(crate) fn drain(peer: &mut TcpStream, n: usize) {
    let read = std::io::copy(&mut peer.take(n as u64), &mut std::io::sink()).unwrap();
    assert_eq!(read, n as u64);
}

/// Waits until the kernel has all of `flags` for this socket, without touching any epoll instance.
#[track_caller]
pub(crate) fn await_flags(socket: &impl AsRawFd, flags: Ready) {
    until("the flags arrive", || holds(socket, flags));
}

/// Whether the kernel has all of `flags` for this socket now.
pub(crate) fn holds(socket: &impl AsRawFd, flags: Ready) -> bool {
    poll_once(socket.as_raw_fd(), flags, 0).0 & flags.0 == flags.0
}

fn poll_once(fd: RawFd, flags: Ready, timeout_ms: i32) -> Ready {
    let mut entry = libc::pollfd { fd, events: flags.0 as i16, revents: 0 };
    // SAFETY: `entry` is one valid, writable pollfd, as the count of 1 says.
    let n = unsafe { libc::poll(&mut entry, 1, timeout_ms) };
    assert!(n >= 0, "poll: {}", std::io::Error::last_os_error());
    Ready(entry.revents as u16 as u32)
}

/// Waits for a condition, and fails by name if it does not come.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_millis(PATIENCE_MS as u64);
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE_MS} ms until {what}");
        thread::yield_now();
    }
}

/// Bytes received and not yet read.
pub(crate) fn unread(socket: &impl AsRawFd) -> i32 {
    ask(socket, libc::FIONREAD)
}

/// Bytes written and not yet acknowledged by the other end (SIOCOUTQ, tcp(7)).
pub(crate) fn unacknowledged(socket: &impl AsRawFd) -> i32 {
    ask(socket, libc::TIOCOUTQ)
}

fn ask(socket: &impl AsRawFd, request: libc::Ioctl) -> i32 {
    let mut value: libc::c_int = 0;
    // SAFETY: both requests used here write one int to the pointer.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), request, &mut value) };
    assert_eq!(done, 0, "ioctl: {}", std::io::Error::last_os_error());
    value
}

/// Connections that wait in the accept queue: for a listener, TCP_INFO has this in `tcpi_unacked`.
pub(crate) fn waiting(listener: &impl AsRawFd) -> usize {
    tcp_info(listener).tcpi_unacked as usize
}

/// Segments sent and not yet acknowledged.
fn in_flight(stream: &impl AsRawFd) -> usize {
    tcp_info(stream).tcpi_unacked as usize
}

fn tcp_info(socket: &impl AsRawFd) -> libc::tcp_info {
    // SAFETY: tcp_info is plain integers, for which all zeroes is a value.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut len = mem::size_of_val(&info) as libc::socklen_t;
    let (fd, into) = (socket.as_raw_fd(), (&raw mut info).cast());
    // SAFETY: `info` and `len` are valid, and the kernel writes at most `len` bytes.
    let done = unsafe { libc::getsockopt(fd, libc::SOL_TCP, libc::TCP_INFO, into, &mut len) };
    assert_eq!(done, 0, "TCP_INFO: {}", std::io::Error::last_os_error());
    info
}

/// Waits until `n` connections stand in the accept queue.
#[track_caller]
pub(crate) fn await_waiting(listener: &impl AsRawFd, n: usize) {
    until("the accept queue is as long as expected", || waiting(listener) == n);
}

/// Sets an integer socket option that socket2 does not know.
pub(crate) fn set_option(socket: &impl AsRawFd, level: i32, name: i32, value: i32) {
    let (from, len) = ((&raw const value).cast(), mem::size_of_val(&value) as libc::socklen_t);
    // SAFETY: `from` points to `len` readable bytes.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, from, len) };
    assert_eq!(done, 0, "setsockopt: {}", std::io::Error::last_os_error());
}
