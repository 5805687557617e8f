//! A WebSocket from the client's side, from the upgrade to the closing handshake.
//!
//! **What.** [`WebSocket`] asks for the upgrade, sends messages, compares those that come back,
//! answers pings, and closes as RFC 6455 wants it; compressed, where both sides agree. As a mirror
//! it asks nothing and sends back whatever comes: so the Autobahn testsuite examines it.
//!
//! **Why this way.** The decoder is the server's own, told that it is the client: it refuses masks
//! and everything else that no server may send. A message of more than 64 KiB goes in fragments, so
//! that none is ever held whole on its way out; so it is not compressed either. Whoever said or
//! heard the last word waits for the server to end the connection (7.1.1), and its fate is kept
//! until then.
//!
//! **Costs.** A message is copied once, and masked on its way; an answer that is one frame is
//! compared where it lies, wherever reads cut it. 72 bytes a connection, and a box while it is
//! upgraded.
//!
//! **Read next.** `src/load/speech/opening.rs`, `src/proto/ws/mod.rs`, `src/load/keys.rs`.

use super::opening::Opening;
use super::{Desk, Ending};
use crate::load::client::{Life, Shared};
use crate::load::fates::{Fate, Phase};
use crate::load::in_flight::InFlight;
use crate::load::keys::Keys;
use crate::load::pattern::SPAN_BYTES;
use crate::load::shape::{Announcement, Ear, Hearing};
use crate::proto::ws::deflate::Codec;
use crate::proto::ws::encode::{self, First};
use crate::proto::ws::frame::OpCode;
use crate::proto::ws::{self, CloseCode, Decoder, Event, Kind, Role, WsError};
use crate::reactor::ConnId;
use std::ops::ControlFlow::{Break, Continue};

/// The longest message that a client takes whatever it sends: what the Autobahn testsuite sends.
const MESSAGE_BYTES: usize = 16 << 20;
/// Fragments of a message; the same suite cuts that into pieces of 64 bytes.
const FRAGMENTS_MAX: u32 = 300_000;

/// The longest frame that is sent.
const FRAGMENT_BYTES: u64 = 64 * 1024;

/// What a server's messages may use up, if `size_bytes` are sent in one.
pub(in crate::load) fn limits(size_bytes: u64) -> ws::Limits {
    let bytes_max = usize::try_from(size_bytes).unwrap_or(usize::MAX).max(MESSAGE_BYTES);
    ws::Limits {
        frame_bytes_max: bytes_max,
        message_bytes_max: bytes_max,
        fragments_max: FRAGMENTS_MAX,
    }
}

/// Where a connection stands.
enum State {
    /// The answer to the request for an upgrade is coming.
    Opening(Box<Opening>),
    /// Messages go both ways.
    Open,
    /// We said close, the server is about to.
    Leaving,
    /// All is said; what it came to. The server ends the connection.
    Over(Box<Fate>),
    /// So it is, and what is still owed is asked again on another connection.
    Moving,
}

/// One WebSocket.
pub(in crate::load) struct WebSocket {
    state: State,
    decoder: Decoder,
    /// If both sides have agreed to compress.
    codec: Option<Codec>,
    /// Messages that were said whole; at most `asked`.
    said: u64,
    /// Bytes of the next one that were said.
    within: u64,
    /// Bytes to come of the answer whose header was as foretold.
    coming: u64,
    /// One that came of it was wrong.
    is_damaged: bool,
    /// It was upgraded, and sends back what comes.
    is_mirror: bool,
    /// What hears messages that another connection sent.
    ear: Ear,
}

impl WebSocket {
    pub(super) fn new(keys: &mut Keys) -> Life<WebSocket> {
        let state = State::Opening(Box::new(Opening::new(keys)?));
        let decoder = Decoder::new(Role::Client);
        Continue(WebSocket {
            state,
            decoder,
            codec: None,
            said: 0,
            within: 0,
            coming: 0,
            is_damaged: false,
            is_mirror: false,
            ear: Ear::default(),
        })
    }

