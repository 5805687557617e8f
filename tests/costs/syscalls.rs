//! Syscalls, counted by strace. Each figure is the difference between a short and a long run, so
//! that starting and stopping drop out.

use crate::server::{Server, ask, echo, frames, upgrade};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

pub(crate) type Counts = BTreeMap<String, i64>;

const TCP: &str = "tcp://127.0.0.1:0/echo";
const HTTP: &str = "http://127.0.0.1:0/";

/// Serves `client` on `url` below strace; returns how often each syscall was made.
pub(crate) fn trace(name: &str, url: &str, client: impl FnOnce(&Server)) -> Counts {
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.strace"));
    let server = Server::start_traced(&log, url);
    client(&server);
    server.stop();
    counts_in(&log)
}

/// How often each syscall stands in a log of strace's.
pub(crate) fn counts_in(log: &Path) -> Counts {
    let text = std::fs::read_to_string(log).expect("strace wrote its log");
    let mut counts = Counts::new();
    for line in text.lines().filter(|line| !line.contains(" resumed>")) {
        // "PID name(arguments) = result"
        let call = line.split_whitespace().nth(1).and_then(|call| call.split_once('('));
        if let Some((call, _)) = call {
            *counts.entry(call.to_owned()).or_default() += 1;
        }
    }
    // Once a second while awake the limit of open files is read again; not the client's doing.
    counts.remove("prlimit64");
    // With debug assertions std looks whether a descriptor is open before it closes it.
    if cfg!(debug_assertions) {
        counts.remove("fcntl");
    }
    counts
}

/// What `times` rounds of `round` add to none of them; zeros left out.
fn cost(name: &str, times: usize, round: impl Fn(&Server, &mut TcpStream)) -> Counts {
    let run = |times| {
        trace(&format!("{name}-{times}"), TCP, |server| {
            let mut stream = server.connect(0);
            echo(&mut stream, b"warm");
            (0..times).for_each(|_| round(server, &mut stream));
        })
    };
    difference(run(0), run(times))
}

/// The same over a WebSocket.
fn websocket_cost(name: &str, times: usize, round: impl Fn(&Server, &mut TcpStream)) -> Counts {
    let run = |times| {
        trace(&format!("{name}-{times}"), HTTP, |server| {
            let mut stream = server.connect(0);
            upgrade(&mut stream);
            ask(&mut stream, &frames(&[b"warm"]));
            (0..times).for_each(|_| round(server, &mut stream));
        })
    };
    difference(run(0), run(times))
}

pub(crate) fn difference(short: Counts, mut long: Counts) -> Counts {
    for (call, count) in short {
        *long.entry(call).or_default() -= count;
    }
    long.retain(|_, count| *count != 0);
    long
}

/// Holds a cost against what it must be, exactly.
pub(crate) fn assert_calls<const N: usize>(cost: &Counts, expected: [(&str, i64); N]) {
    let expected: Counts = expected.map(|(call, count)| (call.to_owned(), count)).into();
    let more = difference(expected.clone(), cost.clone());
    assert!(
        more.is_empty(),
        "{more:?} system calls more (or less) than the {expected:?} that it must cost. If that is \
         meant, change them in this test, and say in the commit what for"
    );
}

/// The same, and so many waits: a few more or less, because the end of a run may take one turn or
/// several.
pub(crate) fn assert_cost<const N: usize>(
    mut cost: Counts,
    waits: i64,
    expected: [(&str, i64); N],
) {
    let waited = cost.remove("epoll_wait").unwrap_or(0);
    assert_calls(&cost, expected);
    assert!((waits - 4..=waits + 4).contains(&waited), "{waited} waits, should be {waits}");
}

#[test]
fn an_echo_is_one_read_and_one_write() {
    let cost = cost("echo", 500, |_, stream| echo(stream, &[7; 64]));
    assert_cost(cost, 500, [("recvfrom", 500), ("sendto", 500)]);
}

