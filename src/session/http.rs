//! HTTP/1.1 on a connection: requests one after the other, until one of them asks for a WebSocket.
//!
//! **What.** The part of [`Session`] that reads requests and answers them: a page that names the
//! endpoints, `/healthz`, a body posted to a byte-stream service, and the upgrade.
//!
//! **Why this way.** The upgrade is an assignment to the session's protocol; what stands behind the
//! request in the same bytes is already WebSocket. A malformed request ends the connection, because
//! nobody knows where the next one would begin; so does a refused upgrade.
//!
//! **Costs.** 56 bytes a connection, and a box while a body comes in. A head that comes whole is
//! read where it lies. What `/healthz` answers is written once a second and copied.
//!
//! **Read next.** `src/proto/http1/mod.rs`, `src/session/http/upgrade.rs`.

mod upgrade;

use super::{Desk, End, Expiry, Farewell, OUT_OF_BUFFERS, Routes, Session, SessionLimits, Speech};
use crate::buf::{Carry, Pool};
use crate::clock::Time;
use crate::proto::http1::{
    self, Body, CONTINUE, Date, Exchange, Extent, HeadScan, Method, Part, Request, Slots, Status,
    Version, encode, encode_head, encode_last_chunk,
};
use crate::proto::ws::deflate::Params;
use crate::service::{Encoding, Framing, Outbound, Service};
use upgrade::{exchange_of_refusal, upgrade};

const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";
/// Seconds after which a client that was refused may come again.
const RETRY_AFTER: &str = "Retry-After: 1\r\n";

/// Where a connection is between its requests.
#[derive(Debug)]
pub(super) struct Http {
    scan: HeadScan,
    stage: Stage,
    /// The beginning of a request's head.
    carry: Carry,
}

#[derive(Debug)]
enum Stage {
    /// Waits for the next request.
    Idle,
    /// A head is coming in since then; the first one since the connection is there.
    Head(Time),
    /// A body is. Boxed, because few requests have one.
    Body(Box<Incoming>),
}

/// A body that is coming in.
#[derive(Debug)]
struct Incoming {
    body: Body,
    exchange: Exchange,
    /// The service it goes to; none if it is only read away.
    route: Option<u16>,
    /// When its head was whole.
    since: Time,
    /// Bytes of it so far.
    bytes: u64,
    /// The response has begun, so that there can be no other.
    is_answered: bool,
}

impl Incoming {
    /// A body must not pause for long, and must keep up a least rate: bytes give time, but no more
    /// than they are worth.
    fn due(&self, last_active: Time, limits: &SessionLimits) -> Option<Time> {
        let paused = super::after(last_active, limits.head_timeout_ms)?;
        let per_s = limits.body_bytes_per_s_min;
        let earned_ms = self.bytes.saturating_mul(1_000).checked_div(per_s);
        let slow = earned_ms.map(|ms| self.since.plus_ms(limits.head_timeout_ms).plus_ms(ms));
        Some(slow.map_or(paused, |slow| slow.min(paused)))
    }
}

impl Http {
    pub(super) fn new(now: Time) -> Http {
        Http { scan: HeadScan::default(), stage: Stage::Head(now), carry: Carry::default() }
    }

    /// Gives back what it holds.
    pub(super) fn clear(&mut self, pool: &mut Pool) {
        self.carry.clear(pool);
    }

    /// No request has begun that is not answered.
    pub(super) fn is_between(&self) -> bool {
        self.scan.is_at_start() && !matches!(self.stage, Stage::Body(_))
    }

    pub(super) fn expiry(
        &self,
        last_active: Time,
        limits: &SessionLimits,
    ) -> Option<(Time, Expiry)> {
        let (due, expiry) = match &self.stage {
            Stage::Idle => (super::after(last_active, limits.keep_alive_ms), Expiry::Idle),
            Stage::Head(since) => {
                (super::after(*since, limits.head_timeout_ms), Expiry::RequestLate)
            }
            Stage::Body(incoming) => (incoming.due(last_active, limits), Expiry::RequestLate),
        };
        due.map(|due| (due, expiry))
    }