    /// Takes bytes that came in.
    pub(super) fn receive(&mut self, fresh: &mut [u8], desk: &mut Desk<'_>) -> Life {
        let read_away = match &mut self.state {
            State::Opening(opening) => match opening.read(fresh, desk)? {
                None => return Continue(()),
                Some((read, agreed)) => {
                    desk.shared.tally.deflate_agreed += u64::from(agreed.is_some());
                    let shared = &mut desk.shared.deflate;
                    self.codec = agreed.map(|agreed| Codec::new(agreed, Role::Client, shared));
                    read
                }
            },
            State::Open | State::Leaving => 0,
            State::Over(_) | State::Moving => return Continue(()),
        };
        if matches!(self.state, State::Opening(_)) {
            self.state = State::Open;
            self.is_mirror = desk.shared.mirror;
            if self.codec.is_some() {
                self.decoder.expect_compressed();
            }
            match desk.in_flight.asked() {
                _ if self.is_mirror || desk.shared.fan.is_some() => {}
                0 if desk.shared.idle.is_some() => self.ping(desk)?,
                0 => desk.ask(),
                // It is not the first connection in its seat.
                _ => {}
            }
        }
        let fresh = &mut fresh[read_away..];
        match self.take_answers(fresh, desk) {
            all if all == fresh.len() => Continue(()),
            some => self.receive_frames(&mut fresh[some..], desk),
        }
    }

    /// Takes answers that are a frame each and as long as they must be, as nearly all are: so much
    /// is known of them that nothing needs to be decoded or gathered. How many bytes those were;
    /// from the first on that is anything else, the decoder reads.
    fn take_answers(&mut self, fresh: &[u8], desk: &mut Desk<'_>) -> usize {
        let Shared { idle, fan, .. } = &*desk.shared;
        let is_plain = self.codec.is_none() && !self.is_mirror && idle.is_none() && fan.is_none();
        let may_begin = is_plain && self.decoder.is_between() && self.is_open();
        let (id, words, first) = (desk.id, &desk.shared.words, desk.in_flight.answered());
        let (mut rest, mut expected, mut right) = (fresh, &[][..], 0);
        let most = if may_begin { desk.in_flight.len() } else { 0 };
        let (mut coming, mut is_damaged) = (self.coming, self.is_damaged);
        loop {
            let number = first + right;
            let size = words.sizes.size(id, number);
            if coming == 0 {
                match begin_answer(rest, size) {
                    Some(payload) if right < most => rest = payload,
                    _ => break,
                }
                coming = size;
            }
            let (piece, after) = rest.split_at(rest.len().min(coming as usize));
            if expected.len() < piece.len() {
                expected = words.at(id, words.begin(id, number) + size - coming);
            }
            let (twin, more) = expected.split_at(piece.len());
            is_damaged |= piece != twin;
            coming -= piece.len() as u64;
            (rest, expected) = (after, more);
            if coming > 0 || is_damaged {
                break;
            }
            right += 1;
        }
        (self.coming, self.is_damaged) = (coming, is_damaged);
        desk.answered(right, true);
        if self.coming == 0 && std::mem::take(&mut self.is_damaged) {
            desk.answered(1, false);
        }
        fresh.len() - rest.len()
    }

