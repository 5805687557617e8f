//! **What.** What a listener does when the process is out of file descriptors (fact 9).
//!
//! **Why this way.** This is the failure the project is about: level-triggered it eats a core,
//! edge-triggered it strands the backlog in silence. RLIMIT_NOFILE belongs to the whole process,
//! so each test lowers it in a child. The clients are connected before that, which puts the limit
//! exactly where the next `accept` is.
//!
//! **Costs.** One child process per test.
//!
//! **Read next.** `child.rs`.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use mio::Interest;

use crate::child::{self, Room};
use crate::support::*;

const CLIENTS: usize = 12;
const ROOM_FOR: usize = 4;

/// Fact 9. `accept` fails with EMFILE, then descriptors become free: no event says so, and the
/// rest stays in the backlog until some new connect happens to come. So the retry must come from
/// us, on every close and by timer; a try is all it takes.
#[test]
fn freeing_a_descriptor_after_emfile_brings_no_event() {
    child::run("emfile::freeing_a_descriptor_after_emfile_brings_no_event", Room::Process, || {
        let (listener, clients) = crowd();
        let mut source = mio::net::TcpListener::from_std(listener.try_clone().unwrap());
        let watch = Watch::new(&mut source, Interest::READABLE);
        leave_room_for(ROOM_FOR);

        assert_eq!(watch.next(), IN);
        let mut served = accept_until_emfile(&listener);
        assert_eq!(served.len(), ROOM_FOR);
        watch.assert_silent();
        served.truncate(ROOM_FOR / 2);
        watch.assert_silent();
        assert_eq!(waiting(&listener), CLIENTS - ROOM_FOR, "they wait, and nobody is told");

        served.extend(accept_until_emfile(&listener));
        assert_eq!(served.len(), ROOM_FOR, "trying again was all that was missing");
        drop((served, clients));
    });
}

/// Fact 9. A new connect does bring the edge back, which is how the failure hides in a test with
/// steady traffic and shows in production when the traffic stops.
#[test]
fn a_new_connect_after_emfile_brings_the_edge_back() {
    child::run("emfile::a_new_connect_after_emfile_brings_the_edge_back", Room::Process, || {
        let (listener, mut clients) = crowd();
        let mut source = mio::net::TcpListener::from_std(listener.try_clone().unwrap());
        let watch = Watch::new(&mut source, Interest::READABLE);
        leave_room_for(ROOM_FOR);
        assert_eq!(watch.next(), IN);
        let served = accept_until_emfile(&listener);
        watch.assert_silent();

        drop(served);
        clients.extend(connect_many(&listener, 1));
        assert_eq!(watch.next(), IN);
    });
}

/// Fact 9, the contrast: level-triggered, the listener reports again and again while every
/// `accept` fails. A loop that just goes on never sleeps. So level-triggered is no cure: either
/// way the server needs a policy for EMFILE.
#[test]
fn level_triggered_listener_never_sleeps_after_emfile() {
    child::run("emfile::level_triggered_listener_never_sleeps_after_emfile", Room::Process, || {
        let (listener, clients) = crowd();
        let watch = Watch::level_triggered(&listener, IN);
        leave_room_for(ROOM_FOR);
        let served = accept_until_emfile(&listener);

        for turn in 1..=1_000 {
            assert_eq!(watch.wait(0), Some(IN), "turn {turn}");
            assert!(accept_until_emfile(&listener).is_empty());
        }
        drop((served, clients));
    });
}

/// A listener and `CLIENTS` connections waiting for it.
fn crowd() -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let clients = connect_many(&listener, CLIENTS);
    await_waiting(&listener, CLIENTS);
    (listener, clients)
}

/// Accepts until EMFILE. Any other end fails the test: the backlog must not run dry here.
fn accept_until_emfile(listener: &TcpListener) -> Vec<TcpStream> {
    let mut accepted = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => accepted.push(stream),
            Err(e) if e.raw_os_error() == Some(libc::EMFILE) => return accepted,
            Err(e) => panic!("accept: {e}"),
        }
    }
}

/// Lowers RLIMIT_NOFILE so that exactly `n` more descriptors fit. New descriptors take the lowest
/// free number, and the limit is one above the highest number allowed (getrlimit(2)).
fn leave_room_for(n: usize) {
    let lowest_free = File::open("/dev/null").unwrap().as_raw_fd() as u64;
    let limit = lowest_free + n as u64;
    let limits = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: `limits` is a valid rlimit.
    let done = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limits) };
    assert_eq!(done, 0, "setrlimit: {}", std::io::Error::last_os_error());
}
