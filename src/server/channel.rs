//! A channel: one service, and the connections that are joined to it.
//!
//! **What.** [`Channel`] holds a service, its members and its mail. A plain listener has one; an
//! HTTP listener has one for each path, which its connections join when they are upgraded.
//! [`Rooms`] is what a session sees of them.
//!
//! **Why this way.** Where a connection came from and whom it talks to are two things once a
//! listener serves several paths. Members are listed, so that a broadcast costs its audience and
//! not a walk over the whole table.
//!
//! **Costs.** 8 bytes a member.
//!
//! **Read next.** `src/server/mail.rs`.

use super::mailing::Mailing;
use crate::reactor::ConnId;
use crate::service::{Framing, Mail, Service};
use crate::session::Routes;

/// One service and its audience.
pub(super) struct Channel<S> {
    pub(super) service: S,
    pub(super) framing: Framing,
    /// Its connections, in no order.
    pub(super) members: Vec<ConnId>,
    /// What the service said to all since the last mailing began.
    pub(super) mail: Mail,
    /// How much of `mail` the siblings have, or came from them: bytes and messages.
    pub(super) relayed: (usize, u64),
    /// What is being delivered.
    pub(super) mailing: Mailing,
    /// Connections that are paused until the mail is out.
    pub(super) held_by_mail: Vec<ConnId>,
    /// Connections whose peer has ended: they end when the mail that waits now is out.
    pub(super) leavers: Vec<ConnId>,
}

impl<S: Service> Channel<S> {
    pub(super) fn new(service: S) -> Channel<S> {
        Channel {
            framing: service.framing(),
            service,
            members: Vec::new(),
            mail: Mail::default(),
            relayed: (0, 0),
            mailing: Mailing::default(),
            held_by_mail: Vec::new(),
            leavers: Vec::new(),
        }
    }
}

/// What the connections of a listener may join.
#[derive(Clone, Debug)]
pub(super) enum Doors {
    /// All are joined to this channel from the beginning.
    Open(u16),
    /// They speak HTTP first; each path leads to a channel.
    Paths(Vec<(String, u16)>),
}

/// The channels as a session of one listener sees them.
pub(super) struct Rooms<'a, S> {
    pub(super) doors: &'a Doors,
    pub(super) channels: &'a mut [Channel<S>],
}

impl<S: Service> Routes for Rooms<'_, S> {
    type Service = S;

    fn find(&self, path: &[u8]) -> Option<u16> {
        let Doors::Paths(paths) = self.doors else { return None };
        paths.iter().find(|(known, _)| known.as_bytes() == path).map(|(_, channel)| *channel)
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        let paths = match self.doors {
            Doors::Paths(paths) => &paths[..],
            Doors::Open(_) => &[],
        };
        paths.iter().map(|(path, _)| path.as_str())
    }

    fn service(&mut self, route: u16) -> (&mut S, &mut Mail) {
        let channel = &mut self.channels[route as usize];
        (&mut channel.service, &mut channel.mail)
    }
}
