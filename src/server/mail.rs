//! Broadcasts: one message to everybody on a channel.
//!
//! **What.** Step 9 of the turn. Services put messages into their channel's [`Mail`]; here it
//! becomes a [`Mailing`], which is delivered to all who were there when it began.
//!
//! **Why this way.** Messages are encoded once and all of a turn leave in one write a receiver;
//! those who have agreed to compress share what was compressed once (`deflate::Editions`).
//! The list of receivers is taken when a mailing begins, so that those who come and go meanwhile
//! disturb nobody's order; delivery goes on over several turns if the audience is large. While a
//! channel has too much mail its connections are not read from: the senders slow down, not the
//! memory grows. Who has ended its side is a receiver until the mail of that moment is out: its own
//! last line may be among it. Who does not read loses the connection when its backlog is over the
//! limit.
//!
//! **Costs.** One `send` a receiver and turn; 8 bytes a receiver for the list.
//!
//! **Read next.** `src/service/outbound.rs`.

use super::channel::Channel;
use super::conn::Phase;
use super::limits::{BACKLOG_HIGH_BYTES, DELIVERIES_PER_TURN, MAIL_HIGH_BYTES};
use super::pump::look_again;
use super::worker::Worker;
use crate::metrics::CloseReason;
use crate::net::LinkIo;
use crate::proto::ws::deflate::Editions;
use crate::reactor::{ConnId, Cx};
use crate::service::{Mail, Service};
use crate::session::Desk;

/// Messages on their way to a list of receivers.
#[derive(Debug, Default)]
pub(super) struct Mailing {
    mail: Mail,
    /// The same, compressed, as far as somebody was to get it.
    editions: Editions,
    to: Vec<ConnId>,
    /// Receivers before this one have been served.
    next: usize,
    /// Connections that end when it is out.
    leavers: Vec<ConnId>,
}

impl Mailing {
    fn is_under_way(&self) -> bool {
        self.next < self.to.len()
    }
}

impl<S> Channel<S> {
    /// Somebody is still to get something.
    pub(super) fn has_mail(&self) -> bool {
        self.mail.messages > 0 || self.mailing.is_under_way()
    }

    /// Nobody waits for a mailing, be it for what it brings or for its end.
    fn is_quiet(&self) -> bool {
        !self.has_mail() && self.leavers.is_empty() && self.mailing.leavers.is_empty()
    }
}

impl<S: Service> Worker<S> {
    /// Delivers within each channel's budget. True if some is left.
    #[inline(never)]
    pub(super) fn deliver_mail(&mut self, cx: &mut Cx) -> bool {
        self.mail_waits = false;
        let mut left = self.crew.is_some() && self.exchange_mail();
        for index in 0..self.channels.len() {
            if self.channels[index].is_quiet() {
                continue;
            }
            let mut budget = DELIVERIES_PER_TURN;
            while self.begin_mailing(cx, index) && budget > 0 {
                budget -= 1;
                self.deliver_one(cx, index);
            }
            left |= self.channels[index].has_mail();
            self.mail_waits |= !self.channels[index].is_quiet();
        }
        if self.crew.is_some() {
            self.mail_waits = true;
            self.publish();
        }
        left
    }

    /// Somebody on some channel is still to get something.
    pub(super) fn has_mail(&self) -> bool {
        self.channels.iter().any(|channel| channel.has_mail())
    }

    /// Makes sure that there is a receiver to serve; false if there is no mail.
    fn begin_mailing(&mut self, cx: &mut Cx, index: usize) -> bool {
        if self.channels[index].mailing.is_under_way() {
            return true;
        }
        self.end_leavers(cx, index);
        let channel = &mut self.channels[index];
        let mailing = &mut channel.mailing;
        if channel.mail.messages == 0 {
            return false;
        }
        std::mem::swap(&mut mailing.mail, &mut channel.mail);
        std::mem::swap(&mut mailing.leavers, &mut channel.leavers);
        mailing.editions.clear(MAIL_HIGH_BYTES);
        channel.mail.bytes.clear();
        channel.mail.bytes.shrink_to(MAIL_HIGH_BYTES);
        channel.mail.messages = 0;
        channel.relayed = (0, 0);
        mailing.next = 0;
        mailing.to.clear();
        mailing.to.extend_from_slice(&channel.members);
        self.metrics.broadcasts += mailing.mail.messages;
        self.metrics.deliveries += mailing.mail.messages * mailing.to.len() as u64;
        // The mail is on its way: those who wrote too much of it may write again.
        for id in channel.held_by_mail.drain(..) {
            if let Some(conn) = self.conns.get(id) {
                conn.paused = conn.link.backlog_bytes() > BACKLOG_HIGH_BYTES;
                look_again(cx, id, conn);
            }
        }
        !mailing.to.is_empty()
    }

    /// A mailing is out: those who waited for it end, and so do all who wait if there is no other.
    fn end_leavers(&mut self, cx: &mut Cx, index: usize) {
        let channel = &mut self.channels[index];
        let mut leavers = std::mem::take(&mut channel.mailing.leavers);
        if channel.mail.messages == 0 {
            leavers.append(&mut channel.leavers);
        }
        for id in leavers {
            if let Err(reason) = self.begin_close(cx, id, CloseReason::PeerClosed) {
                self.close(cx, id, reason);
            }
        }
    }

    fn deliver_one(&mut self, cx: &mut Cx, index: usize) {
        let Mailing { mail, editions, to, next, .. } = &mut self.channels[index].mailing;
        let (id, messages) = (to[*next], mail.messages);
        *next += 1;
        let Some(conn) = self.conns.get(id).filter(|conn| conn.phase == Phase::Open) else {
            self.metrics.deliveries_dropped += messages;
            return;
        };
        let Desk { pool, deflate, .. } = &mut self.desk;
        let bytes = match conn.session.edition() {
            None => &mail.bytes[..],
            Some(window) => editions.of(window, &mail.bytes, &mut deflate.compressing),
        };
        let io = LinkIo { registry: cx.registry(), pool, tls: &mut self.tls };
        let sent = conn.send(id, bytes, cx.now, io, &mut self.metrics);
        let check = |_| conn.check_backlog(self.limits.backlog_bytes_max, &self.desk.limits);
        match sent.and_then(check) {
            Ok(()) => self.metrics.delivered += messages,
            Err(reason) => {
                self.metrics.deliveries_dropped += messages;
                self.close(cx, id, reason);
            }
        }
    }

    /// Copies of broadcasts that are still to be delivered.
    pub(super) fn deliveries_queued(&self) -> u64 {
        let queued =
            |mailing: &Mailing| mailing.mail.messages * (mailing.to.len() - mailing.next) as u64;
        self.channels.iter().map(|channel| queued(&channel.mailing)).sum()
    }
}
