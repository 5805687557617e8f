//! A message or a frame that is not yet whole.
//!
//! **What.** A [`Partial`] takes what there is of a frame: header bytes and control frames into a
//! small stash, payload of messages into pooled memory, unmasked and checked as it comes.
//!
//! **Why this way.** Control frames may stand between the fragments of a message (5.4), so the two
//! have a place each. The stash is inline: a peer that trickles in a header or a ping holds 139
//! bytes, not a block of 16 KiB. A text is checked piece by piece and fails at its first impossible
//! byte.
//!
//! **Costs.** One copy of each byte of payload; see `src/buf/gather.rs` for the memory.
//!
//! **Read next.** `src/proto/ws/utf8.rs`, `src/buf/gather.rs`.

use super::frame::{CONTROL_BYTES_MAX, Decoded, Expect, HEADER_BYTES_MAX, Header, OpCode, Stage};
use super::mask::Mask;
use super::message::{take, take_payload};
use super::{Kind, WsError, frame, utf8};
use crate::buf::{Gather, Pool};

/// What one call to [`Partial::receive`] completed.
#[derive(Debug)]
pub(super) enum Found<'i> {
    /// A control frame that lay whole in the input.
    Borrowed(OpCode, &'i [u8]),
    /// A control frame, to be had from [`Partial::stashed`].
    Stashed(OpCode),
    /// A message, to be had from [`Partial::gathered`].
    Message(Kind),
    /// The same, and what it says is yet to be inflated.
    Compressed(Kind),
}

const _: () = assert!(size_of::<Partial>() <= 256);

/// How far a frame has come.
enum Begun<'i> {
    /// Its header, or the payload of a control frame, is not all there.
    Short,
    /// The payload of a data frame is next.
    Data(Header),
    /// A control frame is whole.
    Control(Found<'i>),
}

/// What is unfinished of one connection. By default: nothing.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// The message under way.
    message: Option<Message>,
    /// Payload of that message so far, unmasked.
    gather: Gather,
    /// The data frame whose payload arrives.
    data: Option<Data>,
    /// A frame whose header or, if it is a control frame, payload is not all there.
    stash: Stash,
    /// `gather` or `stash` was handed out: its content goes with the next call.
    is_found: bool,
}

#[derive(Debug)]
struct Message {
    kind: Kind,
    /// Its first frame said so (RFC 7692 section 6): then nothing here is text.
    is_compressed: bool,
    /// Frames begun.
    fragments: u32,
    /// Bytes at the front that are whole characters, if it is a text as it was written.
    valid: usize,
}

#[derive(Debug)]
struct Data {
    /// The last frame of its message.
    fin: bool,
    /// Bytes of payload to come.
    remaining: usize,
    /// Turned to the first of them.
    mask: Option<Mask>,
}

impl Partial {
    /// Nothing is unfinished.
    pub(super) fn is_idle(&self) -> bool {
        self.message.is_none() && self.stash.len == 0
    }

    /// Payload of the control frame that was found last.
    pub(super) fn stashed(&self) -> &[u8] {
        &self.stash.bytes[self.stash.payload_from..self.stash.len]
    }

    /// The message that was found last.
    pub(super) fn gathered(&self) -> &[u8] {
        self.gather.bytes()
    }

    /// Drops what was found last.
    pub(super) fn forget_found(&mut self, pool: &mut Pool) {
        if !std::mem::take(&mut self.is_found) {
            return;
        }
        if self.stash.len > 0 {
            self.stash.len = 0;
        } else {
            self.message = None;
            self.gather.clear(pool);
        }
    }

    /// Gives everything back.
    pub(super) fn clear(mut self, pool: &mut Pool) {
        self.gather.clear(pool);
    }

