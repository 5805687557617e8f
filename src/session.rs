//! One connection's protocol joined to one service: bytes in, bytes out.
//!
//! **What.** [`Session::receive`] cuts fresh bytes into messages and hands each to the service,
//! whose answers land on the worker's [`Desk`]. What is not a whole message yet is carried to
//! the next read. [`Session::expiry`] says when it wants to be looked at if nothing comes.
//!
//! **Why this way.** Pure (sans-I/O): no socket, no clock, so every rule is tested on slices at
//! every split. The protocol is an inline enum, so that changing it (HTTP becomes WebSocket) is an
//! assignment: no allocation, and the socket stays where it is.
//!
//! **Costs.** Messages are borrowed where they lie; only the tail of a read that ends inside a
//! message is copied. 64 bytes a connection at the most.
//!
//! **Read next.** `src/session/stream.rs`, `src/session/http.rs`, `src/session/websocket.rs`; then
//! `src/server/pump.rs` which does the I/O around it.

mod desk;
mod http;
mod stream;
mod websocket;

pub use desk::Desk;

use crate::buf::{Carry, Exhausted};
use crate::clock::Time;
use crate::proto::http1::{self, Date};
use crate::proto::ws::{self, WsError, deflate};
use crate::service::{Framing, Mail, Service};
use http::Http;
use websocket::{Controls, WebSocket};

/// Why a session goes on no more. What it has to say of that, in the protocol's own words, is on
/// the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has said its last word: the service wanted that, or the protocol does.
    Closes,
    /// So has the peer, before it: nothing more is to come.
    Parted,
    /// A line is longer than the limit.
    LineTooLong,
    /// No block is left to carry the message in.
    Exhausted,
    /// A page that may not asked for a WebSocket.
    OriginForbidden,
    /// A request that is malformed or over a limit.
    Http(http1::Error),
    /// Frames that are malformed or over a limit.
    WebSocket(WsError),
}

impl From<Exhausted> for End {
    fn from(_: Exhausted) -> Self {
        End::Exhausted
    }
}

/// What a client hears for whom there is no block left.
const OUT_OF_BUFFERS: &str = "out of buffers; try again later";

/// What sessions may use up, and how long they may take. A time of 0 is no limit.
#[derive(Clone, Debug)]
pub struct SessionLimits {
    /// Bytes of a line, its ending included; at most [`BLOCK_BYTES`](crate::buf::BLOCK_BYTES).
    pub line_bytes_max: usize,
    /// Bytes and headers of a request.
    pub http: http1::Limits,
    /// Bytes and fragments of a WebSocket message.
    pub ws: ws::Limits,
    /// The transport's own handshake must be done so long after the connection was taken in.
    pub handshake_timeout_ms: u64,
    /// A stream on which no byte moved for so long is closed.
    pub idle_timeout_ms: u64,
    /// A request's head must be whole so long after its first byte; bytes do not reset it. A body
    /// may pause for so long.
    pub head_timeout_ms: u64,
    /// A body must bring so many bytes a second, behind a first `head_timeout_ms`.
    pub body_bytes_per_s_min: u64,
    /// A connection that waits for the next request is closed after so long.
    pub keep_alive_ms: u64,
    /// Pings and pongs that a WebSocket may send in one second; 0 is no limit.
    pub control_frames_per_s_max: u16,
    /// A WebSocket on which nothing moved for so long is pinged.
    pub ping_interval_ms: u64,
    /// Something must come so long after a ping.
    pub pong_timeout_ms: u64,
    /// Origins that may open WebSockets beside the server's own; `*` stands for all.
    pub allow_origin: Vec<String>,
}

/// The services that a session may be joined to, by number.
pub trait Routes {
    /// What they are.
    type Service: Service;
    /// The route that an HTTP path names.
    fn find(&self, path: &[u8]) -> Option<u16>;
    /// All paths, for those who look around.
    fn paths(&self) -> impl Iterator<Item = &str>;
    /// The service behind a route, and its mail.
    fn service(&mut self, route: u16) -> (&mut Self::Service, &mut Mail);
}

/// What is due when nothing has come for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It was idle for too long.
    Idle,
    /// The transport's own handshake is not done in time.
    HandshakeLate,
    /// A request is not whole in time.
    RequestLate,
    /// The peer is to be asked whether it is still there.
    Ping,
    /// It was asked and did not answer.
    PongMissing,
}

/// Why the server ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The server is going away.
    Drain,
    /// The connection made room for another one, or was idle for too long.
    Idle,
    /// A request was not whole in time.
    RequestLate,
}

