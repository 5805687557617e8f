//! What TLS costs beside: nothing in syscalls, a few kilobytes a connection.

use crate::certs::{Client, Files, secure};
use crate::server::{Server, echo};
use crate::syscalls::{Counts, assert_calls, assert_cost, difference, trace};
use std::sync::Arc;

#[test]
fn an_echo_under_tls_is_one_read_and_one_write() {
    let files = Files::new("costs-echo");
    let (url, config) = (files.url("tls://127.0.0.1:0/echo"), files.config());
    for (name, len) in [("tls-echo", 64), ("tls-large", 10_000)] {
        let run = |times: usize| -> Counts {
            trace(&format!("{name}-{times}"), &url, |server| {
                let mut client = secure(&config, server.connect(0));
                echo(&mut client, b"warm");
                (0..times).for_each(|_| echo(&mut client, &vec![7; len]));
            })
        };
        let mut cost = difference(run(0), run(500));
        println!("500 echoes of {len} bytes: {cost:?}");
        // The last of the handshake comes in one read or in two.
        let reads = cost.remove("recvfrom").unwrap_or(0);
        assert!((498..=502).contains(&reads), "{reads} reads");
        assert_cost(cost, 500, [("sendto", 500)]);
    }
}

/// From the accept to an end by the book. The random numbers are rustls' and ring's.
#[test]
fn a_life_under_tls_is_eleven_syscalls_beside_waits() {
    const TIMES: i64 = 50;
    let files = Files::new("costs-life");
    let (url, config) = (files.url("tls://127.0.0.1:0/echo"), files.config());
    let run = |times: i64| -> Counts {
        trace(&format!("tls-life-{times}"), &url, |server| {
            for _ in 0..=times {
                let mut client = secure(&config, server.connect(0));
                echo(&mut client, b"hello");
                client.conn.send_close_notify();
                std::io::Write::flush(&mut client).expect("the server reads");
                let end = std::io::Read::read(&mut client, &mut [0]).expect("a close_notify");
                assert_eq!(end, 0);
            }
        })
    };
    let mut cost = difference(run(0), run(TIMES));
    println!("{TIMES} lives: {cost:?}");
    for call in ["epoll_wait", "getrandom"] {
        cost.remove(call);
    }
    let reads = cost.remove("recvfrom").unwrap_or(0);
    assert!(reads <= 4 * TIMES, "{reads} reads");
    let expected = [
        // The second of each finds nobody.
        ("accept4", 2 * TIMES),
        ("close", TIMES),
        ("epoll_ctl", TIMES),
        // ServerHello to Finished, two tickets, the echo, close_notify.
        ("sendto", 4 * TIMES),
    ];
    assert_calls(&cost, expected);
}

#[test]
fn an_idle_connection_under_tls_costs_at_most_6_kilobytes() {
    const COUNT: usize = 3_000;
    let files = Files::new("costs-memory");
    let server = Server::start_on(&files.url("tls://127.0.0.1:0/echo"), &[]);
    let config = files.config();
    let limit = oneloop::sys::rlimit::nofile().expect("prlimit works");
    let raised = oneloop::sys::rlimit::Rlimit { soft: limit.hard, hard: limit.hard };
    oneloop::sys::rlimit::set_nofile(raised).expect("the soft limit may be raised");
    let open = |config: &Arc<_>| {
        let mut client: Client = secure(config, server.connect(0));
        echo(&mut client, &[7; 64]);
        client
    };
    let mut first = open(&config);
    echo(&mut first, &vec![7; 60_000]);
    let before_kib = server.status("RssAnon");
    let mut clients: Vec<Client> = (0..COUNT).map(|_| open(&config)).collect();
    let each = |server: &Server| (server.status("RssAnon") - before_kib) * 1024 / COUNT as u64;
    let idle = each(&server);
    // A record of 16 KiB goes through the worker's scratch and stays nowhere.
    clients.iter_mut().for_each(|client| echo(client, &[7; 16_000]));
    let used = each(&server);
    println!("{COUNT} connections: {idle} bytes each, {used} after a record of 16 KB");
    assert!(idle <= 6 * 1024 && used <= 6 * 1024, "{idle} and {used} bytes a connection");
    assert!(idle >= 1024, "{idle} bytes a connection: less than its keys? not counted");
}
