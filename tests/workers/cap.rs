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
use std::io::Read;
use std::net::TcpStream;

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
