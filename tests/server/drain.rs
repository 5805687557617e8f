//! **What.** A server that is told to stop loses nothing that it has received, and ends.
//!
//! **Why this way.** What has to be in the kernel's queues when the drain begins is put there
//! before the server runs: then there is no race to win.
//!
//! **Costs.** Little.
//!
//! **Read next.** `signals.rs`.

use crate::echo::write_until_stuck;
use crate::services::{MUCH, Teller, read_slowly};
use crate::support::*;
use crate::ws::*;
use oneloop::metrics::CloseReason;
use oneloop::server::Limits;
use oneloop::service::Builtin;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// A turn's time is whole milliseconds behind the clock here.
const SLACK: Duration = Duration::from_millis(20);

#[test]
fn idle_clients_get_a_fin() {
    let server = serve_echo(limits());
    let mut clients: Vec<TcpStream> = (0..50).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(ping);
    server.stopper().stop().unwrap();
    for client in &mut clients {
        assert_eq!(last_words(client), "");
    }
    drop(clients);
    let books = server.join();
    assert_eq!(closed(&books, CloseReason::Drained), 50);
}

#[test]
fn what_was_received_is_answered() {
    let server = serve_echo(limits());
    let mut clients: Vec<TcpStream> = (0..50).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(ping);
    for (i, client) in clients.iter_mut().enumerate() {
        client.write_all(&pattern(i as u64, 10_000)).unwrap();
    }
    server.stopper().stop().unwrap();
    for (i, client) in clients.iter_mut().enumerate() {
        let (answer, end) = read_to_end(client);
        assert!(answer == pattern(i as u64, 10_000), "{} bytes", answer.len());
        assert_eq!(end, End::Fin);
    }
    drop(clients);
    server.join();
}

/// Those who wait to be accepted have been promised nothing, but their request is here.
#[test]
fn the_accept_queue_is_served_and_closed() {
    let server = bind([(TCP, Builtin::Echo)], limits());
    let at = server.endpoints().next().unwrap().clone();
    let mut ask: Vec<TcpStream> = (0..100).map(|_| connect(&at)).collect();
    for client in &mut ask {
        client.write_all(b"ping").unwrap();
    }
    let mut silent: Vec<TcpStream> = (0..100).map(|_| connect(&at)).collect();
    server.stopper().stop().unwrap();
    let (start, server) = (Instant::now(), run(server));
    for client in &mut ask {
        assert_eq!(last_words(client), "ping");
    }
    for client in &mut silent {
        assert_eq!(last_words(client), "");
    }
    drop((ask, silent));
    let books = server.join();
    assert!(start.elapsed() < Duration::from_secs(9), "the drain waited for its limit");
    assert_eq!(books.metrics.accepted, 200);
    assert_eq!(closed(&books, CloseReason::Drained), 200);
}

/// A line that was received goes to all, although the server ends in the same turn.
#[test]
fn a_broadcast_that_was_received_is_delivered() {
    let server = bind([(TCP, Builtin::Broadcast)], limits());
    let at = server.endpoints().next().unwrap().clone();
    let mut clients: Vec<TcpStream> = (0..20).map(|_| connect(&at)).collect();
    clients[10].write_all(b"the last news\n").unwrap();
    server.stopper().stop().unwrap();
    let server = run(server);
    for client in &mut clients {
        assert_eq!(last_words(client), "the last news\n");
    }
    drop(clients);
    let books = server.join();
    assert_eq!((books.metrics.delivered, books.metrics.deliveries_dropped), (20, 0));
}

/// What is queued is sent, however slowly the peer takes it: the linger time is for peers from
/// whom nothing moves.
#[test]
fn what_is_queued_reaches_a_slow_reader() {
    let limits = Limits { backlog_bytes_max: 4 * 1024 * 1024, linger_ms: 1_000, ..limits() };
    let server = serve([("tcp://127.0.0.1:0/?sndbuf=16k", Teller::default())], limits);
    let mut client = connect_narrow(server.at(0));
    client.write_all(b"much\n").unwrap();
    assert_eq!(read_line(&mut client), "welcome");
    server.stopper().stop().unwrap();
    let answer = read_slowly(&mut client, MUCH / 50);
    assert!(answer.len() == MUCH + 1, "{} bytes came", answer.len());
    drop(client);
    let books = server.join();
    assert_eq!(closed(&books, CloseReason::Drained), 1);
}

#[test]
fn a_client_that_never_closes_holds_it_no_longer_than_the_linger_time() {
    let limits = Limits { linger_ms: 100, drain_ms: 60_000, ..limits() };
    let server = serve_echo(limits);
    let mut client = server.connect();
    ping(&mut client);
    let books = server.finish();
    assert!(books.uptime_ms < 60_000);
    assert_eq!(closed(&books, CloseReason::Drained), 1);
}

