//! User memory of connections, from outside: `RssAnon` of the server.

use crate::server::{Server, ask, echo, frames, upgrade, wait_until};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Bytes that a connection costs at 19,000 of them, in a debug build, whose sockets remember their
/// selector, and in a release build.
const IDLE: [(&str, u64, u64); 4] = [
    ("connection", 175, 159),
    ("WebSocket", 175, 159),
    ("tcp connection of the generator", 286, 273),
    ("ws connection of the generator", 287, 274),
];

/// Holds what a connection of a kind costs against what it may at most, and against what it did:
/// over 2 % more fail, or they would creep in below the limit.
fn assert_bytes(kind: &str, count: usize, bytes: u64, bytes_max: u64) {
    println!("{count} times: {bytes} bytes a {kind}");
    assert!(bytes <= bytes_max, "{bytes} bytes a {kind}, may be {bytes_max}");
    let (_, debug, release) = IDLE.into_iter().find(|row| row.0 == kind).expect("a row");
    let before = if cfg!(debug_assertions) { debug } else { release };
    assert!(bytes >= before / 2, "{bytes} bytes a {kind}, before {before}: not counted");
    // Fewer have more to bear of what is there once.
    assert!(
        count < 19_000 || bytes * 100 <= before * 102,
        "{bytes} bytes a {kind}, before {before}: {:+.1} %, may be +2 %. If that is meant, set it \
         in IDLE, in tests/costs/memory.rs, and say in the commit what for",
        100.0 * bytes as f64 / before as f64 - 100.0
    );
}

/// As many connections as this process may hold, 19,000 at the most.
fn connections_max() -> usize {
    let limit = oneloop::sys::rlimit::nofile().expect("prlimit works");
    let raised = oneloop::sys::rlimit::Rlimit { soft: limit.hard, hard: limit.hard };
    oneloop::sys::rlimit::set_nofile(raised).expect("the soft limit may be raised");
    19_000.min(limit.hard as usize - 100)
}

#[test]
fn an_idle_connection_costs_at_most_200_bytes() {
    let server = Server::start(&["--idle-timeout", "1h"]);
    // The scratch buffers are touched by the first echo of their size.
    echo(&mut server.connect(0), &vec![7; 60_000]);
    let before_kib = server.status("RssAnon");

    let count = connections_max();
    let mut streams: Vec<TcpStream> = (0..count).map(|nth| server.connect(nth)).collect();
    streams.iter_mut().for_each(|stream| echo(stream, &[7; 64]));

    let bytes = (server.status("RssAnon") - before_kib) * 1024 / count as u64;
    assert_bytes("connection", count, bytes, 200);
}

#[test]
fn after_a_burst_the_memory_is_back_where_it_was() {
    // Small buffers in the kernel, so that it is the server that holds what is stuck.
    let server = Server::start_on("tcp://127.0.0.1:0/echo?rcvbuf=32KiB&sndbuf=32KiB", &[]);
    let mut streams: Vec<TcpStream> = (0..200).map(|_| server.connect(0)).collect();
    for stream in &mut streams {
        socket2::SockRef::from(&*stream).set_send_buffer_size(32 * 1024).expect("an option");
        echo(stream, &[7; 60_000]);
    }
    let before_kib = server.status("RssAnon");

    // They send and do not read, until the server is stuck with a good deal of their echoes.
    let chunk = [7; 64 * 1024];
    let mut sent = vec![0; streams.len()];
    for stream in &streams {
        stream.set_nonblocking(true).expect("a socket option");
    }
    wait_until("the server is stuck", || {
        for (stream, sent) in streams.iter_mut().zip(&mut sent) {
            *sent += stream.write(&chunk).unwrap_or(0);
        }
        server.status("RssAnon") > before_kib + 8 * 1024
    });
    for (stream, sent) in streams.iter_mut().zip(sent) {
        stream.set_nonblocking(false).expect("a socket option");
        let mut back = vec![0; sent];
        stream.read_exact(&mut back).expect("the server answers");
        assert!(back.iter().all(|byte| *byte == 7));
    }
    streams.iter_mut().for_each(|stream| echo(stream, b"done"));
    // The pool keeps 1 MiB of blocks for the next stall, and the allocator a little of its own.
    wait_until("the memory is given back", || {
        server.status("RssAnon").saturating_sub(before_kib) <= 2 * 1024
    });
}

#[test]
fn an_idle_websocket_costs_at_most_200_bytes() {
    let server = Server::start_on("http://127.0.0.1:0/", &["--ping-interval", "1h"]);
    let (asked, large) = (frames(&[&[7; 64]]), frames(&[&[7; 60_000]]));
    let mut first = server.connect(0);
    upgrade(&mut first);
    ask(&mut first, &large);
    let before_kib = server.status("RssAnon");

    let count = connections_max();
    // One after the other: a connection that asks for nothing is closed by its deadline.
    let open = |nth| {
        let mut stream = server.connect(nth);
        upgrade(&mut stream);
        ask(&mut stream, &asked);
        stream
    };
    let streams: Vec<TcpStream> = (0..count).map(open).collect();
    let bytes = (server.status("RssAnon") - before_kib) * 1024 / count as u64;
    drop(streams);
    assert_bytes("WebSocket", count, bytes, 200);
}

/// The other side of the same connections: what it takes to hold them as a client.
#[test]
fn an_idle_connection_of_the_generator_costs_at_most_400_bytes() {
    for (scheme, listen) in [("tcp", "tcp://127.0.0.1:0/echo"), ("ws", "http://127.0.0.1:0/")] {
        let server = Server::start_on(listen, &[]);
        let count = connections_max();
        let url = format!("{scheme}://{}/echo", server.address);
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_oneloop"))
            .args(["load", &url, "--idle", "-d", "2s", "-q", "--json", "-"])
            .args(["-c", &count.to_string()])
            .output()
            .expect("the tool runs");
        let report: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
        let idle = &report["shape"]["idle"];
        let figure = |name: &str| idle[name].as_u64().expect("a figure");
        assert_eq!(figure("held"), count as u64, "{idle}");
        let bytes = figure("memory_bytes") / figure("held");
        assert_bytes(&format!("{scheme} connection of the generator"), count, bytes, 400);
        server.stop();
    }
}

/// What a message was gathered in is kept for nobody: not with the connection that sent it.
#[test]
fn after_a_large_message_in_two_halves_nothing_is_kept() {
    const COUNT: usize = 1_000;
    let server = Server::start_on("http://127.0.0.1:0/", &["--ping-interval", "1h"]);
    let half = [7; 50_000];
    let halves = frames(&[&half, &half]);
    connections_max();
    let mut streams: Vec<TcpStream> = (0..COUNT).map(|nth| server.connect(nth)).collect();
    streams.iter_mut().for_each(upgrade);
    // The scratch buffers and the pool's spare blocks are touched by the first.
    ask(&mut streams[0], &halves);
    let before_kib = server.status("RssAnon");
    for stream in &mut streams {
        ask(stream, &halves);
    }
    // Were it kept, it would be 100 MB; the allocator may have gone one page or two further.
    let kept_kib = server.status("RssAnon").saturating_sub(before_kib);
    println!("{COUNT} messages of 100 KB in two halves: {kept_kib} KiB kept");
    assert!(kept_kib <= 256, "{kept_kib} KiB kept by {COUNT} connections");
}
