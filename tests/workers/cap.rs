//! **What.** A worker that is full leaves new connections to those with room, and comes back.
//!
//! **Why this way.** With reuseport the kernel chooses the worker by a hash that knows of no cap.
//! So if every place of every worker is taken before anybody is told no, and clients came one by
//! one, full workers have stepped aside each time that the hash chose them.
//!
//! **Costs.** Three workers a way, with five connections each.
//!
//! **Read next.** `death.rs`.

use crate::support::*;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};

const EACH: usize = 5;

fn server(way: &[&str], at_limit: &str) -> Served {
    let args = ["--workers", "3", "--max-connections", "5", "--at-limit", at_limit];
    Served::start(&[&args[..], way, &["--listen", "tcp://127.0.0.1:0/echo"]].concat())
}

#[test]
fn every_place_of_every_worker_is_taken_before_anybody_is_told_no() {
    for way in WAYS {
        let server = server(&way, "shed");
        let at = server.at("tcp");
        for _ in 0..3 {
            let mut clients: Vec<TcpStream> = (0..3 * EACH).map(|_| client(at)).collect();
            let mut words = String::new();
            connect(at).read_to_string(&mut words).unwrap();
            assert!(words.starts_with("-ERR full"), "{way:?}: {words:?}");
            // One place is free, wherever: whoever comes gets it.
            for place in 0..EACH {
                drop(clients.remove(place));
                until("it is gone", || number(&server.books(), "connections") < (3 * EACH) as u64);
                clients.push(client(at));
            }
            drop(clients);
            until("all are gone", || number(&server.books(), "connections") == 0);
        }
        let books = server.finish();
        assert_eq!(number(&books, "refused_full"), 3, "{way:?}: {books}");
        assert_eq!(number(&books, "accepted"), 3 * 4 * EACH as u64, "{way:?}");
    }
}

#[test]
fn who_waits_for_a_place_gets_the_first_that_is_free_at_any_worker() {
    for way in WAYS {
        let server = server(&way, "pause");
        let at = server.at("tcp");
        let mut clients: Vec<TcpStream> = (0..3 * EACH).map(|_| client(at)).collect();
        let mut waiting: Vec<TcpStream> = (0..EACH).map(|_| connect(at)).collect();
        for _ in 0..EACH {
            drop(clients.remove(0));
        }
        assert!(waiting.iter_mut().all(is_served), "{way:?}\n{}", server.log());
        drop((clients, waiting));
        let books = server.finish();
        assert_eq!(number(&books, "accepted"), 4 * EACH as u64, "{way:?}");
    }
}

/// The kernel says no.
fn is_refused(at: SocketAddr) -> bool {
    TcpStream::connect(at).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[test]
fn the_port_refuses_when_all_are_full_and_opens_again_when_one_has_room() {
    for way in WAYS {
        let server = server(&way, "refuse");
        let at = server.at("tcp");
        let mut clients: Vec<TcpStream> = (0..3 * EACH).map(|_| client(at)).collect();
        assert!(is_refused(at), "{way:?}: one more, and at once");
        for place in 0..EACH {
            until("the kernel refuses", || is_refused(at));
            drop(clients.remove(place));
            until("somebody is served on the same port", || {
                let mut newcomer = TcpStream::connect(at).ok();
                clients.extend(newcomer.take_if(is_served));
                clients.len() == 3 * EACH
            });
        }
        assert!(clients.iter_mut().all(is_served), "{way:?}");
        drop(clients);
        let books = server.finish();
        assert_eq!(number(&books, "accepted"), 4 * EACH as u64, "{way:?}: {books}");
        assert_eq!(number(&books, "refused_full"), 0, "{way:?}: {books}");
    }
}

#[test]
fn a_worker_that_is_started_again_opens_a_port_that_refused() {
    for accept in ["reuseport", "shared"] {
        let server = server(&["--accept", accept], "refuse");
        let at = server.at("tcp");
        let clients: Vec<TcpStream> = (0..3 * EACH).map(|_| client(at)).collect();
        until("the kernel refuses", || is_refused(at));
        kill(server.workers()[1], libc::SIGKILL);
        until("it serves", || server.log().contains("serves again"));
        let others: Vec<TcpStream> = (0..EACH).map(|_| client(at)).collect();
        until("the kernel refuses again", || is_refused(at));
        drop((clients, others));
        server.finish();
    }
}
