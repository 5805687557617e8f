//! Messages: what frames add up to (RFC 6455 section 5.4).
//!
//! **What.** [`Decoder::next`] takes the next [`Event`] off the front of the input. A worker has
//! one [`Assembly`], which keeps what its connections have begun and not ended.
//!
//! **Why this way.** Nearly all messages lie whole in the input, and nearly all connections are in
//! the middle of nothing. So the decoder tries that first, with no state at all, and else makes a
//! [`Partial`] for as long as it takes. Partials live in a slab of the worker: making one allocates
//! nothing in steady work, and a connection pays 4 bytes for the place of its own.
//!
//! **Costs.** 8 bytes a connection. About 250 more in the slab, and pooled memory for payload,
//! while a frame or a message is unfinished; nothing after it.
//!
//! **Read next.** `src/proto/ws/partial.rs`.

use super::frame::{Decoded, Expect, Header, OpCode};
use super::partial::{Found, Partial};
use super::{Event, Kind, Limits, Mask, Role, WsError, close, frame, utf8};
use crate::buf::Pool;
use slab::Slab;
use std::num::NonZeroU32;
use std::ops::Range;

/// Partials for which the slab keeps room once it is empty.
const SPARE_MAX: usize = 64;

/// The messages that a worker's connections have begun and not ended, and what limits them.
#[derive(Debug)]
pub struct Assembly {
    partials: Slab<Partial>,
    limits: Limits,
    /// The longest message that may come in one frame.
    whole_bytes_max: usize,
}

impl Assembly {
    /// With nothing begun.
    pub fn new(limits: Limits) -> Assembly {
        let bytes_max = limits.frame_bytes_max.min(limits.message_bytes_max);
        Assembly { partials: Slab::new(), limits, whole_bytes_max: bytes_max }
    }

    /// How many messages, frames or headers are unfinished.
    pub fn len(&self) -> usize {
        self.partials.len()
    }

    /// Whether nothing is unfinished.
    pub fn is_empty(&self) -> bool {
        self.partials.is_empty()
    }

    fn insert(&mut self) -> PartialId {
        PartialId::from_slot(self.partials.insert(Partial::default()))
    }

    fn remove(&mut self, id: PartialId, pool: &mut Pool) {
        self.partials.remove(id.slot()).clear(pool);
        if self.partials.is_empty() && self.partials.capacity() > SPARE_MAX {
            self.partials = Slab::with_capacity(SPARE_MAX);
        }
    }
}

/// A place in the slab, plus one so that "none" costs no space.
#[derive(Clone, Copy, Debug)]
struct PartialId(NonZeroU32);

impl PartialId {
    fn from_slot(slot: usize) -> PartialId {
        PartialId(NonZeroU32::MIN.saturating_add(slot as u32))
    }

    fn slot(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The receiving half of one connection.
#[derive(Debug)]
pub struct Decoder {
    /// What is unfinished, or was handed out by the last call.
    partial: Option<PartialId>,
    role: Role,
    /// A close frame or an error was the last: whatever follows is dropped (1.4).
    is_deaf: bool,
    /// Messages may be compressed.
    rsv1: bool,
}

const _: () = assert!(size_of::<Decoder>() <= 8);

impl Decoder {
    /// At the beginning of a connection, of which this end is `role`.
    pub fn new(role: Role) -> Decoder {
        Decoder { partial: None, role, is_deaf: false, rsv1: false }
    }

    /// From now on messages may begin that are compressed: that was agreed on.
    pub fn expect_compressed(&mut self) {
        self.rsv1 = true;
    }

    /// The longest message that [`open_short`] and [`open_long`] may open of what comes next; none
    /// if something else is to come first.
    #[inline]
    pub fn whole_bytes_max(&self, assembly: &Assembly) -> Option<usize> {
        debug_assert_eq!(self.role, Role::Server, "they are masked");
        let is_ready = self.partial.is_none() && !self.is_deaf;
        is_ready.then_some(assembly.whole_bytes_max)
    }

    /// Takes the next event off the front of `input`; `None` if more input is needed, and then
    /// `input` is used up. Ask until then: only the next call gives back what the last event was
    /// gathered in. Payload in `input` is unmasked in place.
    ///
    /// # Errors
    /// What the peer did wrong, or that memory ran out. Everything after it is dropped.
    pub fn next<'i: 'e, 'e>(
        &mut self,
        input: &mut &'i mut [u8],
        assembly: &'e mut Assembly,
        pool: &mut Pool,
    ) -> Result<Option<Event<'e>>, WsError> {
        if self.partial.is_none() && !self.is_deaf {
            match take_whole(self.role, self.rsv1, input, assembly) {
                Ok(None) if !input.is_empty() => {}
                outcome => {
                    if is_last(&outcome) {
                        self.is_deaf = true;
                    }
                    return outcome;
                }
            }
        }
        self.resume(input, assembly, pool)
    }

