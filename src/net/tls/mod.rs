//! TLS as a filter between a socket and its link.
//!
//! **What.** [`Tls`] turns ciphertext from the socket into bytes for the session and back.
//! [`TlsServer`] holds a listener's certificate, [`TlsClient`] what a client trusts.
//!
//! **Why this way.** TLS is rustls, which does no I/O. Of its two interfaces this is the unbuffered
//! one: rustls keeps nothing for a connection but its keys, the worker's scratch is read into and
//! written from as without TLS, and an unfinished record waits in the pool, where it counts. The
//! buffered interface keeps 4 KiB a connection, takes 4 KiB a call, and copies once more. A record
//! is decrypted only when it is whole, so nothing decrypted is ever left behind in here: after a
//! short read the edge is spent, as it is without TLS.
//!
//! **Costs.** A connection without TLS: nothing, for it shares one branch a call with the backlog.
//! With: see `docs/design.md`, "TLS". rustls allocates a buffer for each record that comes or goes.
//!
//! **Read next.** `src/net/link.rs`, which sends what comes out here; `src/net/tls/server.rs`.

mod client;
mod framer;
mod self_signed;
mod server;

pub use client::TlsClient;
pub use self_signed::SelfSigned;
pub use server::TlsServer;

use super::link::{ReceiveError, Received, SendError, read_once};
use super::{Stream, TlsSetupError};
use crate::buf::{Gather, Pool};
use crate::metrics::TlsFault;
use framer::{Framer, RECORD_BYTES_MAX};
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::CryptoProvider;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{CertificateError, CommonState, Error, HandshakeKind};
use std::sync::Arc;

/// Ciphertext that may wait for more: a record, or a handshake message of several (a certificate
/// chain). rustls would take 64 KiB, which nobody needs.
const HELD_BYTES_MAX: usize = 32 * 1024;
const _: () = assert!(HELD_BYTES_MAX > RECORD_BYTES_MAX + 5);

/// More than records add to so many bytes: 29 for each 16 KiB at the most (TLS 1.2), or an alert.
const fn sealed_bytes_max(bytes: usize) -> usize {
    bytes + 64 * (bytes / 16_384 + 2)
}

/// What one large answer needed beyond this is given back.
const SCRATCH_KEPT_BYTES: usize = 256 * 1024;

/// Ciphertext on its way, for all connections of a worker.
#[derive(Debug, Default)]
pub struct TlsScratch {
    /// From the socket: room for what waited, and behind it for what comes. Empty until needed.
    incoming: Vec<u8>,
    /// For the socket.
    outgoing: Vec<u8>,
}

impl TlsScratch {
    /// Takes what is to be sent. To be [given back](TlsScratch::give_outgoing).
    pub(super) fn take_outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing)
    }

    pub(super) fn give_outgoing(&mut self, mut outgoing: Vec<u8>) {
        outgoing.clear();
        outgoing.shrink_to(SCRATCH_KEPT_BYTES);
        self.outgoing = outgoing;
    }
}

/// Our half of rustls.
enum Side {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing came yet.
    New,
    /// Records come.
    Begun,
    /// The peer said that it has said everything (`close_notify`).
    PeerClosed,
    /// rustls gave up; what comes and goes from here on would be nonsense.
    Failed,
}

/// The TLS of one connection.
pub struct Tls {
    side: Side,
    framer: Framer,
    stage: Stage,
    /// We have said that we have said everything.
    is_ended: bool,
    /// Ciphertext that is no whole record yet, nor a whole message of the handshake.
    held: Gather,
}

/// What rustls made of some ciphertext.
struct Opened {
    /// Bytes that are done with.
    used: usize,
    /// Bytes of plaintext.
    plain: usize,
}

impl std::fmt::Debug for Tls {
    /// Without the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("stage", &self.stage).finish_non_exhaustive()
    }
}

impl Tls {
    fn new(side: Side) -> Box<Tls> {
        let (framer, held) = (Framer::default(), Gather::default());
        Box::new(Tls { side, framer, stage: Stage::New, is_ended: false, held })
    }

    fn state(&self) -> &CommonState {
        match &self.side {
            Side::Server(server) => server,
            Side::Client(client) => client,
        }
    }

    /// Nothing can be sent or received yet.
    pub fn is_handshaking(&self) -> bool {
        self.state().is_handshaking()
    }

