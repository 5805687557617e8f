//! TLS: honest servers, and servers that fail in known ways. They run rustls' own blocking streams,
//! so that nothing is tested with itself.

use crate::certs::Files;
use crate::servers;
use crate::ws::{site, site_on, target};
use crate::{run, scenario};
use oneloop::load::{self, Report, Scenario, Shape};
use oneloop::net::{Address, Dialect, Target, Trust};
use oneloop::proto::http1::Method;
use oneloop::server::Limits;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::Duration;

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// A server that hands streams to `serve` which shake hands when they are first used.
fn tls(files: &Files, serve: impl Fn(Stream) + Send + Sync + 'static) -> Target {
    let chain = vec![CertificateDer::from_pem_file(files.cert()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_file(files.key()).expect("PEM");
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(ring);
    let builder = builder.with_safe_default_protocol_versions().expect("there are some");
    let config = builder.with_no_client_auth().with_single_cert(chain, key).expect("they match");
    let config = Arc::new(config);
    let address = servers::tcp(move |_, stream| {
        let connection = ServerConnection::new(config.clone()).expect("a good configuration");
        serve(StreamOwned::new(connection, stream));
    });
    secure(&address, Dialect::Bytes)
}

fn secure(address: &Address, dialect: Dialect) -> Target {
    Target { is_secure: true, ..target(address, dialect, "/echo") }
}

/// Three connections that trust what is in `files`.
fn scenario_of(target: Target, files: &Files) -> Scenario {
    let trust = Some(Trust::File(files.cert()));
    let address = target.address.clone();
    Scenario { target, trust, ..scenario(address, 3) }
}

#[track_caller]
fn assert_failed(report: &Report, reason: &str, phase: &str) {
    let connections = &report.connections;
    assert_eq!(connections.reasons.get(reason), Some(&3), "{connections:?}");
    assert_eq!(connections.failed, 3, "{connections:?}");
    let phases = connections.phases.by_name();
    assert_eq!(phases.iter().find(|(_, count)| *count > 0), Some(&(phase, 3)));
}

#[test]
fn websockets_and_http_come_back_from_our_server() {
    let files = Files::new("load-site");
    let (address, stop) = site_on(&files.url("https://127.0.0.1:0"), Limits::default());
    let cases = [(Dialect::WebSocket, Method::Get), (Dialect::Http, Method::Post)];
    for (dialect, method) in cases {
        for (size_bytes, depth) in [(1, 1), (64, 7), (20_000, 2), (300_000, 2)] {
            let scenario = scenario_of(secure(&address, dialect), &files);
            let report = run(&Scenario { method, size_bytes, depth, ..scenario });
            let (connections, messages) = (&report.connections, report.messages);
            assert_eq!(connections.connected, 3, "{dialect:?} {size_bytes}: {connections:?}");
            assert_eq!(messages.received, messages.sent, "{dialect:?} {size_bytes} x {depth}");
            assert!(messages.sent > 3 * u64::from(depth), "{dialect:?} {messages:?}");
        }
    }
    stop();
}

/// A full server can say no more than that, but that it says.
#[test]
fn who_finds_no_room_is_told_by_an_alert() {
    let files = Files::new("load-full");
    let limits = Limits { max_connections: 1, ..Limits::default() };
    let (address, stop) = site_on(&files.url("https://127.0.0.1:0"), limits);
    let report = run(&scenario_of(secure(&address, Dialect::WebSocket), &files));
    let connections = &report.connections;
    assert_eq!((connections.connected, connections.told_why), (1, 2), "{connections:?}");
    let told = connections.reasons.get("TLS: the server says no by an alert");
    assert_eq!(told, Some(&2), "{connections:?}");
    stop();
}

#[test]
fn shapes_are_the_same_under_tls() {
    let files = Files::new("load-shapes");
    let (address, stop) = site_on(&files.url("https://127.0.0.1:0"), Limits::default());
    let websocket = || scenario_of(secure(&address, Dialect::WebSocket), &files);
    let https = scenario_of(secure(&address, Dialect::Http), &files);
    let broadcast = Target { path: "/broadcast".into(), ..websocket().target };
    let churn = Shape::Churn { messages: 2 };
    let cases = [
        Scenario { shape: churn, ..websocket() },
        Scenario { shape: churn, method: Method::Post, ..https },
        Scenario { shape: Shape::Idle { ping_every_ms: 50 }, ..websocket() },
        Scenario { shape: Shape::Fan, target: broadcast, ..websocket() },
        Scenario { mix: vec![(64, 3), (100_000, 1)], ..websocket() },
    ];
    for case in cases {
        let report = run(&Scenario { duration_ms: 500, ..case.clone() });
        let (connections, messages) = (&report.connections, report.messages);
        assert_eq!(connections.connected, 3, "{:?}: {connections:?}", case.shape);
        assert_eq!(messages.received, messages.sent, "{:?}: {messages:?}", case.shape);
        assert!(messages.received > 6, "{:?}: {messages:?}", case.shape);
        assert_eq!(connections.reopened > 3, case.shape == churn, "{connections:?}");
    }
    stop();
}

#[test]
fn bytes_come_back_and_the_server_hears_that_no_more_will_come() {
    let files = Files::new("load-bytes");
    let (tell, ended) = mpsc::channel();
    let target = tls(&files, move |mut stream| {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            match stream.read(&mut bytes) {
                // rustls calls an end without close_notify an error.
                Ok(0) => return tell.send(()).expect("the test waits"),
                Ok(n) => stream.write_all(&bytes[..n]).expect("the client reads"),
                Err(error) => panic!("{error}"),
            }
        }
    });
    for (size_bytes, depth) in [(64, 5), (200_000, 2)] {
        let report = run(&Scenario { size_bytes, depth, ..scenario_of(target.clone(), &files) });
        assert_eq!(report.connections.connected, 3, "{:?}", report.connections);
        assert_eq!(report.messages.received, report.messages.sent);
    }
    for _ in 0..6 {
        ended.recv_timeout(Duration::from_secs(20)).expect("each ended by the book");
    }
}

#[test]
fn a_certificate_that_may_sign_others_is_trusted_for_itself_and_its_name() {
    let files = Files::new("load-authority");
    files.renew_as_authority();
    let (address, stop) = site_on(&files.url("https://127.0.0.1:0"), Limits::default());
    let target = secure(&address, Dialect::WebSocket);
    let report = run(&scenario_of(target.clone(), &files));
    assert_eq!(report.connections.connected, 3, "{:?}", report.connections);

    let elsewhere = Target { host: "elsewhere.test:1".to_owned(), ..target };
    let report = run(&scenario_of(elsewhere, &files));
    assert_failed(&report, "TLS: the certificate is for another host", "tls");
    stop();
}

#[test]
fn whom_nobody_vouches_for_is_not_spoken_to() {
    let (files, others) = (Files::new("load-trust"), Files::new("load-others"));
    let (address, stop) = site_on(&files.url("https://127.0.0.1:0"), Limits::default());
    let target = secure(&address, Dialect::WebSocket);
    let report = run(&scenario_of(target.clone(), &others));
    assert_failed(&report, "TLS: the certificate is not trusted (see --tls-ca)", "tls");
    assert_eq!(report.messages.sent, 0);

    let elsewhere = Target { host: "elsewhere.test:1".to_owned(), ..target.clone() };
    let report = run(&scenario_of(elsewhere.clone(), &files));
    assert_failed(&report, "TLS: the certificate is for another host", "tls");
    let trust = Some(Trust::Anybody);
    let report = run(&Scenario { trust, ..scenario_of(elsewhere, &files) });
    assert_eq!(report.connections.connected, 3, "{:?}", report.connections);

    let nothing = Some(Trust::File(files.cert().join("no")));
    for (trust, words) in [(None, ["--tls-ca", "--tls-insecure"]), (nothing, ["no", "read"])] {
        let outcome =
            load::run(&Scenario { trust, ..scenario_of(target.clone(), &files) }, &mut ());
        let error = outcome.expect_err("nobody is trusted").to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    stop();
}

#[test]
fn a_server_without_tls_is_found_out() {
    let files = Files::new("load-plain");
    let (address, stop) = site(Limits::default());
    let report = run(&scenario_of(secure(&address, Dialect::WebSocket), &files));
    assert_failed(&report, "TLS: the server answers in plain text", "tls");
    stop();
    // Our own ClientHello comes back.
    let address = servers::tcp(|_, stream| servers::echo(stream));
    let report = run(&scenario_of(secure(&address, Dialect::Bytes), &files));
    assert_failed(&report, "TLS: the server sends what may not come at this point", "tls");
    let address = servers::tcp(|_, mut stream| {
        let _ = stream.write_all(&[0; 64]);
        servers::read_to_end(stream);
    });
    let report = run(&scenario_of(secure(&address, Dialect::Bytes), &files));
    assert_failed(&report, "TLS: what the server sends is no TLS", "tls");
}

#[test]
fn a_handshake_that_is_cut_has_a_fate_of_its_own() {
    let files = Files::new("load-cut");
    // The beginning of a ServerHello, and no more.
    let address = servers::tcp(|_, mut stream| {
        let _ = stream.write_all(b"\x16\x03\x03\x00\x7a\x02\x00");
        let _ = stream.shutdown(Shutdown::Write);
        servers::read_to_end(stream);
    });
    let report = run(&scenario_of(secure(&address, Dialect::Bytes), &files));
    assert_failed(&report, "TLS: ended within the handshake", "tls");

    let address = servers::tcp(|_, stream| {
        let _ = stream.shutdown(Shutdown::Write);
        servers::read_to_end(stream);
    });
    let connections = run(&scenario_of(secure(&address, Dialect::Http), &files)).connections;
    assert_eq!((connections.closed, connections.phases.tls), (3, 3), "{connections:?}");

    let address = servers::tcp(|_, mut stream| {
        servers::read_message(&mut stream, 8);
        servers::reset(stream);
    });
    let connections = run(&scenario_of(secure(&address, Dialect::Http), &files)).connections;
    assert_eq!((connections.reset, connections.phases.tls), (3, 3), "{connections:?}");

    let address = servers::tcp(|_, stream| servers::read_to_end(stream));
    let silent = scenario_of(secure(&address, Dialect::Http), &files);
    let connections = run(&Scenario { connect_timeout_ms: 300, ..silent }).connections;
    assert_eq!((connections.timed_out, connections.phases.tls), (3, 3), "{connections:?}");
}

/// A cut is told from an end: who is in the middle can make the one, but not the other.
#[test]
fn an_end_without_close_notify_is_no_end() {
    let files = Files::new("load-end");
    for says_so in [false, true] {
        let target = tls(&files, move |mut stream| {
            let mut message = [0; 64];
            stream.read_exact(&mut message).expect("the client sends");
            stream.write_all(&message).expect("the client reads");
            // Two messages later, so that the first was certainly answered.
            stream.read_exact(&mut message).expect("the client sends");
            if says_so {
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
            let _ = stream.sock.shutdown(Shutdown::Write);
            let _ = std::io::copy(&mut stream.sock, &mut std::io::sink());
        });
        let report = run(&scenario_of(target, &files));
        match says_so {
            true => assert_eq!(report.connections.closed, 3, "{:?}", report.connections),
            false => {
                let reason = "TLS: cut off: it ended without close_notify";
                assert_failed(&report, reason, "receive");
            }
        }
    }
}
