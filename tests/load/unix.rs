//! Unix sockets, whose listener says at once that its queue is full.

use crate::servers;
use crate::{address, run, scenario};
use oneloop::load::{Limit, Scenario, Shape};
use oneloop::net::Address;
use socket2::{Domain, SockAddr, Socket, Type};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

/// A listener in a file that goes away.
struct Place(PathBuf);

impl Place {
    /// Its queue takes `backlog` connections and one.
    fn listen(name: &str, backlog: i32) -> (Place, UnixListener) {
        let path = std::env::temp_dir().join(format!("oneloop-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        socket.bind(&SockAddr::unix(&path).expect("short")).expect("binds");
        socket.listen(backlog).expect("listens");
        (Place(path), UnixListener::from(OwnedFd::from(socket)))
    }

    fn address(&self) -> Address {
        address(&format!("unix://{}", self.0.display()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn echo(stream: UnixStream) {
    thread::spawn(|| servers::echo_changed(stream, |_, _| {}));
}

#[test]
fn unix_sockets_work_and_a_short_queue_is_waited_for() {
    let (place, listener) = Place::listen("short", 1);
    thread::spawn(move || listener.incoming().take(20).flatten().for_each(echo));
    let report = run(&scenario(place.address(), 20));
    assert_eq!(report.connections.connected, 20, "{:?}", report.connections);
    assert_eq!(report.messages.received, report.messages.sent);
}

/// A listener that is slower than those who come back.
#[test]
fn a_queue_that_is_full_for_a_while_ends_no_connection() {
    let (place, listener) = Place::listen("slow", 0);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            servers::dawdle(std::time::Duration::from_millis(3));
            echo(stream);
        }
    });
    let shape = Shape::Churn { messages: 1 };
    let report = run(&Scenario { shape, ..scenario(place.address(), 12) });
    let connections = &report.connections;
    assert_eq!(connections.connected, 12, "{connections:?}");
    assert!(connections.backlog_full > 0 && connections.reopened > 0, "{connections:?}");
    assert_eq!(connections.limits()[0].0, Limit::Backlog);
    assert_eq!(report.messages.received, report.messages.sent);
}

#[test]
fn a_queue_that_stays_full_is_named_with_phase_and_errno() {
    // Three are served, and then nobody accepts any more: one of those who come back finds room.
    let (place, listener) = Place::listen("stuck", 0);
    let kept = listener.try_clone().expect("a descriptor");
    thread::spawn(move || listener.incoming().take(3).flatten().for_each(echo));
    let patience = Scenario {
        connect_timeout_ms: 300,
        answer_timeout_ms: 600,
        duration_ms: 60_000,
        shape: Shape::Churn { messages: 1 },
        ..scenario(place.address(), 3)
    };
    let connections = run(&patience).connections;
    drop(kept);
    assert_eq!((connections.hung, connections.failed), (1, 2), "{connections:?}");
    assert_eq!(connections.reasons["EAGAIN (the server's backlog is full)"], 2);
    assert_eq!((connections.phases.connect, connections.timed_out), (2, 0), "{connections:?}");
    // While they opened the queue may have been full, too.
    assert!(connections.backlog_full >= 2, "{connections:?}");
    assert_eq!(connections.limits()[0], (Limit::Backlog, connections.backlog_full));
}

#[test]
fn whoever_finds_the_queue_full_from_the_start_is_counted_alike() {
    let (place, _nobody_accepts) = Place::listen("never", 0);
    let patience = Scenario {
        connect_timeout_ms: 200,
        answer_timeout_ms: 200,
        ..scenario(place.address(), 5)
    };
    let connections = run(&patience).connections;
    assert_eq!((connections.hung, connections.failed), (1, 4), "{connections:?}");
    assert_eq!((connections.phases.connect, connections.limits()[0].1), (4, 4), "{connections:?}");
}