    #[inline(never)]
    fn receive_frames(&mut self, fresh: &mut [u8], desk: &mut Desk<'_>) -> Life {
        let mut rest = fresh;
        loop {
            let Shared { assembly, pool, out, keys, words, tally, deflate, idle, fan, .. } =
                &mut *desk.shared;
            let event = match (self.decoder.next(&mut rest, assembly, pool), &mut self.codec) {
                (Ok(Some(Event::Compressed(kind, payload))), Some(codec)) => {
                    let max = limits(words.size_bytes).message_bytes_max;
                    let message = codec.decode(kind, payload, max, &mut deflate.inflating);
                    message.map(|message| Some(Event::Message(kind, message)))
                }
                (event, _) => event,
            };
            match event {
                Ok(None) => return Continue(()),
                Ok(Some(Event::Message(kind, message))) if self.is_mirror => {
                    tally.messages.sent += 1;
                    tally.messages.received += 1;
                    if matches!(self.state, State::Open) {
                        let (key, compressing) = (Some(keys.take()?), &mut deflate.compressing);
                        match &mut self.codec {
                            Some(codec) => codec.encode(kind, message, key, compressing, out),
                            None => encode::message(kind, message, key, out),
                        }
                    }
                }
                // Who is idle has asked for none: a server may say what it likes.
                Ok(Some(Event::Message(..))) if idle.is_some() => {}
                Ok(Some(Event::Message(_, message))) if fan.is_some() => {
                    let (in_flight, now) = (&mut *desk.in_flight, desk.now);
                    let hearing = Hearing { fan, words, tally, in_flight, now };
                    self.ear.take(message, hearing)?;
                }
                Ok(Some(Event::Message(kind, message))) => {
                    if desk.in_flight.len() == 0 {
                        let what = "WebSocket: more messages came back than were sent";
                        return Break(Fate::Failed(what.to_owned()));
                    }
                    let number = desk.in_flight.answered();
                    let right = kind == Kind::Binary
                        && message.len() as u64 == words.sizes.size(desk.id, number)
                        && words.matches(desk.id, words.begin(desk.id, number), message);
                    desk.answered(1, right);
                }
                Ok(Some(Event::Ping(payload))) => {
                    if matches!(self.state, State::Open) {
                        encode::pong(payload, Some(keys.take()?), out);
                    }
                }
                Ok(Some(Event::Pong(payload))) if idle.is_some() => {
                    if desk.in_flight.len() > 0 && *payload == number_of_ping(desk.in_flight) {
                        desk.answered(1, true);
                    }
                }
                // Compressed: only a decoder that was told so expects them.
                Ok(Some(Event::Pong(_) | Event::Compressed(..))) => {}
                Ok(Some(Event::Close(code, reason))) => {
                    let is_free = fan.is_none() && (idle.is_none() || desk.in_flight.len() == 0);
                    let state = self.judge_close(code, reason, is_free);
                    self.close(CloseCode::echo(code, Role::Client), "", keys, out)?;
                    self.state = state;
                }
                Err(error) => {
                    self.close(Some(error.close_code()), error.reason(), keys, out)?;
                    self.state = State::Over(Box::new(failed(error)));
                    return Continue(());
                }
            }
        }
    }

    /// Appends a close frame, unless there was one.
    fn close(
        &self,
        code: Option<CloseCode>,
        reason: &str,
        keys: &mut Keys,
        out: &mut Vec<u8>,
    ) -> Life {
        if self.is_open() {
            encode::close(code, reason, Some(keys.take()?), out);
        }
        Continue(())
    }

    /// Asks by a ping. It stands for a message, which is never sent.
    pub(super) fn ping(&mut self, desk: &mut Desk<'_>) -> Life {
        let payload = number_of_ping(desk.in_flight);
        desk.ask();
        self.said += 1;
        encode::ping(&payload, Some(desk.shared.keys.take()?), &mut desk.shared.out);
        Continue(())
    }

    /// Appends what is said to all.
    pub(super) fn announce(&mut self, what: Announcement, shared: &mut Shared) -> Life {
        let Shared { fan: Some(fan), words, out, keys, .. } = shared else { return Continue(()) };
        fan.write(what, words);
        encode::message(Kind::Binary, &fan.draft, Some(keys.take()?), out);
        Continue(())
    }

    /// What the server's close frame makes of the connection. `is_free` if it may go on over
    /// another: a ping cannot be asked again, and what is said to all is not for it alone.
    fn judge_close(&self, code: Option<CloseCode>, reason: &str, is_free: bool) -> State {
        let is_agreed = self.is_mirror || matches!(self.state, State::Leaving);
        State::Over(Box::new(match code {
            Some(CloseCode::GOING_AWAY) if is_free && !is_agreed => return State::Moving,
            Some(CloseCode::NORMAL) if is_agreed => Fate::Done,
            None => Fate::ToldWhy("close without a code".to_owned()),
            Some(code) if reason.is_empty() => Fate::ToldWhy(format!("close {}", code.get())),
            Some(code) => Fate::ToldWhy(format!("close {}: {}", code.get(), reason.escape_debug())),
        }))
    }

