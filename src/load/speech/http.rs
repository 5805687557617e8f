//! HTTP/1.1 from the client's side: one request after the other on a connection, or several.
//!
//! **What.** [`Http`] sends requests, as many at once as the depth allows (pipelining), reads the
//! responses in order, counts their statuses, and compares the bodies where they must be echoes.
//! [`Requests`] is what all connections of a run ask for.
//!
//! **Why this way.** All requests of a run that have bodies of the same size have the same head: it
//! is written once at the start, and bodies are stretches of the connection's pattern, so what is
//! to be sent next is two numbers. A server that announces the end of a connection (`Connection:
//! close`) has not failed: the next request goes over a new one, and so does what was pipelined
//! behind, which it has not looked at. If it announces that with a status of 400 or above it has
//! refused the client, and said why.
//!
//! **Costs.** A copy of the head a request; a response is read where it lies. 104 bytes a
//! connection.
//!
//! **Read next.** `src/proto/http1/reply.rs`.

use super::refusal::Refusal;
use super::{Desk, Ending, Next};
use crate::load::client::{Life, Shared, Words};
use crate::load::fates::Fate;
use crate::load::in_flight::InFlight;
use crate::load::pattern::SPAN_BYTES;
use crate::net::Target;
use crate::proto::http1::{Limits, Method, ReplyError, ReplyPart, ReplyReader, Slots};
use crate::reactor::ConnId;
use std::ops::ControlFlow::{Break, Continue};

/// A body is compared and dropped, so a large one costs time and no memory.
const LIMITS: Limits = Limits {
    head_bytes_max: 16 * 1024,
    headers_max: 128,
    body_bytes_max: 1 << 32,
    chunk_extra_bytes_max: 1 << 20,
};

/// What is asked for, by every connection alike.
pub(in crate::load) struct Requests {
    /// Request line and headers up to the body, for each size of body.
    heads: Vec<Vec<u8>>,
    has_body: bool,
    /// The answers have no bodies.
    is_head: bool,
    /// The body must come back.
    is_echo: bool,
}

impl Requests {
    /// Requests to `target`; with a body of one of these `sizes` if the method has one. The body is
    /// expected back from a path that ends in `/echo`.
    pub(in crate::load) fn new(target: &Target, method: Method, sizes: &[u64]) -> Requests {
        let has_body = method.has_body();
        let (name, version) = (method.name(), env!("CARGO_PKG_VERSION"));
        let head = format!(
            "{name} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: oneloop/{version}\r\n",
            target.path, target.host
        );
        let heads = sizes.iter().map(|size| match has_body {
            true => format!("{head}Content-Length: {size}\r\n\r\n").into_bytes(),
            false => format!("{head}\r\n").into_bytes(),
        });
        Requests {
            heads: heads.collect(),
            has_body,
            is_head: method == Method::Head,
            is_echo: Requests::is_echo(target, method),
        }
    }

    /// Whether the body must come back.
    pub(in crate::load) fn is_echo(target: &Target, method: Method) -> bool {
        let path = target.path.split('?').next().unwrap_or_default();
        method.has_body() && path.ends_with("/echo")
    }

    /// The head of request `number` of connection `id`, and the bytes of its body.
    fn of(&self, id: ConnId, number: u64, words: &Words) -> (&[u8], u64) {
        let class = words.sizes.class(id, number);
        (&self.heads[class], if self.has_body { words.sizes.classes()[class] } else { 0 })
    }
}

/// One connection's requests and responses.
#[derive(Default)]
pub(in crate::load) struct Http {
    reader: ReplyReader,
    /// Requests that were said whole; at most `asked`.
    said: u64,
    /// Bytes of the next one that were said.
    within: usize,
    incoming: Incoming,
    /// What is coming in refuses the client.
    refusal: Option<Box<Refusal>>,
}

/// The response that is coming in.
#[derive(Default)]
struct Incoming {
    status: u16,
    /// The connection ends with it.
    is_last: bool,
    /// A byte of its body was wrong.
    is_damaged: bool,
    /// Bytes of its body so far.
    body_bytes: u64,
}

impl Incoming {
    /// A stretch of the body came in.
    fn compare(&mut self, data: &[u8], desk: &Desk<'_>) {
        let Shared { requests, words, .. } = &*desk.shared;
        if requests.is_echo && self.status == 200 {
            let begin = words.begin(desk.id, desk.in_flight.answered()) + self.body_bytes;
            self.is_damaged |= !words.matches(desk.id, begin, data);
        }
        self.body_bytes += data.len() as u64;
    }
}

