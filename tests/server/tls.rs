//! **What.** The server under TLS: https, wss and tls, deadlines, wrong languages, certificates
//! read again under open connections.
//!
//! **Why this way.** The client is rustls' blocking stream, which shares nothing with the server's
//! filter. What the filter does with each byte is tested beside it; here is what only sockets show.
//!
//! **Costs.** A second or two.
//!
//! **Read next.** `src/net/tls/tests.rs`.

use crate::certs::{Client, Files, secure};
use crate::child::{Child, number};
use crate::support::*;
use crate::ws::*;
use oneloop::metrics::{CloseReason, RefuseReason, TlsFault};
use oneloop::net::Endpoint;
use oneloop::server::{Limits, Server};
use oneloop::service::Builtin;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConnection};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A server with an `https` listener (0), a `tls` echo (1) and a `tls` broadcast (2).
fn serve_tls(files: &Files, limits: Limits) -> Running {
    let at = |base: &str| Endpoint::parse(&files.url(base)).unwrap();
    let path = |service: Builtin| (format!("/{}", service.name()), service);
    let server = Server::builder()
        .limits(limits)
        .site(at("https://127.0.0.1:0"), Builtin::ALL.map(path).into())
        .listen(at("tls://127.0.0.1:0/echo"), Builtin::Echo)
        .listen(at("tls://127.0.0.1:0/broadcast"), Builtin::Broadcast);
    run(server.bind().unwrap_or_else(|error| panic!("{error}")))
}

/// Says that it ends, and reads what is left. The server must say so too, before its FIN.
#[track_caller]
fn part(mut client: Client) -> Vec<u8> {
    client.conn.send_close_notify();
    client.flush().unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).expect("its close_notify");
    rest
}

#[test]
fn https_and_wss_are_http_and_ws() {
    let files = Files::new("https");
    let server = serve_tls(&files, limits());
    let config = files.config();
    let mut client = secure(&config, server.connect());
    ask_health(&mut client);
    ask_health(&mut client);
    assert_eq!(part(client), b"");

    let mut ws = Ws::upgrade(secure(&config, server.connect()), "/echo");
    ws.echo("hello");
    ws.send(BINARY & 0x7f, b"in ");
    ws.send(PING, b"between");
    assert_eq!(ws.read(), (PONG, b"between".to_vec()));
    ws.send(0x80, b"two");
    assert_eq!(ws.read(), (BINARY, b"in two".to_vec()));
    let message = pattern(7, 1 << 20);
    ws.send(BINARY, &message);
    let (first, back) = ws.read();
    assert!(first == BINARY && back == message, "a megabyte");
    ws.close();
    let books = server.finish();
    assert_eq!(books.metrics.tls_handshakes, 2);
    assert_eq!(books.metrics.tls_resumed, 1, "the client kept a ticket");
    assert_eq!(closed(&books, CloseReason::PeerClosed), 1);
    assert_eq!(closed(&books, CloseReason::ServiceClosed), 1);
}

#[test]
fn tls_is_any_service_under_tls() {
    let files = Files::new("raw");
    let server = serve_tls(&files, limits());
    let config = files.config();
    let mut client = secure(&config, connect(server.at(1)));
    for len in [1, 16_384, 16_385, 60_000] {
        let message = pattern(len as u64, len);
        client.write_all(&message).unwrap();
        assert!(read_n(&mut client, len) == message, "{len}");
    }
    assert_eq!(part(client), b"");

    let mut members: Vec<Client> = (0..3).map(|_| secure(&config, connect(server.at(2)))).collect();
    for n in 0..3 {
        // Each is a member once its handshake is done, and no sooner.
        members[n].write_all(format!("{n} is here\n").as_bytes()).unwrap();
        for member in &mut members[..=n] {
            assert_eq!(read_line(member), format!("{n} is here"));
        }
    }
    // A last line without an ending is one, if the peer says that it was the last.
    members[0].write_all(b"bye").unwrap();
    let first = members.remove(0);
    assert_eq!(part(first), b"bye\n");
    for member in &mut members {
        assert_eq!(read_line(member), "bye");
    }
    // And none if it was cut off.
    members[0].write_all(b"half a li").unwrap();
    half_close(&members[0].sock);
    let mut rest = Vec::new();
    members.remove(0).read_to_end(&mut rest).expect("the server ends by the book");
    assert_eq!(rest, b"");
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::TlsTruncated), 1);
    assert_eq!(books.metrics.broadcasts, 4);
}

