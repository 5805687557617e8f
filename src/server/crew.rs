//! What a worker knows of its siblings.
//!
//! **What.** A [`Berth`] is what the supervisor gives a worker: a socket to itself, an inbox, the
//! siblings' inboxes, the page for its counters. [`Crew`] is what the worker makes of it: who has
//! room, and which listeners are therefore to be watched.
//!
//! **Why this way.** Every worker holds every listening socket and watches its own. A worker that
//! is full stops watching, and its siblings watch its sockets too until it has room again: so
//! nobody waits in a full worker's queue, nor in that of one that has died, and no connection has
//! to be handed over. Only when all are full does each go back to its own sockets and do what
//! `at_limit` says. To `refuse`, who finds all full stops listening on every socket, and who has
//! room again, or leaves, listens on them again: both hold for everybody who has the sockets. The
//! supervisor tells all of them who has room, so they do not have to agree; before a worker turns
//! anybody away it also looks at its siblings' pages.
//! Rejected: closing the socket of a full worker (its queue is reset, unless the host's
//! `tcp_migrate_req` is on); accepting and passing on by `SCM_RIGHTS` (a copy of each connection
//! to a sibling that may be full by then).
//!
//! **Costs.** A descriptor for each sibling's sockets. A message and an `epoll_ctl` a listener when
//! a worker becomes full, and when it is no longer; to refuse, a `connect` or `listen` each.
//!
//! **Read next.** `src/server/relay.rs`; `src/server/supervisor/mod.rs`, the other end.

use super::drain::{CONTROL, INBOX, OUTBOX};
use super::limits::AtLimit;
use super::relay::{Inbox, Outbox};
use super::worker::{Listener, Worker};
use super::{Exit, gate, page};
use crate::net::Acceptor;
use crate::reactor::{Cx, Source};
use crate::service::Service;
use crate::sys;
use crate::sys::memory::Shared;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use socket2::Socket;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

/// What supervisor and worker tell each other. A packet's first byte is one of them.
pub(super) mod word {
    /// Supervisor: who has room, a byte for each worker.
    pub(crate) const ROSTER: u8 = b'r';
    /// Supervisor: drain. What waits in the listeners' queues is served first.
    pub(crate) const DRAIN: u8 = b'd';
    /// Supervisor: drain, but patiently: somebody else serves the listeners.
    pub(crate) const LEAVE: u8 = b'l';
    /// Supervisor: end now.
    pub(crate) const QUIT: u8 = b'q';
    /// Supervisor: read certificates again.
    pub(crate) const RELOAD: u8 = b'h';
    /// Worker: it serves.
    pub(crate) const READY: u8 = b'+';
    /// Worker: it is full.
    pub(crate) const FULL: u8 = b'f';
    /// Worker: it has room again.
    pub(crate) const ROOM: u8 = b'o';
}

/// Workers that there may be.
pub const WORKERS_MAX: usize = 256;

/// A worker that was full takes part again when this part of its cap is free (and at least one
/// place), so that it does not come and go with each connection.
const ROOM_AGAIN: usize = 64;

/// A worker's place among its siblings.
#[derive(Debug)]
pub struct Berth {
    /// From 0.
    pub number: usize,
    /// How many workers there are.
    pub workers: usize,
    /// To the supervisor, in packets. Its end tells that the supervisor is gone.
    pub control: OwnedFd,
    /// Where siblings' messages arrive.
    pub inbox: OwnedFd,
    /// The other siblings' inboxes, in the order of their numbers, its own left out.
    pub outboxes: Vec<OwnedFd>,
    /// All workers' counters.
    pub pages: Arc<Shared>,
    /// Workers are threads of one process in which so many descriptors are open for other things
    /// than connections. `None` if each is a process.
    pub shared_descriptors: Option<usize>,
}

/// Whose a listening socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// This worker is alone.
    Alone,
    /// All workers'.
    All,
    /// The worker's with this number.
    Worker(usize),
}

impl Owner {
    /// Who owns socket `nth` of the `sockets` of a listener. Too few for all are everybody's.
    pub(super) fn of(nth: usize, sockets: usize, workers: usize) -> Owner {
        if sockets < workers { Owner::All } else { Owner::Worker(nth % workers) }
    }
}

/// See the module's header.
pub(super) struct Crew {
    pub(super) number: usize,
    control: Socket,
    pub(super) inbox: Inbox,
    /// By worker; `None` for itself.
    pub(super) outboxes: Vec<Option<Outbox>>,
    pub(super) pages: Arc<Shared>,
    /// Who takes part, by worker. Our own entry is what we have told last.
    has_room: Vec<bool>,
    /// Workers are threads.
    pub(super) is_threads: bool,
}

