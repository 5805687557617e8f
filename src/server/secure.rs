//! What TLS means for a connection's life.
//!
//! **What.** From the accept to the end of the handshake, and what becomes of a connection that
//! TLS fails on; reading certificates again.
//!
//! **Why this way.** A connection is nobody's member until its handshake is done: no service hears
//! of it, and one deadline that bytes do not reset ends it. Who speaks plainly here is told so
//! plainly; any other nonsense gets TLS's own alert. What ends without a `close_notify` may have
//! been cut off by somebody, so its last half line is not taken for a line.
//!
//! **Costs.** A handshake: two reads and two writes, as a rule, and a signature that a resumed one
//! does without.
//!
//! **Read next.** `src/net/tls/mod.rs`.

use super::channel::Doors;
use super::conn::Phase;
use super::pump::Step;
use super::worker::Worker;
use crate::metrics::CloseReason;
use crate::net::ReceiveError;
use crate::reactor::{ConnId, Cx};
use crate::service::Service;
use crate::session;

impl<S: Service> Worker<S> {
    /// Something came; perhaps that was the last of the handshake. False if the service wants
    /// nothing of what comes behind it.
    #[cold]
    pub(super) fn go_on_with_handshake(
        &mut self,
        cx: &mut Cx,
        id: ConnId,
    ) -> Result<bool, CloseReason> {
        let Some(tls) = self.conns.get(id).and_then(|conn| conn.link.tls()) else {
            return Ok(true);
        };
        if tls.is_handshaking() {
            return Ok(true);
        }
        self.metrics.tls_handshakes += 1;
        self.metrics.tls_resumed += u64::from(tls.is_resumed());
        self.open_session(cx, id)?;
        Ok(self.conns.get(id).is_some_and(|conn| conn.phase == Phase::Open))
    }

    /// Nothing more can be received. The rest is as with any other end, as far as it goes.
    #[cold]
    pub(super) fn receive_failed(&mut self, cx: &mut Cx, id: ConnId, error: ReceiveError) -> Step {
        match error {
            ReceiveError::Reset { .. } | ReceiveError::Send(_) => return Err(error.into()),
            ReceiveError::Tls(fault) => self.metrics.tls_failed[fault as usize] += 1,
            ReceiveError::Truncated => {}
            ReceiveError::PlainOnTls => {
                let Some(conn) = self.conns.get(id) else { return Ok(()) };
                let doors = &self.listeners[conn.listener as usize].doors;
                let is_http = matches!(doors, Doors::Paths(_));
                self.desk.date.set(self.clock.unix_s(cx.now));
                session::tls_wanted(is_http, &self.desk.date, &mut self.desk.write);
                self.send_written(cx, id)?;
            }
        }
        self.begin_close(cx, id, CloseReason::from(error))
    }

    /// Reads the certificates of all listeners again, for connections to come.
    pub(super) fn reload_certificates(&mut self) {
        for index in 0..self.listeners.len() {
            if let Some(twin) = self.listeners[index].twin_of {
                self.listeners[index].tls = self.listeners[usize::from(twin)].tls.clone();
                continue;
            }
            let listener = &mut self.listeners[index];
            let Some(tls) = listener.tls.as_mut().filter(|tls| !tls.is_self_signed()) else {
                continue;
            };
            match tls.reload() {
                Ok(()) => {
                    self.metrics.tls_reloads += 1;
                    let fingerprint = tls.fingerprint();
                    tracing::info!("{}: new certificate, SHA-256 {fingerprint}", listener.endpoint);
                }
                Err(error) => {
                    self.metrics.tls_reload_failures += 1;
                    let at = &listener.endpoint;
                    tracing::warn!("{at}: {error}; the certificate in use stays");
                }
            }
        }
    }
}
