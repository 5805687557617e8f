//! permessage-deflate (RFC 7692): messages that are smaller on the wire.
//!
//! **What.** [`negotiate`] says what two ends agree on; a connection then has a [`Codec`], and a
//! worker a [`Shared`], which has what its connections do not need for themselves.
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
//! for one message in and one out. What is shared can be sent to many: see [`Codec::outgoing`].
//!
//! **Read next.** `src/proto/ws/deflate/negotiate.rs`, `src/proto/ws/deflate/inflate.rs`.

mod compress;
mod inflate;
pub mod negotiate;

pub use compress::{ALONE_BYTES_MIN, Compressor, TAKEOVER_BYTES_MIN};
pub use inflate::Inflater;
pub use negotiate::{Flow, Params, WindowBits};

use super::{Role, WsError};

/// A buffer that is larger is given back by [`Shared::trim`].
const SPARE_BYTES_MAX: usize = 64 * 1024;

/// What the connections of a worker share.
#[derive(Debug)]
pub struct Shared {
    /// What we wish for.
    wish: Params,
    /// Made for the first compressed message.
    inflater: Option<Inflater>,
    /// One for each size of window, from 8 bits on; made for the first message that needs it.
    compressors: [Option<Compressor>; 8],
    /// The message inflated last.
    inflated: Vec<u8>,
    /// The message compressed last.
    compressed: Vec<u8>,
    /// Connections that take context over.
    takeovers: usize,
    takeovers_max: usize,
}

impl Shared {
    /// For a worker that agrees to `wish` where its peers do, but to take context over in either
    /// direction on no more than `takeovers_max` connections at once.
    pub fn new(wish: Params, takeovers_max: usize) -> Shared {
        Shared {
            wish,
            inflater: None,
            compressors: Default::default(),
            inflated: Vec::new(),
            compressed: Vec::new(),
            takeovers: 0,
            takeovers_max,
        }
    }

    /// What to wish for on the next connection: to be given to [`negotiate`].
    pub fn wish(&self) -> Params {
        let no_takeover = self.takeovers >= self.takeovers_max;
        Params {
            server_no_context_takeover: self.wish.server_no_context_takeover || no_takeover,
            client_no_context_takeover: self.wish.client_no_context_takeover || no_takeover,
            ..self.wish
        }
    }

    /// Gives back buffers that one large message has grown.
    pub fn trim(&mut self) {
        for buffer in [&mut self.inflated, &mut self.compressed] {
            if buffer.capacity() > SPARE_BYTES_MAX {
                *buffer = Vec::new();
            }
        }
    }
}

/// Both directions of one connection that has agreed to compress.
#[derive(Debug)]
pub struct Codec {
    agreed: Params,
    role: Role,
    /// Only what takes context over is ever made.
    own: Option<Box<Own>>,
}

const _: () = assert!(size_of::<Codec>() <= 16);

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
    }

    /// What holds for the messages we send. Connections for which that is equal, and without
    /// takeover, may be sent the same compressed bytes: a broadcast is compressed once.
    pub fn outgoing(&self) -> Flow {
        self.agreed.flow(self.role)
    }

    /// What holds for the messages we receive.
    pub fn incoming(&self) -> Flow {
        self.agreed.flow(self.role.other())
    }

    fn takes_over(&self) -> bool {
        self.outgoing().takeover || self.incoming().takeover
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
        shared: &'s mut Shared,
    ) -> Result<&'s [u8], WsError> {
        let flow = self.incoming();
        let slot = if flow.takeover {
            &mut self.own.get_or_insert_default().inflater
        } else {
            &mut shared.inflater
        };
        shared.inflated.clear();
        let inflater = slot.get_or_insert_with(|| Inflater::new(flow));
        inflater.message(payload, message_bytes_max, &mut shared.inflated)?;
        Ok(&shared.inflated)
    }

    /// The message `payload` compressed, to be sent with RSV1 in its first frame; `None` if it is
    /// to be sent as it is. With takeover it must be sent, and in this order.
    pub fn compress<'s>(&mut self, payload: &[u8], shared: &'s mut Shared) -> Option<&'s [u8]> {
        let flow = self.outgoing();
        let slot = if flow.takeover {
            &mut self.own.get_or_insert_default().compressor
        } else {
            &mut shared.compressors[flow.window_bits.index()]
        };
        shared.compressed.clear();
        let compressor = slot.get_or_insert_with(|| Compressor::new(flow));
        let is_smaller = compressor.message(payload, &mut shared.compressed);
        is_smaller.then_some(&shared.compressed[..])
    }
}

#[cfg(test)]
mod tests;