impl Http {
    /// Takes bytes that came in.
    pub(super) fn receive(&mut self, fresh: &[u8], desk: &mut Desk<'_>) -> Life<Next> {
        let mut rest = fresh;
        loop {
            let mut slots = Slots::new();
            let (is_head, pool) = (desk.shared.requests.is_head, &mut desk.shared.pool);
            match self.reader.next(&mut rest, is_head, &LIMITS, pool, &mut slots) {
                Err(error) => return Break(failed(error)),
                Ok(ReplyPart::More) => return Continue(Next::Go),
                Ok(ReplyPart::Head(reply)) if reply.status == 101 => {
                    return Break(Fate::Failed("HTTP: 101, and nobody asked for it".to_owned()));
                }
                Ok(ReplyPart::Head(reply)) if reply.status < 200 => {}
                Ok(ReplyPart::Head(reply)) => {
                    let (status, is_last) = (reply.status, !reply.keep_alive);
                    desk.shared.tally.count_status(status);
                    self.incoming = Incoming { status, is_last, ..Incoming::default() };
                    if is_last && status >= 400 {
                        self.refusal = Some(Box::new(Refusal::of(&reply)));
                    } else if desk.in_flight.len() == 0 {
                        let what = "HTTP: more answers came than were asked for";
                        return Break(Fate::Failed(what.to_owned()));
                    }
                }
                Ok(ReplyPart::Data(data)) => match &mut self.refusal {
                    Some(refusal) => refusal.add(data),
                    None => self.incoming.compare(data, desk),
                },
                Ok(ReplyPart::End) => {
                    if self.finish(desk)? == Next::Reopen {
                        return Continue(Next::Reopen);
                    }
                }
            }
        }
    }

    /// A response is whole.
    fn finish(&mut self, desk: &mut Desk<'_>) -> Life<Next> {
        if let Some(refusal) = &self.refusal {
            return Break(refusal.fate());
        }
        let Incoming { status, is_last, body_bytes, .. } = self.incoming;
        let is_damaged = std::mem::take(&mut self.incoming.is_damaged);
        if status >= 400 {
            desk.in_flight.answer(1);
            desk.shared.tally.messages.refused += 1;
        } else {
            let Shared { requests, words, .. } = &*desk.shared;
            let (_, size) = requests.of(desk.id, desk.in_flight.answered(), words);
            let is_whole = status == 200 && body_bytes == size;
            let right = !requests.is_echo || is_whole && !is_damaged;
            desk.answered(1, right);
        }
        Continue(if is_last { Next::Reopen } else { Next::Go })
    }

    /// Appends requests, as many as are due and fit into one write.
    pub(super) fn say(&mut self, id: ConnId, in_flight: &InFlight, shared: &mut Shared) {
        let Shared { requests, words, out, .. } = shared;
        let mut room = SPAN_BYTES;
        while self.said < in_flight.asked() && room > 0 {
            let (head, body_bytes) = requests.of(id, self.said, words);
            let piece = match self.within.checked_sub(head.len()) {
                None => &head[self.within..],
                Some(at) => {
                    let left = body_bytes - at as u64;
                    let body = words.at(id, words.begin(id, self.said) + at as u64);
                    &body[..left.min(body.len() as u64) as usize]
                }
            };
            let piece = &piece[..piece.len().min(room)];
            out.extend_from_slice(piece);
            (room, self.within) = (room - piece.len(), self.within + piece.len());
            if self.within as u64 == head.len() as u64 + body_bytes {
                (self.said, self.within) = (self.said + 1, 0);
            }
        }
    }

    pub(super) fn is_due(&self, in_flight: &InFlight) -> bool {
        in_flight.asked() > self.said
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.reader.is_between()
    }

    /// A byte of the body that is coming in was wrong.
    pub(super) fn is_damaged(&self) -> bool {
        self.incoming.is_damaged
    }

    pub(super) fn end(&mut self, reset: bool, desk: &mut Desk<'_>) -> Ending {
        match (self.reader.end(), &self.refusal) {
            (_, Some(refusal)) => Ending::Known(refusal.fate()),
            (_, None) if reset => Ending::Silent,
            (Err(error), None) => Ending::Known(failed(error)),
            (Ok(false), None) => Ending::Silent,
            (Ok(true), None) => match self.finish(desk) {
                Break(fate) => Ending::Known(fate),
                Continue(_) => Ending::Reopen,
            },
        }
    }

    pub(super) fn restart(&mut self, in_flight: &InFlight, shared: &mut Shared) {
        self.clear(shared);
        (self.said, self.within) = (in_flight.answered(), 0);
    }

    pub(super) fn clear(&mut self, shared: &mut Shared) {
        self.reader.clear(&mut shared.pool);
    }
}

fn failed(error: ReplyError) -> Fate {
    Fate::Failed(format!("HTTP: {error}"))
}
