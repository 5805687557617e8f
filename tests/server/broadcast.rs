//! **What.** A line from one goes to all of its listener: once each, in order, and to nobody else.
//!
//! **Why this way.** A client is a member once its own line comes back, so that is how tests wait
//! for each other. The books' equation (deliveries = delivered + dropped + queued) is checked at
//! the end of each test, by `finish`.
//!
//! **Costs.** A hundred thousand small lines.
//!
//! **Read next.** `services.rs`.

use crate::services::Greeter;
use crate::support::*;
use oneloop::metrics::CloseReason;
use oneloop::server::{DELIVERIES_PER_TURN, Limits};
use oneloop::service::Builtin;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn serve_broadcast(limits: Limits) -> Running {
    serve([(TCP, Builtin::Broadcast)], limits)
}

/// A member: its own line has come back. Lines of others before it are skipped.
fn join(server: &Running, listener: usize, name: &str) -> TcpStream {
    let mut client = connect(server.at(listener));
    writeln!(client, "{name} is here").unwrap();
    while read_line(&mut client) != format!("{name} is here") {}
    client
}

#[test]
fn every_line_reaches_every_member_once_and_in_order() {
    const CLIENTS: usize = 20;
    const LINES: usize = 200;
    let server = serve([(TCP, Builtin::Broadcast), (TCP, Builtin::Broadcast)], limits());
    let mut elsewhere = join(&server, 1, "elsewhere");
    let clients: Vec<_> = (0..CLIENTS).map(|i| join(&server, 0, &format!("{i}"))).collect();
    thread::scope(|scope| {
        for (i, client) in clients.iter().enumerate() {
            let mut writer = client.try_clone().unwrap();
            scope.spawn(move || {
                for n in 0..LINES {
                    writeln!(writer, "line {i} {n}").unwrap();
                }
            });
            scope.spawn(move || assert_hears(client, &[LINES; CLIENTS]));
        }
    });
    writeln!(elsewhere, "alone").unwrap();
    assert_eq!(read_line(&mut elsewhere), "alone", "nothing came over from the other listener");
    drop(clients);
    let books = server.finish();
    let lines = (CLIENTS * LINES) as u64;
    assert_eq!(books.metrics.broadcasts, lines + CLIENTS as u64 + 2);
    assert_eq!(books.metrics.deliveries_dropped, 0);
    assert!(books.metrics.delivered >= lines * CLIENTS as u64);
}

/// Reads so many `lines` of each sender, which must come in order.
fn assert_hears(client: &TcpStream, lines: &[usize]) {
    let mut next = vec![0; lines.len()];
    let mut reader = BufReader::new(client).lines();
    while next != lines {
        let line = reader.next().expect("more lines are due").unwrap();
        let Some(rest) = line.strip_prefix("line ") else {
            assert!(line.ends_with(" is here"), "{line}");
            continue;
        };
        let (sender, n) = rest.split_once(' ').unwrap();
        let sender: usize = sender.parse().unwrap();
        assert_eq!(n, next[sender].to_string(), "of sender {sender}");
        next[sender] += 1;
    }
}

#[test]
fn whoever_comes_later_hears_only_what_comes_later() {
    let server = serve_broadcast(limits());
    let mut early = join(&server, 0, "early");
    for n in 0..5 {
        writeln!(early, "before {n}").unwrap();
        assert_eq!(read_line(&mut early), format!("before {n}"));
    }
    let mut late = connect(server.at(0));
    writeln!(late, "late").unwrap();
    assert_eq!(read_line(&mut late), "late", "the first line it hears is its own");
    assert_eq!(read_line(&mut early), "late");
    writeln!(early, "after").unwrap();
    assert_eq!(read_line(&mut late), "after");
    server.finish();
}

#[test]
fn both_line_endings_are_the_same() {
    let server = serve_broadcast(limits());
    let mut client = server.connect();
    client.write_all(b"one\r\ntwo\n\r\n\nfive\r\r\n").unwrap();
    assert_eq!(read_n(&mut client, 16), b"one\ntwo\n\n\nfive\r\n");
    // The ending may be torn in two.
    client.write_all(b"six\r").unwrap();
    client.write_all(b"\n").unwrap();
    assert_eq!(read_n(&mut client, 4), b"six\n");
    server.finish();
}

#[test]
fn a_last_line_needs_no_ending() {
    let server = serve_broadcast(limits());
    let mut hears = join(&server, 0, "hears");
    let mut says = server.connect();
    says.write_all(b"whole\nhalf").unwrap();
    half_close(&says);
    assert_eq!(read_line(&mut hears), "whole");
    assert_eq!(read_line(&mut hears), "half");
    server.finish();
}

