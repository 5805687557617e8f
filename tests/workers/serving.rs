//! **What.** Several workers serve one port in each of the four ways, are counted together, and end
//! together.
//!
//! **Why this way.** A connection may come to any of them, so what is asserted is what all of them
//! have to do.
//!
//! **Costs.** Three workers a way.
//!
//! **Read next.** `cap.rs`.

use crate::support::*;
use std::io::Read;
use std::net::{TcpStream, UdpSocket};

const LISTEN: [&str; 6] = [
    "--listen",
    "tcp://127.0.0.1:0/echo",
    "--listen",
    "udp://127.0.0.1:0/echo",
    "--listen",
    "http://127.0.0.1:0",
];

#[test]
fn all_serve_and_their_sum_is_right() {
    for way in WAYS {
        let args = [&["--workers", "3"], &way[..], &LISTEN].concat();
        let server = Served::start(&args);
        let clients: Vec<TcpStream> = (0..30).map(|_| client(server.at("tcp"))).collect();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(b"hello", server.at("udp")).unwrap();
        assert_eq!(socket.recv(&mut [0; 16]).unwrap(), 5);
        // A worker shows its counters at the end of a turn: a moment after its answers.
        for (name, should) in [("connections", 30), ("messages_in", 30), ("datagrams_in", 1)] {
            until(name, || number(&server.books(), name) == should);
        }
        let books = server.books();
        let workers = books["workers"].as_array().unwrap();
        let shares: Vec<u64> = workers.iter().map(|worker| number(worker, "accepted")).collect();
        assert_eq!((shares.len(), shares.iter().sum()), (3, 30), "{way:?}");
        drop(clients);
        let last = server.finish();
        assert_eq!(number(&last, "closed_peer_closed") + number(&last, "closed_drained"), 30);
    }
}

#[test]
fn reuseport_spreads_over_all_workers() {
    let server = Served::start(&["--workers", "3", "--listen", "tcp://127.0.0.1:0/echo"]);
    // That one of three gets none of 60 happens once in 10^10.
    let clients: Vec<TcpStream> = (0..60).map(|_| client(server.at("tcp"))).collect();
    let books = server.books();
    for worker in books["workers"].as_array().unwrap() {
        assert!(number(worker, "accepted") > 0, "{books}");
    }
    let jain = books["jain_connections"].as_f64().unwrap();
    assert!(jain > 1.0 / 3.0 && jain <= 1.0, "{books}");
    drop(clients);
    server.finish();
}

#[test]
fn a_drain_answers_what_came_and_closes_by_the_book() {
    for way in WAYS {
        let args = [&["--workers", "2"], &way[..], &LISTEN].concat();
        let server = Served::start(&args);
        let mut clients: Vec<TcpStream> = (0..8).map(|_| client(server.at("tcp"))).collect();
        kill(server.pid(), libc::SIGTERM);
        for client in &mut clients {
            assert_eq!(client.read(&mut [0]).unwrap(), 0, "a FIN and no reset");
        }
        drop(clients);
        let at = server.at("tcp");
        let mut server = server;
        assert!(server.wait().success());
        assert!(TcpStream::connect(at).is_err(), "nobody listens");
    }
}

#[test]
fn a_unix_socket_is_everybodys_and_its_file_goes_at_the_end() {
    let path = std::env::temp_dir().join(format!("oneloop-workers-{}.sock", std::process::id()));
    let url = format!("unix://{}?service=echo", path.display());
    let server = Served::start(&["--workers", "2", "--listen", &url]);
    let connect = || std::os::unix::net::UnixStream::connect(&path);
    let clients: Vec<_> = (0..6).map(|_| connect().unwrap()).collect();
    until("all are accepted", || number(&server.books(), "connections") == 6);
    drop(clients);
    server.finish();
    assert!(!path.exists());
}

#[test]
fn a_second_signal_ends_all_at_once() {
    let drain = ["--drain", "10m", "--linger", "10m", "--workers", "2"];
    let mut server = Served::start(&[&drain[..], &LISTEN].concat());
    let workers = server.workers();
    let mut client = client(server.at("tcp"));
    kill(server.pid(), libc::SIGTERM);
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "the drain has begun");
    kill(server.pid(), libc::SIGINT);
    assert_eq!(server.wait().code(), Some(128 + libc::SIGINT));
    assert!(!workers.iter().any(|&pid| is_running(pid)));
}
