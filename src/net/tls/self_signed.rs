//! A certificate for trying things out.
//!
//! **What.** [`make`] makes a key and a certificate for this machine's own names, signed by itself.
//!
//! **Why this way.** Nobody trusts it but who was told its fingerprint, and it is gone with the
//! process: there is nothing to be left lying about. X.509 is rcgen's.
//!
//! **Costs.** A P-256 key at the start: under a millisecond.
//!
//! **Read next.** `src/net/tls/server.rs`.

use super::server::{Identity, setup};
use crate::net::{Address, TlsSetupError};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;

/// A certificate for `host`, for localhost and its addresses, and for the one that is listened on.
pub(super) fn make(host: &str, address: &Address) -> Result<Identity, TlsSetupError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !names.iter().any(|name| name == host) {
        names.push(host.to_owned());
    }
    if let Address::Tcp(address) = address
        && let own = address.ip().to_string()
        && !address.ip().is_unspecified()
        && !names.contains(&own)
    {
        names.push(own);
    }
    let made = || -> Result<Identity, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "oneloop, self-signed");
        let certificate = params.self_signed(&key)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Ok(Identity { chain: vec![certificate.der().clone()], key })
    };
    made().map_err(|error| setup(format!("no self-signed certificate could be made: {error}")))
}
