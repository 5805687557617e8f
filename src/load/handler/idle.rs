//! Holding connections, and pinging them.
//!
//! **What.** When the holding begins, each connection's timer is set for its first ping; when it
//! fires, the connection pings if it still is to.
//!
//! **Why this way.** A connection has one timer, which is armed for whatever is due first: its
//! ping, or the answer to the last one.
//!
//! **Costs.** A timer a ping, and one more where an answer could have been late.
//!
//! **Read next.** `src/load/shape/idle.rs`, which says when.

use super::{Load, id_of};
use crate::load::client::Client;
use crate::reactor::{ConnId, Cx};

impl<C: Client> Load<C> {
    /// The holding begins, if connections are to be idle.
    pub(super) fn begin_idle(&mut self, cx: &mut Cx) {
        let Some(idle) = &mut self.shared.idle else { return };
        idle.begin(cx.now, self.settled, self.shared.tally.messages);
        self.shared.tally.begin();
        (0..self.seats.len()).for_each(|slot| self.look(cx, id_of(slot as u32)));
    }

    /// A connection's timer has fired: perhaps for a ping.
    pub(super) fn ping(&mut self, cx: &mut Cx, id: ConnId) {
        if self.shared.idle.is_some() {
            self.with(cx, id, |client, shared, cx| client.ping(id, shared, cx));
        }
    }
}
