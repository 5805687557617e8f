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
//! **Costs.** A message is copied once and masked there; an answer that lies whole in the read is
//! compared where it lies. 56 bytes a connection, and a box while it is being upgraded.
//!
//! **Read next.** `src/proto/ws/mod.rs`, `src/load/keys.rs`.

use super::Desk;
use super::Ending;
use super::refusal::Refusal;
use crate::load::client::{Life, Shared};
use crate::load::fates::{Fate, Phase};
use crate::load::in_flight::InFlight;
use crate::load::keys::Keys;
use crate::load::pattern::SPAN_BYTES;
use crate::load::shape::{Announcement, Ear, Hearing};
use crate::proto::http1::{Limits, Reply, ReplyPart, ReplyReader, Slots};
use crate::proto::ws::deflate::{Codec, Params};
use crate::proto::ws::encode::{self, First};
use crate::proto::ws::frame::OpCode;
use crate::proto::ws::handshake::client::{self, Key};
use crate::proto::ws::{self, CloseCode, Decoder, Event, Kind, Role, WsError};
use crate::reactor::ConnId;
use std::ops::ControlFlow::{Break, Continue};

/// The longest message that a client takes whatever it sends: what the Autobahn testsuite sends.
const MESSAGE_BYTES: usize = 16 << 20;
/// Fragments of a message; the same suite cuts that into pieces of 64 bytes.
const FRAGMENTS_MAX: u32 = 300_000;

/// The extension that is asked for, if any is.
const EXTENSION: &str = "permessage-deflate";

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

/// How messages are compressed, if they are.
type Agreed = Option<Params>;

/// An upgrade under way.
struct Opening {
    key: Key,
    /// The request is sent.
    is_asked: bool,
    reader: ReplyReader,
    /// The server does not want to.
    refusal: Option<Refusal>,
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
    /// It was upgraded, and sends back what comes.
    is_mirror: bool,
    /// What hears messages that another connection sent.
    ear: Ear,
}

