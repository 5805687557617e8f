//! **What.** Certificates for a test, and clients that trust them.
//!
//! **Why this way.** Made anew for each test: nothing in the tree expires. A test whose server runs
//! in a child finds the same files from there.
//!
//! **Costs.** A P-256 key a test.
//!
//! **Read next.** `tls.rs`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

/// rustls' own blocking stream.
pub(crate) type Client = StreamOwned<ClientConnection, TcpStream>;

/// A certificate and its key, in a directory that parent and child agree on.
pub(crate) struct Files {
    dir: PathBuf,
    is_ours: bool,
}

impl Files {
    pub(crate) fn new(name: &str) -> Files {
        let is_ours = std::env::var_os("SERVER_TEST_CHILD").is_none();
        let pid = if is_ours { std::process::id() } else { std::os::unix::process::parent_id() };
        let dir = std::env::temp_dir().join(format!("oneloop-test-tls-{pid}-{name}"));
        let files = Files { dir, is_ours };
        if is_ours {
            fs::create_dir(&files.dir).unwrap();
            files.renew();
        }
        files
    }

    /// Another certificate with another key.
    pub(crate) fn renew(&self) {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(names).unwrap();
        fs::write(self.cert(), pem("CERTIFICATE", cert.der())).unwrap();
        fs::write(self.key(), pem("PRIVATE KEY", signing_key.serialized_der())).unwrap();
    }

    /// One that may sign others, as `openssl req -x509` makes them.
    #[allow(dead_code)]
    pub(crate) fn renew_as_authority(&self) {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        fs::write(self.cert(), pem("CERTIFICATE", params.self_signed(&key).unwrap().der()))
            .unwrap();
        fs::write(self.key(), pem("PRIVATE KEY", key.serialized_der())).unwrap();
    }

    pub(crate) fn cert(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.dir.join("key.pem")
    }

    pub(crate) fn url(&self, base: &str) -> String {
        let (cert, key) = (self.cert(), self.key());
        format!("{base}?tls_cert={}&tls_key={}", cert.display(), key.display())
    }

    /// A client that trusts the certificate that is there now, and no other.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.cert()).unwrap()).unwrap();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(ring);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = vec![0; der.len() * 4 / 3 + 4];
    let len = STANDARD.encode_slice(der, &mut text).unwrap();
    let lines: Vec<_> = text[..len].chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A client's stream to `localhost`, which shakes hands when it is first used.
pub(crate) fn secure(config: &Arc<ClientConfig>, stream: TcpStream) -> Client {
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), stream)
}