impl Crew {
    /// Takes its berth, and watches it. What waits in the inbox was meant for a predecessor.
    ///
    /// # Errors
    /// `epoll_ctl(2)`.
    pub(super) fn board(berth: Berth, registry: &Registry) -> io::Result<Crew> {
        let Berth { number, workers, control, inbox, outboxes, pages, shared_descriptors } = berth;
        watch(registry, &control, CONTROL, Interest::READABLE)?;
        watch(registry, &inbox, INBOX, Interest::READABLE)?;
        let mut outboxes = outboxes.into_iter();
        let outbox = |to: usize| -> io::Result<Option<Outbox>> {
            let Some(fd) = (to != number).then(|| outboxes.next()).flatten() else {
                return Ok(None);
            };
            watch(registry, &fd, OUTBOX + to as u16, Interest::WRITABLE)?;
            Ok(Some(Outbox::new(fd.into())))
        };
        let outboxes = (0..workers).map(outbox).collect::<io::Result<_>>()?;
        let mut inbox = Inbox::new(inbox.into(), workers);
        inbox.empty();
        Ok(Crew {
            number,
            control: control.into(),
            inbox,
            outboxes,
            pages,
            has_room: vec![true; workers],
            is_threads: shared_descriptors.is_some(),
        })
    }

    /// A sibling takes part.
    fn others_have_room(&self) -> bool {
        self.has_room.iter().enumerate().any(|(number, &room)| room && number != self.number)
    }

    /// Whether a listener is to be watched.
    fn watches(&self, owner: Owner) -> bool {
        let takes_part = self.has_room[self.number] || !self.others_have_room();
        takes_part
            && match owner {
                Owner::Alone | Owner::All => true,
                Owner::Worker(number) => number == self.number || !self.has_room[number],
            }
    }

    /// Changes what siblings and supervisor know of us: the page first, which is seen at once.
    /// Whether that is news.
    fn take_part(&mut self, takes_part: bool) -> bool {
        let is_news = std::mem::replace(&mut self.has_room[self.number], takes_part) != takes_part;
        if is_news {
            page::show_part(&self.pages, self.number, takes_part);
            self.tell(if takes_part { word::ROOM } else { word::FULL });
        }
        is_news
    }

    /// Looks who takes part. The roster will say the same, later.
    fn ask_the_pages(&mut self) {
        for (number, room) in self.has_room.iter_mut().enumerate() {
            if number != self.number {
                *room = page::takes_part(&self.pages, number);
            }
        }
    }

    fn tell(&self, word: u8) {
        if let Err(error) = self.control.send(&[word]) {
            tracing::debug!("the supervisor does not hear: {error}");
        }
    }

    /// The next that the supervisor says; `Some` and empty if it is gone.
    fn hear(&mut self, packet: &mut [u8]) -> Option<usize> {
        match io::Read::read(&mut self.control, packet) {
            Ok(len) => Some(len),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) if error.kind() == ErrorKind::Interrupted => None,
            Err(_) => Some(0),
        }
    }
}

fn watch(registry: &Registry, fd: &OwnedFd, control: u16, what: Interest) -> io::Result<()> {
    let token = Source::Control(control).token();
    registry.register(&mut SourceFd(&fd.as_raw_fd()), token, what)
}

impl<S: Service> Worker<S> {
    /// It serves: the supervisor may count on it.
    pub(super) fn report_ready(&mut self, cx: &mut Cx) {
        self.publish();
        let Some(crew) = &self.crew else { return };
        page::show_part(&crew.pages, crew.number, true);
        self.open_port();
        crew.tell(word::READY);
        self.watch_listeners(cx);
    }

    /// Something came from the supervisor or a sibling.
    pub(super) fn on_crew(&mut self, cx: &mut Cx, index: u16) {
        match index {
            CONTROL => self.obey(cx),
            INBOX => self.take_relayed(),
            _ => self.send_relayed(usize::from(index - OUTBOX)),
        }
    }

    fn obey(&mut self, cx: &mut Cx) {
        let mut packet = [0; 1 + WORKERS_MAX];
        while let Some(len) = self.crew.as_mut().and_then(|crew| crew.hear(&mut packet)) {
            match packet[..len] {
                [] => {
                    // Also if it was killed: a worker on its own would hold the port for ever.
                    if self.draining.is_none() {
                        tracing::error!("the supervisor is gone: draining");
                    }
                    return self.drain(cx);
                }
                [word::ROSTER, ref roster @ ..] => self.follow(cx, roster),
                [word::DRAIN, ..] => self.drain(cx),
                [word::LEAVE, ..] => self.leave(cx),
                [word::QUIT, ..] => {
                    self.drain(cx);
                    self.control.exit = Some(Exit::Signalled(libc::SIGTERM));
                }
                [word::RELOAD, ..] => self.reload_certificates(),
                [other, ..] => tracing::warn!("the supervisor says {other}, which is no word"),
            }
        }
    }

