//! Where TLS records end.
//!
//! **What.** [`Framer`] goes along with the ciphertext of one direction and says when rustls has
//! something to work on.
//!
//! **Why this way.** rustls wants to see an unfinished record again from its first byte. Asked at
//! each read, a record that comes byte by byte would be copied 16,000 times; asked only when one
//! is whole, it is copied twice.
//!
//! **Costs.** 8 bytes; five bytes of each record are looked at.
//!
//! **Read next.** `src/net/tls/mod.rs`.

/// Bytes of a record's header: type, version, length (RFC 8446 5.1).
const HEADER_BYTES: usize = 5;

/// Bytes that a record may hold, encrypted (RFC 5246 6.2.3; TLS 1.3 allows less).
pub(super) const RECORD_BYTES_MAX: usize = 16_384 + 2_048;

/// A place in a stream of records.
#[derive(Debug, Default)]
pub(super) struct Framer {
    header: [u8; HEADER_BYTES],
    /// Bytes of the header that have come; all of them while the rest of the record comes.
    header_bytes: u8,
    /// Bytes of the record that are still to come.
    left: u16,
}

impl Framer {
    /// Goes on over `bytes`. True if a record ends among them, or cannot be one.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        let mut is_ready = false;
        while !bytes.is_empty() {
            let have = usize::from(self.header_bytes);
            if have < HEADER_BYTES {
                let (now, later) = bytes.split_at(bytes.len().min(HEADER_BYTES - have));
                self.header[have..have + now.len()].copy_from_slice(now);
                self.header_bytes += now.len() as u8;
                bytes = later;
                if usize::from(self.header_bytes) < HEADER_BYTES {
                    break;
                }
                self.left = u16::from_be_bytes([self.header[3], self.header[4]]);
                let is_record = (20..=24).contains(&self.header[0]);
                // What it says of its length may be nonsense too: nothing to wait for.
                is_ready |= !is_record || usize::from(self.left) > RECORD_BYTES_MAX;
            }
            let skipped = bytes.len().min(usize::from(self.left));
            bytes = &bytes[skipped..];
            self.left -= skipped as u16;
            if self.left == 0 {
                is_ready = true;
                self.header_bytes = 0;
            }
        }
        is_ready
    }
}