    /// The handshake went on from an earlier session.
    pub fn is_resumed(&self) -> bool {
        self.state().handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// What an end of the stream means now: nothing, or why it is none.
    pub(super) fn fault_of_end(&self) -> Option<ReceiveError> {
        match self.stage {
            Stage::New | Stage::PeerClosed | Stage::Failed => None,
            Stage::Begun if self.is_handshaking() => Some(ReceiveError::Tls(TlsFault::Unfinished)),
            Stage::Begun => Some(ReceiveError::Truncated),
        }
    }

    /// Reads once from `stream` and opens what came into `plain`. What is to be sent for it is in
    /// the scratch, also after an error.
    pub(super) fn receive(
        &mut self,
        stream: &mut Stream,
        plain: &mut [u8],
        scratch: &mut TlsScratch,
        pool: &mut Pool,
    ) -> Result<Received, ReceiveError> {
        match self.stage {
            Stage::New | Stage::Begun => {}
            Stage::PeerClosed => return Ok(Received::Eof),
            Stage::Failed => return Err(ReceiveError::Tls(TlsFault::Other)),
        }
        let TlsScratch { incoming, outgoing } = scratch;
        if incoming.len() < HELD_BYTES_MAX + plain.len() {
            incoming.resize(HELD_BYTES_MAX + plain.len(), 0);
        }
        // Opened it is shorter: it fits, with what was held.
        let room = plain.len() - self.held.bytes().len();
        let fresh = &mut incoming[HELD_BYTES_MAX..HELD_BYTES_MAX + room];
        let (len, more) = match read_once(stream, fresh)? {
            Received::Filled(len) => (len, true),
            Received::Short(len) => (len, false),
            other => return Ok(other),
        };
        let fresh = &fresh[..len];
        if self.stage == Stage::New {
            self.stage = Stage::Begun;
            if is_text(fresh[0]) {
                return Err(ReceiveError::PlainOnTls);
            }
        }
        if !self.framer.feed(fresh) {
            self.hold(fresh, pool)?;
            return Ok(if more { Received::Filled(0) } else { Received::Short(0) });
        }
        let held = self.held.bytes().len();
        incoming[HELD_BYTES_MAX - held..HELD_BYTES_MAX].copy_from_slice(self.held.bytes());
        self.held.clear(pool);
        let input = &mut incoming[HELD_BYTES_MAX - held..HELD_BYTES_MAX + len];
        let opened = self.open(input, plain, outgoing).map_err(|fault| self.fail(fault))?;
        if self.stage == Stage::PeerClosed {
            // Whatever follows is to be ignored (RFC 8446 6.1).
            return Ok(match opened.plain {
                0 => Received::Eof,
                // The caller looks again, and hears of the end.
                plain => Received::Filled(plain),
            });
        }
        self.hold(&input[opened.used..], pool)?;
        Ok(match more {
            true => Received::Filled(opened.plain),
            false => Received::Short(opened.plain),
        })
    }

    /// Keeps ciphertext until more of it comes.
    fn hold(&mut self, bytes: &[u8], pool: &mut Pool) -> Result<(), ReceiveError> {
        if self.held.bytes().len() + bytes.len() > HELD_BYTES_MAX {
            return Err(self.fail(TlsFault::Malformed));
        }
        Ok(self.held.append(bytes, 0, pool)?)
    }

    fn fail(&mut self, fault: TlsFault) -> ReceiveError {
        self.stage = Stage::Failed;
        ReceiveError::Tls(fault)
    }

    /// Lets rustls work through `input`, a prefix of which it needs no more.
    fn open(
        &mut self,
        input: &mut [u8],
        plain: &mut [u8],
        outgoing: &mut Vec<u8>,
    ) -> Result<Opened, TlsFault> {
        let mut opened = Opened { used: 0, plain: 0 };
        loop {
            let rest = &mut input[opened.used..];
            let done = self.work(rest, &mut plain[opened.plain..], outgoing);
            opened.used += done.used;
            match done.next {
                Next::Opened(len) => opened.plain += len,
                Next::Again => {}
                Next::PeerClosed => self.stage = Stage::PeerClosed,
                Next::Rest => return Ok(opened),
                Next::Failed(fault) => {
                    // The alert. Only while there is one: asked for anything else, rustls would
                    // look at the input again.
                    while self.state().wants_write() {
                        let plain = &mut plain[opened.plain..];
                        let _ = self.work(&mut input[opened.used..], plain, outgoing);
                    }
                    return Err(fault);
                }
            }
        }
    }

    /// One step of rustls.
    fn work(&mut self, input: &mut [u8], plain: &mut [u8], outgoing: &mut Vec<u8>) -> Done {
        match &mut self.side {
            Side::Server(side) => work(side.process_tls_records(input), plain, outgoing),
            Side::Client(side) => work(side.process_tls_records(input), plain, outgoing),
        }
    }

    /// Seals `plain` into the scratch.
    pub(super) fn seal(&mut self, plain: &[u8], scratch: &mut TlsScratch) -> Result<(), SendError> {
        let written = self.write(scratch, sealed_bytes_max(plain.len()), Words::Data(plain));
        written.ok_or(SendError::Unsealed)
    }

    /// Seals our `close_notify`, once. Nothing if there is nobody to understand it.
    pub(super) fn seal_end(&mut self, scratch: &mut TlsScratch) {
        if !std::mem::replace(&mut self.is_ended, true) {
            self.write(scratch, sealed_bytes_max(0), Words::End);
        }
    }

    /// `None`: the connection cannot send.
    fn write(
        &mut self,
        scratch: &mut TlsScratch,
        bytes_max: usize,
        words: Words<'_>,
    ) -> Option<()> {
        if self.stage == Stage::Failed || self.is_handshaking() {
            return None;
        }
        let outgoing = &mut scratch.outgoing;
        let from = outgoing.len();
        outgoing.resize(from + bytes_max, 0);
        let room = &mut outgoing[from..];
        // What is held has nothing new for rustls, but it remembers places in it.
        let held = self.held.bytes_mut();
        let written = match &mut self.side {
            Side::Server(side) => write(side.process_tls_records(held), words, room),
            Side::Client(side) => write(side.process_tls_records(held), words, room),
        };
        outgoing.truncate(from + written.unwrap_or(0));
        written.map(|_| ())
    }

    /// Begins the handshake, if it is ours to begin.
    pub(super) fn start(&mut self, scratch: &mut TlsScratch) -> Result<(), ReceiveError> {
        let started = self.open(&mut [], &mut [], &mut scratch.outgoing);
        started.map_err(|fault| self.fail(fault))?;
        Ok(())
    }

    /// Gives back what is held.
    pub(super) fn clear(&mut self, pool: &mut Pool) {
        self.held.clear(pool);
    }
}

/// What is to be written.
enum Words<'a> {
    Data(&'a [u8]),
    End,
}

/// Writes into `room`; `None` if this connection writes no more.
fn write<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    words: Words<'_>,
    room: &mut [u8],
) -> Option<usize> {
    let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state else { return None };
    let written: Result<usize, EncryptError> = match words {
        Words::Data(plain) => traffic.encrypt(plain, room),
        Words::End => traffic.queue_close_notify(room),
    };
    written.ok()
}