#[derive(Debug)]
enum Speech {
    /// Nothing yet: the transport's own handshake is under way, since then.
    Handshake(Time),
    Bytes,
    /// With the beginning of a line.
    Lines(Carry),
    Http(Http),
    WebSocket(WebSocket),
}

/// The protocol state of one connection, and what the service remembers of it.
#[derive(Debug)]
pub struct Session<T> {
    speech: Speech,
    /// The service it is joined to; none while it speaks HTTP.
    route: Option<u16>,
    /// Of a WebSocket. It stands here because there are four bytes to spare.
    controls: Controls,
    /// The service's.
    pub state: T,
}

const _: () = assert!(size_of::<Session<()>>() <= 64);

impl<T: Default> Session<T> {
    /// A stream session, joined to its service from the beginning.
    pub fn stream(framing: Framing, route: u16) -> Session<T> {
        let speech = match framing {
            Framing::Bytes => Speech::Bytes,
            Framing::Lines => Speech::Lines(Carry::default()),
        };
        Session::begin(speech, Some(route))
    }

    /// What stands for a session until the transport's own handshake is done. Services do not know
    /// of it yet.
    pub fn handshake(now: Time) -> Session<T> {
        Session::begin(Speech::Handshake(now), None)
    }

    /// A session that begins with HTTP.
    pub fn http(now: Time) -> Session<T> {
        Session::begin(Speech::Http(Http::new(now)), None)
    }

    fn begin(speech: Speech, route: Option<u16>) -> Session<T> {
        Session { speech, route, controls: Controls::default(), state: T::default() }
    }

    /// The service that it is joined to, if it is.
    pub fn route(&self) -> Option<u16> {
        self.route
    }

    /// Handles `fresh` bytes. It may unmask them in place, and leave answers there.
    ///
    /// # Errors
    /// See [`End`]; answers to earlier messages are on the desk all the same.
    pub fn receive<R: Routes<Service: Service<State = T>>>(
        &mut self,
        fresh: &mut [u8],
        routes: &mut R,
        desk: &mut Desk,
    ) -> Result<(), End> {
        match (&self.speech, self.route) {
            (Speech::Handshake(_), _) => Ok(()),
            (Speech::Http(_), _) => self.receive_http(fresh, routes, desk),
            (_, Some(route)) => {
                let (service, mail) = routes.service(route);
                self.receive_joined(fresh, service, mail, desk)
            }
            (_, None) => Err(End::Closes),
        }
    }

    /// The same for a session that is joined to its service already.
    ///
    /// # Errors
    /// As [`receive`](Session::receive).
    #[inline(always)]
    pub fn receive_joined<S: Service<State = T>>(
        &mut self,
        fresh: &mut [u8],
        service: &mut S,
        mail: &mut Mail,
        desk: &mut Desk,
    ) -> Result<(), End> {
        // One after the other, bytes first, who have least to do: a `match` on three of five looks
        // the place up in a table.
        if let Speech::Bytes = &self.speech {
            self.receive_bytes(fresh, service, mail, desk)
        } else if let Speech::WebSocket(_) = &self.speech {
            self.receive_frames(fresh, service, mail, desk)
        } else {
            self.receive_lines(fresh, service, mail, desk)
        }
    }

    /// The peer ended its side: a last line without an ending counts as one.
    pub fn receive_end<R: Routes<Service: Service<State = T>>>(
        &mut self,
        routes: &mut R,
        desk: &mut Desk,
    ) {
        if matches!(&self.speech, Speech::Lines(carry) if !carry.is_empty())
            && let Some(route) = self.route
        {
            let (service, mail) = routes.service(route);
            self.receive_last_line(service, mail, desk);
        }
    }

    /// When to look again if nothing comes, and what is due then. `last_active` is when a byte last
    /// moved. Never if there is nothing to wait for.
    pub fn expiry(&self, last_active: Time, limits: &SessionLimits) -> Option<(Time, Expiry)> {
        match &self.speech {
            Speech::Handshake(since) => {
                let due = after(*since, limits.handshake_timeout_ms);
                due.map(|due| (due, Expiry::HandshakeLate))
            }
            Speech::Bytes | Speech::Lines(_) => {
                after(last_active, limits.idle_timeout_ms).map(|due| (due, Expiry::Idle))
            }
            Speech::Http(http) => http.expiry(last_active, limits),
            Speech::WebSocket(websocket) => websocket.expiry(last_active, limits),
        }
    }