#[test]
fn the_drain_ends_in_time_whoever_is_left() {
    let limits = Limits { linger_ms: 60_000, drain_ms: 200, ..limits() };
    let server = serve_echo(limits);
    let (mut idle, mut stuck) = (server.connect(), connect_narrow(server.at(0)));
    ping(&mut idle);
    write_until_stuck(&mut stuck);
    let books = server.finish();
    assert!(books.uptime_ms < 60_000);
    assert_eq!(closed(&books, CloseReason::DrainTimeout), 2);
}

#[test]
fn stopping_twice_is_stopping() {
    let server = serve_echo(limits());
    let mut client = server.connect();
    ping(&mut client);
    let stopper = server.stopper();
    for _ in 0..3 {
        stopper.stop().unwrap();
    }
    assert_eq!(last_words(&mut client), "");
    drop(client);
    let books = server.join();
    assert_eq!(closed(&books, CloseReason::Drained), 1);
    stopper.stop().unwrap();
}

#[test]
fn nobody_is_accepted_any_more() {
    let server = serve_echo(Limits { linger_ms: 60_000, ..limits() });
    let mut holds = server.connect();
    ping(&mut holds);
    server.stopper().stop().unwrap();
    until("new ones are refused", || TcpStream::connect(address(server.at(0))).is_err());
    drop(holds);
    server.join();
}

/// A hundred a second are told to go, if there are few: no later one is told earlier than that, and
/// until then it is served.
#[test]
fn websockets_are_told_one_after_the_other() {
    let server = serve_site(Limits { drain_ms: 60_000, ..limits() });
    let mut clients: Vec<Ws> = (0..300).map(|_| Ws::open(&server, "/echo")).collect();
    let start = Instant::now();
    server.stopper().stop().unwrap();
    let going = (1001, "the server is going away".to_owned());
    let mut last = clients.pop().unwrap();
    for (nth, mut client) in clients.into_iter().enumerate() {
        assert_eq!(client.read_close(), going);
        assert!(start.elapsed() + SLACK >= Duration::from_millis(10 * nth as u64), "{nth}");
        if nth == 0 {
            last.echo("still here");
        }
    }
    assert_eq!(last.read_close(), going);
    drop(last);
    assert!(start.elapsed() < Duration::from_secs(58), "{:?}", start.elapsed());
    let books = server.join();
    assert_eq!(closed(&books, CloseReason::Drained), 300);
}

/// Many are told in the drain's time, and not at the least rate.
#[test]
fn a_large_crowd_goes_in_the_time_of_the_drain() {
    let limits = Limits { drain_ms: 1_000, linger_ms: 100, ..limits() };
    let server = serve_site(limits);
    let mut clients: Vec<Ws> = (0..400).map(|_| Ws::open(&server, "/echo")).collect();
    let start = Instant::now();
    server.stopper().stop().unwrap();
    for (nth, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.read_close().0, 1001);
        // 400 in 800 ms.
        assert!(start.elapsed() + SLACK >= Duration::from_millis(2 * nth as u64), "{nth}");
    }
    drop(clients);
    let books = server.join();
    assert_eq!(closed(&books, CloseReason::Drained), 400);
}

/// The second hand is far behind the first: whoever asks in between is told with the answer.
#[test]
fn who_asks_by_http_is_told_with_an_answer() {
    let server = serve_site(Limits { drain_ms: 120_000, linger_ms: 30_000, ..limits() });
    let mut clients: Vec<TcpStream> = (0..50).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(ask_health);
    server.stopper().stop().unwrap();
    until("all are told", || {
        clients.retain_mut(|client| {
            client.write_all(get("/healthz").as_bytes()).unwrap();
            let (head, body) = read_response(client);
            assert_eq!(body, "ok\n");
            let is_told = head.contains("\r\nConnection: close\r\n");
            if is_told {
                assert_eq!(last_words(client), "");
            }
            !is_told
        });
        clients.is_empty()
    });
    let books = server.join();
    assert_eq!(closed(&books, CloseReason::ServiceClosed), 50);
}

#[test]
fn datagrams_that_were_received_are_answered() {
    let server = bind([("udp://127.0.0.1:0/echo", Builtin::Echo)], limits());
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(address(server.endpoints().next().unwrap())).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    for i in 0..100u8 {
        client.send(&[i]).unwrap();
    }
    server.stopper().stop().unwrap();
    let server = run(server);
    for i in 0..100 {
        let mut answer = [0; 2];
        assert_eq!(client.recv(&mut answer).unwrap(), 1);
        assert_eq!(answer[0], i);
    }
    let books = server.join();
    assert_eq!((books.metrics.datagrams_in, books.metrics.datagrams_out), (100, 100));
}
