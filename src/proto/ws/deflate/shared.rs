//! What the connections of a worker share.
//!
//! **What.** [`Shared`] has what we wish for and who takes context over, and in two halves what all
//! compress and inflate with.
//!
//! **Why this way.** Two halves and not one, because a service answers a message, which lies in the
//! one, through the other. Whatever one large message has grown is given back, but not at once: the
//! next one may be as large.
//!
//! **Costs.** See `src/proto/ws/deflate/mod.rs`. A message is inflated where it is handed out from,
//! and compressed into a buffer, because the length stands before it on the wire.
//!
//! **Read next.** `src/proto/ws/deflate/compress.rs`, `src/proto/ws/deflate/inflate.rs`.

use super::negotiate;
use super::{Compressor, Flow, Inflater, Params};
use crate::metrics::Deflated;
use crate::proto::ws::WsError;
use crate::proto::ws::handshake::client::Mismatch;

/// The shortest message worth compressing by itself, bytes. One of 64 bytes gains nothing, one of
/// 128 a sixth, one of 256 a third.
pub const BYTES_MIN: usize = 256;
/// What may refer to the messages before it is worth it at this part of the length.
pub const TAKEOVER_BYTES_PART: usize = 8;

/// A buffer in which a longer message was is given back by [`Shared::trim`].
const SPARE_BYTES_MAX: usize = 64 * 1024;

/// What the connections of a worker share.
#[derive(Debug)]
pub struct Shared {
    /// What we wish for; none: no compression.
    wish: Option<Params>,
    /// Connections that take context over.
    pub(super) takeovers: usize,
    takeovers_max: usize,
    /// How often one more might have.
    takeovers_full: u64,
    /// One of them has ended and given its memory back to the allocator.
    pub(super) is_grown: bool,
    /// For what comes in.
    pub inflating: Inflating,
    /// For what goes out.
    pub compressing: Compressing,
}

impl Shared {
    /// For a worker that agrees to `wish` where its peers do, but to take context over in either
    /// direction on no more than `takeovers_max` connections at once.
    pub fn new(wish: Params, takeovers_max: usize) -> Shared {
        Shared {
            wish: Some(wish),
            takeovers: 0,
            takeovers_max,
            takeovers_full: 0,
            is_grown: false,
            inflating: Inflating::default(),
            compressing: Compressing { bytes_min: BYTES_MIN, ..Compressing::default() },
        }
    }

    /// For a server that compresses or does not, takes context over on `takeovers_max` connections
    /// if the clients like to, and sends messages shorter than `bytes_min` as they are. With
    /// takeover a part of that is enough, [`TAKEOVER_BYTES_PART`].
    pub fn serving(is_on: bool, takeovers_max: usize, bytes_min: usize) -> Shared {
        let wish = Params {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            ..Params::default()
        };
        let mut shared = Shared::new(wish, takeovers_max);
        shared.wish = is_on.then_some(wish);
        shared.compressing.bytes_min = bytes_min;
        shared
    }

    /// For a client that offers to compress or does not. Context is not taken over, in either
    /// direction: then neither end keeps anything for the connection.
    pub fn offering(is_on: bool) -> Shared {
        let mut shared = Shared::new(Params::default(), 0);
        shared.wish = is_on.then_some(Params::default());
        shared
    }

    /// What to wish for on the next connection: to be given to [`negotiate`].
    pub fn wish(&self) -> Option<Params> {
        self.wish.map(|wish| self.limited(wish))
    }

    /// Without takeover, if no more connections may have it.
    fn limited(&self, params: Params) -> Params {
        let is_full = self.takeovers >= self.takeovers_max;
        Params {
            server_no_context_takeover: params.server_no_context_takeover || is_full,
            client_no_context_takeover: params.client_no_context_takeover || is_full,
            ..params
        }
    }

    /// Connections that take context over, in either direction.
    pub fn takeovers(&self) -> usize {
        self.takeovers
    }

