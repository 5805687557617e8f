//! **What.** Where a server listens: IPv6, both families at once, Unix sockets and their files,
//! shared ports, and addresses that are taken.
//!
//! **Why this way.** Where the system has no IPv6 the tests of it say so and pass.
//!
//! **Costs.** Little.
//!
//! **Read next.** `datagrams.rs`.

use crate::child::Child;
use crate::support::*;
use oneloop::net::{Address, Endpoint};
use oneloop::server::{AtLimit, Limits, Server, StartError};
use oneloop::service::Builtin;
use std::io::{ErrorKind, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Whether this machine has an IPv6 loopback; says so if not.
fn has_ipv6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        let _ = writeln!(std::io::stderr(), "SKIPPED: no IPv6 loopback here");
    }
    has
}

#[test]
fn ipv6_is_served() {
    if has_ipv6() {
        let server = serve([("tcp://[::1]:0/echo", Builtin::Echo)], limits());
        ping(&mut server.connect());
        server.finish();
    }
}

#[test]
fn one_listener_serves_both_families_unless_asked_not_to() {
    if !has_ipv6() {
        return;
    }
    let both = [("tcp://[::]:0/", Builtin::Echo), ("tcp://[::]:0/?v6only=true", Builtin::Echo)];
    let server = serve(both, limits());
    for (listener, takes_v4) in [(0, true), (1, false)] {
        let port = address(server.at(listener)).port();
        ping(&mut patient(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap()));
        let v4 = TcpStream::connect(("127.0.0.1", port));
        assert_eq!(v4.is_ok(), takes_v4);
        v4.into_iter().for_each(|client| ping(&mut patient(client)));
    }
    server.finish();
}

/// An IPv4 client of a dual-stack listener is the same client to the limits by address.
#[test]
fn limits_by_address_see_through_mapped_addresses() {
    if !has_ipv6() {
        return;
    }
    let server = serve([("tcp://[::]:0/", Builtin::Echo)], Limits { per_ip_max: 1, ..limits() });
    let mut at = server.at(0).clone();
    at.address = Address::Tcp(([127, 0, 0, 1], address(&at).port()).into());
    let (mut two, mut three) = (connect_from(2, &at), connect_from(3, &at));
    ping(&mut two);
    ping(&mut three);
    assert!(last_words(&mut connect_from(2, &at)).starts_with("-ERR too many"));
    server.finish();
}

fn unix_url(path: &Path) -> String {
    format!("unix://{}?service=echo", path.display())
}

fn connect_unix(path: &Path) -> std::io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

#[test]
fn a_unix_socket_is_served_and_its_file_removed_at_the_end() {
    let scratch = Scratch::new();
    let path = scratch.path("echo.sock");
    let server = serve([(unix_url(&path), Builtin::Echo)], limits());
    let mut clients: Vec<_> = (0..20).map(|_| connect_unix(&path).unwrap()).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        let bytes = pattern(i as u64, 10_000);
        client.write_all(&bytes).unwrap();
        assert!(read_n(client, bytes.len()) == bytes);
    }
    clients[0].shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut clients[0]), (vec![], End::Fin));
    drop(clients);
    assert!(path.exists());
    let books = server.finish();
    assert_eq!(books.metrics.accepted, 20);
    assert!(!path.exists(), "the file is left behind");
}

#[test]
fn a_stale_unix_socket_is_replaced() {
    let scratch = Scratch::new();
    let path = scratch.path("echo.sock");
    // std's listener leaves its file behind, as a server that was killed does.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = serve([(unix_url(&path), Builtin::Echo)], limits());
    ping(&mut connect_unix(&path).unwrap());
    server.finish();
}

