//! A WebSocket's upgrade, from the client's side.
//!
//! **What.** [`Opening`] asks for the upgrade and reads the answer: a proper yes with what was
//! agreed on, or the server's reasons why not.
//!
//! **Why this way.** It lives in a box for as long as the handshake takes: a connection pays for it
//! only then.
//!
//! **Costs.** The box; a request is written, and its answer read where it lies.
//!
//! **Read next.** `src/proto/ws/handshake/client.rs`.

use super::refusal::Refusal;
use super::{Desk, Ending};
use crate::buf::Pool;
use crate::load::client::{Life, Shared};
use crate::load::fates::Fate;
use crate::load::keys::Keys;
use crate::proto::http1::{Limits, Reply, ReplyPart, ReplyReader, Slots};
use crate::proto::ws::deflate::Params;
use crate::proto::ws::handshake::client::{self, Key};
use std::ops::ControlFlow::{Break, Continue};

/// The extension that is asked for, if any is.
const EXTENSION: &str = "permessage-deflate";

/// How messages are compressed, if they are.
pub(super) type Agreed = Option<Params>;

/// An upgrade under way.
pub(super) struct Opening {
    key: Key,
    /// The request is sent.
    is_asked: bool,
    reader: ReplyReader,
    /// The server does not want to.
    refusal: Option<Refusal>,
}

impl Opening {
    /// Not asked for yet, with a key of its own.
    pub(super) fn new(keys: &mut Keys) -> Life<Opening> {
        let key = Key::new(keys.take()?);
        let reader = ReplyReader::default();
        Continue(Opening { key, is_asked: false, reader, refusal: None })
    }

    /// Appends the request, once.
    pub(super) fn ask(&mut self, shared: &mut Shared) {
        let Shared { target, out, offer, .. } = shared;
        if !std::mem::replace(&mut self.is_asked, true) {
            client::request(&target.host, &target.path, &self.key, &[], offer, out);
        }
    }

    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Reads the answer. Once it is a proper yes: how many of the fresh bytes were its own, and
    /// what was agreed on.
    pub(super) fn read(
        &mut self,
        fresh: &[u8],
        desk: &mut Desk<'_>,
    ) -> Life<Option<(usize, Agreed)>> {
        let Shared { pool, offer, deflate, .. } = &mut *desk.shared;
        let mut rest = fresh;
        let agreed = loop {
            let mut slots = Slots::new();
            match self.reader.next(&mut rest, false, &Limits::default(), pool, &mut slots) {
                Err(error) => return Break(failed(error)),
                Ok(ReplyPart::More) => return Continue(None),
                Ok(ReplyPart::Head(reply)) if reply.status == 101 => {
                    let asked = if offer.is_empty() { &[][..] } else { &[EXTENSION] };
                    let is_good = client::verify(101, reply.headers(), &self.key, &[], asked);
                    match is_good.and_then(|_| deflate.verify(extensions(&reply))) {
                        Err(mismatch) => return Break(failed(mismatch)),
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

    /// What the end of the connection means; `reset` if not in peace.
    pub(super) fn end(&mut self, reset: bool) -> Ending {
        match (&self.refusal, self.reader.end()) {
            (Some(refusal), _) => Ending::Known(refusal.fate()),
            (None, Err(error)) if !reset => Ending::Known(failed(error)),
            (None, _) => Ending::Silent,
        }
    }

    /// Gives back what it holds.
    pub(super) fn clear(&mut self, pool: &mut Pool) {
        self.reader.clear(pool);
    }
}

/// What the server says of extensions.
fn extensions<'a>(reply: &Reply<'a>) -> impl Iterator<Item = &'a [u8]> {
    let named = |(name, _): &(&str, _)| name.eq_ignore_ascii_case("sec-websocket-extensions");
    reply.headers().filter(named).map(|(_, value)| value)
}

fn failed(error: impl std::fmt::Display) -> Fate {
    Fate::Failed(format!("upgrade: {error}"))
}
