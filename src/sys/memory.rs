//! Memory that several processes see (`memfd_create(2)`, `mmap(2)`).
//!
//! **What.** [`Shared`] is a row of 64-bit words with a descriptor, by which a child maps the same.
//! [`file_of`] puts bytes into a descriptor, [`bytes_of`] takes them out.
//!
//! **Why this way.** Counters are read while they are written, by another process: a shared page
//! needs no message, no answer and no lock, and outlives its writer, who may be killed at any time.
//! The words are atomic, so that a half written one is never seen. The file is sealed against
//! shrinking, or a neighbour could make reading it a fault. Rejected: `shm_open` (a name to clean
//! up); a pipe with numbers (who is killed has not written them). What is handed to a child once,
//! and is nobody else's business, is written to such a file too: it has no name, and is gone with
//! the last who has it.
//!
//! **Costs.** One descriptor; 4 KiB for 512 words.
//!
//! **Read next.** `src/server/page.rs`.

use super::check;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// Words of shared memory.
#[derive(Debug)]
pub struct Shared {
    fd: OwnedFd,
    /// `len` words, mapped as long as this lives.
    words: NonNull<AtomicU64>,
    len: usize,
}

// SAFETY: what it points to is atomic, and is not moved or unmapped before the end.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// `len` words, all of them 0.
    ///
    /// # Errors
    /// No descriptor or memory is left.
    pub fn create(len: usize) -> io::Result<Shared> {
        let fd = memory(c"oneloop-counters")?;
        let raw = fd.as_raw_fd();
        // SAFETY: plain numbers.
        check(unsafe { libc::ftruncate(raw, bytes(len) as libc::off_t) })?;
        // SAFETY: plain numbers.
        check(unsafe { libc::fcntl(raw, libc::F_ADD_SEALS, libc::F_SEAL_SHRINK) })?;
        Shared::map(fd, len)
    }

    /// The words of another process, by their descriptor.
    ///
    /// # Errors
    /// EINVAL: it is no such memory, or has not so many words.
    pub fn open(fd: OwnedFd, len: usize) -> io::Result<Shared> {
        // SAFETY: plain numbers.
        let seals = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) })?;
        let file = File::from(fd);
        if seals & libc::F_SEAL_SHRINK == 0 || file.metadata()?.len() < bytes(len) as u64 {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        Shared::map(file.into(), len)
    }

    fn map(fd: OwnedFd, len: usize) -> io::Result<Shared> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let (none, raw) = (std::ptr::null_mut(), fd.as_raw_fd());
        // SAFETY: a new mapping of a file that is at least so long and cannot shrink.
        let at = unsafe { libc::mmap(none, bytes(len), access, libc::MAP_SHARED, raw, 0) };
        match NonNull::new(at.cast()) {
            Some(words) if at != libc::MAP_FAILED => Ok(Shared { fd, words, len }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The words. Whoever has the descriptor may write them at any time.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: mapped for as long as `self`, page-aligned, and any bits are a valid atomic.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr(), self.len) }
    }
}

impl AsRawFd for Shared {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no reference to it outlives `self`.
        unsafe { libc::munmap(self.words.as_ptr().cast(), bytes(self.len)) };
    }
}

/// A file in memory with these bytes.
///
/// # Errors
/// No descriptor or memory is left.
pub fn file_of(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memory(c"oneloop-handed-over")?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// The bytes of such a file, of which there may be `bytes_max`.
///
/// # Errors
/// It is no file, or longer.
pub fn bytes_of(fd: OwnedFd, bytes_max: usize) -> io::Result<Vec<u8>> {
    let file = File::from(fd);
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if len > bytes_max {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    let mut bytes = vec![0; len];
    // The place in the file is shared with whoever wrote it.
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// An empty file in memory.
fn memory(name: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a C string.
    let fd = check(unsafe { libc::memfd_create(name.as_ptr(), flags) })?;
    // SAFETY: `fd` was just opened and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bytes(words: usize) -> usize {
    words * size_of::<u64>()
}

#[cfg(test)]
mod tests;