/// What rustls did.
struct Done {
    /// Bytes of input that it needs no more.
    used: usize,
    next: Next,
}

/// And what it wants.
enum Next {
    /// To go on: something was written to `outgoing`, or it was.
    Again,
    /// To go on: so much plaintext was there.
    Opened(usize),
    /// To go on, although the peer will not.
    PeerClosed,
    /// To rest until there is more input.
    Rest,
    /// To end.
    Failed(TlsFault),
}

/// Does what rustls asks for at this point.
fn work<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &mut [u8],
    outgoing: &mut Vec<u8>,
) -> Done {
    let next = match status.state {
        Err(error) => {
            tracing::debug!("TLS: {error}");
            Next::Failed(fault(&error))
        }
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut len = 0;
            while let Some(Ok(record)) = traffic.next_record() {
                plain[len..len + record.payload.len()].copy_from_slice(record.payload);
                len += record.payload.len();
            }
            Next::Opened(len)
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
                let from = outgoing.len();
                outgoing.resize(from + size.required_size, 0);
                // It has just said that this is enough.
                let _ = data.encode(&mut outgoing[from..]);
            }
            Next::Again
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Next::Again
        }
        Ok(ConnectionState::PeerClosed) => Next::PeerClosed,
        Ok(_) => Next::Rest,
    };
    Done { used: status.discard, next }
}

fn fault(error: &Error) -> TlsFault {
    match error {
        Error::AlertReceived(_) => TlsFault::Alert,
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => TlsFault::Incompatible,
        Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => TlsFault::Malformed,
        Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. } => TlsFault::Misbehaved,
        Error::DecryptError => TlsFault::Undecipherable,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => TlsFault::CertificateName,
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => TlsFault::Certificate,
        _ => TlsFault::Other,
    }
}

/// A first byte that people or programs type, and no record begins with (RFC 8446 5.1).
fn is_text(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic() || matches!(byte, b'\r' | b'\n' | b'\t')
}

/// ring, said aloud: the process has no default that somebody else could have set.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
mod tests;
