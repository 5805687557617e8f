//! permessage-deflate (RFC 7692): messages that are smaller on the wire.
//!
//! **What.** [`negotiate`] says what two ends agree on; a connection then has a [`Codec`], and a
//! worker a [`Shared`], which has what its connections do not need for themselves. A mailing has
//! [`Editions`]: what many get is compressed once.
//!
//! **Why this way.** A compressor costs 1,000 times what an idle connection may. So nobody takes
//! context over unless told to, and then one compressor for each size of window, and one inflater,
//! serve a worker: messages are handled one after the other. Connections that do take context over
//! have their own, made for their first compressed message; how many there may be is limited, and
//! who comes later gets the default. Around the rest of the codec: a message is compressed if its
//! first frame has RSV1, its limits in frames hold for the compressed bytes, and a text is checked
//! after it was inflated.
//!
//! **Costs.** 16 bytes a connection; with takeover up to 314 KB more. A worker: 47.5 KB to inflate
//! and 137 to 266 KB for each window that is in use, of which most clients want the same; buffers
//! for one message in and one out.
//!
//! **Read next.** `src/proto/ws/deflate/negotiate.rs`, `src/proto/ws/deflate/inflate.rs`.

mod compress;
mod editions;
mod inflate;
pub mod negotiate;
mod shared;

pub use compress::Compressor;
pub use editions::Editions;
pub use inflate::Inflater;
pub use negotiate::{Flow, Params, WindowBits};
pub use shared::{BYTES_MIN, Compressing, Inflating, Shared, TAKEOVER_BYTES_PART};

use super::encode::{self, First, Key};
use super::{Kind, Role, WsError, utf8};

/// Whether this build can compress.
pub const IS_BUILT_IN: bool = true;

/// What a connection that takes context over in both directions holds for it, at most: the largest
/// compressor and an inflater.
pub const TAKEOVER_BYTES: u64 = 320_000;

/// Both directions of one connection that has agreed to compress.
#[derive(Debug)]
pub struct Codec {
    agreed: Params,
    role: Role,
    /// Only what takes context over is ever made.
    own: Option<Box<Own>>,
}

const _: () = assert!(size_of::<Option<Codec>>() <= 16);

#[derive(Debug, Default)]
struct Own {
    inflater: Option<Inflater>,
    compressor: Option<Compressor>,
}

impl Codec {
    /// For a connection of which this end is `role`, with what came out of [`Shared::wish`].
    pub fn new(agreed: Params, role: Role, shared: &mut Shared) -> Codec {
        let codec = Codec { agreed, role, own: None };
        shared.takeovers += usize::from(codec.takes_over());
        codec
    }

    /// Gives back what the connection holds. It must be called before the codec is dropped.
    pub fn clear(self, shared: &mut Shared) {
        shared.takeovers -= usize::from(self.takes_over());
        shared.is_grown |= self.own.is_some();
    }

    /// What holds for the messages we send.
    pub fn outgoing(&self) -> Flow {
        self.agreed.flow(self.role)
    }

    /// What holds for the messages we receive.
    pub fn incoming(&self) -> Flow {
        self.agreed.flow(self.role.other())
    }

    /// What is sent to many may be sent to this connection as compressed for any with this window.
    /// `None`: as it is, because what we send refers to what we sent before.
    pub fn edition(&self) -> Option<WindowBits> {
        let Flow { takeover, window_bits } = self.outgoing();
        (!takeover).then_some(window_bits)
    }

    fn takes_over(&self) -> bool {
        self.outgoing().takeover || self.incoming().takeover
    }

    /// What the whole compressed message `payload` of this kind says. A text is UTF-8.
    ///
    /// # Errors
    /// As for [`inflate`](Codec::inflate), and [`WsError::InvalidUtf8`].
    pub fn decode<'s>(
        &mut self,
        kind: Kind,
        payload: &[u8],
        message_bytes_max: usize,
        inflating: &'s mut Inflating,
    ) -> Result<&'s [u8], WsError> {
        let message = self.inflate(payload, message_bytes_max, inflating)?;
        if kind == Kind::Text && !utf8::is_valid(message) {
            return Err(WsError::InvalidUtf8);
        }
        Ok(message)
    }

    /// Appends a message in one frame, compressed if that is of use.
    #[inline(never)]
    pub fn encode(
        &mut self,
        kind: Kind,
        payload: &[u8],
        key: Key,
        compressing: &mut Compressing,
        out: &mut Vec<u8>,
    ) {
        let compressed = self.compress(payload, compressing);
        let first = First { rsv1: compressed.is_some(), ..First::whole(kind.opcode()) };
        encode::frame(first, compressed.unwrap_or(payload), key, out);
    }

    /// What the whole compressed message `payload` says; if it was a text, that is to be checked
    /// still.
    ///
    /// # Errors
    /// [`WsError::MessageTooLong`] if that is more than `message_bytes_max`, found out without
    /// inflating the rest; [`WsError::Deflate`].
    pub fn inflate<'s>(
        &mut self,
        payload: &[u8],
        message_bytes_max: usize,
        inflating: &'s mut Inflating,
    ) -> Result<&'s [u8], WsError> {
        let flow = self.incoming();
        let own = flow.takeover.then(|| &mut self.own.get_or_insert_default().inflater);
        inflating.message(flow, own, payload, message_bytes_max)
    }

    /// The message `payload` compressed, to be sent with RSV1 in its first frame; `None` if it is
    /// to be sent as it is. With takeover it must be sent, and in this order.
    pub fn compress<'s>(
        &mut self,
        payload: &[u8],
        compressing: &'s mut Compressing,
    ) -> Option<&'s [u8]> {
        let flow = self.outgoing();
        let own = flow.takeover.then(|| &mut self.own.get_or_insert_default().compressor);
        compressing.message(flow, own, payload)
    }
}

#[cfg(test)]
mod tests;
