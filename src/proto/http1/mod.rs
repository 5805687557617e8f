//! HTTP/1.1 (RFC 9110, RFC 9112): for a server, requests in and responses out; for a client, the
//! responses in.
//!
//! **What.** In the order of use: [`Request::parse`] reads a head that has come whole; if it has
//! not, a [`HeadScan`] is fed fresh bytes until it finds where the head ends, and then it is read;
//! a [`Body`] decodes what follows; [`encode`] appends the response. Then it goes on with the next
//! request, which may be in the same bytes (pipelining). A client has a [`ReplyReader`], which puts
//! the same parts together.
//!
//! **Why this way.** Whatever two programs read differently is a way to smuggle a request past one
//! of them, so a message that could mean two things is refused, and the connection ends with it,
//! for nobody knows where the next request would begin. Two passes that must agree are a risk too:
//! the scan keeps its place between two reads and judges line endings, the parser keeps nothing and
//! judges everything, and the tests and the fuzzer hold them against each other. A parser alone
//! would begin anew with each byte of a head that trickles in.
//!
//! **Costs.** A head that comes whole is parsed once, and its line endings are counted; of one that
//! comes in pieces each byte is scanned once and parsed at most twice, however many pieces there
//! are. A body is borrowed where it lies. 12 bytes
//! of state for a head, 24 for a body; no allocation.
//!
//! **Read next.** `src/proto/http1/scan.rs`, `src/proto/http1/head.rs`, `src/proto/http1/body.rs`,
//! `src/proto/http1/response.rs`; the other side: `src/proto/http1/reply.rs`.

mod body;
mod bytes;
mod error;
mod fields;
mod head;
mod reply;
mod response;
mod scan;
mod target;

pub use body::{Body, Extent, Part};
pub use error::Error;
pub use head::{HEADERS_MAX, Method, Request, Slots, Version};
pub use reply::{Reply, ReplyError, ReplyPart, ReplyReader};
pub use response::{CONTINUE, Date, Exchange, Kept, Status};
pub use response::{encode, encode_chunk, encode_head, encode_last_chunk};
pub use scan::HeadScan;

/// What one message may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head, its last line ending included; no more than the caller can carry.
    pub head_bytes_max: usize,
    /// Header lines of a head; at most [`HEADERS_MAX`].
    pub headers_max: usize,
    /// Bytes of a body, without what `chunked` adds.
    pub body_bytes_max: u64,
    /// Bytes of all chunk extensions and trailers of one body; they are read and dropped.
    pub chunk_extra_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_bytes_max: 16 * 1024,
            headers_max: 64,
            body_bytes_max: 1024 * 1024,
            chunk_extra_bytes_max: 4 * 1024,
        }
    }
}

#[cfg(test)]
mod tests;
