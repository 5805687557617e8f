//! What connections do with their time: they come and go, are silent, or one sends for all.

use crate::servers::{self, Count};
use crate::ws::{echo, site, target, upgrade};
use crate::{run, scenario};
use oneloop::load::{
    self, ChurnFigures, FanFigures, Figures, IdleFigures, LoadError, Report, Scenario, Shape, Times,
};
use oneloop::net::{Address, Dialect, Endpoint, Target};
use oneloop::proto::http1::Method;
use oneloop::server::{Limits, Nofile, Server};
use oneloop::service::Builtin;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const DIALECTS: [(Dialect, &str, Method); 3] = [
    (Dialect::WebSocket, "/echo", Method::Get),
    (Dialect::Http, "/healthz", Method::Get),
    (Dialect::Http, "/echo", Method::Post),
];

#[track_caller]
fn churned(report: &Report) -> &ChurnFigures {
    match &report.shape {
        Some(Figures::Churn(figures)) => figures,
        other => panic!("no churn: {other:?}"),
    }
}

#[track_caller]
fn held(report: &Report) -> &IdleFigures {
    match &report.shape {
        Some(Figures::Idle(figures)) => figures,
        other => panic!("not idle: {other:?}"),
    }
}

fn churn(messages: u64, scenario: Scenario) -> Scenario {
    Scenario { shape: Shape::Churn { messages }, ..scenario }
}

fn idle(ping_every_ms: u64, scenario: Scenario) -> Scenario {
    Scenario { shape: Shape::Idle { ping_every_ms }, duration_ms: 500, ..scenario }
}

/// Every socket brings its messages and is closed in peace, by us.
#[test]
fn each_socket_carries_as_many_messages_as_asked() {
    for (messages, depth) in [(1, 1), (3, 1), (4, 3), (2, 8)] {
        let sockets: Arc<Mutex<Vec<usize>>> = Arc::default();
        let (ended, resets) = (Arc::clone(&sockets), Count::default());
        let counted = resets.clone();
        let server = servers::tcp(move |_, mut stream| {
            let (mut bytes, mut received) = ([0; 4096], 0);
            let is_reset = loop {
                match stream.read(&mut bytes) {
                    Ok(0) => break false,
                    Ok(n) if stream.write_all(&bytes[..n]).is_ok() => received += n,
                    _ => break true,
                }
            };
            counted.add(usize::from(is_reset));
            ended.lock().expect("unpoisoned").push(received);
        });
        let report = run(&churn(messages, Scenario { depth, ..scenario(server, 4) }));
        let reopened = report.connections.reopened;
        assert_eq!(report.connections.connected, 4, "{:?}", report.connections);
        assert_eq!(report.messages.received, report.messages.sent);
        assert!(reopened > 10, "{reopened} sockets");
        let ended = sockets.lock().expect("unpoisoned");
        let whole = ended.iter().filter(|&&bytes| bytes as u64 == messages * 64).count() as u64;
        // The last of each connection may be cut short by the end of the run.
        assert!(ended.len() as u64 - whole <= 4, "{messages} x {depth}: {ended:?}");
        assert!(whole + 4 >= reopened, "{whole} of {reopened}");
        assert_eq!(resets.get(), 0);
        let figures = churned(&report);
        assert_eq!(figures.messages, messages);
        let (connects, lives) = (figures.connect_us.count(), figures.life_us.count());
        assert!((1..=reopened).contains(&connects) && lives <= reopened + 4, "{connects} {lives}");
        assert!(figures.life_us.max_us() >= figures.connect_us.percentile_us(0.5));
    }
}

#[test]
fn the_life_of_a_socket_begins_with_its_connect() {
    // Slow to upgrade, and quick to answer.
    let server = servers::tcp(|_, mut stream| {
        servers::dawdle(Duration::from_millis(40));
        upgrade(&mut stream, "");
        echo(stream);
    });
    let target = target(&server, Dialect::WebSocket, "/x?y");
    let report = run(&churn(1, Scenario { target, duration_ms: 1_000, ..scenario(server, 10) }));
    let ChurnFigures { connect_us, life_us, .. } = churned(&report);
    let median = |times: &Times| times.percentile_us(0.5).expect("some");
    assert!(median(connect_us) >= 40_000.0 && median(life_us) >= 40_000.0, "{report:?}");
}

