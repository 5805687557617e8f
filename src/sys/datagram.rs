//! Many datagrams in one syscall (`recvmmsg(2)`, `sendmmsg(2)`).
//!
//! **What.** A [`Batch`] receives up to [`BATCH_MAX`] datagrams with their senders and answers
//! them.
//!
//! **Why this way.** A datagram socket has no stream to read in bulk: one `recvfrom` a datagram
//! makes the syscall the main cost. Buffers hold the largest datagram there is, so nothing is ever
//! cut off on the way in. Answers are written over the questions, which bounds them by the
//! question's length: the server cannot be used to amplify an attack.
//!
//! **Costs.** 2 MiB of address space a server with datagram sockets; the kernel makes only those
//! pages real that datagrams touch. Two syscalls a batch.
//!
//! **Read next.** `src/server/datagrams.rs`.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Datagrams received by one syscall.
pub const BATCH_MAX: usize = 32;

/// Room for the largest UDP payload (65,507 bytes).
const DATAGRAM_BYTES: usize = 64 * 1024;

/// Received datagrams and the answers to them.
pub struct Batch {
    /// [`BATCH_MAX`] buffers of [`DATAGRAM_BYTES`].
    bytes: Vec<u8>,
    senders: Vec<libc::sockaddr_storage>,
    /// Length of each sender's address.
    sender_lens: [libc::socklen_t; BATCH_MAX],
    /// Length of each datagram received, and of its answer once there is one.
    lens: [usize; BATCH_MAX],
    /// How many datagrams the batch holds.
    received: usize,
    /// Which of them are to be answered.
    answers: Vec<usize>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        // SAFETY: all-zero is a valid `sockaddr_storage`.
        let nobody: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        Batch {
            bytes: vec![0; BATCH_MAX * DATAGRAM_BYTES],
            senders: vec![nobody; BATCH_MAX],
            sender_lens: [0; BATCH_MAX],
            lens: [0; BATCH_MAX],
            received: 0,
            answers: Vec::with_capacity(BATCH_MAX),
        }
    }

    /// Receives what is there, [`BATCH_MAX`] datagrams at the most, and forgets what was before.
    /// Returns how many.
    ///
    /// # Errors
    /// `recvmmsg(2)`; `WouldBlock` if nothing is there.
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        self.received = 0;
        self.answers.clear();
        self.lens = [DATAGRAM_BYTES; BATCH_MAX];
        self.sender_lens = [size_of::<libc::sockaddr_storage>() as u32; BATCH_MAX];
        let mut iovecs = [EMPTY_IOVEC; BATCH_MAX];
        let buffers = self.buffers();
        let mut headers: [_; BATCH_MAX] =
            std::array::from_fn(|i| buffers.header(i, &mut iovecs[i]));
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: the headers point to live buffers of the lengths they name; the kernel writes
        // to these and to the headers only, and nothing else uses them during the call.
        let count = super::check(unsafe {
            libc::recvmmsg(
                fd,
                headers.as_mut_ptr(),
                BATCH_MAX as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        })?;
        self.received = count as usize;
        for (i, header) in headers[..self.received].iter().enumerate() {
            self.lens[i] = header.msg_len as usize;
            self.sender_lens[i] = header.msg_hdr.msg_namelen;
        }
        Ok(self.received)
    }

    /// The bytes of datagram `i` of those received.
    pub fn payload(&self, i: usize) -> &[u8] {
        assert!(i < self.received);
        &self.bytes[i * DATAGRAM_BYTES..][..self.lens[i]]
    }

    /// Sets the answer to datagram `i`, over the datagram itself. Returns how many bytes of it had
    /// to be cut off because it was longer than the question.
    pub fn answer(&mut self, i: usize, bytes: &[u8]) -> usize {
        assert!(i < self.received);
        let len = bytes.len().min(self.lens[i]);
        self.bytes[i * DATAGRAM_BYTES..][..len].copy_from_slice(&bytes[..len]);
        self.lens[i] = len;
        self.answers.push(i);
        bytes.len() - len
    }

    /// Sends the answers. Returns (sent, dropped): a datagram has no backlog, so what the socket
    /// does not take is dropped and counted.
    pub fn send_answers(&mut self, socket: &impl AsFd) -> (usize, usize) {
        let answers = std::mem::take(&mut self.answers);
        let fd = socket.as_fd().as_raw_fd();
        let mut iovecs = [EMPTY_IOVEC; BATCH_MAX];
        let buffers = self.buffers();
        let mut headers: [_; BATCH_MAX] = std::array::from_fn(|nth| {
            buffers.header(answers.get(nth).copied().unwrap_or(0), &mut iovecs[nth])
        });
        let (mut at, mut dropped) = (0, 0);
        while at < answers.len() {
            let rest = &mut headers[at..answers.len()];
            // SAFETY: as in `receive`; the kernel reads the buffers and writes `msg_len`.
            let sent = unsafe {
                libc::sendmmsg(fd, rest.as_mut_ptr(), rest.len() as u32, libc::MSG_DONTWAIT)
            };
            if sent > 0 {
                at += sent as usize;
                continue;
            }
            let full = io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock;
            // Another error is about the first of the rest alone: skip it and go on.
            let skipped = if full { answers.len() - at } else { 1 };
            at += skipped;
            dropped += skipped;
        }
        let sent = answers.len() - dropped;
        self.answers = answers;
        self.answers.clear();
        (sent, dropped)
    }

    /// Where everything is now. Taken anew for each call, so that a moved batch is no danger.
    fn buffers(&mut self) -> Buffers {
        Buffers {
            bytes: self.bytes.as_mut_ptr(),
            lens: self.lens,
            senders: self.senders.as_mut_ptr(),
            sender_lens: self.sender_lens,
        }
    }
}

/// The addresses and lengths that headers are made of.
struct Buffers {
    bytes: *mut u8,
    lens: [usize; BATCH_MAX],
    senders: *mut libc::sockaddr_storage,
    sender_lens: [libc::socklen_t; BATCH_MAX],
}

impl Buffers {
    /// A header that points at buffer `i` through `iovec`.
    fn header(&self, i: usize, iovec: &mut libc::iovec) -> libc::mmsghdr {
        iovec.iov_base = self.bytes.wrapping_add(i * DATAGRAM_BYTES).cast();
        iovec.iov_len = self.lens[i];
        // SAFETY: all-zero is a valid `mmsghdr`: null pointers and zero lengths.
        let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        header.msg_hdr.msg_name = self.senders.wrapping_add(i).cast();
        header.msg_hdr.msg_namelen = self.sender_lens[i];
        header.msg_hdr.msg_iov = iovec;
        header.msg_hdr.msg_iovlen = 1;
        header
    }
}

impl Default for Batch {
    fn default() -> Self {
        Batch::new()
    }
}

const EMPTY_IOVEC: libc::iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
