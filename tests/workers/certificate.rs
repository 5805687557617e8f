//! **What.** A self-signed certificate is one for all workers, and for those that follow them.
//!
//! **Why this way.** The client trusts whom it meets first, and nobody else after that. With as
//! many connections as there are places, each worker has served some.
//!
//! **Costs.** Twelve handshakes for each set of workers.
//!
//! **Read next.** `src/net/tls/self_signed.rs`.

use crate::support::*;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct};
use rustls::{Error, SignatureScheme, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};

const EACH: usize = 4;

/// Trusts the first certificate that it sees, if it is for the right name.
#[derive(Debug)]
struct First {
    certificate: OnceLock<CertificateDer<'static>>,
    provider: CryptoProvider,
}

impl ServerCertVerifier for First {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        match self.certificate.get_or_init(|| certificate.clone().into_owned()) == certificate {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
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

/// A client that has met nobody yet. It resumes nothing, so each server must show itself.
fn newcomer() -> Arc<ClientConfig> {
    let provider = ring::default_provider();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider.clone()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let first = First { certificate: OnceLock::new(), provider };
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(first));
    let mut config = builder.with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// Whether this client trusts who answers there, and is served; then it stays.
fn trusts(config: &Arc<ClientConfig>, at: SocketAddr) -> Option<impl Sized + use<>> {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(config.clone(), name).unwrap();
    let mut stream: StreamOwned<_, TcpStream> = StreamOwned::new(connection, connect(at));
    let mut answer = [0; 4];
    stream.write_all(b"ping").ok()?;
    stream.read_exact(&mut answer).ok()?;
    (answer == *b"ping").then_some(stream)
}

/// Takes every place of so many workers.
#[track_caller]
fn fill(config: &Arc<ClientConfig>, at: SocketAddr, workers: usize) -> Vec<impl Sized + use<>> {
    let clients = (0..workers * EACH).map(|_| trusts(config, at).unwrap());
    clients.collect()
}

fn serve(args: &[&str]) -> Served {
    let own = ["--max-connections", "4", "--tls-self-signed", "on"];
    Served::start(&[args, &own, &["--listen", "tls://127.0.0.1:0/echo"]].concat())
}

#[test]
fn all_workers_show_the_same_certificate_and_so_do_those_started_again() {
    for way in WAYS {
        let server = serve(&[&["--workers", "3"], &way[..]].concat());
        let (at, config) = (server.at("tls"), newcomer());
        drop(fill(&config, at, 3));
        until("all are gone", || number(&server.books(), "connections") == 0);
        if let Some(&victim) = server.workers().first() {
            kill(victim, libc::SIGKILL);
            until("another serves", || server.log().contains("serves again"));
            drop(fill(&config, at, 3));
            until("all are gone", || number(&server.books(), "connections") == 0);
        }
        let books = server.finish();
        for worker in books["workers"].as_array().unwrap() {
            assert!(number(worker, "accepted") >= EACH as u64, "{way:?}: {books}");
        }
    }
}

#[test]
fn a_successor_shows_it_too_and_another_server_its_own() {
    for workers in ["1", "2"] {
        let mut server = serve(&["--workers", workers]);
        let (at, config) = (server.at("tls"), newcomer());
        drop(fill(&config, at, workers.parse().unwrap()));
        kill(server.pid(), libc::SIGUSR2);
        assert!(server.wait().success());
        let log = server.log();
        let next: i32 = log.rsplit_once("pid=").unwrap().1.lines().next().unwrap().parse().unwrap();
        drop(fill(&config, at, workers.parse().unwrap()));
        let stranger = serve(&["--workers", workers]);
        assert!(trusts(&config, stranger.at("tls")).is_none(), "it has another certificate");
        stranger.finish();
        kill(next, libc::SIGTERM);
        until("it has ended", || !is_running(next));
    }
}