    /// Takes from `input` up to the end of the next message or control frame, or all of it. `first`
    /// is what is expected where no message is under way.
    pub(super) fn receive<'i>(
        &mut self,
        first: &Expect,
        fragments_max: u32,
        input: &mut &'i mut [u8],
        pool: &mut Pool,
    ) -> Result<Option<Found<'i>>, WsError> {
        loop {
            if let Some(fin) = self.data.as_ref().map(|data| data.fin) {
                if !self.receive_payload(input, pool)? {
                    return Ok(None);
                }
                self.data = None;
                if fin {
                    return self.end_message().map(Some);
                }
            }
            let expect = self.expect(first, fragments_max);
            let begun = if self.stash.len == 0 {
                self.begin_frame(input, &expect)?
            } else {
                self.begin_stashed_frame(input, &expect)?
            };
            match begun {
                Begun::Short => return Ok(None),
                Begun::Data(header) => self.begin_data(&header),
                Begun::Control(found) => return Ok(Some(found)),
            }
        }
    }

    /// A frame begins at the front of `input`. What cannot be used as it lies there is stashed.
    fn begin_frame<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        expect: &Expect,
    ) -> Result<Begun<'i>, WsError> {
        if let Decoded::Header(header) = frame::decode(input, expect)? {
            if !header.opcode.is_control() {
                take(header.header_bytes, input);
                return Ok(Begun::Data(header));
            }
            if let Some(payload) = take_payload(&header, input) {
                return Ok(Begun::Control(Found::Borrowed(header.opcode, payload)));
            }
        }
        self.stash.fill_to(STASH_BYTES, input);
        Ok(Begun::Short)
    }

    /// A frame goes on whose front is in the stash.
    fn begin_stashed_frame<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        expect: &Expect,
    ) -> Result<Begun<'i>, WsError> {
        let Some(header) = self.stash.receive(input, expect)? else { return Ok(Begun::Short) };
        if header.opcode.is_control() {
            self.is_found = true;
            return Ok(Begun::Control(Found::Stashed(header.opcode)));
        }
        self.stash.len = 0;
        Ok(Begun::Data(header))
    }

    fn expect(&self, first: &Expect, fragments_max: u32) -> Expect {
        let mut expect = *first;
        if let Some(message) = &self.message {
            let is_full = message.fragments >= fragments_max;
            expect.stage = if is_full { Stage::Full } else { Stage::Within };
            expect.message_bytes_left -= self.gather.bytes().len();
        }
        expect
    }

    fn begin_data(&mut self, header: &Header) {
        let message = self.message.get_or_insert(Message {
            kind: Kind::of(header.opcode),
            is_compressed: header.rsv1,
            fragments: 0,
            valid: 0,
        });
        message.fragments += 1;
        let Header { fin, payload_bytes, mask, .. } = *header;
        self.data = Some(Data { fin, remaining: payload_bytes, mask });
    }

    /// Takes what there is of a data frame's payload; returns whether that was the rest of it.
    fn receive_payload(&mut self, input: &mut &mut [u8], pool: &mut Pool) -> Result<bool, WsError> {
        let (Some(data), Some(message)) = (&mut self.data, &mut self.message) else {
            return Ok(true);
        };
        let len = data.remaining.min(input.len());
        let piece = take(len, input);
        if let Some(mask) = &mut data.mask {
            mask.apply(piece);
        }
        let total = self.gather.bytes().len() + data.remaining;
        self.gather.append(piece, total, pool)?;
        data.remaining -= len;
        if message.kind == Kind::Text && !message.is_compressed {
            message.valid += utf8::valid_up_to(&self.gather.bytes()[message.valid..])?;
        }
        Ok(data.remaining == 0)
    }

    /// The last frame of the message is in.
    fn end_message(&mut self) -> Result<Found<'static>, WsError> {
        self.is_found = true;
        match self.message {
            Some(Message { kind, is_compressed: true, .. }) => Ok(Found::Compressed(kind)),
            Some(Message { kind: Kind::Binary, .. }) => Ok(Found::Message(Kind::Binary)),
            Some(Message { valid, .. }) if valid == self.gather.bytes().len() => {
                Ok(Found::Message(Kind::Text))
            }
            _ => Err(WsError::InvalidUtf8),
        }
    }
}

const STASH_BYTES: usize = HEADER_BYTES_MAX + CONTROL_BYTES_MAX;

/// The front of a frame.
#[derive(Debug)]
struct Stash {
    bytes: [u8; STASH_BYTES],
    /// How many of `bytes` are there.
    len: usize,
    /// Where the payload begins, once a control frame is whole; at most `len`.
    payload_from: usize,
}

impl Default for Stash {
    fn default() -> Self {
        Stash { bytes: [0; STASH_BYTES], len: 0, payload_from: 0 }
    }
}

impl Stash {
    /// Moves bytes from `input` until `len` are there; returns whether they are.
    fn fill_to(&mut self, len: usize, input: &mut &mut [u8]) -> bool {
        let wanted = len.saturating_sub(self.len).min(input.len());
        self.bytes[self.len..self.len + wanted].copy_from_slice(take(wanted, input));
        self.len += wanted;
        self.len >= len
    }

    /// Goes on with a frame; returns its header once that, and of a control frame all, is there.
    fn receive(
        &mut self,
        input: &mut &mut [u8],
        expect: &Expect,
    ) -> Result<Option<Header>, WsError> {
        loop {
            let header = match frame::decode(&self.bytes[..self.len], expect)? {
                Decoded::Short { bytes_needed } if self.fill_to(bytes_needed, input) => continue,
                // The bytes that did come may be wrong already.
                Decoded::Short { .. } => {
                    return frame::decode(&self.bytes[..self.len], expect).map(|_| None);
                }
                Decoded::Header(header) => header,
            };
            if !header.opcode.is_control() {
                return Ok(Some(header));
            }
            if !self.fill_to(header.header_bytes + header.payload_bytes, input) {
                return Ok(None);
            }
            self.payload_from = header.header_bytes;
            if let Some(mut mask) = header.mask {
                mask.apply(&mut self.bytes[header.header_bytes..self.len]);
            }
            return Ok(Some(header));
        }
    }
}
