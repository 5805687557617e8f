//! What the load generator costs the machine it runs on. It is traced and the server is not.

use crate::server::Server;
use crate::syscalls::{Counts, counts_in, difference};
use std::path::PathBuf;
use std::process::Command;

/// A run on one connection for so long: its syscalls, and the messages that it sent.
fn load(scheme: &str, server: &Server, name: &str, duration: &str) -> (Counts, i64) {
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{duration}.strace"));
    let url = format!("{scheme}://{}/echo", server.address);
    let out = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(&log)
        .arg(env!("CARGO_BIN_EXE_oneloop"))
        .args(["load", &url, "--method", "POST", "-c", "1", "-d", duration, "-q"])
        .args(["--tls-insecure", "--json", "-"])
        .output()
        .expect("strace runs (scripts/test.sh installs it)");
    // 3: good but INVALID, for being traced makes the generator slow.
    let went_well = matches!(out.status.code(), Some(0 | 3));
    assert!(went_well, "{}", String::from_utf8_lossy(&out.stderr));
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    (counts_in(&log), report["messages"]["sent"].as_i64().expect("a count"))
}

/// One `recv` and one `send` a message, and the wait between them.
fn assert_one_read_and_one_write(scheme: &str, url: &str, args: &[&str]) {
    let server = Server::start_on(url, args);
    let (short, few) = load(scheme, &server, scheme, "50ms");
    let (long, many) = load(scheme, &server, scheme, "1s");
    let (mut cost, messages) = (difference(short, long), many - few);
    println!("{messages} messages over {scheme}: {cost:?}");
    assert!(messages > 50, "{messages} messages");
    // In the one run more than in the other a turn may have found nothing, or two things.
    for call in ["recvfrom", "sendto", "epoll_wait"] {
        let count = cost.remove(call).unwrap_or(0);
        assert!((count - messages).abs() <= 5, "{count} {call} for {messages} messages");
    }
    // Who listens is looked for among the descriptors of all processes, before the run begins: how
    // many there are is their affair.
    for call in ["readlink", "getdents64"] {
        cost.remove(call);
    }
    // 4 KiB of masks are fetched at once. Once a second, and at the end, it asks for the CPU time
    // of both sides: some 12 calls. And what it allocates before and behind its messages is not the
    // same each time.
    let calls: i64 = cost.values().map(|count| count.abs()).sum();
    assert!(calls <= messages / 1_000 + 45, "{messages} messages: {cost:?}");
}

#[test]
fn a_message_is_one_read_and_one_write() {
    assert_one_read_and_one_write("tcp", "tcp://127.0.0.1:0/echo", &[]);
    assert_one_read_and_one_write("ws", "http://127.0.0.1:0/", &[]);
    assert_one_read_and_one_write("http", "http://127.0.0.1:0/", &[]);
}

#[test]
#[cfg(feature = "tls")]
fn a_message_under_tls_is_one_read_and_one_write() {
    assert_one_read_and_one_write("wss", "https://127.0.0.1:0/", &["--tls-self-signed"]);
}
