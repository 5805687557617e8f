//! WebSocket: messages both ways until one side says close.
//!
//! **What.** The part of [`Session`] that pulls events from the decoder, inflates what is
//! compressed, gives messages to the service, answers pings and does the closing handshake.
//!
//! **Why this way.** The codec knows frames and messages; what to answer is decided here, in one
//! loop. Every protocol error is told in a close frame with the code and the words that RFC 6455
//! has for it, and then the connection lingers, so that the peer can read it.
//!
//! **Costs.** 40 bytes a connection; a message that lies whole in the read is unmasked and handed
//! out in place.
//!
//! **Read next.** `src/proto/ws/mod.rs`, `src/proto/ws/deflate/mod.rs`.

use super::stream::goes_on;
use super::{Desk, End, Expiry, Farewell, Session, SessionLimits, Speech};
use crate::clock::Time;
use crate::proto::ws::deflate::{self, Codec, Compressing};
use crate::proto::ws::{
    CloseCode, Decoder, Event, Kind, Role, Whole, WsError, encode, open_long, open_short,
};
use crate::service::{Encoding, Mail, Outbound, Service};
use std::ops::Range;

/// The state of an upgraded connection.
#[derive(Debug)]
pub(super) struct WebSocket {
    decoder: Decoder,
    /// When it was pinged, if nothing has come since.
    pinged_at: Option<Time>,
    /// If both sides have agreed to compress.
    codec: Option<Codec>,
}

impl WebSocket {
    pub(super) fn new(codec: Option<Codec>) -> WebSocket {
        WebSocket { decoder: Decoder::new(Role::Server), pinged_at: None, codec }
    }

    /// What came with the request is behind us. Now messages may be compressed: before, the client
    /// could not know that we agree.
    pub(super) fn answered(&mut self) {
        if self.codec.is_some() {
            self.decoder.expect_compressed();
        }
    }

    /// How answers to a message of this kind are sent.
    #[inline]
    pub(super) fn encoding<'a>(
        &'a mut self,
        kind: Kind,
        compressing: &'a mut Compressing,
    ) -> Encoding<'a> {
        match &mut self.codec {
            None => Encoding::WebSocket(kind),
            Some(codec) => Encoding::Deflate(kind, codec, compressing),
        }
    }

    /// The longest message that may be served where it lies, if that may be done now: nothing is
    /// unfinished, awaited or compressed.
    #[inline(always)]
    fn whole_bytes_max(&self, desk: &Desk) -> Option<usize> {
        let is_plain = self.pinged_at.is_none() && self.codec.is_none();
        self.decoder.whole_bytes_max(&desk.assembly).filter(|_| is_plain)
    }

    pub(super) fn inflates(&self) -> bool {
        self.codec.is_some()
    }

    pub(super) fn edition(&self) -> Option<deflate::WindowBits> {
        self.codec.as_ref()?.edition()
    }

    pub(super) fn expiry(
        &self,
        last_active: Time,
        limits: &SessionLimits,
    ) -> Option<(Time, Expiry)> {
        match self.pinged_at {
            Some(at) => {
                super::after(at, limits.pong_timeout_ms).map(|due| (due, Expiry::PongMissing))
            }
            None => {
                super::after(last_active, limits.ping_interval_ms).map(|due| (due, Expiry::Ping))
            }
        }
    }

    pub(super) fn ping(&mut self, now: Time, write: &mut Vec<u8>) {
        self.pinged_at = Some(now);
        encode::ping(b"", None, write);
    }

    pub(super) fn farewell(&self, why: Farewell, text: &str, write: &mut Vec<u8>) {
        let code = match why {
            Farewell::Drain => CloseCode::GOING_AWAY,
            Farewell::Idle | Farewell::RequestLate => CloseCode::TRY_AGAIN_LATER,
        };
        encode::close(Some(code), text, None, write);
    }

    pub(super) fn clear(&mut self, desk: &mut Desk) {
        self.decoder.clear(&mut desk.assembly, &mut desk.pool);
        if let Some(codec) = self.codec.take() {
            codec.clear(&mut desk.deflate);
        }
    }
}

/// The control frames of one second: they cost work and bring no message.
#[derive(Debug, Default)]
pub(super) struct Controls {
    /// Of the clock, modulo 2^16: one that comes round again after 18 hours goes on with a count
    /// that was within the limit.
    second: u16,
    frames: u16,
}

impl Controls {
    /// Counts one more at `now`; whether the second may have it. 0 is no limit.
    fn admit(&mut self, now: Time, per_s_max: u16) -> bool {
        let second = (now.as_ms() / 1_000) as u16;
        if second != self.second {
            *self = Controls { second, frames: 0 };
        }
        self.frames = self.frames.saturating_add(1);
        per_s_max == 0 || self.frames <= per_s_max
    }
}

