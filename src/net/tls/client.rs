//! Whom a client trusts.
//!
//! **What.** [`TlsClient`] makes the client's side of TLS for a connection to a named host.
//!
//! **Why this way.** Trust is given by name: certificates from a file, for themselves and for whom
//! they have signed, or nobody asked, which has to be said aloud ([`Trust::Anybody`]). The
//! system's certificates are left out: a load generator is pointed at a server of one's own.
//!
//! **Costs.** One configuration for all connections, with a bounded cache of sessions.
//!
//! **Read next.** `src/net/link.rs`.

use super::server::setup;
use super::{Side, Tls, TlsSetupError, provider};
use crate::net::Trust;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    Resumption, UnbufferedClientConnection, WebPkiServerVerifier, verify_server_name,
};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// The client's side of TLS for connections to one host.
#[derive(Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsClient").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TlsClient {
    /// For connections to `host`, a name or an address, that offer the protocols `alpn`.
    ///
    /// # Errors
    /// [`TlsSetupError`]: the host cannot be in a certificate, or the file has none.
    pub fn new(host: &str, trust: &Trust, alpn: &[&[u8]]) -> Result<TlsClient, TlsSetupError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| setup(format!("`{host}` is neither a host's name nor an address")))?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| setup(error.to_string()))?;
        let known = match trust {
            Trust::File(path) => Some(Known::read(path)?),
            Trust::Anybody => None,
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier(known));
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config.resumption = Resumption::in_memory_sessions(64);
        Ok(TlsClient { config: Arc::new(config), name })
    }

    /// The filter of a new connection. `None` if rustls refuses, which it has no reason to.
    pub fn connect(&self) -> Option<Box<Tls>> {
        let side = UnbufferedClientConnection::new(self.config.clone(), self.name.clone()).ok()?;
        Some(Tls::new(Side::Client(side)))
    }
}

/// The certificates of a file.
#[derive(Debug)]
struct Known {
    certificates: Vec<CertificateDer<'static>>,
    /// Trusts whom one of them has signed.
    signed: Arc<WebPkiServerVerifier>,
}

impl Known {
    fn read(path: &Path) -> Result<Known, TlsSetupError> {
        let complain =
            |what: String| setup(format!("trusted certificates, `{}`: {what}", path.display()));
        let bytes =
            std::fs::read(path).map_err(|error| complain(format!("cannot be read: {error}")))?;
        let (mut certificates, mut roots) = (Vec::new(), RootCertStore::empty());
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            let certificate = certificate.map_err(|error| complain(error.to_string()))?;
            roots.add(certificate.clone()).map_err(|error| complain(error.to_string()))?;
            certificates.push(certificate);
        }
        if roots.is_empty() {
            return Err(complain("has no certificate in it; give a PEM file".into()));
        }
        let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        let signed = signed.build().map_err(|error| complain(error.to_string()))?;
        Ok(Known { certificates, signed })
    }
}

/// Trusts what is known; without it, everybody.
fn verifier(known: Option<Known>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Verifier { provider: provider(), known })
}

#[cfg(test)]
pub(super) fn nobody_asked() -> Arc<dyn ServerCertVerifier> {
    verifier(None)
}

/// Verifies in any case that the peer has the key of the certificate that it shows.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    known: Option<Known>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(Known { certificates, signed }) = &self.known else {
            return Ok(ServerCertVerified::assertion());
        };
        // Who is in the file needs nobody's signature; and chains would not do: `openssl req -x509`
        // makes certificates that may sign others, which no server's own may in a chain.
        if certificates.contains(end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        signed.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