/// It has said everything, but not yet heard everything: its own line comes back first.
#[test]
fn whoever_half_closes_hears_its_own_last_line() {
    let server = serve_broadcast(limits());
    let mut hears = join(&server, 0, "hears");
    for _ in 0..10 {
        let mut says = server.connect();
        says.write_all(b"whole\nhalf").unwrap();
        half_close(&says);
        assert_eq!(last_words(&mut says), "whole\nhalf\n");
        assert_eq!(read_n(&mut hears, 11), b"whole\nhalf\n");
    }
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::PeerClosed), 10);
    assert_eq!(books.metrics.deliveries_dropped, 0);
}

#[test]
fn a_line_at_the_limit_passes_and_one_longer_is_told() {
    let server = serve_broadcast(Limits { line_bytes_max: 64, ..limits() });
    let mut client = server.connect();
    for len in [62, 63] {
        let line = "x".repeat(len) + "\n";
        client.write_all(line.as_bytes()).unwrap();
        assert_eq!(read_n(&mut client, line.len()), line.as_bytes());
        for byte in line.as_bytes() {
            client.write_all(&[*byte]).unwrap();
        }
        assert_eq!(read_n(&mut client, line.len()), line.as_bytes());
    }
    let told = "-ERR line longer than 64 bytes\n";
    let too_long = ["x".repeat(64) + "\n", "x".repeat(64), "x".repeat(1_000_000)];
    for line in &too_long {
        let mut client = server.connect();
        // The server stops listening to it on the way.
        let _ = client.write_all(line.as_bytes());
        assert_eq!(last_words(&mut client), told);
    }
    client.write_all("x".repeat(63).as_bytes()).unwrap();
    client.write_all(b"x").unwrap();
    assert_eq!(last_words(&mut client), told, "the beginning was carried");
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::LineTooLong), 4);
}

#[test]
fn who_does_not_read_is_closed_and_the_others_hear_everything() {
    const LINES: usize = 2_000;
    let least = 128 * 1024;
    let limits = Limits { backlog_bytes_max: 16 * 1024 * 1024, ..limits() };
    let narrow = "tcp://127.0.0.1:0/?sndbuf=16k";
    let server =
        serve([(narrow, Builtin::Broadcast)], Limits { backlog_bytes_max: least, ..limits });
    let mut deaf = connect_narrow(server.at(0));
    deaf.write_all(b"deaf is here\n").unwrap();
    assert_eq!(read_line(&mut deaf), "deaf is here");
    let hears: Vec<_> = (0..3).map(|i| join(&server, 0, &format!("{i}"))).collect();
    let text = "y".repeat(1_000);
    let mut readers: Vec<_> = hears.iter().map(BufReader::new).collect();
    // In step with the readers, so that only the deaf one is ever slow.
    for n in 0..LINES {
        writeln!(&hears[0], "{n} {text}").unwrap();
        for reader in &mut readers {
            let mut line = String::new();
            while !line.starts_with(&format!("{n} ")) {
                line.clear();
                reader.read_line(&mut line).unwrap();
                assert!(line.starts_with(&format!("{n} ")) || line.contains("here"), "{line}");
            }
        }
    }
    let mut heard = Vec::new();
    // It is cut off: a reset if its own window was shut, never an orderly end of all lines.
    let _ = deaf.read_to_end(&mut heard);
    assert!(heard.len() < LINES * text.len(), "it heard {} bytes", heard.len());
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::SlowConsumer), 1);
    assert!(books.metrics.deliveries_dropped > 0);
}

/// Eight senders fill more mail in one turn than a listener may hold, over and over.
#[test]
fn a_flood_of_mail_loses_nothing() {
    const SENDERS: usize = 8;
    const LINES: usize = 1_000;
    let megabytes = 64 * 1024 * 1024;
    let server = serve_broadcast(Limits { backlog_bytes_max: megabytes, ..limits() });
    let mut hears = join(&server, 0, "hears");
    let text = "z".repeat(1_000);
    thread::scope(|scope| {
        for i in 0..SENDERS {
            let (client, text) = (server.connect(), &text);
            let reader = client.try_clone().unwrap();
            scope.spawn(move || drain(reader));
            let mut writer = client;
            scope.spawn(move || {
                for n in 0..LINES {
                    writeln!(writer, "line {i} {n} {text}").unwrap();
                }
                half_close(&writer);
            });
        }
        let mut next = [0; SENDERS];
        let mut reader = BufReader::new(&mut hears).lines();
        while next.iter().sum::<usize>() < SENDERS * LINES {
            let line = reader.next().expect("more lines are due").unwrap();
            let mut words = line.split(' ').skip(1);
            let sender: usize = words.next().unwrap().parse().unwrap();
            assert_eq!(words.next(), Some(next[sender].to_string().as_str()));
            assert_eq!(words.next(), Some(text.as_str()));
            next[sender] += 1;
        }
    });
    let books = server.finish();
    assert_eq!(books.metrics.broadcasts, (SENDERS * LINES) as u64 + 1);
    assert_eq!(closed(&books, CloseReason::SlowConsumer), 0);
}