impl<T: Default> Session<T> {
    /// Messages of one frame are all that most reads bring: they are served here, and may be
    /// answered where they lie. The rest of the read, from the first that is something else, is
    /// [heard](Self::hear) in full.
    #[inline(never)]
    pub(super) fn receive_frames<S: Service<State = T>>(
        &mut self,
        fresh: &mut [u8],
        service: &mut S,
        mail: &mut Mail,
        desk: &mut Desk,
    ) -> Result<(), End> {
        let Speech::WebSocket(websocket) = &self.speech else { return Err(End::Closes) };
        let Some(bytes_max) = websocket.whole_bytes_max(desk) else {
            return self.hear(fresh, service, mail, desk);
        };
        let (mut at, mut answers) = (0, 0..0);
        loop {
            while let Some(whole) = open_short(fresh, at, answers.end, bytes_max) {
                at = whole.end;
                if let Err(last) = self.serve(whole, fresh, &mut answers, service, mail, desk) {
                    return end(last, &fresh[answers], desk);
                }
            }
            if at == fresh.len() {
                desk.in_place = answers;
                return Ok(());
            }
            let Some(whole) = open_long(fresh, at, answers.end, bytes_max) else { break };
            at = whole.end;
            if let Err(last) = self.serve(whole, fresh, &mut answers, service, mail, desk) {
                return end(last, &fresh[answers], desk);
            }
        }
        desk.write_first(&fresh[answers]);
        self.hear(&mut fresh[at..], service, mail, desk)
    }

    /// Gives a message to the service. If it is sent back as it is, the answer stays in the read,
    /// behind `answers`; if something else is written, they go before it.
    #[inline(always)]
    fn serve<S: Service<State = T>>(
        &mut self,
        whole: Whole,
        fresh: &mut [u8],
        answers: &mut Range<usize>,
        service: &mut S,
        mail: &mut Mail,
        desk: &mut Desk,
    ) -> Result<(), End> {
        if !whole.is_valid(fresh) {
            return Err(End::WebSocket(WsError::InvalidUtf8));
        }
        let Whole { kind, payload, .. } = whole;
        let message = &fresh[payload.clone()];
        let out = Outbound::new(Encoding::WebSocket(kind), &mut desk.write, mail);
        let mut out = out.in_place_of(message);
        service.message(&mut self.state, message, &mut out);
        let (outcome, is_in_place) = (goes_on(&out), out.is_in_place());
        desk.messages += 1;
        if is_in_place {
            // It was opened where it follows the answers before it.
            let answer = encode::message_in_place(kind, payload, fresh);
            let start = if answers.end == 0 { answer.start } else { answers.start };
            *answers = start..answer.end;
        } else if !desk.write.is_empty() {
            desk.write_first(&fresh[std::mem::take(answers)]);
        }
        outcome
    }

    #[inline(never)]
    fn hear<S: Service<State = T>>(
        &mut self,
        mut rest: &mut [u8],
        service: &mut S,
        mail: &mut Mail,
        desk: &mut Desk,
    ) -> Result<(), End> {
        let Speech::WebSocket(websocket) = &mut self.speech else { return Err(End::Closes) };
        let was_pinged = websocket.pinged_at.take().is_some();
        loop {
            let event = websocket.decoder.next(&mut rest, &mut desk.assembly, &mut desk.pool);
            let (kind, message) = match event {
                Ok(None) => return Ok(()),
                Ok(Some(Event::Message(kind, message))) => (kind, message),
                Ok(Some(Event::Compressed(kind, payload))) => {
                    // Only a decoder that was told so expects them.
                    let Some(codec) = &mut websocket.codec else { return Err(End::Closes) };
                    let bytes_max = desk.limits.ws.message_bytes_max;
                    match codec.decode(kind, payload, bytes_max, &mut desk.deflate.inflating) {
                        Ok(message) => (kind, message),
                        Err(error) => return refuse(error, &mut desk.write),
                    }
                }
                Ok(Some(Event::Ping(_) | Event::Pong(_)))
                    if !self.controls.admit(desk.now, desk.limits.control_frames_per_s_max) =>
                {
                    return refuse(WsError::TooManyControlFrames, &mut desk.write);
                }
                Ok(Some(Event::Ping(payload))) => {
                    encode::pong(payload, None, &mut desk.write);
                    continue;
                }
                Ok(Some(Event::Pong(_))) => continue,
                Ok(Some(Event::Close(code, _))) => {
                    let code = CloseCode::echo(code, Role::Server);
                    encode::close(code, "", None, &mut desk.write);
                    // A peer that goes on after its close, or owes a pong, may still send.
                    let is_last = rest.is_empty() && !was_pinged;
                    return Err(if is_last { End::Parted } else { End::Closes });
                }
                Err(error) => return refuse(error, &mut desk.write),
            };
            let encoding = websocket.encoding(kind, &mut desk.deflate.compressing);
            let mut out = Outbound::new(encoding, &mut desk.write, mail);
            service.message(&mut self.state, message, &mut out);
            desk.messages += 1;
            if out.is_closed() {
                return part_with_service(&mut desk.write);
            }
        }
    }
}

/// Puts the last word behind `answers`: the service wants no more, or the peer did something wrong.
#[cold]
fn end(last: End, answers: &[u8], desk: &mut Desk) -> Result<(), End> {
    desk.write_first(answers);
    match last {
        End::WebSocket(error) => refuse(error, &mut desk.write),
        _ => part_with_service(&mut desk.write),
    }
}

/// The service wants no more.
#[cold]
fn part_with_service(write: &mut Vec<u8>) -> Result<(), End> {
    encode::close(Some(CloseCode::NORMAL), "", None, write);
    Err(End::Closes)
}

/// Tells the peer what it did wrong: the session's last word.
fn refuse(error: WsError, write: &mut Vec<u8>) -> Result<(), End> {
    encode::close(Some(error.close_code()), error.reason(), None, write);
    Err(End::WebSocket(error))
}

#[cfg(test)]
mod tests;