#[test]
fn every_protocol_connects_again() {
    let (address, stop) = site(Limits::default());
    for (dialect, path, method) in DIALECTS {
        for rate_per_s in [None, Some(200)] {
            let target = target(&address, dialect, path);
            let again = churn(2, Scenario { target, method, rate_per_s, ..base() });
            let report = run(&again);
            assert_eq!(report.connections.connected, 5, "{path}: {:?}", report.connections);
            assert_eq!(report.messages.received, report.messages.sent, "{path}");
            assert!(report.connections.reopened >= 10, "{path}: {:?}", report.connections);
        }
    }
    stop();
}

fn base() -> Scenario {
    scenario(Address::Tcp(servers::nobody()), 5)
}

/// Sockets in TIME_WAIT whose own port is this one, and those whose peer's is.
fn time_waits(port: u16) -> (usize, usize) {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let is = |address: &str| address.ends_with(&format!(":{port:04X}"));
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let waiting: Vec<_> = rows.filter(|row| row.len() > 3 && row[3] == "06").collect();
    let of = |column: usize| waiting.iter().filter(|row| is(row[column])).count();
    (of(1), of(2))
}

#[test]
fn who_keeps_time_wait_is_known() {
    let (address, stop) = site(Limits::default());
    let Address::Tcp(at) = address else { panic!("not TCP") };
    let target = target(&address, Dialect::WebSocket, "/echo");
    let report = run(&churn(1, Scenario { target, ..base() }));
    let (server, client) = time_waits(at.port());
    stop();
    let reopened = report.connections.reopened as usize;
    // The last five are open when the run ends, and then it is we who close them.
    assert!(server + 5 >= reopened && client <= 5, "{server} {client} {reopened}");

    let address = servers::tcp(|_, stream| servers::echo(stream));
    let Address::Tcp(at) = address else { panic!("not TCP") };
    let report = run(&churn(1, scenario(address, 5)));
    let (server, client) = time_waits(at.port());
    let reopened = report.connections.reopened as usize;
    assert!(client >= reopened && server == 0, "{server} {client} {reopened}");
}

/// Against a server that serves each connection for so long only.
#[test]
fn a_server_that_goes_away_ends_the_churn() {
    let count = Count::default();
    let server = servers::tcp(move |_, stream| match count.add(1) {
        0..10 => servers::echo(stream),
        _ => servers::reset(stream),
    });
    let report = run(&churn(1, scenario(server, 2)));
    assert_eq!(report.connections.reset, 2, "{:?}", report.connections);
    // The reset may come before the message is sent.
    assert!(report.messages.received >= 10 && report.messages.lost <= 2, "{report:?}");
}

#[test]
fn idle_connections_are_pinged() {
    let (address, stop) = site(Limits::default());
    // Who discards does not echo: only a ping of WebSocket's own is answered there.
    let silent = (Dialect::WebSocket, "/discard", Method::Get);
    for (dialect, path, method) in DIALECTS.into_iter().chain([silent]) {
        let target = target(&address, dialect, path);
        let report = run(&idle(100, Scenario { target, method, ..base() }));
        let figures = held(&report);
        assert_eq!((figures.settled, figures.held), (5, 5), "{path}: {figures:?}");
        assert!(figures.pings >= 5, "{path}: each at least once: {figures:?}");
        assert!(figures.pings <= 5 * 6, "{path}: not more than it is time for: {figures:?}");
        assert_eq!(figures.answered, figures.pings, "{path}");
        assert_eq!(report.messages.sent, figures.pings + 5, "{path}: the first is none");
        assert_eq!(report.latency_ns().len(), figures.pings, "{path}");
        assert_eq!((figures.ping_every_ms, figures.bytes_per_connection()), (100, None));
    }
    stop();
}

