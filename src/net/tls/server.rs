//! What a listener shows of itself: its certificate.
//!
//! **What.** [`TlsServer`] reads a certificate and its key, accepts connections with them, and
//! reads them again when asked to.
//!
//! **Why this way.** A connection keeps the configuration that it began with, so reading the files
//! again disturbs nobody; files that are no good change nothing. The keys that tickets are sealed
//! with stay, so that clients resume across a reload. Tickets are kept by the clients: a cache of
//! sessions would be memory that strangers fill. Early data is not taken, because it can be
//! replayed.
//!
//! **Costs.** A reload reads two files, and the loop waits for it.
//!
//! **Read next.** `src/net/tls/self_signed.rs`; `src/server/drain.rs` for SIGHUP.

use super::{SelfSigned, Side, Tls, TlsSetupError, provider};
use crate::net::endpoint::{TLS_CERT, TLS_KEY};
use crate::net::{Endpoint, Protocol, TlsOptions};
use rustls::crypto::ring::Ticketer;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ProducesTickets, UnbufferedServerConnection};
use rustls::{Error, InconsistentKeys, ServerConfig};
use std::path::Path;
use std::sync::Arc;

/// What a client gets for whom there is no room: a fatal alert, `internal_error`, in a record that
/// calls itself TLS 1.2 as all do (RFC 8446 5.1, 6.2). It is the alert of a server that cannot go
/// on for no fault of the client's.
const NO_ROOM: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// A certificate chain and its key.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// The server's side of TLS at one listener.
#[derive(Clone)]
pub struct TlsServer {
    /// For connections to come.
    config: Arc<ServerConfig>,
    options: TlsOptions,
    alpn: Vec<Vec<u8>>,
    /// Seals session tickets; its keys change by themselves every few hours.
    tickets: Arc<dyn ProducesTickets>,
    fingerprint: String,
}

impl std::fmt::Debug for TlsServer {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsServer").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

impl TlsServer {
    /// Prepares TLS for a listener, if its endpoint wants it. Without files of its own it gets a
    /// certificate that was made here, `self_signed`.
    ///
    /// # Errors
    /// [`TlsSetupError`]: there is no certificate, or it cannot be used.
    pub fn load(
        endpoint: &Endpoint,
        self_signed: Option<&SelfSigned>,
    ) -> Result<Option<TlsServer>, TlsSetupError> {
        let Some(options) = endpoint.tls.as_deref().cloned() else { return Ok(None) };
        let has_files = !options.cert.as_os_str().is_empty();
        let identity = match self_signed {
            _ if has_files => read(&options.cert, &options.key)?,
            Some(made) => made.identity(),
            None => {
                return Err(setup(format!(
                    "there is no certificate: add ?{TLS_CERT}=PATH&{TLS_KEY}=PATH to the URL, or \
                     --tls-self-signed to try it with one that nobody trusts"
                )));
            }
        };
        let tickets = Ticketer::new().map_err(|error| setup(format!("tickets: {error}")))?;
        // HTTP/2 is not spoken here; who insists on it hears that at once.
        let alpn = match endpoint.protocol {
            Protocol::Http => vec![b"http/1.1".to_vec()],
            Protocol::Stream => Vec::new(),
        };
        let fingerprint = fingerprint(&identity);
        let config = configure(identity, &alpn, &tickets)?;
        Ok(Some(TlsServer { config, options, alpn, tickets, fingerprint }))
    }

    /// The SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` writes it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether the certificate was made here.
    pub fn is_self_signed(&self) -> bool {
        self.options.cert.as_os_str().is_empty()
    }

    /// Reads the files again, for connections to come.
    ///
    /// # Errors
    /// [`TlsSetupError`]: they cannot be used; everything stays as it is.
    pub fn reload(&mut self) -> Result<(), TlsSetupError> {
        let identity = read(&self.options.cert, &self.options.key)?;
        let fingerprint = fingerprint(&identity);
        self.config = configure(identity, &self.alpn, &self.tickets)?;
        self.fingerprint = fingerprint;
        Ok(())
    }

    /// All that can be told to somebody who gets no handshake: to be sent as it is.
    pub fn refusal(&self) -> &'static [u8] {
        &NO_ROOM
    }

    /// The filter of a new connection. `None` if rustls refuses, which it has no reason to.
    pub fn accept(&self) -> Option<Box<Tls>> {
        let side = UnbufferedServerConnection::new(self.config.clone()).ok()?;
        Some(Tls::new(Side::Server(side)))
    }
}

fn configure(
    identity: Identity,
    alpn: &[Vec<u8>],
    tickets: &Arc<dyn ProducesTickets>,
) -> Result<Arc<ServerConfig>, TlsSetupError> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(identity.chain, identity.key)
        });
    let mut config = config.map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            setup(format!("{TLS_KEY} is not the key of the certificate: give the one that fits"))
        }
        other => setup(format!("the certificate or its key cannot be used: {other}")),
    })?;
    config.alpn_protocols = alpn.to_vec();
    config.ticketer = tickets.clone();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// Reads a certificate chain and its key from PEM files.
fn read(cert: &Path, key: &Path) -> Result<Identity, TlsSetupError> {
    let bytes = read_file(TLS_CERT, cert)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = chain.map_err(|error| {
        setup(format!("{TLS_CERT}: `{}` is not a PEM file: {error}", cert.display()))
    })?;
    if chain.is_empty() {
        return Err(setup(format!(
            "{TLS_CERT}: `{}` has no certificate in it: give a PEM file (-----BEGIN CERTIFICATE)",
            cert.display()
        )));
    }
    let bytes = read_file(TLS_KEY, key)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(setup(format!(
            "{TLS_KEY}: `{0}` is encrypted: decrypt it with `openssl pkey -in {0} -out NEW`",
            key.display()
        )));
    }
    // Its error could quote the file.
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        setup(format!(
            "{TLS_KEY}: `{}` has no private key in it: give a PEM file (-----BEGIN PRIVATE KEY)",
            key.display()
        ))
    })?;
    Ok(Identity { chain, key })
}

fn read_file(option: &str, path: &Path) -> Result<Vec<u8>, TlsSetupError> {
    std::fs::read(path)
        .map_err(|error| setup(format!("{option}: `{}` cannot be read: {error}", path.display())))
}

fn fingerprint(identity: &Identity) -> String {
    let Some(suite) = TLS13_AES_128_GCM_SHA256.tls13() else { return String::new() };
    let first = identity.chain.first().map(|der| der.as_ref()).unwrap_or_default();
    let digest = suite.common.hash_provider.hash(first);
    let bytes: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

pub(super) fn setup(reason: String) -> TlsSetupError {
    TlsSetupError(reason)
}
