//! **What.** How SO_REUSEPORT spreads TCP connections, and what happens to them when one of the
//! listeners closes (fact 10 and the restart table).
//!
//! **Why this way.** The result hangs on the sysctl `net.ipv4.tcp_migrate_req`, so each test sets
//! it in a private network namespace. Instead of racing restarts against clients, the tests build
//! the two states a connection can be lost in: waiting in the accept queue, and half open, with
//! the last step of its handshake still to come. TCP_DEFER_ACCEPT holds a connection in the
//! second state until the client sends (tcp(7)).
//!
//! **Costs.** At most 400 connections per child, never accepted: TCP_INFO tells where they are.
//!
//! **Read next.** `udp.rs`.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};

use socket2::Type;

use crate::child::{self, Room};
use crate::support::*;

/// Fact 10. The kernel picks a listener by a hash of the addresses, so many connections spread
/// evenly. The bounds are almost six standard deviations wide; a kernel that favours a listener
/// falls out of them.
#[test]
fn reuseport_spreads_connections_evenly() {
    child::run("reuseport::reuseport_spreads_connections_evenly", Room::Network, || {
        let listeners = listeners(4);
        let _clients = connect_and_settle(&listeners, 400);
        let spread: Vec<usize> = listeners.iter().map(waiting).collect();
        println!("400 connections on 4 listeners: {spread:?}");
        assert!(spread.iter().all(|n| (50..=150).contains(n)), "{spread:?}");
    });
}

/// Fact 10. With `tcp_migrate_req=0`, the default, closing a listener resets exactly the
/// connections that wait in its accept queue. So drain the queue before closing.
#[test]
fn closing_a_listener_resets_what_waits_in_its_queue() {
    child::run(
        "reuseport::closing_a_listener_resets_what_waits_in_its_queue",
        Room::Network,
        || {
            child::set_sysctl("tcp_migrate_req", "0");
            let mut listeners = listeners(4);
            let clients = connect_and_settle(&listeners, 100);
            let lost = waiting(&listeners[0]);
            drop(listeners.remove(0));

            until("the resets arrive", || resets(&clients) == lost);
            println!("closing one of 4 listeners reset {lost} of 100 waiting connections");
            assert!(lost > 0);
            assert_eq!(listeners.iter().map(waiting).sum::<usize>(), 100 - lost);
        },
    );
}

/// Fact 10. With `tcp_migrate_req=1` the same close resets nobody: the connections move to the
/// queues of the other listeners. So the doctor looks at this sysctl before a rolling restart.
#[test]
fn tcp_migrate_req_moves_what_waits_to_other_listeners() {
    child::run(
        "reuseport::tcp_migrate_req_moves_what_waits_to_other_listeners",
        Room::Network,
        || {
            child::set_sysctl("tcp_migrate_req", "1");
            let mut listeners = listeners(4);
            let clients = connect_and_settle(&listeners, 100);
            assert!(waiting(&listeners[0]) > 0);
            drop(listeners.remove(0));

            until("they have moved", || listeners.iter().map(waiting).sum::<usize>() == 100);
            assert_eq!(resets(&clients), 0);
        },
    );
}

/// Restarts. Draining the accept queue before the close is not enough with `tcp_migrate_req=0`:
/// a handshake that is half done at that moment ends in a reset. So a restart that may lose
/// nobody needs the sysctl, or hands the listening descriptor itself on.
#[test]
fn draining_before_the_close_still_resets_half_open_handshakes() {
    child::run(
        "reuseport::draining_before_the_close_still_resets_half_open_handshakes",
        Room::Network,
        || {
            let (resets, accepted) = close_one_of_two_amid_handshakes("0");
            println!("draining, then closing one of 2 listeners reset {resets} of 40 handshakes");
            assert!((1..40).contains(&resets), "{resets} of 40");
            assert_eq!(resets + accepted, 40);
        },
    );
}

/// Restarts. With `tcp_migrate_req=1` half-open handshakes move as well, and nobody is lost.
#[test]
fn tcp_migrate_req_moves_half_open_handshakes() {
    child::run("reuseport::tcp_migrate_req_moves_half_open_handshakes", Room::Network, || {
        assert_eq!(close_one_of_two_amid_handshakes("1"), (0, 40));
    });
}

/// Restarts. A listening descriptor that is handed on is the same socket with the same queue: the
/// old holder may close, and nothing is lost on any setting. `dup` makes the second descriptor
/// here; SCM_RIGHTS (unix(7)) and inheritance over `exec` do the same between processes.
#[test]
fn handing_on_the_listening_descriptor_loses_nothing() {
    let old = TcpListener::bind("127.0.0.1:0").unwrap();
    let clients = connect_many(&old, 20);
    await_waiting(&old, 20);
    let new = old.try_clone().unwrap();
    drop(old);

    assert_eq!(waiting(&new), 20);
    new.set_nonblocking(true).unwrap();
    let accepted: Vec<_> = (0..20).map(|_| new.accept().unwrap()).collect();
    assert_eq!((accepted.len(), resets(&clients)), (20, 0));
}

/// Two listeners, 40 handshakes held half open, one listener drained and closed, then the clients
/// send. Returns how many were reset, and how many reached the other listener.
fn close_one_of_two_amid_handshakes(tcp_migrate_req: &str) -> (usize, usize) {
    child::set_sysctl("tcp_migrate_req", tcp_migrate_req);
    let mut listeners = listeners(2);
    for listener in &listeners {
        set_option(listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 30);
    }
    let mut clients = connect_many(&listeners[0], 40);
    assert!(listeners[0].accept().is_err(), "drained: the queue is empty");
    drop(listeners.remove(0));
    for client in &mut clients {
        client.write_all(b"x").unwrap();
    }
    until("everybody's fate is known", || resets(&clients) + waiting(&listeners[0]) == 40);
    (resets(&clients), waiting(&listeners[0]))
}

/// `n` non-blocking listeners on one port of 127.0.0.1, joined by SO_REUSEPORT.
fn listeners(n: usize) -> Vec<TcpListener> {
    let first = listener("127.0.0.1:0".parse().unwrap());
    let address = first.local_addr().unwrap();
    std::iter::once(first).chain((1..n).map(|_| listener(address))).collect()
}

fn listener(address: SocketAddr) -> TcpListener {
    let socket = reuseport_socket(Type::STREAM, address);
    socket.listen(1024).unwrap();
    TcpListener::from(socket)
}

/// `n` connections, all of them in some accept queue.
fn connect_and_settle(listeners: &[TcpListener], n: usize) -> Vec<TcpStream> {
    let clients = connect_many(&listeners[0], n);
    until("all wait", || listeners.iter().map(waiting).sum::<usize>() == n);
    clients
}

fn resets(clients: &[TcpStream]) -> usize {
    clients.iter().filter(|client| holds(*client, ERR | HUP)).count()
}