#[test]
fn a_missed_ping_shows_and_so_does_a_slow_one() {
    let server = servers::tcp(|n, mut stream| match n {
        0 => {
            let mut first = [0; 64];
            if stream.read_exact(&mut first).is_ok() {
                let _ = stream.write_all(&first);
            }
            servers::read_to_end(stream);
        }
        1 => servers::echo_changed(stream, |position, _| {
            if position > 0 {
                servers::dawdle(std::time::Duration::from_millis(150));
            }
        }),
        _ => servers::echo(stream),
    });
    let report = run(&Scenario { answer_timeout_ms: 1_000, ..idle(400, scenario(server, 5)) });
    let figures = held(&report);
    assert_eq!(figures.settled, 5);
    assert_eq!(figures.pings - figures.answered, 1, "{figures:?}");
    assert_eq!((report.messages.lost, report.connections.hung), (1, 1), "{report:?}");
    assert!(report.latency_max_us().expect("answers") >= 150_000.0);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let to = Address::Tcp(servers::nobody());
    let udp = Target::from(crate::address("udp://127.0.0.1:7000"));
    let http = target(&to, Dialect::Http, "/echo");
    let tcp = || scenario(to.clone(), 5);
    let cases = [
        (churn(1, Scenario { hold: true, ..tcp() }), "churn: --hold"),
        (churn(0, tcp()), "churn 0: "),
        (churn(1, Scenario { target: udp, ..tcp() }), "reconnect, churn 1: over UDP"),
        (
            idle(100, Scenario { rate_per_s: Some(1), ..tcp() }),
            "idle: pings are due at --ping-every",
        ),
        (
            idle(100, Scenario { depth: 2, ..tcp() }),
            "idle: sends one ping at a time, and not a --depth of 2",
        ),
        (idle(501, tcp()), "ping-every 501ms: longer than --duration"),
        (idle(0, tcp()), "ping-every 0ms: use 1ms to 15m"),
        (fan(Scenario { connections: 1, ..tcp() }), "fan: one sends and all receive; with -c 1"),
        (fan(Scenario { size_bytes: 25, ..tcp() }), "size 25: with --fan"),
        (fan(Scenario { size_bytes: 16_385, ..tcp() }), "size 16385: with --fan"),
        (fan(Scenario { target: http, ..tcp() }), "fan: HTTP has no broadcast"),
    ];
    for (scenario, reason) in cases {
        match load::run(&scenario, &mut ()) {
            Err(LoadError::Usage(line)) => assert!(line.starts_with(reason), "{line}"),
            other => panic!("{reason}: {other:?}"),
        }
    }
}