/// The one line of a server that does not start.
#[track_caller]
fn refusal(url: &str) -> String {
    let endpoint = Endpoint::parse(url).unwrap();
    let built = Server::builder().limits(limits()).listen(endpoint, Builtin::Echo).bind();
    match built.map(drop) {
        Err(error @ StartError::Listen(..)) => {
            assert!(!error.is_usage());
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_live_unix_socket_is_refused_and_its_holder_named() {
    let scratch = Scratch::new();
    let path = scratch.path("echo.sock");
    let server = serve([(unix_url(&path), Builtin::Echo)], limits());
    let reason = refusal(&unix_url(&path));
    let holder = format!("process {} (", std::process::id());
    assert!(reason.contains(&holder) && reason.contains("answers on it"), "{reason}");
    ping(&mut connect_unix(&path).unwrap());
    server.finish();
}

#[test]
fn what_is_no_socket_is_never_removed() {
    let scratch = Scratch::new();
    let path = scratch.path("precious");
    std::fs::write(&path, "data").unwrap();
    let link = scratch.path("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for taken in [&path, &link] {
        let reason = refusal(&unix_url(taken));
        assert!(reason.contains("not a stale socket"), "{reason}");
    }
    assert_eq!(std::fs::read_to_string(&link).unwrap(), "data");
    let reason = refusal(&unix_url(&scratch.path("no/such/dir.sock")));
    assert!(reason.contains("mkdir -p"), "{reason}");
}

#[test]
fn a_full_unix_listener_refuses_and_comes_back() {
    let scratch = Scratch::new();
    let path = scratch.path("echo.sock");
    let limits = Limits { max_connections: 1, at_limit: AtLimit::Refuse, ..limits() };
    let server = serve([(unix_url(&path), Builtin::Echo)], limits);
    let mut only = connect_unix(&path).unwrap();
    for _ in 0..3 {
        ping(&mut only);
        until("it refuses", || {
            connect_unix(&path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        });
        ping(&mut only);
        drop(only);
        let mut new = None;
        until("it is back", || {
            new = connect_unix(&path).ok();
            new.as_mut().is_some_and(is_served)
        });
        only = new.unwrap();
    }
    until("it refuses again", || connect_unix(&path).is_err());
    server.finish();
    assert!(!path.exists(), "a server that ends while it refuses leaves its file behind");
}

#[test]
fn two_servers_share_a_port_if_both_ask() {
    let first = serve([("tcp://127.0.0.1:0/?reuse_port=true", Builtin::Echo)], limits());
    let url = format!("{}?reuse_port=true", first.at(0));
    let second = serve([(url, Builtin::Echo)], limits());
    let mut clients: Vec<TcpStream> = (0..100).map(|_| first.connect()).collect();
    clients.iter_mut().for_each(ping);
    drop(clients);
    let (one, two) = (first.finish().metrics.accepted, second.finish().metrics.accepted);
    assert_eq!(one + two, 100);
    // Each alone would have all of them with a chance of 2 in 2^100.
    assert!(one > 0 && two > 0, "{one} and {two}");
}

#[test]
fn an_address_in_use_names_its_holder() {
    let test = "addresses::an_address_in_use_names_its_holder";
    let server = Child::serve(test, &["tcp://127.0.0.1:0/echo"], limits());
    let reason = refusal(&server.at[0].to_string());
    let pid = format!("process {} (", server.pid());
    assert!(reason.contains("address in use") && reason.contains(&pid), "{reason}");
    server.finish();
}

/// Two processes may listen on one port at different addresses; the right one is named.
#[test]
fn the_holder_of_another_address_is_not_accused() {
    let test = "addresses::the_holder_of_another_address_is_not_accused";
    let server = Child::serve(test, &["tcp://127.0.0.1:0/echo"], limits());
    let port = address(&server.at[0]).port();
    let others: Vec<_> =
        (2..40).map(|i| TcpListener::bind(SocketAddr::from(([127, 0, 0, i], port)))).collect();
    assert!(others.iter().any(Result::is_ok));
    let reason = refusal(&server.at[0].to_string());
    assert!(reason.contains(&format!("process {} (", server.pid())), "{reason}");
    server.finish();
}