#[test]
fn a_hundred_pipelined_messages_are_one_read_and_one_write() {
    let cost = cost("pipelined", 50, |_, stream| echo(stream, &[7; 6_400]));
    assert_cost(cost, 50, [("recvfrom", 50), ("sendto", 50)]);
}

#[test]
fn connections_that_are_ready_together_share_the_wait() {
    let cost = cost("shared", 1, |server, stream| {
        let mut streams: Vec<TcpStream> = (0..20).map(|_| server.connect(0)).collect();
        streams.iter_mut().for_each(|stream| echo(stream, b"warm"));
        // While the server is busy with a megabyte, twenty messages arrive.
        let megabyte = vec![7; 1 << 20];
        let mut back = vec![0; megabyte.len()];
        let mut writer = stream.try_clone().expect("dup");
        std::thread::scope(|scope| {
            scope.spawn(|| writer.write_all(&megabyte).expect("the server reads"));
            for _ in 0..50 {
                streams.iter_mut().for_each(|stream| stream.write_all(b"x").expect("it reads"));
                streams.iter_mut().for_each(|stream| {
                    stream.read_exact(&mut [0]).expect("the server answers");
                });
            }
            stream.read_exact(&mut back).expect("the server answers");
        });
    });
    let reads = cost["recvfrom"];
    assert!(reads >= 1_000 + 40, "every message is read: {cost:?}");
    assert!(cost["epoll_wait"] < reads, "waits are shared: {cost:?}");
}

#[test]
fn an_accept_is_accept4_and_epoll_ctl() {
    let cost = cost("accept", 100, |server, _| {
        let mut stream = server.connect(0);
        echo(&mut stream, b"hello");
        stream.shutdown(std::net::Shutdown::Write).expect("connected");
        assert_eq!(stream.read(&mut [0]).expect("the server's FIN"), 0);
    });
    let expected = [
        // The second `accept4` of each hears that nobody else waits: the edge is spent.
        ("accept4", 200),
        ("epoll_ctl", 100),
        // The echo, and the end of the stream.
        ("recvfrom", 200),
        ("sendto", 100),
        ("close", 100),
    ];
    assert_cost(cost, 300, expected);
}

#[test]
fn a_websocket_echo_is_one_read_and_one_write() {
    let asked = frames(&[&[7; 64]]);
    let cost = websocket_cost("ws-echo", 500, |_, stream| ask(stream, &asked));
    assert_cost(cost, 500, [("recvfrom", 500), ("sendto", 500)]);
}

#[test]
fn a_hundred_pipelined_frames_are_one_read_and_one_write() {
    let (asked, answer) = frames(&[&[7; 64]]);
    let asked = (asked.repeat(100), answer.repeat(100));
    let cost = websocket_cost("ws-pipelined", 50, |_, stream| ask(stream, &asked));
    assert_cost(cost, 50, [("recvfrom", 50), ("sendto", 50)]);
}

/// Connect, upgrade, one echo, the closing handshake: one read and one write for each of three
/// questions, and `accept4`, `epoll_ctl`, `close`. The tenth is the `accept4` that finds nobody.
#[test]
fn the_life_of_a_websocket_is_ten_syscalls_beside_waits() {
    const TIMES: i64 = 100;
    let hello = frames(&[b"hello"]);
    let mut cost = websocket_cost("ws-life", TIMES as usize, |server, _| {
        let mut stream = server.connect(0);
        upgrade(&mut stream);
        ask(&mut stream, &hello);
        stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8").expect("the server reads");
        let mut close = Vec::new();
        stream.read_to_end(&mut close).expect("the server's close frame and FIN");
        assert_eq!(close, b"\x88\x02\x03\xe8");
    });
    println!("{TIMES} lives: {cost:?}");
    let waits = cost.remove("epoll_wait").unwrap_or(0);
    assert!(waits <= 4 * TIMES + 4, "{waits} waits");
    let expected = [
        ("accept4", 2 * TIMES),
        ("close", TIMES),
        ("epoll_ctl", TIMES),
        ("recvfrom", 3 * TIMES),
        ("sendto", 3 * TIMES),
    ];
    assert_calls(&cost, expected);
}
