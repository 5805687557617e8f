//! The services that the command line offers.
//!
//! **What.** [`Builtin::Echo`] sends everything back, [`Builtin::Discard`] sends nothing,
//! [`Builtin::Broadcast`] sends each line to everybody on the listener.
//!
//! **Why this way.** An enum, so that one server serves all three on different listeners without a
//! `dyn` call.
//!
//! **Costs.** Echo and discard take bytes as they come: no search for line ends.
//!
//! **Read next.** `src/session.rs`.

use super::{Framing, Outbound, Service};

/// A service with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// Sends back what it gets (RFC 862).
    Echo,
    /// Reads and forgets (RFC 863).
    Discard,
    /// A line from one goes to all.
    Broadcast,
}

impl Builtin {
    /// All of them.
    pub const ALL: [Builtin; 3] = [Builtin::Echo, Builtin::Discard, Builtin::Broadcast];

    /// The names, as URLs have them.
    pub const NAMES: [&str; 3] =
        [Builtin::Echo.name(), Builtin::Discard.name(), Builtin::Broadcast.name()];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Builtin::Echo => "echo",
            Builtin::Discard => "discard",
            Builtin::Broadcast => "broadcast",
        }
    }

    /// The service called `name`.
    pub fn from_name(name: &str) -> Option<Builtin> {
        Builtin::ALL.into_iter().find(|service| service.name() == name)
    }
}

impl Service for Builtin {
    type State = ();

    fn framing(&self) -> Framing {
        match self {
            Builtin::Echo | Builtin::Discard => Framing::Bytes,
            Builtin::Broadcast => Framing::Lines,
        }
    }

    #[inline(always)]
    fn message(&mut self, _state: &mut (), message: &[u8], out: &mut Outbound<'_>) {
        match self {
            Builtin::Echo => out.send(message),
            Builtin::Discard => {}
            Builtin::Broadcast => out.broadcast(message),
        }
    }
}