    /// Whether no frame or message is unfinished.
    pub fn is_between(&self) -> bool {
        self.partial.is_none()
    }

    /// Gives back what the connection holds. It must be called before the decoder is dropped.
    pub fn clear(&mut self, assembly: &mut Assembly, pool: &mut Pool) {
        if let Some(id) = self.partial.take() {
            assembly.remove(id, pool);
        }
    }

    /// The way of whatever does not lie whole in the input.
    fn resume<'i: 'e, 'e>(
        &mut self,
        input: &mut &'i mut [u8],
        assembly: &'e mut Assembly,
        pool: &mut Pool,
    ) -> Result<Option<Event<'e>>, WsError> {
        if self.is_deaf {
            *input = &mut [];
            self.clear(assembly, pool);
            return Ok(None);
        }
        if let Some(id) = self.partial {
            let partial = &mut assembly.partials[id.slot()];
            partial.forget_found(pool);
            if partial.is_idle() {
                self.partial = None;
                assembly.remove(id, pool);
                return self.next(input, assembly, pool);
            }
        }
        let id = *self.partial.get_or_insert_with(|| assembly.insert());
        let Assembly { partials, limits, .. } = assembly;
        let partial = &mut partials[id.slot()];
        let first = Expect::first(self.role, self.rsv1, limits);
        let outcome = match partial.receive(&first, limits.fragments_max, input, pool) {
            Ok(None) => Ok(None),
            Ok(Some(Found::Borrowed(opcode, payload))) => event(opcode, payload).map(Some),
            Ok(Some(Found::Stashed(opcode))) => event(opcode, partial.stashed()).map(Some),
            Ok(Some(Found::Message(kind))) => Ok(Some(Event::Message(kind, partial.gathered()))),
            Ok(Some(Found::Compressed(kind))) => {
                Ok(Some(Event::Compressed(kind, partial.gathered())))
            }
            Err(error) => Err(error),
        };
        self.is_deaf = is_last(&outcome);
        outcome
    }
}

/// A whole message, found by [`open_short`] or [`open_long`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// What it is.
    pub kind: Kind,
    /// Where it lies now, unmasked, in the input. Whether a text is UTF-8 is still to be seen.
    pub payload: Range<usize>,
    /// Where its frame ended.
    pub end: usize,
}

impl Whole {
    /// Whether it is what it says: a text must be UTF-8 (8.1).
    #[inline(always)]
    pub fn is_valid(&self, input: &[u8]) -> bool {
        self.kind != Kind::Text || utf8::is_valid(&input[self.payload.clone()])
    }
}

/// Opens what most frames of clients are: a whole message of at most 125 bytes and `bytes_max`, not
/// compressed, that begins at `at` of `input`. If answers are packed up to `packed`, it is moved
/// while it is unmasked, to where it can become the next of them without another copy. It changes
/// nothing in a [`Decoder`], so that many can be opened at once. `None`: there is something else.
#[inline(always)]
pub fn open_short(input: &mut [u8], at: usize, packed: usize, bytes_max: usize) -> Option<Whole> {
    let frame = input.get_mut(at..)?;
    let &mut [first @ (0x81 | 0x82), second @ 0x80..=0xfd, a, b, c, d, ..] = frame else {
        return None;
    };
    let len = (second & 0x7f) as usize;
    if len > bytes_max || len > frame.len() - 6 {
        return None;
    }
    let from = at + 6;
    let to = if packed == 0 { from } else { packed + 2 };
    Mask::new([a, b, c, d]).apply_moving(&mut input[to..from + len], from - to);
    let kind = if first == 0x81 { Kind::Text } else { Kind::Binary };
    Some(Whole { kind, payload: to..to + len, end: from + len })
}

