//! HTTP/1.1 (RFC 9110, RFC 9112): for a server, requests in and responses out; for a client, the
//! responses in.
//!
//! **What.** In the order of use: a [`HeadScan`] is fed fresh bytes and finds where the head ends;
//! [`Request::parse`] reads it; a [`Body`] decodes what follows; [`encode`] appends the response.
//! Then the scan goes on with the next request, which may be in the same bytes (pipelining). A
//! client has a [`ReplyReader`], which puts the same parts together.
//!
//! **Why this way.** `httparse` cuts a head into tokens and is lenient: it takes a bare LF, any
//! number of empty lines, two lengths. Whatever two programs read differently is a way to smuggle
//! a request past one of them, so a policy of ours stands over it: a message that could mean two
//! things is refused, and the connection ends with it, for nobody knows where the next request
//! would begin. A head is parsed once, when it is whole: a parser that keeps no state would begin
//! anew with each byte of a head that trickles in.
//!
//! **Costs.** Each byte of a head is looked at twice (scan, parse), however it arrives; a body is
//! borrowed where it lies. 12 bytes of state for a head, 24 for a body; no allocation.
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
pub use head::{HEADERS_MAX, Method, Request, Version};
pub use reply::{Reply, ReplyError, ReplyPart, ReplyReader, Slots};
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
