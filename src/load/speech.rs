//! What a connection speaks: the part of a client that does no I/O.
//!
//! **What.** A [`Speech`] is handed what arrived, compares and counts it, and says what is to be
//! sent next. It is an echo of plain bytes, lines for everybody, a WebSocket or HTTP.
//!
//! **Why this way.** As on the server's side (`src/session.rs`): an inline enum that sees bytes and
//! never a socket, so that TLS can come between the two, and each protocol is a file of its own. A
//! message that is not sent yet is a number and not a copy; only what a protocol wraps around it is
//! encoded, as much as one write takes.
//!
//! **Costs.** Static calls; 104 bytes a connection.
//!
//! **Read next.** `src/load/speech/echo.rs`, `src/load/speech/websocket.rs`,
//! `src/load/speech/http.rs`.

mod echo;
mod fan;
mod http;
mod opening;
mod refusal;
mod websocket;

use super::client::{Life, Shared};
use super::fates::{Fate, Phase};
use super::in_flight::{InFlight, Stamp};
use super::shape::{Announcement, Hearing};
use crate::clock::Time;
use crate::net::Dialect;
use crate::reactor::ConnId;
use echo::Echo;
use fan::Lines;
use http::Http;
pub(super) use http::Requests;
use std::ops::ControlFlow::Continue;
use websocket::WebSocket;
pub(super) use websocket::limits as websocket_limits;

/// What a speech works with while it handles one event of a connection.
pub(super) struct Desk<'a> {
    pub(super) id: ConnId,
    /// When it happened.
    pub(super) now: Time,
    pub(super) in_flight: &'a mut InFlight,
    pub(super) shared: &'a mut Shared,
}

impl Desk<'_> {
    /// Another message is to be sent.
    fn ask(&mut self) {
        self.in_flight.ask(Stamp::on_time(self.now), 1);
        self.shared.tally.messages.sent += 1;
    }

    /// What a receiver of a broadcast works with.
    fn hearing(&mut self) -> Hearing<'_> {
        let Shared { fan, words, tally, .. } = &mut *self.shared;
        Hearing { fan, words, tally, in_flight: self.in_flight, now: self.now }
    }

    /// The oldest `count` messages were answered, each of them rightly or none. Those that began
    /// together are booked together.
    #[inline]
    fn answered(&mut self, count: u64, right: bool) {
        let mut left = count;
        while left > 0 {
            let first = self.in_flight.answered();
            let (stamp, count) = self.in_flight.answer(left);
            let Shared { tally, words, .. } = &mut *self.shared;
            tally.count_answers(count, right, stamp, self.now);
            if right && !tally.sizes.is_empty() {
                for number in first..first + count {
                    tally.count_size(words.sizes.class(self.id, number), stamp, self.now);
                }
            }
            left -= count;
        }
    }
}

/// How it goes on after bytes came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// On this connection.
    Go,
    /// On another one: this one has served its time, and what is still owed is asked again.
    Reopen,
}

/// What the end of a connection means.
pub(super) enum Ending {
    /// What the speech knows better.
    Known(Fate),
    /// Nothing that the socket does not say.
    Silent,
    /// It was announced: on another connection it goes on.
    Reopen,
}

/// What is to be sent.
pub(super) enum Say {
    /// What lies in [`Shared::out`], if anything does.
    Out,
    /// So many of the connection's [`Words`](super::client::Words) from this position on.
    Words(u64, usize),
}

/// One connection's protocol.
pub(super) enum Speech {
    Echo(Echo),
    Lines(Lines),
    WebSocket(WebSocket),
    Http(Http),
}

impl Speech {
    /// At the beginning of a connection.
    pub(super) fn new(shared: &mut Shared) -> Life<Speech> {
        Continue(match shared.target.dialect {
            Dialect::Bytes if shared.fan.is_some() => Speech::Lines(Lines::default()),
            Dialect::Bytes => Speech::Echo(Echo::default()),
            Dialect::WebSocket => Speech::WebSocket(WebSocket::new(&mut shared.keys)?),
            Dialect::Http => Speech::Http(Http::default()),
        })
    }

    /// The connection is established. The first message follows as soon as can be: only its answer
    /// shows that the connection is served.
    pub(super) fn established(&mut self, desk: &mut Desk<'_>) {
        let is_first = desk.in_flight.asked() == 0;
        if is_first && matches!(self, Speech::Echo(_) | Speech::Http(_)) {
            desk.ask();
        }
    }

    /// Asks whether the server is still there: by a message, if there is no other way.
    pub(super) fn ping(&mut self, desk: &mut Desk<'_>) -> Life {
        match self {
            Speech::WebSocket(websocket) => return websocket.ping(desk),
            Speech::Echo(_) | Speech::Lines(_) | Speech::Http(_) => desk.ask(),
        }
        Continue(())
    }

    /// Says something to all, if that is its shape.
    pub(super) fn announce(&mut self, what: Announcement, shared: &mut Shared) -> Life {
        match self {
            Speech::Echo(_) | Speech::Http(_) => Continue(()),
            Speech::Lines(lines) => {
                lines.announce(what, shared);
                Continue(())
            }
            Speech::WebSocket(websocket) => websocket.announce(what, shared),
        }
    }