    pub(super) fn farewell(&self, why: Farewell, text: &str, date: &Date, write: &mut Vec<u8>) {
        // Who has asked for nothing is owed no answer.
        let is_owed = match &self.stage {
            Stage::Body(incoming) => !incoming.is_answered,
            Stage::Idle | Stage::Head(_) => !self.scan.is_at_start(),
        };
        if why == Farewell::RequestLate && is_owed {
            respond(Status::RequestTimeout, &[TEXT], text, Exchange::BROKEN, date, write);
        }
    }
}

/// Refuses a connection before it has asked for anything.
pub(super) fn refuse(text: &str, date: &Date, write: &mut Vec<u8>) {
    let headers = [TEXT, RETRY_AFTER];
    respond(Status::ServiceUnavailable, &headers, text, Exchange::BROKEN, date, write);
}

/// Refuses a connection that should have begun with TLS.
pub(super) fn refuse_plain(date: &Date, write: &mut Vec<u8>) {
    let text = "this port speaks TLS: use https://";
    respond(Status::BadRequest, &[TEXT], text, Exchange::BROKEN, date, write);
}

fn respond(
    status: Status,
    lines: &[&str],
    text: &str,
    exchange: Exchange,
    date: &Date,
    write: &mut Vec<u8>,
) {
    let body = [text.as_bytes(), b"\n"];
    encode(status, lines, &body, exchange, date, write);
}

/// What a request leads to.
enum Next {
    /// The response is written; a body that follows is read away.
    Answered(Exchange),
    /// Its body goes to a service.
    Posted(u16, Exchange),
    /// It was told that it may not: the connection ends.
    Forbidden,
    /// The connection speaks WebSocket from here on, perhaps with a subprotocol, and compressed if
    /// that was agreed on.
    Upgraded(u16, Option<&'static str>, Option<Params>),
}

impl<T: Default> Session<T> {
    pub(super) fn receive_http<R: Routes<Service: Service<State = T>>>(
        &mut self,
        fresh: &mut [u8],
        routes: &mut R,
        desk: &mut Desk,
    ) -> Result<(), End> {
        let outcome = self.serve_requests(fresh, routes, desk);
        // A second response would be taken for a part of the first.
        let is_answered = match &self.speech {
            Speech::Http(Http { stage: Stage::Body(incoming), .. }) => incoming.is_answered,
            _ => false,
        };
        let (date, write) = (&desk.date, &mut desk.write);
        match outcome {
            Err(End::Http(error)) if !is_answered => {
                let text = error.to_string();
                respond(error.status(), &[TEXT], &text, Exchange::BROKEN, date, write);
            }
            Err(End::Exhausted) if !is_answered => refuse(OUT_OF_BUFFERS, date, write),
            _ => {}
        }
        outcome
    }

    fn serve_requests<R: Routes<Service: Service<State = T>>>(
        &mut self,
        fresh: &mut [u8],
        routes: &mut R,
        desk: &mut Desk,
    ) -> Result<(), End> {
        let mut at = 0;
        while let Speech::Http(http) = &mut self.speech {
            if let Stage::Body(incoming) = &mut http.stage {
                let mut rest = &fresh[at..];
                if !take_body(incoming, &mut self.state, &mut rest, routes, desk)? {
                    return Ok(());
                }
                at = fresh.len() - rest.len();
                http.stage = Stage::Idle;
            }
            if at == fresh.len() {
                return Ok(());
            }
            if let Stage::Idle = http.stage {
                http.stage = Stage::Head(desk.now);
            }
            let (left, mut slots) = (&fresh[at..], Slots::new());
            if http.scan.is_at_start()
                && let Ok((mut request, length)) =
                    Request::parse(left, &desk.limits.http, &mut slots)
            {
                http.stage = Stage::Idle;
                at += length;
                self.serve_one(&mut request, fresh.len() - at, routes, desk)?;
            } else if let Some(length) = http.scan.feed(left, &desk.limits.http)? {
                at += length;
                self.serve_carried(&left[..length], fresh.len() - at, routes, desk)?;
            } else {
                http.carry.append(left, &mut desk.pool)?;
                return Ok(());
            }
        }
        let Some(route) = self.route else { return Err(End::Closes) };
        let (service, mail) = routes.service(route);
        let outcome = self.receive_frames(&mut fresh[at..], service, mail, desk);
        if let Speech::WebSocket(websocket) = &mut self.speech {
            websocket.answered();
        }
        outcome
    }