    /// What to answer to the values of a client's `Sec-WebSocket-Extensions`, if anything.
    pub fn accept<'h>(&mut self, values: impl Iterator<Item = &'h [u8]>) -> Option<Params> {
        let wished = negotiate::accept(values, &self.wish?)?;
        let agreed = self.limited(wished);
        self.takeovers_full += u64::from(self.takeovers_max > 0 && agreed != wished);
        Some(agreed)
    }

    /// Appends what to ask a server for in `Sec-WebSocket-Extensions`, if anything.
    pub fn offer(&self, out: &mut Vec<u8>) {
        if let Some(wish) = self.wish() {
            negotiate::offer(&wish, out);
        }
    }

    /// What holds after a server's `Sec-WebSocket-Extensions`, in answer to our
    /// [`offer`](Shared::offer).
    ///
    /// # Errors
    /// As [`negotiate::verify`].
    pub fn verify<'h>(
        &self,
        values: impl Iterator<Item = &'h [u8]>,
    ) -> Result<Option<Params>, Mismatch> {
        self.wish().map_or(Ok(None), |wish| negotiate::verify(values, &wish))
    }

    /// There is memory that should go back to the kernel, in a while: a large message has left its
    /// buffer behind, or a connection with takeover its own. [`trim`](Shared::trim) does our part,
    /// and then the allocator is to be told.
    pub fn is_grown(&self) -> bool {
        self.is_grown | self.inflating.buffer.is_grown | self.compressing.buffer.is_grown
    }

    /// Gives buffers that a large message has grown back to the allocator.
    pub fn trim(&mut self) {
        self.is_grown = false;
        self.inflating.buffer.trim();
        self.compressing.buffer.trim();
    }

    /// What was done so far.
    pub fn counts(&self) -> Deflated {
        Deflated {
            inflated: self.inflating.messages,
            compressed: self.compressing.messages,
            bytes_saved: self.compressing.bytes_saved,
            takeovers_full: self.takeovers_full,
        }
    }
}

/// Where the last message is.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// A message was in it that was longer than [`SPARE_BYTES_MAX`]. Its capacity says nothing:
    /// what was never written to costs nothing.
    is_grown: bool,
}

impl Buffer {
    /// Fills it anew.
    fn fill<T>(&mut self, with: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.bytes.clear();
        let outcome = with(&mut self.bytes);
        self.is_grown |= self.bytes.len() > SPARE_BYTES_MAX;
        outcome
    }

    fn trim(&mut self) {
        if self.is_grown {
            *self = Buffer::default();
        }
    }
}

/// The half for what comes in.
#[derive(Debug, Default)]
pub struct Inflating {
    /// Made for the first message.
    pub(super) inflater: Option<Inflater>,
    buffer: Buffer,
    messages: u64,
}

impl Inflating {
    /// See [`Codec::inflate`](super::Codec::inflate). `own` is there if context is taken over.
    pub(super) fn message(
        &mut self,
        flow: Flow,
        own: Option<&mut Option<Inflater>>,
        payload: &[u8],
        bytes_max: usize,
    ) -> Result<&[u8], WsError> {
        let slot = own.unwrap_or(&mut self.inflater);
        let inflater = slot.get_or_insert_with(|| Inflater::new(flow));
        self.buffer.fill(|out| inflater.message(payload, bytes_max, out))?;
        self.messages += 1;
        Ok(&self.buffer.bytes)
    }
}

/// The half for what goes out.
#[derive(Debug, Default)]
pub struct Compressing {
    /// Shorter messages are sent as they are.
    bytes_min: usize,
    /// One for each size of window, from 8 bits on; made for the first message that needs it.
    pub(super) compressors: [Option<Compressor>; 8],
    buffer: Buffer,
    messages: u64,
    bytes_saved: u64,
}

impl Compressing {
    /// See [`Codec::compress`](super::Codec::compress). `own` is there if context is taken over.
    pub(super) fn message(
        &mut self,
        flow: Flow,
        own: Option<&mut Option<Compressor>>,
        payload: &[u8],
    ) -> Option<&[u8]> {
        let part = if flow.takeover { TAKEOVER_BYTES_PART } else { 1 };
        if payload.len() < self.bytes_min / part {
            return None;
        }
        let slot = own.unwrap_or(&mut self.compressors[flow.window_bits.index()]);
        let compressor = slot.get_or_insert_with(|| Compressor::new(flow));
        if !self.buffer.fill(|out| compressor.message(payload, out)) {
            return None;
        }
        self.messages += 1;
        self.bytes_saved += payload.len().saturating_sub(self.buffer.bytes.len()) as u64;
        Some(&self.buffer.bytes)
    }
}
