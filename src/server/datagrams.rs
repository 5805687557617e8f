//! Datagram sockets: no connection, no order, no backlog.
//!
//! **What.** Receives a batch, lets the service answer each datagram, sends the answers as a batch.
//!
//! **Why this way.** One socket serves everybody, so there is nothing to accept and no descriptor a
//! client costs: UDP stays beside TCP on the same port number without a limit of this kind. Since
//! the sender's address may be forged, an answer is never longer than the question.
//!
//! **Costs.** `recvmmsg` + `sendmmsg` for up to 32 datagrams.
//!
//! **Read next.** `src/sys/datagram.rs`.

use super::worker::Worker;
use crate::net::Endpoint;
use crate::reactor::{Cx, Readiness, Source};
use crate::service::{Encoding, Mail, Outbound, Service};
use crate::sys;
use crate::sys::datagram::BATCH_MAX;
use mio::Registry;
use mio::net::UdpSocket;
use std::io;

/// A datagram socket and the service behind it.
pub(super) struct DatagramSocket<S> {
    pub(super) endpoint: Endpoint,
    /// `None` once draining.
    pub(super) socket: Option<UdpSocket>,
    pub(super) service: S,
    /// It is on the again-queue, once.
    pub(super) queued: bool,
}

impl<S> DatagramSocket<S> {
    /// Leaves the socket to who has been given it.
    pub(super) fn leave(&mut self, registry: &Registry, kernel_drops: &mut u64) {
        *kernel_drops += self::kernel_drops(&self.socket);
        if let Some(socket) = self.socket.take() {
            // Epoll watches the open file, which is somebody else's too.
            let _ = sys::epoll::unwatch(registry, &socket);
        }
    }
}

impl<S: Service> Worker<S> {
    #[inline(never)]
    pub(super) fn on_datagrams(&mut self, cx: &mut Cx, index: u16, readiness: Readiness) {
        let DatagramSocket { socket, service, queued, .. } = &mut self.datagrams[index as usize];
        *queued &= !readiness.is_again();
        let (Some(open), Some(batch)) = (&*socket, &mut self.batch) else { return };
        let (received, more) = match batch.receive(open) {
            Ok(received) => (received, received == BATCH_MAX),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => (0, false),
            // An error is taken from the socket by being told; there may be datagrams behind it.
            Err(error) => {
                tracing::debug!("datagrams: {error}");
                (0, true)
            }
        };
        self.metrics.datagrams_in += received as u64;
        for i in 0..received {
            let answers = &mut self.desk.write;
            // Nobody is connected, so nobody can be broadcast to: the mail is thrown away.
            let mut mail = Mail::default();
            let mut out = Outbound::new(Encoding::Bytes, answers, &mut mail);
            service.message(&mut S::State::default(), batch.payload(i), &mut out);
            if !out.is_answered() {
                self.metrics.datagrams_unanswered += 1;
                continue;
            }
            self.metrics.datagrams_cut += u64::from(batch.answer(i, answers) > 0);
            answers.clear();
        }
        let (sent, dropped) = batch.send_answers(open);
        self.metrics.datagrams_out += sent as u64;
        self.metrics.datagrams_dropped += dropped as u64;
        if more {
            if !std::mem::replace(queued, true) {
                cx.again.push_back(Source::Datagram(index));
            }
        } else if self.draining.is_some() {
            self.datagrams[index as usize].leave(cx.registry(), &mut self.kernel_drops_before);
        }
    }

    /// Datagrams the kernel dropped because a receive queue was full.
    pub(super) fn datagrams_dropped_by_kernel(&self) -> u64 {
        let open = self.datagrams.iter().map(|datagrams| kernel_drops(&datagrams.socket));
        self.kernel_drops_before + open.sum::<u64>()
    }
}

fn kernel_drops(socket: &Option<UdpSocket>) -> u64 {
    let drops = |socket| sys::socket::kernel_drops(socket).map_or(0, u64::from);
    socket.as_ref().map_or(0, drops)
}
