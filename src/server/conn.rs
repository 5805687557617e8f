//! A connection, and the table of all of them.
//!
//! **What.** [`Conn`] is what the server knows of one connection; [`Conns`] is the slab that holds
//! them, addressed by [`ConnId`].
//!
//! **Why this way.** A slab gives a connection a small number that is its place in one array: no
//! hashing, no pointer to chase, and the number fits mio's token. The generation beside it makes a
//! late event for a closed connection miss its successor. The slab is given its full size at the
//! start: the pages are real only once touched, and it never moves while serving.
//!
//! **Costs.** At most 128 bytes a connection, asserted below; 8 more in its channel's list, 24 in
//! the timer wheel if it has a timer.
//!
//! **Read next.** `src/server/pump.rs`, the life of a readable event.

use crate::clock::Time;
use crate::metrics::CloseReason;
use crate::net::Link;
use crate::reactor::ConnId;
use crate::session::Session;
use slab::Slab;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Reads and answers.
    Open,
    /// Reads no more; ends once its backlog is out.
    Flushing(CloseReason),
    /// Has sent its FIN and reads input away until the peer's. Closing at once instead would answer
    /// that input with a reset, which may overtake the last words.
    Lingering(CloseReason),
}

/// One connection. `T` is the service's state for it.
#[derive(Debug)]
pub(super) struct Conn<T> {
    pub(super) link: Link,
    pub(super) session: Session<T>,
    /// When a byte last moved, at the time of the turn.
    pub(super) last_active: Time,
    /// See [`ConnId::generation`].
    generation: u32,
    /// Its address in the table of addresses, if that is kept.
    pub(super) peer: Option<PeerSlot>,
    /// Its place in its channel's list of members, if it is joined to one.
    pub(super) member: u32,
    /// Which listener it came from.
    pub(super) listener: u16,
    pub(super) phase: Phase,
    /// It is on the again-queue, once.
    pub(super) queued: bool,
    /// The peer's FIN was seen (RDHUP): a short read is the last.
    pub(super) peer_finished: bool,
    /// Not read from: its backlog is too long, or the mail it would add to is.
    pub(super) paused: bool,
    /// Its session [inflates](Session::inflates), so that it is read from in small pieces.
    pub(super) inflates: bool,
}

/// Index into the table of addresses, plus one so that "none" costs no space.
pub(super) type PeerSlot = std::num::NonZeroU32;

// With debug assertions mio's sockets remember their selector, and are larger for it.
#[cfg(not(debug_assertions))]
const _: () = assert!(size_of::<Conn<()>>() <= 128);

impl<T: Default> Conn<T> {
    pub(super) fn new(link: Link, session: Session<T>, listener: u16, now: Time) -> Conn<T> {
        Conn {
            link,
            session,
            last_active: now,
            generation: 0,
            peer: None,
            member: 0,
            listener,
            phase: Phase::Open,
            queued: false,
            peer_finished: false,
            paused: false,
            inflates: false,
        }
    }

    /// It would lose nothing if it ended: no half message, no unsent output, no upgrade.
    pub(super) fn is_quiet(&self) -> bool {
        self.phase == Phase::Open && self.link.backlog_bytes() == 0 && self.session.is_expendable()
    }
}

/// All connections of a worker.
pub(super) struct Conns<T> {
    slab: Slab<Conn<T>>,
    /// Generation of the next connection. Never 0, which marks the fixed sources.
    next_generation: u32,
    /// Slots ever used: every connection's slot is below this.
    slots_used: usize,
}

impl<T> Conns<T> {
    /// An empty table with room for `connections_max`.
    pub(super) fn with_capacity(connections_max: usize) -> Conns<T> {
        Conns { slab: Slab::with_capacity(connections_max), next_generation: 1, slots_used: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn slots_used(&self) -> usize {
        self.slots_used
    }

    /// The name that the next connection to be [inserted](Conns::insert) will have.
    pub(super) fn next_id(&self) -> ConnId {
        ConnId { slot: self.slab.vacant_key() as u32, generation: self.next_generation }
    }

    pub(super) fn insert(&mut self, mut conn: Conn<T>) -> ConnId {
        let id = self.next_id();
        conn.generation = id.generation;
        self.next_generation = self.next_generation.checked_add(1).unwrap_or(1);
        let slot = self.slab.insert(conn);
        self.slots_used = self.slots_used.max(slot + 1);
        id
    }

    /// The connection, unless it is gone.
    #[inline]
    pub(super) fn get(&mut self, id: ConnId) -> Option<&mut Conn<T>> {
        self.slab.get_mut(id.slot as usize).filter(|conn| conn.generation == id.generation)
    }

    /// The connection that lives in a slot now.
    pub(super) fn at(&self, slot: u32) -> Option<(ConnId, &Conn<T>)> {
        let conn = self.slab.get(slot as usize)?;
        Some((ConnId { slot, generation: conn.generation }, conn))
    }

    /// The same, to be changed.
    pub(super) fn at_mut(&mut self, slot: u32) -> Option<(ConnId, &mut Conn<T>)> {
        let conn = self.slab.get_mut(slot as usize)?;
        Some((ConnId { slot, generation: conn.generation }, conn))
    }

    pub(super) fn remove(&mut self, id: ConnId) -> Option<Conn<T>> {
        self.get(id)?;
        self.slab.try_remove(id.slot as usize)
    }

    /// The names of all connections.
    pub(super) fn ids(&self) -> Vec<ConnId> {
        let id = |(slot, conn): (usize, &Conn<T>)| ConnId {
            slot: slot as u32,
            generation: conn.generation,
        };
        self.slab.iter().map(id).collect()
    }
}
