//! **What.** Workers and supervisors that are killed.
//!
//! **Why this way.** By SIGKILL, which nobody can prepare for. What one loses by it is counted
//! beforehand: the connections of that worker, and no other.
//!
//! **Costs.** Four workers.
//!
//! **Read next.** `upgrade.rs`.

use crate::support::*;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

#[test]
fn a_killed_worker_takes_only_its_own_along_and_the_port_answers_throughout() {
    for accept in ["reuseport", "shared"] {
        let args = ["--workers", "4", "--accept", accept, "--listen", "tcp://127.0.0.1:0/echo"];
        let server = Served::start(&args);
        let at = server.at("tcp");
        let mut clients: Vec<TcpStream> = (0..40).map(|_| client(at)).collect();
        let books = server.books();
        let workers = books["workers"].as_array().unwrap();
        let victim = workers.iter().max_by_key(|worker| number(worker, "connections")).unwrap();
        let (pid, own) = (number(victim, "pid") as i32, number(victim, "connections"));

        let (stop, lost) = (AtomicBool::new(false), AtomicU32::new(0));
        let served = thread::scope(|scope| {
            // Refused, it would panic: the sockets are open elsewhere too.
            let newcomers = scope.spawn(|| {
                let mut served = 0;
                while served == 0 || !stop.load(Ordering::Relaxed) {
                    match is_served(&mut connect(at)) {
                        true => served += 1,
                        false => drop(lost.fetch_add(1, Ordering::Relaxed)),
                    }
                }
                served
            });
            let start = Instant::now();
            kill(pid, libc::SIGKILL);
            until("another has its place", || {
                let workers = server.workers();
                workers.len() == 4 && !workers.contains(&pid)
            });
            until("it serves", || server.log().contains("serves again"));
            eprintln!("{accept}: a worker is back after {:?}", start.elapsed());
            stop.store(true, Ordering::Relaxed);
            newcomers.join().unwrap()
        });
        // One at a time: at most the one that was at the victim's when it was killed.
        assert!(lost.load(Ordering::Relaxed) <= 1, "{accept}: {lost:?}");
        let dead = clients.iter_mut().filter_map(|client| (!is_served(client)).then_some(()));
        assert_eq!(dead.count() as u64, own, "{accept}");

        let books = server.books();
        let restarts = books["workers"].as_array().unwrap().iter();
        assert_eq!(restarts.map(|worker| number(worker, "restarts")).sum::<u64>(), 1);
        drop(clients);
        let books = server.finish();
        // The dead one's are in the sum: what it took in is not forgotten.
        assert!(number(&books, "accepted") >= 40 + served, "{books}");
    }
}

#[test]
fn a_worker_that_is_told_to_end_drains_and_is_replaced() {
    let server = Served::start(&["--workers", "2", "--listen", "tcp://127.0.0.1:0/echo"]);
    let before = server.workers();
    kill(before[0], libc::SIGTERM);
    until("it has a successor", || {
        let now = server.workers();
        now.len() == 2 && !now.contains(&before[0]) && now.contains(&before[1])
    });
    drop(client(server.at("tcp")));
    server.finish();
}

#[test]
fn nobody_waits_in_the_queue_of_a_worker_that_drains() {
    for accept in ["reuseport", "shared"] {
        let args = ["--workers", "2", "--accept", accept, "--drain", "9h", "--linger", "1h"];
        let server = Served::start(&[&args[..], &["--listen", "tcp://127.0.0.1:0/echo"]].concat());
        let at = server.at("tcp");
        // Some are at the one that goes, which therefore takes its time.
        let mut clients: Vec<TcpStream> = (0..40).map(|_| client(at)).collect();
        kill(server.workers()[0], libc::SIGTERM);
        until("it drains", || server.log().contains("draining"));
        (0..40).for_each(|_| drop(client(at)));
        assert!(clients.iter_mut().all(is_served), "{accept}: whoever was there is still served");
        drop(clients);
        server.finish();
    }
}

#[test]
fn workers_do_not_outlive_their_supervisor() {
    let mut server = Served::start(&["--workers", "3", "--listen", "tcp://127.0.0.1:0/echo"]);
    let (workers, at) = (server.workers(), server.at("tcp"));
    let client = client(at);
    kill(server.pid(), libc::SIGKILL);
    assert!(!server.wait().success());
    until("all workers have ended", || !workers.iter().any(|&pid| is_running(pid)));
    assert!(TcpStream::connect(at).is_err(), "nobody listens");
    drop(client);
}
