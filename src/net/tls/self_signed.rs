//! A certificate for trying things out.
//!
//! **What.** [`SelfSigned`] is a key and a certificate for this machine's own names, signed by
//! itself: one for all listeners of a server, of all its workers, and of who follows it.
//!
//! **Why this way.** Nobody trusts it but who was told its fingerprint, so there is one, and it is
//! handed over in memory: it is gone with the last of these processes, and there is nothing to be
//! left lying about. X.509 is rcgen's.
//!
//! **Costs.** A P-256 key at the start: under a millisecond.
//!
//! **Read next.** `src/net/tls/server.rs`; `src/server/handover.rs` and `src/cli/workers.rs`, who
//! hand it over.

use super::server::{Identity, setup};
use crate::net::{Address, Endpoint, TlsSetupError};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// A certificate that was made here, and its key.
#[derive(Clone)]
pub struct SelfSigned {
    /// Whom it is for, with a comma between two.
    names: String,
    /// In DER.
    certificate: Vec<u8>,
    /// In DER, as PKCS #8.
    key: Vec<u8>,
}

impl std::fmt::Debug for SelfSigned {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SelfSigned").field("names", &self.names).finish_non_exhaustive()
    }
}

impl SelfSigned {
    /// One for `host`, for localhost and its addresses, and for those that are listened on. If
    /// `before` is for the same names, it is taken again.
    ///
    /// # Errors
    /// `host` is no name that may stand in a certificate.
    pub fn new<'a>(
        host: &str,
        endpoints: impl Iterator<Item = &'a Endpoint>,
        before: Option<SelfSigned>,
    ) -> Result<SelfSigned, TlsSetupError> {
        let mut names = ["localhost", "127.0.0.1", "::1", host].map(str::to_owned).to_vec();
        for endpoint in endpoints.filter(|endpoint| endpoint.tls.is_some()) {
            if let Address::Tcp(address) = &endpoint.address
                && !address.ip().is_unspecified()
            {
                names.push(address.ip().to_string());
            }
        }
        names.sort();
        names.dedup();
        let joined = names.join(",");
        match before {
            Some(before) if before.names == joined => Ok(before),
            _ => make(names).map_err(|error| {
                setup(format!("no self-signed certificate could be made: {error}"))
            }),
        }
    }

    /// As it is handed over: each part behind its length, of four bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let parts = [self.names.as_bytes(), &self.certificate, &self.key];
        parts.iter().flat_map(|part| [&(part.len() as u32).to_be_bytes(), *part].concat()).collect()
    }

    /// As it was handed over; `None` if that is not it.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<SelfSigned> {
        let mut part = || {
            let (len, rest) = bytes.split_first_chunk()?;
            let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
            bytes = rest;
            Some(part.to_vec())
        };
        let names = String::from_utf8(part()?).ok()?;
        Some(SelfSigned { names, certificate: part()?, key: part()? })
    }

    pub(super) fn identity(&self) -> Identity {
        Identity {
            chain: vec![CertificateDer::from(self.certificate.clone())],
            key: PrivatePkcs8KeyDer::from(self.key.clone()).into(),
        }
    }
}

fn make(names: Vec<String>) -> Result<SelfSigned, rcgen::Error> {
    let joined = names.join(",");
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "oneloop, self-signed");
    let certificate = params.self_signed(&key)?.der().to_vec();
    Ok(SelfSigned { names: joined, certificate, key: key.serialize_der() })
}
