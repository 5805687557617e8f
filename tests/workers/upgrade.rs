//! **What.** A server is replaced under load, again and again, and nobody is turned away.
//!
//! **Why this way.** Clients connect without pause, and each must be served: an error of any kind
//! fails the test. The same from one worker, from several, and from one to several and back.
//!
//! **Costs.** 20 servers a test.
//!
//! **Read next.** `src/server/handover.rs`.

use crate::support::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Upgrades `times` times while clients come without pause, and others stay as long as they may.
fn upgrade_under_load(args: &[&str], times: usize) {
    let listen = ["--listen", "tcp://127.0.0.1:0/echo", "--listen", "http://127.0.0.1:0"];
    let mut server = Served::start(&[args, &listen].concat());
    let (at, http) = (server.at("tcp"), server.at("http"));
    let stop = AtomicBool::new(false);
    let served: u64 = thread::scope(|scope| {
        let load = || scope.spawn(|| serve_without_a_fault(at, &stop));
        let loads = [load(), load(), scope.spawn(|| ask_without_a_fault(http, &stop))];
        let mut pid = server.pid();
        for nth in 0..times {
            let next = upgrade(&server, pid, nth);
            if nth == 0 {
                assert!(server.wait().success());
            }
            until("the old one has gone", || !is_running(pid));
            pid = next;
        }
        stop.store(true, Ordering::Relaxed);
        let served = loads.into_iter().map(|load| load.join().unwrap()).sum();
        kill(pid, libc::SIGTERM);
        until("the last one has ended", || !is_running(pid));
        served
    });
    assert!(served > times as u64, "{served}");
    eprintln!("{served} served over {times} upgrades");
    assert!(TcpStream::connect(at).is_err(), "nobody listens");
}

/// Asks for a successor; returns its process.
fn upgrade(server: &Served, pid: i32, nth: usize) -> i32 {
    kill(pid, libc::SIGUSR2);
    let mut found = None;
    until("the successor serves", || {
        let log = server.log();
        let mut lines = log.lines().filter(|line| line.contains("the successor serves"));
        found = lines.nth(nth).map(str::to_owned);
        found.is_some()
    });
    let line = found.unwrap();
    line.rsplit_once("pid=").unwrap().1.trim().parse().unwrap()
}

fn serve_without_a_fault(at: SocketAddr, stop: &AtomicBool) -> u64 {
    let mut served = 0;
    while !stop.load(Ordering::Relaxed) {
        assert!(is_served(&mut connect(at)), "after {served} that were served");
        served += 1;
    }
    served
}

/// Asks on one connection for as long as the server does not say that it is the last time.
fn ask_without_a_fault(at: SocketAddr, stop: &AtomicBool) -> u64 {
    let (mut served, mut stream) = (0, connect(at));
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let mut bytes = [0; 1024];
        while !answer.ends_with(b"\r\n\r\nok\n") {
            let len = stream.read(&mut bytes).unwrap();
            assert!(len > 0, "a request was lost after {served}");
            answer.extend_from_slice(&bytes[..len]);
        }
        served += 1;
        let text = String::from_utf8(answer).unwrap().to_lowercase();
        assert!(text.starts_with("http/1.1 200"), "{text}");
        if text.contains("connection: close") {
            stream = connect(at);
        }
    }
    served
}

#[test]
fn a_single_server_is_replaced_20_times_without_a_fault() {
    upgrade_under_load(&[], 20);
}

#[test]
fn several_workers_are_replaced_20_times_without_a_fault() {
    upgrade_under_load(&["--workers", "2"], 20);
}

/// With one client at a time nobody wakes up a worker for somebody else.
#[test]
fn who_comes_alone_in_the_moment_of_the_change_does_not_wait() {
    for accept in ["reuseport", "shared"] {
        let args = ["--workers", "2", "--accept", accept, "--listen", "tcp://127.0.0.1:0/echo"];
        let server = Served::start(&args);
        let (mut pid, mut served) = (server.pid(), 0);
        for nth in 0..10 {
            kill(pid, libc::SIGUSR2);
            let has_changed = || server.log().matches("the successor serves").count() > nth;
            while !has_changed() {
                drop(client(server.at("tcp")));
                served += 1;
            }
            (0..20).for_each(|_| drop(client(server.at("tcp"))));
            let log = server.log();
            let line = log.lines().filter(|line| line.contains("the successor serves")).nth(nth);
            pid = line.unwrap().rsplit_once("pid=").unwrap().1.trim().parse().unwrap();
        }
        eprintln!("{accept}: {served} came while the next server started");
        kill(pid, libc::SIGTERM);
        until("the last one has ended", || !is_running(pid));
    }
}

#[test]
fn one_shared_socket_and_threads_are_handed_over_too() {
    upgrade_under_load(&["--workers", "2", "--accept", "shared"], 3);
    upgrade_under_load(&["--workers", "2", "--worker-kind", "thread"], 3);
}

#[test]
fn a_port_that_refuses_is_handed_over_and_opened() {
    for accept in ["reuseport", "shared"] {
        let args = ["--workers", "2", "--accept", accept, "--listen", "tcp://127.0.0.1:0/echo"];
        let limits = ["--max-connections", "2", "--at-limit", "refuse"];
        let server = Served::start(&[&args[..], &limits].concat());
        let at = server.at("tcp");
        let full: Vec<TcpStream> = (0..4).map(|_| client(at)).collect();
        assert!(TcpStream::connect(at).is_err(), "{accept}: it is full");
        let next = upgrade(&server, server.pid(), 0);
        // Those of the old server are still there, or being told to go.
        until("the new one serves", || {
            TcpStream::connect(at).is_ok_and(|mut it| is_served(&mut it))
        });
        drop(full);
        kill(next, libc::SIGTERM);
        until("it has ended", || !is_running(next));
    }
}

