//! Broadcasts: one message to everybody on a channel.
//!
//! **What.** Step 9 of the turn. Services put messages into their channel's [`Mail`]; here it
//! becomes a [`Mailing`], or joins the one that is under way, and is delivered.
//!
//! **Why this way.** Messages are encoded once and all that are due leave in one write a receiver;
//! those who have agreed to compress share what was compressed once (`deflate::Editions`).
//! Delivery goes on over several turns if the audience is large, so that others need not wait for
//! its end and what is said meanwhile can join it. While a channel has too much mail its
//! connections are not read from: the senders slow down, not the memory grows. Who has ended its
//! side is a receiver until the mail of that moment is out: its own last line may be among it. Who
//! does not read loses the connection when its backlog is over the limit.
//!
//! **Costs.** One `send` a receiver, for all that is due; a reading of the clock a turn with mail.
//!
//! **Read next.** `src/server/mailing.rs`, who is next; `src/service/outbound.rs`.

use super::channel::Channel;
use super::conn::Phase;
use super::limits::{BACKLOG_HIGH_BYTES, deliveries_in_turn};
use super::mailing::Visit;
use super::pump::look_again;
use super::worker::Worker;
use crate::metrics::CloseReason;
use crate::net::LinkIo;
use crate::reactor::Cx;
use crate::service::Service;
use crate::session::Desk;

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
        let mut budget_each = None;
        let mut left = self.crew.is_some() && self.exchange_mail();
        for index in 0..self.channels.len() {
            if self.channels[index].is_quiet() {
                continue;
            }
            self.join_mailing(index);
            let before = || self.clock.now().since(cx.now);
            let mut budget = *budget_each.get_or_insert_with(|| deliveries_in_turn(before()));
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
        let (mail, mailing) = (&mut channel.mail, &mut channel.mailing);
        if mail.messages == 0 {
            return false;
        }
        self.metrics.broadcasts += mail.messages;
        self.metrics.deliveries += mail.messages * channel.members.len() as u64;
        mailing.begin(mail, &mut channel.leavers, &channel.members);
        channel.relayed = (0, 0);
        // The mail is on its way: those who wrote too much of it may write again.
        for id in channel.held_by_mail.drain(..) {
            if let Some(conn) = self.conns.get(id) {
                conn.paused = conn.link.backlog_bytes() > BACKLOG_HIGH_BYTES;
                look_again(cx, id, conn);
            }
        }
        channel.mailing.is_under_way()
    }

    /// What was said while a mailing is under way joins it, if it may.
    fn join_mailing(&mut self, index: usize) {
        let Channel { mail, mailing, relayed, .. } = &mut self.channels[index];
        let messages = mail.messages;
        if messages > 0 && mailing.join(mail) {
            *relayed = (0, 0);
            self.metrics.broadcasts += messages;
            self.metrics.deliveries += messages * mailing.audience();
        }
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
        let mailing = &mut self.channels[index].mailing;
        let Some(Visit { to: id, from, messages }) = mailing.visit() else { return };
        let plain = &mailing.mail.bytes[from..];
        let Some(conn) = self.conns.get(id).filter(|conn| conn.phase == Phase::Open) else {
            self.metrics.deliveries_dropped += messages;
            return;
        };
        let Desk { pool, deflate, .. } = &mut self.desk;
        let bytes = match conn.session.edition() {
            None => plain,
            Some(window) => mailing.editions.of(window, plain, &mut deflate.compressing),
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
        self.channels.iter().map(|channel| channel.mailing.copies_left()).sum()
    }
}