#[test]
fn a_handshake_has_a_deadline_that_bytes_do_not_reset() {
    let files = Files::new("late");
    let limits = Limits { tls_handshake_timeout_ms: 300, ..limits() };
    let server = serve_tls(&files, limits);
    let mut silent = server.connect();
    let mut trickles = server.connect();
    let start = Instant::now();
    let mut hello = Vec::new();
    let name = ServerName::try_from("localhost").unwrap();
    let mut conn = ClientConnection::new(files.config(), name).unwrap();
    conn.write_tls(&mut hello).unwrap();
    let mut ended = false;
    for byte in hello {
        pause_ms(10);
        if trickles.write_all(&[byte]).is_err() || is_over(&mut trickles) {
            ended = true;
            break;
        }
    }
    assert!(ended, "it was let to trickle to the end");
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(read_to_end(&mut silent), (vec![], End::Fin));
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::TlsHandshakeLate), 2);
}

/// Whether the server has ended this stream, without waiting for it.
fn is_over(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let over = match stream.read(&mut [0]) {
        Err(error) => error.kind() != ErrorKind::WouldBlock,
        Ok(_) => true,
    };
    stream.set_nonblocking(false).unwrap();
    over
}

#[test]
fn the_wrong_language_is_told_so() {
    let files = Files::new("wrong");
    let server = serve_tls(&files, limits());
    let mut client = server.connect();
    client.write_all(get("/").as_bytes()).unwrap();
    let told = last_words(&mut client);
    assert!(told.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{told}");
    assert!(told.ends_with("\r\n\r\nthis port speaks TLS: use https://\n"), "{told}");
    let mut client = connect(server.at(1));
    client.write_all(b"hello\n").unwrap();
    assert_eq!(last_words(&mut client), "-ERR this port speaks TLS\n");
    // Neither text nor TLS: an alert (21), fatal (2), as TLS has it.
    let mut client = connect(server.at(1));
    client.write_all(b"\x00\x01\x02\x03\x04\x05").unwrap();
    let (alert, _) = read_to_end(&mut client);
    assert_eq!((alert[0], alert[5]), (21, 2), "{alert:?}");
    // Who does not trust the certificate says so.
    let stranger = Files::new("stranger");
    let mut client = secure(&stranger.config(), connect(server.at(1)));
    client.write_all(b"hello").expect_err("an unknown certificate");
    let _ = client.flush();
    drop(client);
    // And who only looks whether the port is open has done nothing wrong.
    drop(server.connect());
    let mut last = secure(&files.config(), connect(server.at(1)));
    ping(&mut last);
    drop(last);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::PlainOnTls), 2);
    assert_eq!(closed(&books, CloseReason::TlsFailed), 2);
    assert_eq!(books.metrics.tls_failed[TlsFault::Malformed as usize], 1);
    assert_eq!(books.metrics.tls_failed[TlsFault::Alert as usize], 1);
}

#[test]
fn tls_on_a_plain_port_is_told_so_where_it_cannot_be_data() {
    let files = Files::new("plain");
    let http = run(bind_site("", limits()));
    let mut client = secure(&files.config(), http.connect());
    let error = client.write_all(b"hello").expect_err("no TLS here");
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    let told = read_to_end(&mut client.sock).0;
    assert_eq!(told, b"", "rustls has read it");
    let mut client = http.connect();
    client.write_all(&[0x16, 3, 1, 0, 200, 1]).unwrap();
    let told = last_words(&mut client);
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
    assert!(told.ends_with("this port speaks HTTP without TLS: use http://\n"), "{told}");
    assert_eq!(closed(&http.finish(), CloseReason::TlsOnPlain), 2);
    // To an echo it is bytes like others.
    let echo = serve_echo(limits());
    let mut client = echo.connect();
    client.write_all(&[0x16, 3, 1, 0, 200, 1]).unwrap();
    assert_eq!(read_n(&mut client, 6), [0x16, 3, 1, 0, 200, 1]);
    drop(client);
    echo.finish();
}

