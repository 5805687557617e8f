//! **What.** How many connections one source address can make to one destination, and where it
//! becomes slow: the source-port cliff.
//!
//! **Why this way.** With the usual range of 28,232 ports the cliff takes 14,000 sockets and
//! seconds to see. In a private network namespace the range is 20 ports, and it shows at once.
//! That namespace is also why a fixed port is used here: port 0 could fall into the range.
//!
//! **Costs.** At most 60 connections per child.
//!
//! **Read next.** `timing.rs`.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use crate::child::{self, Room};
use crate::support::*;

const RANGE: usize = 20;
const FIRST_PORT: u16 = 40_000;

/// Cliff. One source address has one port range for each destination: then EADDRNOTAVAIL. A second
/// source address has its own. So the load generator rotates addresses of 127.0.0.0/8.
#[test]
fn each_source_address_has_its_own_port_range() {
    child::run("ports::each_source_address_has_its_own_port_range", Room::Network, || {
        let server = server_in_narrow_range(7000);
        let (first, end) = connect_until_refused(&server, || source("127.0.0.1", true));
        assert_eq!((first.len(), end.raw_os_error()), (RANGE, Some(libc::EADDRNOTAVAIL)));

        let (second, end) = connect_until_refused(&server, || source("127.0.0.2", true));
        assert_eq!((second.len(), end.raw_os_error()), (RANGE, Some(libc::EADDRNOTAVAIL)));
    });
}

/// Cliff. `connect` looks at every second port first, the ones with the parity of the start of the
/// range. Only when these are used up does it try the others, after a search through all of them
/// in vain. That search, once per connect, is why it slows down at half the range. So plan at most
/// 12,000 connections per source address.
#[test]
fn connect_takes_the_other_half_of_the_ports_last() {
    child::run("ports::connect_takes_the_other_half_of_the_ports_last", Room::Network, || {
        let server = server_in_narrow_range(7000);
        let (sockets, _) = connect_until_refused(&server, || source("127.0.0.1", true));
        let odd: Vec<bool> = sockets.iter().map(|socket| local(socket).port() % 2 == 1).collect();
        let (first_half, second_half) = odd.split_at(RANGE / 2);
        assert!(first_half.iter().all(|odd| !odd), "even ports first: {odd:?}");
        assert!(second_half.iter().all(|odd| *odd), "odd ports last: {odd:?}");
    });
}

/// Cliff. `bind(address, 0)` must choose the port before the destination is known, so each port
/// serves one connection in all. With IP_BIND_ADDRESS_NO_PORT the choice waits for `connect`, and
/// a port serves every destination once more (ip(7)). So a chosen source address needs the option.
#[test]
fn bind_address_no_port_lets_a_port_serve_many_destinations() {
    child::run(
        "ports::bind_address_no_port_lets_a_port_serve_many_destinations",
        Room::Network,
        || {
            let servers = [server_in_narrow_range(7000), server_in_narrow_range(7001)];
            for (no_port, to_each) in [(true, [RANGE, RANGE]), (false, [RANGE, 0])] {
                let to = |server| connect_until_refused(server, || source("127.0.0.3", no_port));
                let (held_0, held_1) = (to(&servers[0]).0, to(&servers[1]).0);
                assert_eq!([held_0.len(), held_1.len()], to_each, "no_port={no_port}");
                // A reset leaves no TIME_WAIT behind, so the next round finds its ports free.
                for socket in held_0.iter().chain(&held_1) {
                    socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
                }
            }
        },
    );
}

/// In the child: a listener outside the range of `RANGE` source ports that it sets.
fn server_in_narrow_range(port: u16) -> TcpListener {
    let last = FIRST_PORT + RANGE as u16 - 1;
    child::set_sysctl("ip_local_port_range", &format!("{FIRST_PORT} {last}"));
    TcpListener::bind(("127.0.0.1", port)).unwrap()
}

/// A socket bound to a source address, with its port chosen at `connect` if `no_port`.
fn source(address: &str, no_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let option = libc::IP_BIND_ADDRESS_NO_PORT;
    set_option(&socket, libc::IPPROTO_IP, option, i32::from(no_port));
    socket.bind(&SocketAddr::new(address.parse().unwrap(), 0).into())?;
    Ok(socket)
}

/// Connects until a bind or connect fails, which must be within twice the range.
fn connect_until_refused(
    server: &TcpListener,
    source: impl Fn() -> io::Result<Socket>,
) -> (Vec<Socket>, io::Error) {
    let to = server.local_addr().unwrap().into();
    let mut connected = Vec::new();
    while connected.len() <= 2 * RANGE {
        match source().and_then(|socket| socket.connect(&to).map(|()| socket)) {
            Ok(socket) => connected.push(socket),
            Err(e) => return (connected, e),
        }
    }
    panic!("{} connections from one address in a range of {RANGE} ports", connected.len());
}

fn local(socket: &Socket) -> SocketAddr {
    socket.local_addr().unwrap().as_socket().unwrap()
}