    /// Appends what is due: the request for the upgrade, or frames for one write.
    pub(super) fn say(&mut self, id: ConnId, in_flight: &InFlight, shared: &mut Shared) -> Life {
        if let State::Opening(opening) = &mut self.state {
            opening.ask(shared);
            return Continue(());
        }
        if !self.is_open() || shared.fan.is_some() {
            return Continue(());
        }
        let Shared { words, keys, out, deflate, .. } = shared;
        let mut stretch = &[][..];
        while self.said < in_flight.asked() && out.len() < SPAN_BYTES {
            let (size, within) = (words.sizes.size(id, self.said), self.within);
            let n = (size - within).min(FRAGMENT_BYTES);
            if stretch.len() < n as usize {
                stretch = words.at(id, words.begin(id, self.said) + within);
            }
            let (payload, more) = stretch.split_at(n as usize);
            stretch = more;
            let key = Some(keys.take()?);
            if n == size {
                self.said += 1;
                match &mut self.codec {
                    None => encode::message(Kind::Binary, payload, key, out),
                    Some(codec) => {
                        codec.encode(Kind::Binary, payload, key, &mut deflate.compressing, out);
                    }
                }
                continue;
            }
            let is_end = within + n == size;
            let opcode = if within == 0 { OpCode::Binary } else { OpCode::Continuation };
            let first = First { fin: is_end, rsv1: false, opcode };
            encode::frame(first, payload, key, out);
            (self.said, self.within) =
                if is_end { (self.said + 1, 0) } else { (self.said, within + n) };
        }
        Continue(())
    }

    pub(super) fn is_due(&self, in_flight: &InFlight, shared: &Shared) -> bool {
        match &self.state {
            State::Opening(opening) => !opening.is_asked(),
            State::Open if shared.fan.is_some() => false,
            State::Open => in_flight.asked() > self.said,
            State::Leaving | State::Over(_) | State::Moving => false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// It answers itself, or has heard another one.
    pub(super) fn is_served(&self) -> bool {
        self.is_mirror || self.ear.is_member
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.is_open()
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over(_) | State::Moving)
    }

    pub(super) fn overdue(&self) -> Fate {
        match &self.state {
            State::Over(fate) => (**fate).clone(),
            State::Opening(_) | State::Open | State::Leaving | State::Moving => Fate::Hung,
        }
    }

    pub(super) fn end(&mut self, reset: bool) -> Ending {
        match &mut self.state {
            State::Over(fate) => Ending::Known((**fate).clone()),
            State::Moving => Ending::Reopen,
            State::Open | State::Leaving => Ending::Silent,
            State::Opening(opening) => opening.end(reset),
        }
    }

    pub(super) fn leave(&mut self, shared: &mut Shared) -> Life<bool> {
        if matches!(self.state, State::Opening(_)) {
            return Continue(false);
        }
        if self.is_open() {
            self.close(Some(CloseCode::NORMAL), "", &mut shared.keys, &mut shared.out)?;
            self.state = State::Leaving;
        }
        Continue(true)
    }

    /// Begins anew on another connection, where all was answered on this one.
    pub(super) fn restart(&mut self, in_flight: &InFlight, shared: &mut Shared) -> Life {
        self.clear(shared);
        *self = WebSocket::new(&mut shared.keys)?;
        self.said = in_flight.answered();
        Continue(())
    }

    /// A byte of the message that is coming in was wrong.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// What a connection does that is not open.
    pub(super) fn phase(&self) -> Phase {
        match self.state {
            State::Opening(_) => Phase::Handshake,
            State::Leaving => Phase::Close,
            State::Open | State::Over(_) | State::Moving => Phase::Receive,
        }
    }

    pub(super) fn clear(&mut self, shared: &mut Shared) {
        self.decoder.clear(&mut shared.assembly, &mut shared.pool);
        if let Some(codec) = self.codec.take() {
            codec.clear(&mut shared.deflate);
        }
        if let State::Opening(opening) = &mut self.state {
            opening.clear(&mut shared.pool);
        }
    }
}

/// What follows the header of a binary message of `size` bytes in one frame of a server, if `bytes`
/// begin with that.
fn begin_answer(bytes: &[u8], size: u64) -> Option<&[u8]> {
    let (first, rest) = bytes.split_first()?;
    let (len, rest) = rest.split_first()?;
    let (said, rest) = match *len {
        len @ ..=125 => (u64::from(len), rest),
        126 if size > 125 => {
            let (len, rest) = rest.split_first_chunk()?;
            (u64::from(u16::from_be_bytes(*len)), rest)
        }
        127 if size > 0xffff => {
            let (len, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*len), rest)
        }
        _ => return None,
    };
    (*first == First::whole(OpCode::Binary).bits() && said == size).then_some(rest)
}

/// What the oldest ping in flight says, or the next: there is never more than one.
fn number_of_ping(in_flight: &InFlight) -> [u8; 8] {
    in_flight.answered().to_be_bytes()
}

fn failed(error: WsError) -> Fate {
    Fate::Failed(format!("WebSocket: {error}"))
}
