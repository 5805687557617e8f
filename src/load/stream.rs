//! A connection over TCP or a Unix socket.
//!
//! **What.** [`StreamClient`] connects, keeps messages in flight, compares every byte that comes
//! back and finds out how the connection ends.
//!
//! **Why this way.** A stream has no messages, only positions: what is sent and what must come back
//! are stretches of the connection's [`Pattern`](super::pattern::Pattern), wherever reads cut them.
//! So there is neither an output queue nor a reassembly buffer. Whatever error an event or a `send`
//! brings, what was received is read first: a server that says why not and closes is reset by our
//! own message, and its reason still lies in the receive queue behind the error
//! (`tests/kernel_facts/reading.rs`).
//!
//! **Costs.** One `recv`, one `send` and one reading of the clock an event; no allocation. At most
//! 120 bytes a connection (asserted below) and 8 a message in flight.
//!
//! **Read next.** `src/load/fates.rs`, `src/load/handler.rs`.

use super::client::{Client, Life, Opened, Shared, timer_of};
use super::fates::{Fate, REASON_BYTES_MAX, may_be_refusal};
use super::pattern::SPAN_BYTES;
use crate::clock::Time;
use crate::net::{self, Connect, Stream};
use crate::reactor::{ConnId, Cx, Readiness, Source};
use mio::Interest;
use mio::event::Source as _;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow::{Break, Continue};

/// Messages that wait for their answers, which come in the order of the messages.
struct InFlight {
    /// When each was sent, a ring by number: room for `depth` of them.
    sent_at: Box<[Time]>,
    /// Messages sent, or about to be.
    asked: u64,
    /// Those of them that were answered, rightly or not.
    answered: u64,
}

impl InFlight {
    fn len(&self) -> u64 {
        self.asked - self.answered
    }

    fn ask(&mut self, now: Time) {
        let slot = self.asked as usize % self.sent_at.len();
        self.sent_at[slot] = now;
        self.asked += 1;
    }

    /// The oldest is answered; when it was sent.
    fn answer(&mut self) -> Time {
        let slot = self.answered as usize % self.sent_at.len();
        self.answered += 1;
        self.sent_at[slot]
    }
}

/// One stream connection.
pub(super) struct StreamClient {
    stream: Stream,
    in_flight: InFlight,
    /// Position in the outgoing stream: what the socket took. At most `asked` messages.
    written: u64,
    /// Position in the incoming stream: what was compared. At most `written`.
    received: u64,
    /// Since when nothing has come, if an answer is owed; while connecting, since when.
    quiet_since: Time,
    /// What looks like a refusal so far. Empty if nothing does.
    told: Vec<u8>,
    established: bool,
    /// The socket took less than it was offered: wait until it has room.
    is_full: bool,
    /// A byte of the message that is coming in was wrong.
    is_damaged: bool,
    /// The end is near (FIN, RST or an error was seen): read until it is there.
    is_ending: bool,
    /// The socket told of a reset, which it tells once only.
    was_reset: bool,
    /// It is on the again-queue, once.
    is_queued: bool,
}

const _: () = assert!(size_of::<StreamClient>() <= 120);

