//! Every system call of the floor, and the loop: wait, accept, read until a read is short.

use std::io::{Error, ErrorKind, Result};
use std::mem::size_of_val;
use std::ptr::null_mut;

pub const BUFFER_BYTES: usize = 64 << 10;

const EVENTS_MAX: usize = 1024;
const SEND_TIMEOUT_MS: i32 = 10_000;

/// A socket, by its number: nothing else is kept of one.
#[derive(Clone, Copy)]
pub struct Fd(pub i32);

/// What a `recv` brought.
pub enum Socket {
    Bytes(usize),
    Empty,
    End,
}

/// What a turn of a connection came to.
pub enum Read {
    /// Less than there was room for. The next byte, or FIN, is a new edge.
    Short,
    /// There may be more, and no edge will tell.
    Full,
    /// Hung up or failed: close it.
    End,
}

impl Fd {
    #[inline(always)]
    pub fn recv(self, buffer: &mut [u8]) -> Socket {
        // SAFETY: the kernel writes at most `len` bytes into memory that is ours alone.
        match unsafe { libc::recv(self.0, buffer.as_mut_ptr().cast(), buffer.len(), 0) } {
            0 => Socket::End,
            length if length > 0 => Socket::Bytes(length as usize),
            _ if would_block() => Socket::Empty,
            _ => Socket::End,
        }
    }

    /// Sends everything, and waits for this one connection if the kernel has no room.
    #[inline(always)]
    pub fn send(self, bytes: &[u8]) -> bool {
        let sent = self.send_some(bytes);
        sent == bytes.len() as isize || self.send_rest(bytes, sent)
    }

    fn send_some(self, bytes: &[u8]) -> isize {
        // SAFETY: the kernel reads `len` bytes that are borrowed for as long.
        unsafe { libc::send(self.0, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) }
    }

    #[cold]
    fn send_rest(self, mut bytes: &[u8], mut sent: isize) -> bool {
        loop {
            if sent < 0 && !would_block() {
                return false;
            }
            bytes = &bytes[sent.max(0) as usize..];
            if bytes.is_empty() {
                return true;
            }
            let mut ready = libc::pollfd { fd: self.0, events: libc::POLLOUT, revents: 0 };
            // SAFETY: one `pollfd`, and it is on our stack.
            if unsafe { libc::poll(&mut ready, 1, SEND_TIMEOUT_MS) } <= 0 {
                return false;
            }
            sent = self.send_some(bytes);
        }
    }

    fn close(self) {
        // SAFETY: the number is ours, and nobody uses it after this.
        unsafe { libc::close(self.0) };
    }
}

/// Serves 127.0.0.1:`port` for ever: `ready` is called for each connection with something to
/// read, and again until a read was short.
pub fn run(port: u16, mut ready: impl FnMut(Fd) -> Read) -> Result<()> {
    let listener = listen(port)?;
    // SAFETY: no pointers.
    let epoll = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    add(epoll, listener, libc::EPOLLIN)?;
    println!("listening 127.0.0.1:{port}");
    let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
    loop {
        // SAFETY: there is room for as many events as it is told.
        let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), EVENTS_MAX as i32, -1) };
        for event in &events[..count.max(0) as usize] {
            let socket = Fd(event.u64 as i32);
            if socket.0 == listener {
                accept(epoll, listener)?;
                continue;
            }
            // With a FIN behind the bytes no edge follows: read on to the end.
            let hung_up = libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR;
            let is_last = event.events & hung_up as u32 != 0;
            loop {
                match ready(socket) {
                    Read::Short if !is_last => break,
                    Read::Short | Read::Full => {}
                    Read::End => break socket.close(),
                }
            }
        }
    }
}

fn listen(port: u16) -> Result<i32> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers.
    let listener = check(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    // Accepted sockets inherit TCP_NODELAY.
    for (level, name) in
        [(libc::SOL_SOCKET, libc::SO_REUSEADDR), (libc::IPPROTO_TCP, libc::TCP_NODELAY)]
    {
        let on: i32 = 1;
        let length = size_of_val(&on) as u32;
        // SAFETY: `on` lives for the call, and its length is told.
        check(unsafe { libc::setsockopt(listener, level, name, (&raw const on).cast(), length) })?;
    }
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    let length = size_of_val(&address) as u32;
    // SAFETY: `address` lives for the call, and its length is told.
    check(unsafe { libc::bind(listener, (&raw const address).cast(), length) })?;
    // SAFETY: no pointers.
    check(unsafe { libc::listen(listener, 4096) })?;
    Ok(listener)
}

fn accept(epoll: i32, listener: i32) -> Result<()> {
    loop {
        let kind = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: null: we do not ask who it is.
        match unsafe { libc::accept4(listener, null_mut(), null_mut(), kind) } {
            -1 => return Ok(()),
            socket => add(epoll, socket, libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET)?,
        }
    }
}

fn add(epoll: i32, fd: i32, events: i32) -> Result<()> {
    let mut event = libc::epoll_event { events: events as u32, u64: fd as u64 };
    // SAFETY: `event` lives for the call.
    check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) })?;
    Ok(())
}

fn check(result: i32) -> Result<i32> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

#[cold]
fn would_block() -> bool {
    Error::last_os_error().kind() == ErrorKind::WouldBlock
}