    /// The same as [`serve_one`](Session::serve_one) for a head whose `last` bytes have come behind
    /// others, or that cannot be taken.
    #[inline(never)]
    fn serve_carried<R: Routes<Service: Service<State = T>>>(
        &mut self,
        last: &[u8],
        behind: usize,
        routes: &mut R,
        desk: &mut Desk,
    ) -> Result<(), End> {
        let Speech::Http(http) = &mut self.speech else { return Ok(()) };
        http.stage = Stage::Idle;
        let mut carry = std::mem::take(&mut http.carry);
        let mut serve = |head: &[u8], desk: &mut Desk| {
            let mut slots = Slots::new();
            let (mut request, _) = Request::parse(head, &desk.limits.http, &mut slots)?;
            self.serve_one(&mut request, behind, routes, desk)
        };
        if carry.is_empty() {
            return serve(last, desk);
        }
        let outcome = match carry.append(last, &mut desk.pool) {
            Ok(()) => serve(carry.bytes(), desk),
            Err(exhausted) => Err(exhausted.into()),
        };
        carry.clear(&mut desk.pool);
        outcome
    }

    /// Answers one request, or sees to it that its body is. `behind` its head so many bytes have
    /// come.
    fn serve_one<R: Routes<Service: Service<State = T>>>(
        &mut self,
        request: &mut Request<'_>,
        behind: usize,
        routes: &mut R,
        desk: &mut Desk,
    ) -> Result<(), End> {
        // Requests that have come already are answered too: it is said with the last of them.
        request.keep_alive &= !(desk.is_ending && is_last(request.extent, behind));
        // Before anything is answered: its length may be over the limit.
        let body = Body::new(request.extent, &desk.limits.http).map_err(End::Http)?;
        let (route, exchange) = match answer(request, routes, desk) {
            Next::Upgraded(route, subprotocol, agreed) => {
                return self.begin_websocket(route, subprotocol, agreed, routes, desk);
            }
            Next::Forbidden => return Err(End::OriginForbidden),
            Next::Posted(route, exchange) => (Some(route), exchange),
            Next::Answered(exchange) => (None, exchange),
        };
        if route.is_none() && (request.extent.is_empty() || !exchange.keep_alive) {
            return goes_on(exchange);
        }
        if let Speech::Http(http) = &mut self.speech {
            let (since, is_answered) = (desk.now, route.is_none());
            let incoming = Incoming { body, exchange, route, since, bytes: 0, is_answered };
            http.stage = Stage::Body(Box::new(incoming));
        }
        Ok(())
    }
}

/// Whether the bytes behind a head are its body's at most. Of chunks nobody knows it beforehand.
fn is_last(extent: Extent, behind: usize) -> bool {
    match extent {
        Extent::None => behind == 0,
        Extent::Length(bytes) => behind as u64 <= bytes,
        Extent::Chunked | Extent::UntilClose => false,
    }
}

/// Takes what is there of a body; whether that was the end of it.
fn take_body<R: Routes>(
    incoming: &mut Incoming,
    state: &mut <R::Service as Service>::State,
    rest: &mut &[u8],
    routes: &mut R,
    desk: &mut Desk,
) -> Result<bool, End> {
    let chunks = incoming.exchange.version == Version::Http11;
    let mut closes = false;
    loop {
        let part = if closes { Part::End } else { incoming.body.decode(rest)? };
        // Not before: what is wrong with the body until then has a status of its own.
        if part != Part::More && !std::mem::replace(&mut incoming.is_answered, true) {
            begin_response(incoming.exchange, desk);
        }
        if let Part::Data(data) = part {
            incoming.bytes += data.len() as u64;
        }
        match (part, incoming.route) {
            (Part::More, _) => return Ok(false),
            (Part::Data(_), None) => {}
            (Part::Data(data), Some(route)) => {
                let (service, mail) = routes.service(route);
                let encoding = if chunks { Encoding::Chunks } else { Encoding::Rest };
                let mut out = Outbound::new(encoding, &mut desk.write, mail);
                service.message(state, data, &mut out);
                desk.messages += 1;
                closes = out.is_closed();
            }
            (Part::End, route) => {
                if route.is_some() && chunks {
                    encode_last_chunk(&mut desk.write);
                }
                let exchange = incoming.exchange;
                return if closes { Err(End::Closes) } else { goes_on(exchange).map(|()| true) };
            }
        }
    }
}

fn goes_on(exchange: Exchange) -> Result<(), End> {
    if exchange.keep_alive { Ok(()) } else { Err(End::Closes) }
}

/// Decides over a request and writes the response, as far as there is one already.
fn answer<R: Routes>(request: &Request<'_>, routes: &mut R, desk: &mut Desk) -> Next {
    let exchange = exchange_of_refusal(request);
    let (date, reads) = (&desk.date, matches!(request.method, Method::Get | Method::Head));
    let mut say = |status, lines: &[&str], text: &str, exchange| {
        respond(status, lines, text, exchange, date, &mut desk.write);
        Next::Answered(exchange)
    };
    let route = match (request.path, routes.find(request.path)) {
        (_, Some(route)) => route,
        (b"/" | b"/healthz", None) if !reads => {
            let headers = [TEXT, "Allow: GET, HEAD\r\n"];
            return say(Status::MethodNotAllowed, &headers, "read it with GET", exchange);
        }
        (b"/", None) => return say(Status::Ok, &[TEXT], &page(routes), exchange),
        (b"/healthz", None) if exchange == Exchange::PLAIN => {
            desk.healthz.append(date, &mut desk.write, |out| {
                respond(Status::Ok, &[TEXT], "ok", exchange, date, out);
            });
            return Next::Answered(exchange);
        }
        (b"/healthz", None) => return say(Status::Ok, &[TEXT], "ok", exchange),
        _ => return say(Status::NotFound, &[TEXT], "not found; see GET /", exchange),
    };
    let posts = routes.service(route).0.framing() == Framing::Bytes;
    match request.method {
        Method::Get => {
            let spoken = routes.service(route).0.subprotocols();
            upgrade(request, route, spoken, exchange, desk)
        }
        Method::Post if posts && request.extent == Extent::None => {
            say(Status::LengthRequired, &[TEXT], "a POST has a body", exchange.closing())
        }
        Method::Post if posts => post(request, route, desk),
        _ if posts => {
            let headers = [TEXT, "Allow: GET, POST\r\n"];
            say(Status::MethodNotAllowed, &headers, "by WebSocket or POST", exchange)
        }
        _ => {
            let headers = [TEXT, "Allow: GET\r\n"];
            say(Status::MethodNotAllowed, &headers, "only by WebSocket", exchange)
        }
    }
}

/// Says how it goes on after a body that a service gets.
fn post(request: &Request<'_>, route: u16, desk: &mut Desk) -> Next {
    if request.expects_continue {
        desk.write.extend_from_slice(CONTINUE);
    }
    // HTTP/1.0 has no chunks: the end of the connection is the end of the body.
    let exchange = match request.version {
        Version::Http11 => request.exchange(),
        Version::Http10 => request.exchange().closing(),
    };
    Next::Posted(route, exchange)
}

/// Begins the response to a body whose end is yet to come.
fn begin_response(exchange: Exchange, desk: &mut Desk) {
    let extent = match exchange.version {
        Version::Http11 => Extent::Chunked,
        Version::Http10 => Extent::None,
    };
    let octets = ["Content-Type: application/octet-stream\r\n"];
    encode_head(Status::Ok, &octets, extent, exchange, &desk.date, &mut desk.write);
}

/// What `GET /` shows until there is something better to look at.
fn page<R: Routes>(routes: &mut R) -> String {
    let paths: Vec<String> = routes.paths().map(str::to_owned).collect();
    let mut text = String::from("oneloop\n\n/healthz   GET\n");
    for path in paths {
        let Some(route) = routes.find(path.as_bytes()) else { continue };
        let posts = routes.service(route).0.framing() == Framing::Bytes;
        let post = if posts { ", POST" } else { "" };
        text.push_str(&format!("{path:10} WebSocket{post}\n"));
    }
    text.pop();
    text
}

impl From<http1::Error> for End {
    fn from(error: http1::Error) -> Self {
        End::Http(error)
    }
}

#[cfg(test)]
mod tests;