#[test]
fn who_finds_no_room_gets_an_alert_and_no_handshake() {
    let files = Files::new("full");
    let server = serve_tls(&files, Limits { max_connections: 1, ..limits() });
    let config = files.config();
    let mut first = secure(&config, server.connect());
    ask_health(&mut first);
    let (alert, end) = read_to_end(&mut server.connect());
    assert_eq!(end, End::Fin);
    // What a client makes of it.
    let name = ServerName::try_from("localhost").unwrap();
    let mut second = ClientConnection::new(config, name).unwrap();
    assert_eq!(second.read_tls(&mut &alert[..]).unwrap(), alert.len());
    let no_room = rustls::Error::AlertReceived(AlertDescription::InternalError);
    assert_eq!(second.process_new_packets().map(|_| ()), Err(no_room));
    drop(first);
    assert_eq!(refused(&server.finish(), RefuseReason::Full), 1);
}

#[test]
fn a_drain_ends_tls_by_the_book() {
    let files = Files::new("drain");
    let server = serve_tls(&files, limits());
    let config = files.config();
    let mut ws = Ws::upgrade(secure(&config, server.connect()), "/echo");
    ws.echo("hello");
    let mut raw = secure(&config, connect(server.at(1)));
    ping(&mut raw);
    let mut shaking = server.connect();
    shaking.write_all(&[22, 3, 1]).unwrap();
    server.stopper().stop().unwrap();
    // `read_to_end` fails without a close_notify before the FIN.
    let (first, payload) = ws.read();
    assert_eq!((first, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
    let mut rest = Vec::new();
    ws.0.read_to_end(&mut rest).expect("close_notify");
    raw.read_to_end(&mut rest).expect("close_notify");
    assert_eq!(rest, b"");
    let (rest, _) = read_to_end(&mut shaking);
    assert_eq!(rest, b"");
    drop((ws, raw, shaking));
    server.join();
}

/// Who does not read stalls the server under TLS as without: it is not read from any more, and
/// nothing is lost.
#[test]
fn backpressure_goes_through_tls() {
    let files = Files::new("slow");
    let url = files.url("tls://127.0.0.1:0/echo") + "&rcvbuf=32KiB&sndbuf=32KiB";
    let server = serve([(url, Builtin::Echo)], limits());
    let mut client = secure(&files.config(), connect_narrow(server.at(0)));
    socket2::SockRef::from(&client.sock).set_send_buffer_size(32 * 1024).unwrap();
    ping(&mut client);
    let message = pattern(3, 4 << 20);
    client.conn.set_buffer_limit(None);
    client.conn.writer().write_all(&message).unwrap();
    let mut sealed = Vec::new();
    while client.conn.wants_write() {
        client.conn.write_tls(&mut sealed).unwrap();
    }
    // Written without a glance at what comes back, until nothing goes any more.
    let mut writer = client.sock.try_clone().unwrap();
    writer.set_write_timeout(Some(QUIET)).unwrap();
    let mut at = 0;
    while let Ok(len) = writer.write(&sealed[at..]) {
        at += len;
    }
    assert!(at < sealed.len() / 2, "the server has taken {at} bytes");
    writer.set_write_timeout(Some(PATIENCE)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&sealed[at..]).unwrap());
        assert!(read_n(&mut client, message.len()) == message, "it differs");
    });
    assert_eq!(part(client), b"");
    let books = server.finish();
    assert!(books.metrics.stalls > 0, "it was stuck");
}

#[test]
fn sighup_changes_the_certificate_for_those_who_come() {
    let files = Files::new("reload");
    let url = files.url("tls://127.0.0.1:0/echo");
    let test = "tls::sighup_changes_the_certificate_for_those_who_come";
    let server = Child::serve(test, &[&url], limits());
    let old = files.config();
    let mut before = secure(&old, connect(&server.at[0]));
    ping(&mut before);

    files.renew();
    server.signal(libc::SIGHUP);
    until("it is reloaded", || server.count("tls_reloads") == 1);
    let mut after = secure(&files.config(), connect(&server.at[0]));
    ping(&mut after);
    ping(&mut before);

    let renewed = files.config();
    fs::write(files.key(), "no key").unwrap();
    server.signal(libc::SIGHUP);
    until("it is refused", || server.count("tls_reload_failures") == 1);
    let mut still = secure(&renewed, connect(&server.at[0]));
    ping(&mut still);
    ping(&mut before);
    assert_eq!(part(before), b"");
    drop((after, still));
    let books = server.finish();
    assert_eq!(number(&books, "tls_reloads"), 1);
}