    /// Takes bytes that came in. It may unmask them in place.
    pub(super) fn receive(&mut self, fresh: &mut [u8], desk: &mut Desk<'_>) -> Life<Next> {
        match self {
            Speech::Echo(echo) => echo.receive(fresh, desk)?,
            Speech::Lines(lines) => lines.receive(fresh, desk)?,
            Speech::WebSocket(websocket) => websocket.receive(fresh, desk)?,
            Speech::Http(http) => return http.receive(fresh, desk),
        }
        Continue(Next::Go)
    }

    /// What to send next, at most [`SPAN_BYTES`](super::pattern::SPAN_BYTES) and what a frame adds.
    /// It counts as sent.
    pub(super) fn say(
        &mut self,
        id: ConnId,
        in_flight: &InFlight,
        shared: &mut Shared,
    ) -> Life<Say> {
        match self {
            Speech::Echo(echo) => return Continue(echo.say(id, in_flight, shared)),
            Speech::Lines(_) => {}
            Speech::WebSocket(websocket) => websocket.say(id, in_flight, shared)?,
            Speech::Http(http) => http.say(id, in_flight, shared),
        }
        Continue(Say::Out)
    }

    /// Whether [`say`](Speech::say) has more to say.
    pub(super) fn is_due(&self, id: ConnId, in_flight: &InFlight, shared: &Shared) -> bool {
        match self {
            Speech::Echo(echo) => echo.is_due(id, in_flight, shared),
            Speech::Lines(_) => false,
            Speech::WebSocket(websocket) => websocket.is_due(in_flight, shared),
            Speech::Http(http) => http.is_due(in_flight),
        }
    }

    /// Whether messages may be sent.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Speech::Echo(echo) => echo.is_open(),
            Speech::WebSocket(websocket) => websocket.is_open(),
            Speech::Lines(_) | Speech::Http(_) => true,
        }
    }

    /// Something must come soon, though no message is in flight.
    pub(super) fn is_waiting(&self) -> bool {
        match self {
            Speech::Echo(echo) => echo.is_waiting(),
            Speech::Lines(_) => false,
            Speech::WebSocket(websocket) => websocket.is_waiting(),
            Speech::Http(http) => http.is_waiting(),
        }
    }

    /// All is said, and only the end is waited for.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Speech::WebSocket(websocket) if websocket.is_over())
    }

    /// What has become of a connection on which nothing came for too long.
    pub(super) fn overdue(&self) -> Fate {
        match self {
            Speech::WebSocket(websocket) => websocket.overdue(),
            Speech::Echo(_) | Speech::Lines(_) | Speech::Http(_) => Fate::Hung,
        }
    }

    /// A byte of the answer that is coming in was wrong.
    pub(super) fn is_damaged(&self) -> bool {
        match self {
            Speech::Echo(echo) => echo.is_damaged(),
            Speech::Lines(_) => false,
            Speech::WebSocket(websocket) => websocket.is_damaged(),
            Speech::Http(http) => http.is_damaged(),
        }
    }

    /// The connection ended; `reset` if not in peace.
    pub(super) fn end(&mut self, reset: bool, desk: &mut Desk<'_>) -> Ending {
        match self {
            Speech::Echo(echo) => echo.end(),
            Speech::Lines(lines) => lines.end(),
            Speech::WebSocket(websocket) => websocket.end(reset),
            Speech::Http(http) => http.end(reset, desk),
        }
    }

    /// The run is over: says goodbye. Whether that will be answered.
    pub(super) fn leave(&mut self, shared: &mut Shared) -> Life<bool> {
        match self {
            Speech::Echo(_) | Speech::Lines(_) | Speech::Http(_) => Continue(false),
            Speech::WebSocket(websocket) => websocket.leave(shared),
        }
    }

    /// Begins anew on another connection: what is not answered is said again.
    pub(super) fn restart(&mut self, in_flight: &InFlight, shared: &mut Shared) -> Life {
        match self {
            Speech::Echo(_) | Speech::Lines(_) => {}
            Speech::WebSocket(websocket) => websocket.restart(in_flight, shared)?,
            Speech::Http(http) => http.restart(in_flight, shared),
        }
        Continue(())
    }

    /// It is served although no message of its own was answered.
    pub(super) fn is_served(&self) -> bool {
        match self {
            Speech::Lines(lines) => lines.ear.is_member,
            Speech::WebSocket(websocket) => websocket.is_served(),
            Speech::Echo(_) | Speech::Http(_) => false,
        }
    }

    /// What an established connection was doing.
    pub(super) fn phase(&self, id: ConnId, in_flight: &InFlight, shared: &Shared) -> Phase {
        match self {
            Speech::WebSocket(websocket) if !websocket.is_open() => websocket.phase(),
            _ if self.is_due(id, in_flight, shared) => Phase::Send,
            _ => Phase::Receive,
        }
    }

    /// Gives back what it holds.
    pub(super) fn clear(&mut self, shared: &mut Shared) {
        match self {
            Speech::Echo(_) => {}
            Speech::Lines(lines) => lines.clear(shared),
            Speech::WebSocket(websocket) => websocket.clear(shared),
            Speech::Http(http) => http.clear(shared),
        }
    }
}