/// Reads and forgets, to whatever end.
fn drain(mut stream: impl Read) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

#[test]
fn an_audience_larger_than_a_turn_hears_every_line() {
    const LINES: usize = 5;
    let audience = DELIVERIES_PER_TURN + 76;
    let server = serve([(TCP, Greeter)], limits());
    let mut clients: Vec<TcpStream> = (0..audience).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(read_line(client), "welcome");
    }
    for n in 0..LINES {
        writeln!(&clients[0], "{n}").unwrap();
    }
    for client in &mut clients {
        assert_eq!(read_n(client, 2 * LINES), b"0\n1\n2\n3\n4\n");
    }
    drop(clients);
    let books = server.finish();
    assert_eq!(books.metrics.delivered, (LINES * audience) as u64);
}

/// What is said while a mailing is under way joins it; but not once somebody has come, for who
/// comes hears its own first line.
#[test]
fn lines_that_join_a_mailing_reach_all_once_and_in_order_while_others_come() {
    const SENDERS: usize = 3;
    const GUESTS: usize = 30;
    const LINES_MAX: usize = 2_000;
    let server = serve_broadcast(limits());
    let audience = 4 * DELIVERIES_PER_TURN;
    let mut clients: Vec<TcpStream> = (1..audience).map(|_| server.connect()).collect();
    // Who connected before is a member by then.
    clients.push(join(&server, 0, "last"));
    let (senders, hears) = clients.split_at_mut(SENDERS);
    let over = AtomicBool::new(false);
    let talk = &|(i, client): (usize, &mut TcpStream)| {
        let mut said = 0;
        while !over.load(Ordering::Relaxed) && said < LINES_MAX {
            writeln!(client, "line {i} {said}").unwrap();
            while read_line(client) != format!("line {i} {said}") {}
            said += 1;
        }
        said
    };
    let said: Vec<usize> = thread::scope(|scope| {
        let talks: Vec<_> =
            senders.iter_mut().enumerate().map(|it| scope.spawn(move || talk(it))).collect();
        let come =
            || (0..GUESTS).map(|i| join(&server, 0, &format!("guest {i}"))).collect::<Vec<_>>();
        let guests = scope.spawn(come);
        let all_heard_themselves = guests.join();
        over.store(true, Ordering::Relaxed);
        all_heard_themselves.unwrap();
        talks.into_iter().map(|talk| talk.join().unwrap()).collect()
    });
    for client in hears {
        assert_hears(client, &said);
    }
    drop(clients);
    let books = server.finish();
    assert_eq!(books.metrics.broadcasts, (said.iter().sum::<usize>() + GUESTS + 1) as u64);
}

/// A large audience that is talked to without pause takes all of a turn's deliveries, but not those
/// of another listener.
#[test]
fn a_busy_listener_starves_no_other() {
    const SENDERS: usize = 8;
    let server = serve([(TCP, Greeter), (TCP, Greeter)], limits());
    let audience = DELIVERIES_PER_TURN + 76;
    let mut clients: Vec<TcpStream> = (0..audience).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(read_line(client), "welcome");
    }
    let mut other = connect(server.at(1));
    assert_eq!(read_line(&mut other), "welcome");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (senders, rest) = clients.split_at_mut(SENDERS);
        let last = rest.last_mut().unwrap();
        for (i, client) in senders.iter_mut().enumerate() {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    writeln!(client, "{i}").unwrap();
                    while read_line(client) != i.to_string() {}
                }
            });
        }
        // The last of the audience has heard something: the mailing takes more than a turn.
        read_line(last);
        other.set_read_timeout(Some(PATIENCE / 10)).unwrap();
        let heard = (0..20).all(|_| {
            writeln!(other, "here").unwrap();
            matches!(other.read(&mut [0; 5]), Ok(5))
        });
        over.store(true, Ordering::Relaxed);
        assert!(heard, "its mail waits for the other listener's");
    });
    drop(clients);
    server.finish();
}
