//! Connections that come and go.
//!
//! **What.** With [`Churn`] a socket carries so many messages and is closed; the connection goes on
//! over another one. One message is what a client without a pool does.
//!
//! **Why this way.** It is what HTTP's `Connection: close` brought already: another socket in the
//! same seat, which is the same connection to the run's books. We close first, in peace, so it is
//! known who keeps the port in TIME_WAIT for a minute: this side; with WebSocket the server, which
//! ends the connection there (RFC 6455 7.1.1). On loopback the sockets come from 250 addresses in
//! turn, for one would be out of ports in seconds. Rejected: closing by reset, which leaves no
//! TIME_WAIT at all and which no honest client does.
//!
//! **Costs.** A socket: 8 syscalls beside its messages, 10 with a source address. 24 bytes a
//! connection.
//!
//! **Read next.** `src/load/stream.rs`, `src/load/sources.rs`.

use crate::clock::Time;
use crate::load::in_flight::InFlight;
use crate::load::times::Times;
use crate::reactor::ConnId;
use serde::{Deserialize, Serialize};

/// A seat's present socket.
#[derive(Clone, Copy, Default)]
struct Socket {
    opened_at: Time,
    /// The first message that it carries.
    first: u64,
    /// It was ready for messages.
    is_open: bool,
}

/// The sockets of a run.
pub(in crate::load) struct Churn {
    /// What each carries.
    messages: u64,
    /// By slot.
    sockets: Box<[Socket]>,
    /// Sockets of all time.
    opened: u32,
    connect: Times,
    life: Times,
}

/// What came of it in the measured time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChurnFigures {
    /// Messages that a socket carried.
    pub messages: u64,
    /// From `connect` until the first message could be sent: TCP, TLS, the upgrade. As many as
    /// there were connects.
    pub connect_us: Times,
    /// From `connect` to the last answer.
    pub life_us: Times,
}

impl ChurnFigures {
    pub(super) fn merge(&mut self, other: &ChurnFigures) {
        self.connect_us.add(&other.connect_us);
        self.life_us.add(&other.life_us);
    }
}

impl Churn {
    pub(in crate::load) fn new(messages: u64, connections: u32) -> Churn {
        let sockets = vec![Socket::default(); connections as usize].into_boxed_slice();
        let (connect, life) = (Times::default(), Times::default());
        Churn { messages, sockets, opened: 0, connect, life }
    }

    /// The measured time begins.
    pub(in crate::load) fn begin(&mut self) {
        self.connect.reset();
        self.life.reset();
    }

    /// A socket begins to connect. Its number.
    pub(in crate::load) fn connects(&mut self, id: ConnId, first: u64, now: Time) -> u32 {
        self.sockets[id.slot as usize] = Socket { opened_at: now, first, is_open: false };
        self.opened = self.opened.wrapping_add(1);
        self.opened
    }

    /// It is ready for messages.
    pub(in crate::load) fn opened(&mut self, id: ConnId, now: Time) {
        let socket = &mut self.sockets[id.slot as usize];
        if !std::mem::replace(&mut socket.is_open, true) {
            self.connect.record(socket.opened_at, now);
        }
    }

    /// How many messages more it may carry.
    pub(in crate::load) fn left(&self, id: ConnId, in_flight: &InFlight) -> u64 {
        let end = self.sockets[id.slot as usize].first + self.messages;
        end.saturating_sub(in_flight.asked())
    }

    /// It has carried its last message, and all are answered.
    pub(in crate::load) fn is_spent(&self, id: ConnId, in_flight: &InFlight) -> bool {
        in_flight.len() == 0 && self.left(id, in_flight) == 0
    }

    /// It is about to be closed.
    pub(in crate::load) fn closes(&mut self, id: ConnId, now: Time) {
        self.life.record(self.sockets[id.slot as usize].opened_at, now);
    }

    pub(in crate::load) fn figures(&self) -> ChurnFigures {
        ChurnFigures {
            messages: self.messages,
            connect_us: self.connect.clone(),
            life_us: self.life.clone(),
        }
    }
}