    /// Takes over who has room; only it knows best of itself.
    fn follow(&mut self, cx: &mut Cx, roster: &[u8]) {
        let Some(crew) = &mut self.crew else { return };
        for (number, room) in crew.has_room.iter_mut().enumerate() {
            if number != crew.number {
                *room = roster.get(number).is_some_and(|&room| room != 0);
            }
        }
        self.watch_listeners(cx);
        // Whoever watched a shared socket with us may have left something there, its edge spent.
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            if listener.is_watched {
                gate::look_at_listener_again(cx, index as u16, listener);
            }
        }
    }

    /// Full, while others are not: leaves new connections to them. False if this worker must deal
    /// with them itself.
    #[cold]
    #[inline(never)]
    pub(super) fn step_aside(&mut self, cx: &mut Cx) -> bool {
        let Some(crew) = self.crew.as_mut().filter(|_| self.draining.is_none()) else {
            return false;
        };
        let is_news = crew.take_part(false);
        crew.ask_the_pages();
        if !crew.others_have_room() {
            return false;
        }
        if !is_news {
            // All were full until now, so this socket was watched, and what waits there may have
            // woken nobody else. The roster that follows makes them look.
            crew.tell(word::FULL);
        }
        self.watch_listeners(cx);
        true
    }

    /// All are full, and `refuse` is asked for: no socket of the port listens any more.
    pub(super) fn shut_port(&mut self, cx: &mut Cx) {
        for Listener { acceptor, endpoint, .. } in &self.listeners {
            let shut = acceptor.as_ref().map(Acceptor::stop_listening);
            if let Some(Err(error)) = shut {
                tracing::error!("cannot stop listening on {endpoint}: {error}");
            }
        }
        let Some(crew) = &mut self.crew else { return };
        // Who got room before this moment may have opened the port too early, but shows it.
        crew.ask_the_pages();
        if crew.others_have_room() {
            self.open_port();
            self.watch_listeners(cx);
        }
    }

    /// The port may have been shut: whoever has room, or leaves it to others, opens it.
    pub(super) fn open_port(&self) {
        if self.limits.at_limit != AtLimit::Refuse || self.crew.is_none() {
            return;
        }
        for Listener { acceptor, endpoint, .. } in &self.listeners {
            if let Some(Err(error)) = acceptor.as_ref().map(Acceptor::listen) {
                tracing::error!("cannot listen on {endpoint} again: {error}");
            }
        }
    }

    /// Leaves the sockets to the siblings, for good.
    pub(super) fn stand_down(&mut self) {
        if let Some(crew) = &mut self.crew {
            crew.take_part(false);
        }
        self.open_port();
    }

    /// A connection has ended, or the cap has moved: takes part again if there is room enough.
    #[inline(never)]
    pub(super) fn rejoin(&mut self, cx: &mut Cx) {
        let Some(crew) = self.crew.as_mut().filter(|_| self.draining.is_none()) else { return };
        let cap = self.admission.cap();
        let is_roomy = self.conns.len() + (cap / ROOM_AGAIN).max(1) <= cap;
        if is_roomy && !crew.has_room[crew.number] {
            crew.take_part(true);
            self.watch_listeners(cx);
            self.open_port();
        }
    }

    /// Watches those listeners that are to be watched, and no others.
    fn watch_listeners(&mut self, cx: &mut Cx) {
        let Some(crew) = &self.crew else { return };
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            let wanted = self.draining.is_none() && crew.watches(listener.owner);
            if let Err(error) = listener.watch(cx, index as u16, wanted) {
                tracing::error!("cannot watch {}: {error}", listener.endpoint);
            }
        }
    }

    /// Watches no listener of the crew any more: each is looked at until it is empty.
    pub(super) fn watch_none(&mut self, cx: &mut Cx) {
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            // It was watched, so it can be unwatched.
            let _ = listener.watch(cx, index as u16, false);
        }
    }
}

impl Listener {
    /// Lets the kernel tell of its connections, or not. What waits already is told at once.
    fn watch(&mut self, cx: &mut Cx, index: u16, wanted: bool) -> io::Result<()> {
        let Some(acceptor) = self.acceptor.as_ref().filter(|_| self.owner != Owner::Alone) else {
            return Ok(());
        };
        if std::mem::replace(&mut self.is_watched, wanted) == wanted {
            return Ok(());
        }
        let token = Source::Listener(index).token().0;
        match wanted {
            true => sys::epoll::watch_shared(cx.registry(), acceptor, token),
            false => sys::epoll::unwatch(cx.registry(), acceptor),
        }
    }
}

#[cfg(test)]
mod tests;