    /// When a peer that has ended its side has been silent for too long: it takes nothing of what
    /// it is still owed. Never if silence is not limited.
    pub fn patience(&self, last_active: Time, limits: &SessionLimits) -> Option<Time> {
        let SessionLimits { ping_interval_ms, pong_timeout_ms, .. } = *limits;
        let ms = match &self.speech {
            Speech::Handshake(_) => limits.handshake_timeout_ms,
            Speech::Bytes | Speech::Lines(_) => limits.idle_timeout_ms,
            Speech::Http(_) => limits.keep_alive_ms,
            // Who is never pinged, or need not answer, may be silent for ever.
            Speech::WebSocket(_) if ping_interval_ms == 0 || pong_timeout_ms == 0 => 0,
            Speech::WebSocket(_) => ping_interval_ms.saturating_add(pong_timeout_ms),
        };
        after(last_active, ms)
    }

    /// A ping is due: appends it.
    pub fn ping(&mut self, now: Time, write: &mut Vec<u8>) {
        if let Speech::WebSocket(websocket) = &mut self.speech {
            websocket.ping(now, write);
        }
    }

    /// Appends the server's last word: why it ends the session.
    pub fn farewell(&self, why: Farewell, text: &str, date: &Date, write: &mut Vec<u8>) {
        match &self.speech {
            Speech::Bytes | Speech::Lines(_) if why != Farewell::Drain => {
                write.extend_from_slice(format!("-ERR {text}\n").as_bytes());
            }
            Speech::Handshake(_) | Speech::Bytes | Speech::Lines(_) => {}
            Speech::Http(http) => http.farewell(why, text, date, write),
            Speech::WebSocket(websocket) => websocket.farewell(why, text, write),
        }
    }

    /// The longest message that comes in one piece however long the reads are, and may be answered
    /// in one; 0 where reads bound it.
    pub fn message_bytes_max(&self, limits: &SessionLimits) -> usize {
        match &self.speech {
            Speech::Handshake(_) | Speech::Bytes | Speech::Lines(_) | Speech::Http(_) => 0,
            Speech::WebSocket(_) => limits.ws.message_bytes_max,
        }
    }

    /// It speaks WebSocket and has agreed to compress: a few bytes of it may say a great deal.
    pub fn inflates(&self) -> bool {
        matches!(&self.speech, Speech::WebSocket(websocket) if websocket.inflates())
    }

    /// Which edition of a broadcast it is to be sent; none: the plain one.
    pub fn edition(&self) -> Option<deflate::WindowBits> {
        match &self.speech {
            Speech::WebSocket(websocket) => websocket.edition(),
            _ => None,
        }
    }

    /// The transport's own handshake is under way.
    pub fn is_handshake(&self) -> bool {
        matches!(self.speech, Speech::Handshake(_))
    }

    /// It speaks HTTP, and its deadlines move with the requests.
    pub fn is_http(&self) -> bool {
        matches!(self.speech, Speech::Http(_))
    }

    /// No message has begun that has not ended, and it was not upgraded: it would lose nothing if
    /// it ended.
    pub fn is_expendable(&self) -> bool {
        match &self.speech {
            Speech::Handshake(_) | Speech::Bytes => true,
            Speech::Lines(carry) => carry.is_empty(),
            Speech::Http(http) => http.is_between(),
            Speech::WebSocket(_) => false,
        }
    }

    /// Gives back what the session holds.
    pub fn clear(&mut self, desk: &mut Desk) {
        match &mut self.speech {
            Speech::Handshake(_) | Speech::Bytes => {}
            Speech::Lines(carry) => carry.clear(&mut desk.pool),
            Speech::Http(http) => http.clear(&mut desk.pool),
            Speech::WebSocket(websocket) => websocket.clear(desk),
        }
    }
}

/// The words in which a listener refuses a connection before there is a session: a line, or a
/// response.
pub fn refusal(is_http: bool, text: &str, date: &Date, write: &mut Vec<u8>) {
    if is_http {
        http::refuse(text, date, write);
    } else {
        write.extend_from_slice(format!("-ERR {text}\n").as_bytes());
    }
}

/// The words for a peer that speaks plainly where TLS is spoken.
pub fn tls_wanted(is_http: bool, date: &Date, write: &mut Vec<u8>) {
    if is_http {
        http::refuse_plain(date, write);
    } else {
        write.extend_from_slice(b"-ERR this port speaks TLS\n");
    }
}

/// `ms` after `time`; never if there is no limit.
fn after(time: Time, ms: u64) -> Option<Time> {
    (ms != 0).then(|| time.plus_ms(ms))
}

#[cfg(test)]
mod tests;