impl WebSocket {
    pub(super) fn new(keys: &mut Keys) -> Life<WebSocket> {
        let opening = Opening {
            key: Key::new(keys.take()?),
            is_asked: false,
            reader: ReplyReader::default(),
            refusal: None,
        };
        let state = State::Opening(Box::new(opening));
        let decoder = Decoder::new(Role::Client);
        Continue(WebSocket {
            state,
            decoder,
            codec: None,
            said: 0,
            within: 0,
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

    /// Takes right answers that are a short frame each, as most are: what must come is known to the
    /// byte, so nothing needs to be decoded. How many bytes those were; from the first on that is
    /// anything else, the decoder reads.
    fn take_answers(&self, fresh: &[u8], desk: &mut Desk<'_>) -> usize {
        let Shared { idle, fan, .. } = &*desk.shared;
        let is_plain = self.codec.is_none() && !self.is_mirror && idle.is_none() && fan.is_none();
        if !is_plain || !self.decoder.is_between() || !self.is_open() {
            return 0;
        }
        let mut rest = fresh;
        while let &[first, len @ ..=125, ref after @ ..] = rest {
            let (id, number, words) = (desk.id, desk.in_flight.answered(), &desk.shared.words);
            let Some((message, after)) = after.split_at_checked(usize::from(len)) else { break };
            let is_right = desk.in_flight.len() > 0
                && first == First::whole(OpCode::Binary).bits()
                && words.sizes.size(id, number) == u64::from(len)
                && *message == words.at(id, words.begin(id, number))[..message.len()];
            if !is_right {
                break;
            }
            desk.answered(true);
            rest = after;
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
                    desk.answered(right);
                }
                Ok(Some(Event::Ping(payload))) => {
                    if matches!(self.state, State::Open) {
                        encode::pong(payload, Some(keys.take()?), out);
                    }
                }
                Ok(Some(Event::Pong(payload))) if idle.is_some() => {
                    if desk.in_flight.len() > 0 && *payload == number_of_ping(desk.in_flight) {
                        desk.answered(true);
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
        let Shared { target, words, keys, out, offer, deflate, .. } = shared;
        if let State::Opening(opening) = &mut self.state {
            if !std::mem::replace(&mut opening.is_asked, true) {
                client::request(&target.host, &target.path, &opening.key, &[], offer, out);
            }
            return Continue(());
        }
        if !self.is_open() {
            return Continue(());
        }
        if shared.fan.is_some() {
            return Continue(());
        }
        while self.said < in_flight.asked() && out.len() < SPAN_BYTES {
            let (size, within) = (words.sizes.size(id, self.said), self.within);
            let stretch = words.at(id, words.begin(id, self.said) + within);
            let n = (size - within).min(stretch.len() as u64);
            let is_end = within + n == size;
            (self.said, self.within) =
                if is_end { (self.said + 1, 0) } else { (self.said, within + n) };
            if let Some(codec) = self.codec.as_mut().filter(|_| n == size) {
                let (key, message) = (Some(keys.take()?), &stretch[..n as usize]);
                codec.encode(Kind::Binary, message, key, &mut deflate.compressing, out);
                continue;
            }
            let opcode = if within == 0 { OpCode::Binary } else { OpCode::Continuation };
            let first = First { fin: is_end, rsv1: false, opcode };
            encode::frame(first, &stretch[..n as usize], Some(keys.take()?), out);
        }
        Continue(())
    }

    pub(super) fn is_due(&self, in_flight: &InFlight, shared: &Shared) -> bool {
        match &self.state {
            State::Opening(opening) => !opening.is_asked,
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
            State::Opening(opening) => match (&opening.refusal, opening.reader.end()) {
                (Some(refusal), _) => Ending::Known(refusal.fate()),
                (None, Err(error)) if !reset => Ending::Known(opening_failed(error)),
                (None, _) => Ending::Silent,
            },
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
            opening.reader.clear(&mut shared.pool);
        }
    }
}

/// What the oldest ping in flight says, or the next: there is never more than one.
fn number_of_ping(in_flight: &InFlight) -> [u8; 8] {
    in_flight.answered().to_be_bytes()
}

impl Opening {
    /// Reads the answer. Once it is a proper yes: how many of the fresh bytes were its own, and
    /// what was agreed on.
    fn read(&mut self, fresh: &[u8], desk: &mut Desk<'_>) -> Life<Option<(usize, Agreed)>> {
        let Shared { pool, offer, deflate, .. } = &mut *desk.shared;
        let mut rest = fresh;
        let agreed = loop {
            let mut slots = Slots::new();
            match self.reader.next(&mut rest, false, &Limits::default(), pool, &mut slots) {
                Err(error) => return Break(opening_failed(error)),
                Ok(ReplyPart::More) => return Continue(None),
                Ok(ReplyPart::Head(reply)) if reply.status == 101 => {
                    let asked = if offer.is_empty() { &[][..] } else { &[EXTENSION] };
                    let is_good = client::verify(101, reply.headers(), &self.key, &[], asked);
                    match is_good.and_then(|_| deflate.verify(extensions(&reply))) {
                        Err(mismatch) => return Break(opening_failed(mismatch)),
                        Ok(agreed) => break agreed,
                    }
                }
                Ok(ReplyPart::Head(reply)) if reply.status < 200 => {}
                Ok(ReplyPart::Head(reply)) => self.refusal = Some(Refusal::of(&reply)),
                Ok(ReplyPart::Data(data)) => {
                    if let Some(refusal) = &mut self.refusal {
                        refusal.add(data);
                    }
                }
                Ok(ReplyPart::End) => {
                    if let Some(refusal) = &self.refusal {
                        return Break(refusal.fate());
                    }
                }
            }
        };
        let read = fresh.len() - rest.len();
        self.reader.clear(pool);
        Continue(Some((read, agreed)))
    }
}

/// What the server says of extensions.
fn extensions<'a>(reply: &Reply<'a>) -> impl Iterator<Item = &'a [u8]> {
    let named = |(name, _): &(&str, _)| name.eq_ignore_ascii_case("sec-websocket-extensions");
    reply.headers().filter(named).map(|(_, value)| value)
}

fn failed(error: WsError) -> Fate {
    Fate::Failed(format!("WebSocket: {error}"))
}

fn opening_failed(error: impl std::fmt::Display) -> Fate {
    Fate::Failed(format!("upgrade: {error}"))
}