impl Client for StreamClient {
    fn open(id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Opened<Self> {
        let mut stream = match net::connect(&shared.address, shared.source(id)) {
            Ok(Connect::InProgress(stream) | Connect::Done(stream)) => stream,
            Ok(Connect::Busy) => return Opened::Busy,
            Err(error) => return Opened::Ended(Fate::of(&error)),
        };
        // Writable tells that it is established. The interest is kept: it costs no events of its
        // own, and is needed again when the socket is full.
        let both = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = stream.register(cx.registry, id.token(), both) {
            return Opened::Ended(Fate::of(&error));
        }
        let sent_at = vec![Time::ZERO; shared.depth as usize].into_boxed_slice();
        Opened::Client(StreamClient {
            stream,
            in_flight: InFlight { sent_at, asked: 0, answered: 0 },
            written: 0,
            received: 0,
            quiet_since: cx.now,
            told: Vec::new(),
            established: false,
            is_full: false,
            is_damaged: false,
            is_ending: false,
            was_reset: false,
            is_queued: false,
        })
    }

    fn ready(
        &mut self,
        id: ConnId,
        ready: Readiness,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Life {
        self.is_queued &= !ready.again;
        self.is_full &= !ready.writable;
        self.is_ending |= ready.peer_finished || ready.broken;
        if !self.established && !self.establish(shared)? {
            return Continue(());
        }
        if ready.readable || self.is_ending {
            self.receive(id, shared, cx)?;
        }
        self.send(id, shared, cx);
        Continue(())
    }

    fn look(&mut self, _id: ConnId, shared: &mut Shared, now: Time) -> Life<Option<Time>> {
        let (patience_ms, fate) = match self.established {
            false => (shared.connect_timeout_ms, Fate::TimedOut),
            true if self.in_flight.len() == 0 && self.told.is_empty() => return Continue(None),
            true => (shared.answer_timeout_ms, Fate::Hung),
        };
        let due = self.quiet_since.plus_ms(patience_ms);
        if now >= due { Break(fate) } else { Continue(Some(due)) }
    }

    fn begin(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Life {
        let now = shared.clock.now();
        self.quiet_since = now;
        self.ask(shared, now);
        self.send(id, shared, cx);
        Continue(())
    }

    fn is_settled(&self) -> bool {
        self.in_flight.answered > 0
    }

    fn in_flight(&self) -> u64 {
        self.in_flight.len()
    }
}

impl StreamClient {
    /// Learns how connecting went; false if it is still under way. The first message follows at
    /// once: only its answer shows that the connection is served.
    fn establish(&mut self, shared: &mut Shared) -> Life<bool> {
        match net::connected(&self.stream) {
            Ok(true) => {}
            Ok(false) if !self.is_ending => return Continue(false),
            // Established and gone again before we looked.
            Ok(false) => {}
            Err(error) => match Fate::of(&error) {
                Fate::Reset => (self.was_reset, self.is_ending) = (true, true),
                fate => return Break(fate),
            },
        }
        let now = shared.clock.now();
        self.established = true;
        self.quiet_since = now;
        if !self.is_ending {
            self.in_flight.ask(now);
            shared.messages.sent += 1;
        }
        Continue(true)
    }

    /// Reads once and compares; the answers are followed by the next messages.
    fn receive(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) -> Life {
        let n = match self.stream.read(&mut shared.scratch) {
            Ok(0) => return Break(self.last_word(None)),
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::WouldBlock && !self.was_reset => {
                return Continue(());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.look_again(id, cx);
                return Continue(());
            }
            Err(error) => return Break(self.last_word(Some(&error))),
        };
        let now = shared.clock.now();
        self.quiet_since = now;
        shared.bytes_received += n as u64;
        let scratch = std::mem::take(&mut shared.scratch);
        let life = self.take(id, &scratch[..n], shared, now);
        shared.scratch = scratch;
        life?;
        if !self.told.is_empty() {
            cx.timers.arm(timer_of(id), now.plus_ms(shared.answer_timeout_ms));
        }
        if n == SPAN_BYTES || self.is_ending {
            self.look_again(id, cx);
        }
        self.ask(shared, now);
        Continue(())
    }

    /// Takes bytes that came in: answers, or the beginning of a refusal.
    fn take(&mut self, id: ConnId, bytes: &[u8], shared: &mut Shared, now: Time) -> Life {
        if !self.told.is_empty() {
            let room = REASON_BYTES_MAX.saturating_sub(self.told.len());
            self.told.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if may_be_refusal(&self.told) {
                return Continue(());
            }
            let line = std::mem::take(&mut self.told);
            return match shared.ask {
                Some(_) => self.take_any(&line, shared, now),
                None => self.compare(id, &line, shared, now),
            };
        }
        if shared.ask.is_some() {
            return self.take_any(bytes, shared, now);
        }
        let owed = usize::try_from(self.written - self.received).unwrap_or(usize::MAX);
        let asked_for = &bytes[..bytes.len().min(owed)];
        let expected = &shared.outgoing(id, self.received)[..asked_for.len()];
        let right = match asked_for == expected {
            true => asked_for.len(),
            false => asked_for.iter().zip(expected).take_while(|(a, b)| a == b).count(),
        };
        self.advance(right, true, shared, now);
        let rest = &bytes[right..];
        if rest.is_empty() {
            Continue(())
        } else if may_be_refusal(rest) {
            self.told.extend_from_slice(&rest[..rest.len().min(REASON_BYTES_MAX)]);
            Continue(())
        } else {
            self.compare(id, rest, shared, now)
        }
    }

    /// Takes bytes that no rule foretells: the first are the answer, unless they refuse.
    fn take_any(&mut self, bytes: &[u8], shared: &mut Shared, now: Time) -> Life {
        if may_be_refusal(bytes) {
            self.told.extend_from_slice(&bytes[..bytes.len().min(REASON_BYTES_MAX)]);
        } else if self.in_flight.len() > 0 {
            self.advance(shared.size_bytes as usize, true, shared, now);
        }
        Continue(())
    }

    /// The slow way, taken once something is wrong: message by message, so that the others still
    /// count as right.
    fn compare(&mut self, id: ConnId, bytes: &[u8], shared: &mut Shared, now: Time) -> Life {
        let mut rest = bytes;
        while !rest.is_empty() {
            let owed = self.written - self.received;
            if owed == 0 {
                return Break(Fate::Failed("more bytes came back than were sent".to_owned()));
            }
            let message_end = (self.in_flight.answered + 1) * shared.size_bytes;
            let n = owed.min(message_end - self.received).min(rest.len() as u64) as usize;
            let right = rest[..n] == shared.outgoing(id, self.received)[..n];
            self.advance(n, right, shared, now);
            rest = &rest[n..];
        }
        Continue(())
    }

    /// Moves on by `n` bytes that were right, or by wrong ones within one message.
    fn advance(&mut self, n: usize, right: bool, shared: &mut Shared, now: Time) {
        self.received += n as u64;
        self.is_damaged |= !right;
        while self.received >= (self.in_flight.answered + 1) * shared.size_bytes {
            let sent_at = self.in_flight.answer();
            shared.count_answer(!self.is_damaged, sent_at, now);
            self.is_damaged = false;
        }
    }

    /// Fills the pipeline up, if the run still sends.
    fn ask(&mut self, shared: &mut Shared, now: Time) {
        if !shared.sends || !self.told.is_empty() {
            return;
        }
        while self.in_flight.len() < shared.depth {
            self.in_flight.ask(now);
            shared.messages.sent += 1;
        }
    }

    /// Writes once, if something is due and there is room.
    fn send(&mut self, id: ConnId, shared: &mut Shared, cx: &mut Cx<'_>) {
        let due = self.in_flight.asked * shared.size_bytes - self.written;
        if due == 0 || self.is_full || self.was_reset || !self.told.is_empty() {
            return;
        }
        let bytes = shared.outgoing(id, self.written);
        let n = due.min(bytes.len() as u64) as usize;
        match self.stream.write(&bytes[..n]) {
            Ok(taken) => {
                self.written += taken as u64;
                shared.bytes_sent += taken as u64;
                self.is_full = taken < n;
                if taken == n && due > n as u64 {
                    self.look_again(id, cx);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_full = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => self.look_again(id, cx),
            // What this means, reading will tell.
            Err(_) => {
                (self.was_reset, self.is_ending) = (true, true);
                self.look_again(id, cx);
            }
        }
    }

    fn look_again(&mut self, id: ConnId, cx: &mut Cx<'_>) {
        if !std::mem::replace(&mut self.is_queued, true) {
            cx.again.push_back(Source::Conn(id));
        }
    }

    /// The stream is at its end: what did the server want to say by that?
    fn last_word(&self, error: Option<&io::Error>) -> Fate {
        if let Some(told) = Fate::told(&self.told) {
            return told;
        }
        match error.map(Fate::of) {
            _ if self.was_reset => Fate::Reset,
            None => Fate::Closed,
            // The kernel gave up on a peer that is gone.
            Some(Fate::TimedOut) => Fate::Reset,
            Some(fate) => fate,
        }
    }
}
