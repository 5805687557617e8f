//! An idle server sleeps, and so does one that spins.

use crate::server::{Server, echo, wait_until};
use std::sync::mpsc;
use std::time::Duration;

/// Lets a second go by in which something must *not* happen.
fn a_second() {
    let (_sender, nobody) = mpsc::channel::<()>();
    let _ = nobody.recv_timeout(Duration::from_secs(1));
}

#[test]
fn a_thousand_idle_connections_wake_nobody() {
    // A timer is armed for each, but none is due.
    let server = Server::start(&["--idle-timeout", "1h"]);
    let mut streams: Vec<_> = (0..1_000).map(|_| server.connect(0)).collect();
    streams.iter_mut().for_each(|stream| echo(stream, b"hello"));
    // It sleeps when it has slept through two looks.
    let switches = || server.status("voluntary_ctxt_switches");
    let mut last = switches();
    wait_until("the server sleeps", || {
        std::thread::yield_now();
        std::mem::replace(&mut last, switches()) == last
    });
    let before = switches();
    a_second();
    assert_eq!(switches() - before, 0, "wake-ups in a second");
    echo(&mut streams[0], b"and it still answers");
    wait_until("the count counts", || switches() > before);
}

#[test]
fn a_server_that_spins_sleeps_when_nothing_comes() {
    let server = Server::start(&["--spin-us", "10000"]);
    let mut stream = server.connect(0);
    let mut is_awake_again = |messages: u32| {
        let before = server.cpu_ns();
        (0..messages).for_each(|_| echo(&mut stream, b"hello"));
        // It has been awake for the echo: if it sleeps now, it has looked for what follows.
        wait_until("the server sleeps", || server.is_asleep());
        server.cpu_ns() > before
    };
    assert!(is_awake_again(500), "the clock counts");
    let before = server.cpu_ns();
    a_second();
    // Not even a tenth of one look. What it still ran while it fell asleep may be booked late.
    assert!(server.cpu_ns() - before < 1_000_000, "ns of CPU in a second");
    assert!(is_awake_again(1), "and it still answers");
}
