//! Certificates from files: good ones, reloaded ones, and what is said of bad ones.

use super::super::{SelfSigned, Tls, TlsClient, TlsServer};
use super::{Rig, TOKEN};
use crate::metrics::TlsFault;
use crate::net::Trust;
use crate::net::{Endpoint, ReceiveError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory with `cert.pem` and `key.pem` that goes away.
struct Files(PathBuf);

impl Files {
    fn new() -> Files {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = format!("oneloop-tls-{}-{count}", std::process::id());
        let files = Files(std::env::temp_dir().join(dir));
        fs::create_dir(&files.0).expect("it is new");
        files.renew();
        files
    }

    /// Writes another certificate and its key.
    fn renew(&self) {
        let made = SelfSigned::new("h.example", [].iter(), None).expect("it can be made");
        let identity = made.identity();
        self.write("cert.pem", &pem("CERTIFICATE", &identity.chain[0]));
        self.write("key.pem", &pem("PRIVATE KEY", identity.key.secret_der()));
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("it can be written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn load(&self) -> Result<TlsServer, String> {
        load(&self.path("cert.pem"), &self.path("key.pem"))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load(cert: &Path, key: &Path) -> Result<TlsServer, String> {
    let url = format!("tls://127.0.0.1:0?tls_cert={}&tls_key={}", cert.display(), key.display());
    let endpoint = Endpoint::parse(&url).expect("a good URL");
    assert_eq!(endpoint.url().replace(":0/", ":0"), url, "it is given back as it was");
    TlsServer::load(&endpoint, None).map(|tls| tls.expect("wanted")).map_err(|e| e.to_string())
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = vec![0; der.len() * 4 / 3 + 4];
    let len = STANDARD.encode_slice(der, &mut text).expect("there is room");
    let lines: Vec<_> = text[..len].chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Lets two links talk until both have shaken hands or one has failed.
fn meet(server: &TlsServer, client: &TlsClient) -> [Result<Rig, ReceiveError>; 2] {
    let (mut one, mut other) = (Rig::new(server.accept()), Rig::new(client.connect()));
    other.with(|link, _, io| link.start(TOKEN, io)).expect("it begins");
    let mut faults = [None, None];
    for _ in 0..8 {
        let bytes = other.sent();
        faults[0] = faults[0].or(one.feed(&bytes).err());
        let bytes = one.sent();
        faults[1] = faults[1].or(other.feed(&bytes).err());
    }
    let outcome = |rig: Rig, fault| match fault {
        None => Ok(rig),
        Some(fault) => Err(fault),
    };
    [outcome(one, faults[0]), outcome(other, faults[1])]
}

#[test]
fn who_trusts_the_certificate_connects_to_its_names() {
    let files = Files::new();
    let server = files.load().expect("good files");
    let trust = Trust::File(files.path("cert.pem"));
    for host in ["h.example", "localhost", "127.0.0.1", "::1"] {
        let client = TlsClient::new(host, &trust, &[]).expect("a good name");
        let [one, other] = meet(&server, &client).map(|rig| rig.expect("they agree"));
        assert!(!one.link.tls().is_none_or(Tls::is_handshaking));
        assert!(!other.link.tls().is_none_or(Tls::is_handshaking));
    }
    let strangers = [
        (TlsClient::new("other.example", &trust, &[]), TlsFault::CertificateName),
        (
            TlsClient::new("localhost", &Trust::File(Files::new().path("cert.pem")), &[]),
            TlsFault::Certificate,
        ),
    ];
    for (client, fault) in strangers {
        let [one, other] = meet(&server, &client.expect("a good name"));
        assert_eq!(one.map(|_| ()), Err(ReceiveError::Tls(TlsFault::Alert)));
        assert_eq!(other.map(|_| ()), Err(ReceiveError::Tls(fault)));
    }
}

#[test]
fn a_session_is_resumed_even_after_a_reload() {
    let files = Files::new();
    let mut server = files.load().expect("good files");
    let client = TlsClient::new("localhost", &Trust::Anybody, &[]).expect("a good name");
    let is_resumed = |server: &TlsServer| {
        let rigs = meet(server, &client).map(|rig| rig.expect("they agree"));
        rigs.map(|rig| rig.link.tls().is_some_and(Tls::is_resumed))
    };
    assert_eq!(is_resumed(&server), [false, false]);
    assert_eq!(is_resumed(&server), [true, true]);
    files.renew();
    server.reload().expect("good files");
    assert_eq!(is_resumed(&server), [true, true]);
}

#[test]
fn a_reload_is_for_connections_to_come_and_a_bad_one_for_none() {
    let files = Files::new();
    let mut server = files.load().expect("good files");
    let old = TlsClient::new("localhost", &Trust::File(files.path("cert.pem")), &[]);
    let [mut one, mut other] = meet(&server, &old.expect("a name")).map(|rig| rig.expect("agree"));
    let before = server.fingerprint().to_owned();
    assert_eq!(before.len(), 32 * 3 - 1);

    files.write("key.pem", "");
    server.reload().expect_err("there is no key");
    assert_eq!(server.fingerprint(), before);

    files.renew();
    server.reload().expect("good files");
    assert_ne!(server.fingerprint(), before);
    let new = TlsClient::new("localhost", &Trust::File(files.path("cert.pem")), &[]);
    for rig in meet(&server, &new.expect("a name")) {
        rig.expect("it is the new one");
    }
    one.send(b"still here").expect("it goes on");
    let mut bytes = [0; 1_000];
    let len = one.peer.read(&mut bytes).expect("it was sent");
    other.peer.write_all(&bytes[..len]).expect("there is room");
    assert_eq!(other.feed(b"").expect("no fault"), b"still here");
}

#[test]
fn bad_files_are_named_with_the_fix() {
    let (files, stranger) = (Files::new(), Files::new());
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    files.write("empty", "");
    files.write("half.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    files.write("locked.pem", &pem("ENCRYPTED PRIVATE KEY", b"secret"));
    files.write("broken.pem", &pem("PRIVATE KEY", b"no key"));
    let cases = [
        (files.path("none"), key.clone(), "tls_cert: `", "cannot be read: No such file"),
        (files.path("empty"), key.clone(), "empty` has no certificate in it", "BEGIN CERTIFICATE"),
        (files.path("half.pem"), key.clone(), "half.pem` is not a PEM file", "end"),
        (key.clone(), key.clone(), "key.pem` has no certificate in it", "give a PEM file"),
        (cert.clone(), files.path("none"), "tls_key: `", "cannot be read"),
        (cert.clone(), cert.clone(), "cert.pem` has no private key in it", "BEGIN PRIVATE KEY"),
        (cert.clone(), files.path("locked.pem"), "is encrypted", "openssl pkey -in"),
        (cert.clone(), files.path("broken.pem"), "cannot be used", ""),
        (cert.clone(), stranger.path("key.pem"), "not the key of the certificate", "that fits"),
    ];
    for (cert, key, what, fix) in cases {
        let error = load(&cert, &key).expect_err(what);
        assert!(error.contains(what) && error.contains(fix), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let bare = Endpoint::parse("https://127.0.0.1:0").expect("a good URL");
    let error = TlsServer::load(&bare, None).expect_err("no certificate").to_string();
    assert!(error.contains("tls_cert=PATH&tls_key=PATH") && error.contains("--tls-self-signed"));
    for (url, what) in [
        ("https://127.0.0.1:0?tls_cert=a", "go together: give both"),
        ("tls://127.0.0.1:0?tls_key=a", "go together: give both"),
        ("http://127.0.0.1:0?tls_cert=a", "http:// has no TLS; use tls or https"),
    ] {
        let error = Endpoint::parse(url).expect_err(what).to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn what_was_made_here_is_handed_over_whole_and_kept_for_the_same_names() {
    let made = |host, url, before| {
        let endpoint = Endpoint::parse(url).expect("a good URL");
        let made = SelfSigned::new(host, [endpoint].iter(), before).expect("it can be made");
        made.to_bytes()
    };
    let bytes = made("h.example", "tls://127.0.0.1:0", None);
    for len in 0..bytes.len() {
        assert!(SelfSigned::from_bytes(&bytes[..len]).is_none_or(|it| it.to_bytes() != bytes));
    }
    let before = || SelfSigned::from_bytes(&bytes);
    assert_eq!(made("h.example", "tls://127.0.0.1:0", before()), bytes);
    assert_eq!(made("h.example", "tls://0.0.0.0:0", before()), bytes, "no name of anybody");
    assert_ne!(made("other.example", "tls://127.0.0.1:0", before()), bytes);
    assert_ne!(made("h.example", "tls://127.0.0.2:0", before()), bytes);
    assert_ne!(made("h.example", "tls://127.0.0.1:0", None), bytes);
}

#[test]
fn a_client_says_whom_it_cannot_trust() {
    let files = Files::new();
    files.write("empty", "");
    for (host, trust, what) in [
        ("no host", Trust::Anybody, "neither a host's name nor an address"),
        ("h", Trust::File(files.path("none")), "cannot be read"),
        ("h", Trust::File(files.path("empty")), "has no certificate in it"),
    ] {
        let error = TlsClient::new(host, &trust, &[]).expect_err(what).to_string();
        assert!(error.contains(what), "{error}");
    }
}