/// The same of a message that has its length behind the second byte.
#[inline(never)]
pub fn open_long(input: &mut [u8], at: usize, packed: usize, bytes_max: usize) -> Option<Whole> {
    let frame = input.get(at..)?;
    let (kind, header_bytes, key, len) = long_header(frame)?;
    if len > bytes_max || len > frame.len() - header_bytes {
        return None;
    }
    let from = at + header_bytes;
    if packed == 0 {
        Mask::new(key).apply(&mut input[from..from + len]);
        return Some(Whole { kind, payload: from..from + len, end: from + len });
    }
    // A server's header has no mask.
    let to = packed + header_bytes - 4;
    Mask::new(key).apply_moving(&mut input[to..from + len], from - to);
    Some(Whole { kind, payload: to..to + len, end: from + len })
}

/// What a header says that has its length behind the second byte: the kind of message, the length
/// of the header, the mask, and the length of the payload. None if it is not all there, could have
/// been shorter (5.2), or says something else.
fn long_header(frame: &[u8]) -> Option<(Kind, usize, [u8; 4], usize)> {
    let &[first @ (0x81 | 0x82), second, ref rest @ ..] = frame else { return None };
    let kind = if first == 0x81 { Kind::Text } else { Kind::Binary };
    let (header_bytes, len, rest) = match second {
        0xfe => {
            let (len, rest) = rest.split_first_chunk()?;
            (8, usize::from(u16::from_be_bytes(*len)), rest)
        }
        0xff => {
            let (len, rest) = rest.split_first_chunk()?;
            (14, usize::try_from(u64::from_be_bytes(*len)).ok()?, rest)
        }
        _ => return None,
    };
    let is_shortest = len > if header_bytes == 8 { 125 } else { 0xffff };
    is_shortest.then_some((kind, header_bytes, *rest.first_chunk()?, len))
}

/// Whether nothing more is to be heard (1.4).
#[inline]
fn is_last(outcome: &Result<Option<Event<'_>>, WsError>) -> bool {
    matches!(outcome, Err(_) | Ok(Some(Event::Close(..))))
}

/// Takes a frame that lies whole at the front of `input` and is a whole message or a control frame.
#[inline]
fn take_whole<'i>(
    role: Role,
    rsv1: bool,
    input: &mut &'i mut [u8],
    assembly: &Assembly,
) -> Result<Option<Event<'i>>, WsError> {
    let expect = Expect::first(role, rsv1, &assembly.limits);
    let Decoded::Header(header) = frame::decode(input, &expect)? else { return Ok(None) };
    if !header.fin {
        return Ok(None);
    }
    match take_payload(&header, input) {
        Some(payload) if header.rsv1 => {
            Ok(Some(Event::Compressed(Kind::of(header.opcode), payload)))
        }
        Some(payload) => event(header.opcode, payload).map(Some),
        None => Ok(None),
    }
}

/// Takes a frame off the front of `input` and unmasks its payload, if it is all there.
#[inline]
pub(super) fn take_payload<'i>(header: &Header, input: &mut &'i mut [u8]) -> Option<&'i mut [u8]> {
    if input.len() - header.header_bytes < header.payload_bytes {
        return None;
    }
    let frame = take(header.header_bytes + header.payload_bytes, input);
    let payload = &mut frame[header.header_bytes..];
    if let Some(mut mask) = header.mask {
        mask.apply(payload);
    }
    Some(payload)
}

/// Takes `len` bytes off the front of `input`, which has as many.
#[inline]
pub(super) fn take<'i>(len: usize, input: &mut &'i mut [u8]) -> &'i mut [u8] {
    let (front, behind) = std::mem::take(input).split_at_mut(len);
    *input = behind;
    front
}

/// What a whole, unmasked frame means.
#[inline]
fn event(opcode: OpCode, payload: &[u8]) -> Result<Event<'_>, WsError> {
    match opcode {
        OpCode::Text if !utf8::is_valid(payload) => Err(WsError::InvalidUtf8),
        OpCode::Text => Ok(Event::Message(Kind::Text, payload)),
        OpCode::Binary => Ok(Event::Message(Kind::Binary, payload)),
        OpCode::Continuation => Err(WsError::NothingToContinue),
        OpCode::Ping => Ok(Event::Ping(payload)),
        OpCode::Pong => Ok(Event::Pong(payload)),
        OpCode::Close => close::parse(payload).map(|(code, reason)| Event::Close(code, reason)),
    }
}

#[cfg(test)]
mod tests;