/// What is written comes back, and adds up.
#[test]
fn figures_of_shapes_add_up() {
    let server = servers::tcp(|_, stream| servers::echo(stream));
    for scenario in [churn(2, scenario(server.clone(), 3)), idle(100, scenario(server, 3))] {
        let report = run(&scenario);
        let json = serde_json::to_value(&report).expect("JSON");
        let mut twice = Report::from_json(&json).expect("our own");
        twice.merge(&report);
        match (&twice.shape, &report.shape) {
            (Some(Figures::Churn(two)), Some(Figures::Churn(one))) => {
                assert_eq!(two.connect_us.count(), 2 * one.connect_us.count());
                assert_eq!(two.life_us.max_us(), one.life_us.max_us());
            }
            (Some(Figures::Idle(two)), Some(Figures::Idle(one))) => {
                assert_eq!((two.held, two.pings), (2 * one.held, 2 * one.pings));
                assert_eq!(two.ping_every_ms, one.ping_every_ms);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[track_caller]
fn fanned(report: &Report) -> &FanFigures {
    match &report.shape {
        Some(Figures::Fan(figures)) => figures,
        other => panic!("no fan: {other:?}"),
    }
}

fn fan(scenario: Scenario) -> Scenario {
    Scenario { shape: Shape::Fan, ..scenario }
}

#[track_caller]
fn assert_all_arrived(report: &Report, receivers: u64) {
    let (figures, messages) = (fanned(report), report.messages);
    assert_eq!(report.connections.connected, receivers, "{:?}", report.connections);
    assert_eq!(figures.receivers, receivers);
    assert!(figures.messages >= 10, "{figures:?}");
    assert_eq!(messages.received, figures.messages * receivers, "{messages:?}");
    assert_eq!((messages.lost, messages.wrong, messages.duplicate, messages.late), (0, 0, 0, 0));
    let times = [&figures.first_us, &figures.median_us, &figures.last_us];
    assert!(times.iter().all(|times| times.count() == figures.messages), "{figures:?}");
    assert!(times.map(|times| times.max_us().expect("some")).is_sorted(), "{figures:?}");
    assert_eq!(figures.skew_us.count(), figures.messages);
    assert_eq!(report.latency_ns().len(), messages.received);
}

#[test]
fn one_sends_and_all_receive() {
    let (address, stop) = site(Limits::default());
    let target = target(&address, Dialect::WebSocket, "/broadcast");
    for (rate_per_s, depth, size_bytes) in [(None, 1, 64), (None, 4, 10_000), (Some(200), 2, 25)] {
        let target = target.clone();
        let all = Scenario { target, rate_per_s, depth, size_bytes, ..base() };
        let report = run(&fan(Scenario { connections: 30, ..all }));
        assert_all_arrived(&report, 30);
        let asked = report.paced.as_ref().map(|paced| paced.unsent);
        assert_eq!(asked, rate_per_s.map(|_| 0));
    }
    stop();
}

#[test]
fn lines_reach_all_too() {
    let at = Endpoint::parse("tcp://127.0.0.1:0").expect("a URL");
    let limits = Limits { nofile: Nofile::Keep, ..Limits::default() };
    let server = Server::builder().limits(limits).listen(at, Builtin::Broadcast).bind();
    let server = server.expect("binds");
    let address = server.endpoints().next().expect("the only one").address.clone();
    let stopper = server.stopper();
    let thread = std::thread::spawn(move || server.run());
    // The longest line is longer than one read of a busy receiver may bring whole.
    for (depth, size_bytes) in [(1, 26), (8, 500), (3, 16 * 1024)] {
        let report = run(&fan(Scenario { depth, size_bytes, ..scenario(address.clone(), 20) }));
        assert_all_arrived(&report, 20);
    }
    stopper.stop().expect("is told");
    thread.join().expect("no panic").expect("runs");
}

/// A broadcast by hand: `deliver` says what the receiver with this number gets of a message with
/// this number.
fn hub(deliver: impl Fn(usize, u64, &[u8]) -> Vec<u8> + Send + Sync + 'static) -> Address {
    let members: Arc<Mutex<Vec<(usize, TcpStream)>>> = Arc::default();
    servers::tcp(move |n, stream| {
        let ours = stream.try_clone().expect("a descriptor");
        members.lock().expect("unpoisoned").push((n, ours));
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = [&line[..], b"\n"].concat();
            let number = str::from_utf8(&line[9..25]).expect("hex");
            let number = u64::from_str_radix(number, 16).expect("hex");
            for (n, member) in members.lock().expect("unpoisoned").iter_mut() {
                let bytes = match line[0] {
                    b'm' => deliver(*n, number, &line),
                    _ => line.clone(),
                };
                // Who is gone hears nothing.
                let _ = member.write_all(&bytes);
            }
        }
    })
}

#[test]
fn what_a_broadcast_does_wrong_is_counted() {
    let server = hub(|receiver, number, line| match (receiver, number) {
        (1, 2) => Vec::new(),
        (1, 4) | (2, 3) => [line, line].concat(),
        (3, 5) => line.iter().map(|byte| if *byte == b' ' { b'_' } else { *byte }).collect(),
        _ => line.to_vec(),
    });
    // The one that gets too little only notices when the next one comes: so two are on their way.
    let report = run(&fan(Scenario { depth: 2, ..scenario(server, 4) }));
    let messages = report.messages;
    assert_eq!((messages.lost, messages.duplicate, messages.late), (1, 2, 0), "{messages:?}");
    assert_eq!((messages.wrong, report.connections.connected), (1, 4), "{messages:?}");
    let figures = fanned(&report);
    assert!(figures.messages > 6, "it goes on: {figures:?}");
    assert_eq!(messages.received, figures.messages * 4 - 2);
}

#[test]
fn a_receiver_that_goes_is_not_waited_for() {
    let server = hub(|receiver, number, line| match (receiver, number) {
        (2, 3) => b"-ERR too slow\n".to_vec(),
        _ => line.to_vec(),
    });
    // One after the other, so that it is not the sender.
    let slowly = Scenario { connect_rate_per_s: Some(50), ..scenario(server, 4) };
    let report = run(&fan(slowly));
    assert_eq!((report.connections.connected, report.connections.told_why), (3, 1));
    assert_eq!(report.connections.reasons["too slow"], 1);
    assert_eq!(report.messages.lost, 1, "{:?}", report.messages);
    let figures = fanned(&report);
    assert!(figures.messages > 4 && figures.receivers == 3, "{figures:?}");
    assert_eq!(figures.last_us.count(), figures.messages);
}

#[test]
fn a_channel_that_only_echoes_makes_no_members() {
    let server = servers::tcp(|_, stream| servers::echo(stream));
    let report = run(&fan(Scenario { answer_timeout_ms: 300, ..scenario(server, 3) }));
    // The sender hears itself, and nobody else hears anything.
    assert_eq!((report.connections.connected, report.connections.hung), (1, 2), "{report:?}");
}

const MIX: [(usize, u64); 3] = [(64, 8), (1_000, 3), (100_000, 1)];

fn mixed(scenario: Scenario) -> Scenario {
    Scenario { mix: MIX.to_vec(), duration_ms: 500, ..scenario }
}

#[track_caller]
fn assert_mixed(report: &Report, what: &str) {
    assert_eq!(report.connections.connected, 5, "{what}: {:?}", report.connections);
    assert_eq!(report.messages.received, report.messages.sent, "{what}: {:?}", report.messages);
    let counts: Vec<u64> = report.sizes.iter().map(|it| it.latency_us.count()).collect();
    assert_eq!(counts.iter().sum::<u64>(), report.latency_ns().len(), "{what}: each is of a size");
    let sizes: Vec<u64> = report.sizes.iter().map(|it| it.size_bytes).collect();
    assert_eq!(sizes, [64, 1_000, 100_000]);
    // As their weights have it, though the run may end within a round.
    assert!(
        counts.iter().all(|&count| count > 0) && counts.is_sorted_by(|a, b| a > b),
        "{counts:?}"
    );
}

#[test]
fn messages_of_several_sizes_come_back_over_every_protocol() {
    let bytes = Count::default();
    let counted = bytes.clone();
    let server = servers::tcp(move |_, stream| {
        servers::echo_changed(stream, |_, part| {
            counted.add(part.len());
        });
    });
    for (depth, rate_per_s) in [(1, None), (7, None), (2, Some(1_000))] {
        let before = bytes.get();
        let all = Scenario { depth, rate_per_s, ..scenario(server.clone(), 5) };
        let report = run(&mixed(all));
        assert_mixed(&report, "tcp");
        assert_eq!(report.bytes_sent, bytes.get() - before);
        assert_eq!(report.bytes_received, report.bytes_sent);
    }
    let (address, stop) = site(Limits::default());
    for (dialect, method) in [(Dialect::WebSocket, Method::Get), (Dialect::Http, Method::Post)] {
        for shape in [Shape::Keep, Shape::Churn { messages: 3 }] {
            let target = target(&address, dialect, "/echo");
            let report = run(&mixed(Scenario { target, method, shape, depth: 3, ..base() }));
            assert_mixed(&report, &format!("{dialect:?} {shape:?}"));
        }
    }
    stop();
}

#[test]
fn a_seed_repeats_the_sizes() {
    let bytes_of = |seed| {
        let server = servers::tcp(|_, stream| servers::echo(stream));
        let one = Scenario { seed, hold: true, ..scenario(server, 40) };
        run(&mixed(one)).bytes_sent
    };
    // Each of 40 connections sends its first message.
    assert_eq!(bytes_of(1), bytes_of(1));
    let others: Vec<u64> = (2..6).map(bytes_of).collect();
    assert!(others.iter().any(|&bytes| bytes != bytes_of(1)), "{others:?}");
}

#[test]
fn one_wrong_byte_in_a_mix_is_one_wrong_message() {
    let server = servers::tcp(|n, stream| {
        servers::echo_changed(stream, |position, bytes| {
            let at = 150_000u64.checked_sub(position).map_or(usize::MAX, |at| at as usize);
            if n == 1 && at < bytes.len() {
                bytes[at] ^= 1;
            }
        });
    });
    let report = run(&Scenario { duration_ms: 2_000, ..mixed(scenario(server, 2)) });
    assert_eq!((report.messages.wrong, report.messages.lost), (1, 0), "{:?}", report.messages);
}

#[test]
fn a_mix_that_cannot_be_sent_is_refused_with_a_reason() {
    let to = Address::Tcp(servers::nobody());
    let tcp = |mix: &[(usize, u64)]| Scenario { mix: mix.to_vec(), ..scenario(to.clone(), 5) };
    let http = target(&to, Dialect::Http, "/echo");
    let udp = Target::from(crate::address("udp://127.0.0.1:7000"));
    let many: Vec<(usize, u64)> = (1..18).map(|size| (size, 1)).collect();
    let cases = [
        (tcp(&[(64, 0)]), "mix 64:0: "),
        (tcp(&[(0, 1)]), "mix 0:1: "),
        (tcp(&[(2 << 30, 1)]), "mix 2147483648:1: use 1 byte to 1GiB"),
        (tcp(&[(64, 1), (64, 2)]), "mix: size 64 is there twice"),
        (tcp(&[(64, 1), (65, 10_000)]), "mix: the weights add up to 10001"),
        (tcp(&many), "mix: 17 sizes, 16 at most"),
        (idle(100, tcp(&MIX)), "mix: --idle only pings"),
        (fan(tcp(&MIX)), "mix: --fan has one --size"),
        (
            Scenario { target: http, ..tcp(&MIX) },
            "mix: a GET request has no body; give --method POST",
        ),
        (Scenario { target: udp, ..tcp(&MIX) }, "mix: over UDP all have one --size"),
    ];
    for (scenario, reason) in cases {
        match load::run(&scenario, &mut ()) {
            Err(LoadError::Usage(line)) => assert!(line.starts_with(reason), "{line}"),
            other => panic!("{reason}: {other:?}"),
        }
    }
}