/// It has a socket more than it would have opened itself.
#[test]
fn one_worker_that_follows_two_refuses_and_opens_again() {
    let config = format!("{}/fewer-{}.toml", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    std::fs::write(&config, "workers = 2\n").unwrap();
    let limits = ["--max-connections", "2", "--at-limit", "refuse", "--config", &config];
    let server = Served::start(&[&limits[..], &["--listen", "tcp://127.0.0.1:0/echo"]].concat());
    let at = server.at("tcp");
    std::fs::write(&config, "workers = 1\n").unwrap();
    let next = upgrade(&server, server.pid(), 0);
    for _ in 0..3 {
        let mut full = Vec::new();
        until("it is full and refuses", || {
            // The old one may still have served the first, and ends them.
            full.retain_mut(is_served);
            full.extend(TcpStream::connect(at).ok().take_if(is_served));
            full.len() == 2 && TcpStream::connect(at).is_err()
        });
    }
    assert!(!server.log().contains("cannot listen"), "{}", server.log());
    kill(next, libc::SIGTERM);
    until("it has ended", || !is_running(next));
    std::fs::remove_file(&config).unwrap();
}

#[test]
fn a_successor_that_does_not_start_leaves_the_old_one_serving() {
    for workers in ["1", "2"] {
        let dir = env!("CARGO_TARGET_TMPDIR");
        let config = format!("{dir}/upgrade-{}-{workers}.toml", std::process::id());
        std::fs::write(&config, "idle_timeout = \"1m\"\n").unwrap();
        let listen = ["--listen", "tcp://127.0.0.1:0/echo", "--config", &config];
        let server = Served::start(&[&["--workers", workers], &listen[..]].concat());
        std::fs::write(&config, "idle_timeout = \"soon\"\n").unwrap();
        let mut before = client(server.at("tcp"));
        kill(server.pid(), libc::SIGUSR2);
        until("it failed", || server.log().contains("the successor did not start"));
        assert!(server.log().contains("idle_timeout"), "it says why: {}", server.log());
        assert!(is_served(&mut before));
        drop((before, client(server.at("tcp"))));
        // And another attempt may go well.
        std::fs::write(&config, "").unwrap();
        let next = upgrade(&server, server.pid(), 0);
        drop(client(server.at("tcp")));
        kill(next, libc::SIGTERM);
        until("it has ended", || !is_running(next));
        std::fs::remove_file(&config).unwrap();
    }
}

#[test]
fn the_command_finds_stale_and_foreign_processes_out() {
    let path = format!("{}/stale-{}.pid", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    // Ids do not reach that far.
    for (text, reason) in [("99999999", "it is stale"), ("many", "there is no number in it")] {
        std::fs::write(&path, text).unwrap();
        let output = command(&["upgrade", "--pid-file", &path]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(reason) && said.contains(&path), "{said}");
    }
    std::fs::remove_file(&path).unwrap();
    let own = std::process::id().to_string();
    let output = command(&["upgrade", "--pid", &own]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("not oneloop: it is left alone"), "{said}");
}

#[test]
fn the_command_waits_until_the_old_one_has_gone() {
    let mut server = Served::start(&["--listen", "tcp://127.0.0.1:0/echo"]);
    // A test's child: it must be waited for to be gone.
    let pid = server.pid().to_string();
    let output = command(&["upgrade", "--pid", &pid]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(server.wait().success());
    let log = server.log();
    let next: i32 = log.rsplit_once("pid=").unwrap().1.lines().next().unwrap().parse().unwrap();
    drop(client(server.at("tcp")));
    kill(next, libc::SIGTERM);
    until("it has ended", || !is_running(next));
}

#[test]
fn the_file_with_the_number_follows_the_upgrades_and_goes_with_the_last() {
    for workers in ["1", "2"] {
        let name = format!("serves-{}-{workers}.pid", std::process::id());
        let path = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
        // Left behind by one that was killed: ids do not reach that far.
        std::fs::write(&path, "99999999\n").unwrap();
        let number = || std::fs::read_to_string(&path).unwrap().trim().parse::<i32>().unwrap();
        let args =
            ["--workers", workers, "--pid-file", &path, "--listen", "tcp://127.0.0.1:0/echo"];
        let mut server = Served::start(&args);
        assert_eq!(number(), server.pid());

        let second = command(&[&["serve"], &args[..]].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert_eq!(second.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("process {} serves", server.pid())), "{said}");

        let upgraded = command(&["upgrade", "--pid-file", &path]).output().unwrap();
        assert!(upgraded.status.success(), "{}", String::from_utf8_lossy(&upgraded.stderr));
        assert!(server.wait().success());
        let next = number();
        assert_ne!(next, server.pid());
        drop(client(server.at("tcp")));
        kill(next, libc::SIGTERM);
        until("it has ended", || !is_running(next));
        assert!(!std::path::Path::new(&path).exists(), "it is removed");

        std::fs::write(&path, "precious").unwrap();
        let third = command(&[&["serve"], &args[..]].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&third.stderr).into_owned();
        assert_eq!(third.status.code(), Some(2), "{said}");
        assert!(said.contains("there is no number in it"), "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        std::fs::remove_file(&path).unwrap();
    }
}
