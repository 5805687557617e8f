//! **What.** WebSockets over real sockets: echo, broadcast by path, pings, and how they end.
//!
//! **Why this way.** Which frame earns which code is tested on slices
//! (`src/session/websocket/tests.rs`); here is that the words reach the peer, that slow ones hurt
//! nobody, and that nothing is left behind. tungstenite has its say too.
//!
//! **Costs.** A thousand connections at once, some seconds of timeouts.
//!
//! **Read next.** `ws.rs`, `http.rs`.

use crate::child::{Child, number};
use crate::support::*;
use crate::ws::*;
use oneloop::metrics::CloseReason;
use oneloop::server::Limits;
use oneloop::service::{Builtin, Outbound, Service};
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::protocol::Role;
use tungstenite::{Error, Message, WebSocket};

/// Writes `bytes` while `read` reads.
fn while_writing<T>(client: &mut Ws, bytes: &[u8], read: impl FnOnce(&mut Ws) -> T) -> T {
    let mut writer = client.0.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(bytes).unwrap());
        read(client)
    })
}

#[test]
fn messages_of_all_sizes_are_echoed() {
    let server = serve_site(limits());
    let mut client = Ws::open(&server, "/echo");
    for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let message = pattern(len as u64, len);
        let frame = frame(BINARY, &message);
        let back = while_writing(&mut client, &frame, Ws::read);
        assert!(back == (BINARY, message), "{len} bytes");
    }
    client.close();
    let books = server.finish();
    assert_eq!(books.metrics.messages_in, 7);
    assert_eq!(closed(&books, CloseReason::ServiceClosed), 1);
}

#[test]
fn a_megabyte_in_a_thousand_frames_is_one_message() {
    let server = serve_site(limits());
    let mut client = Ws::open(&server, "/echo");
    let message = pattern(2, 1 << 20);
    let mut frames = Vec::new();
    let pieces: Vec<&[u8]> = message.chunks(1_049).collect();
    for (at, piece) in pieces.iter().enumerate() {
        let fin = if at + 1 == pieces.len() { 0x80 } else { 0 };
        frames.extend(frame(fin | if at == 0 { 2 } else { 0 }, piece));
        if at % 100 == 50 {
            frames.extend(frame(PING, &[at as u8]));
        }
    }
    let (pongs, back) = while_writing(&mut client, &frames, |client| {
        let mut pongs = Vec::new();
        loop {
            match client.read() {
                (PONG, payload) => pongs.extend(payload),
                frame => return (pongs, frame),
            }
        }
    });
    assert!(back == (BINARY, message));
    assert_eq!(pongs, [50, 150, 250, 350, 450, 550, 650, 750, 850, 950].map(|at: u16| at as u8));
    client.close();
    let books = server.finish();
    assert_eq!(books.metrics.messages_in, 1);
}

#[test]
fn a_thousand_clients_are_echoed_to() {
    const CLIENTS: usize = 1_000;
    let limit = oneloop::sys::rlimit::nofile().unwrap();
    let raised = oneloop::sys::rlimit::Rlimit { soft: limit.hard, hard: limit.hard };
    oneloop::sys::rlimit::set_nofile(raised).unwrap();
    let server = serve_site(limits());
    let mut clients: Vec<Ws> = (0..CLIENTS).map(|_| Ws::open(&server, "/echo")).collect();
    for round in 0..3 {
        for (at, client) in clients.iter_mut().enumerate() {
            client.say(&format!("{round} {at}"));
        }
        for (at, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.hear(), format!("{round} {at}"));
        }
    }
    clients.into_iter().for_each(Ws::close);
    let books = server.finish();
    assert_eq!(books.metrics.messages_in, 3 * CLIENTS as u64);
    assert_eq!(closed(&books, CloseReason::ServiceClosed), CLIENTS as u64);
}

/// A member of `/broadcast`: its own message has come back. Those of others before it are skipped.
fn join(server: &Running, name: &str) -> Ws {
    let mut client = Ws::open(server, "/broadcast");
    client.say(name);
    while client.hear() != name {}
    client
}

#[test]
fn a_message_goes_to_all_on_its_path_once_and_to_nobody_else() {
    const CLIENTS: usize = 20;
    const MESSAGES: usize = 100;
    let server = serve_site(limits());
    let mut echo = Ws::open(&server, "/echo");
    let mut discard = Ws::open(&server, "/discard");
    let (mut asks, mut plain) = (server.connect(), connect(server.at(1)));
    ask_health(&mut asks);
    plain.write_all(b"here\n").unwrap();
    assert_eq!(read_line(&mut plain), "here");

    let mut clients: Vec<Ws> = (0..CLIENTS).map(|at| join(&server, &format!("{at}"))).collect();
    for (at, client) in clients.iter_mut().enumerate() {
        // The last one's arrival was told to all of them, and its own was the last that it heard.
        let mut last = at.to_string();
        while last != (CLIENTS - 1).to_string() {
            last = client.hear();
        }
    }
    for n in 0..MESSAGES {
        clients[n % CLIENTS].say(&format!("message {n}"));
        for client in &mut clients {
            assert_eq!(client.hear(), format!("message {n}"), "once each, the sender included");
        }
    }
    clients[0].send(BINARY, b"\xff\0");
    for client in &mut clients {
        assert_eq!(client.read(), (BINARY, b"\xff\0".to_vec()), "in the sender's kind");
    }
    echo.echo("nothing came before this");
    discard.send(TEXT, b"to nobody");
    discard.send(PING, b"?");
    assert_eq!(discard.read(), (PONG, b"?".to_vec()));
    ask_health(&mut asks);
    plain.write_all(b"alone\n").unwrap();
    assert_eq!(read_line(&mut plain), "alone");
    drop((clients, echo, discard, asks, plain));
    let books = server.finish();
    let messages = (CLIENTS + MESSAGES + 3) as u64;
    assert_eq!(books.metrics.broadcasts, messages);
    // As many hear of an arrival as have arrived; two lines went to one plain client each.
    let arrivals = (1..=CLIENTS as u64).sum::<u64>();
    let due = arrivals + (MESSAGES as u64 + 1) * CLIENTS as u64 + 2;
    assert_eq!((books.metrics.delivered, books.metrics.deliveries_dropped), (due, 0));
}

#[test]
fn all_hear_each_sender_in_its_order_while_all_speak() {
    const CLIENTS: usize = 10;
    const MESSAGES: usize = 200;
    let server = serve_site(limits());
    let mut clients: Vec<Ws> =
        (0..CLIENTS).map(|at| join(&server, &format!("join {at}"))).collect();
    thread::scope(|scope| {
        for (at, client) in clients.iter_mut().enumerate() {
            let mut writer = Ws(client.0.try_clone().unwrap());
            scope.spawn(move || (0..MESSAGES).for_each(|n| writer.say(&format!("{at} {n}"))));
            scope.spawn(move || {
                let mut next = [0; CLIENTS];
                while next.iter().sum::<usize>() < CLIENTS * MESSAGES {
                    let heard = client.hear();
                    let (sender, n) = heard.split_once(' ').unwrap();
                    let Ok(sender) = sender.parse::<usize>() else { continue };
                    assert_eq!(n, next[sender].to_string(), "of sender {sender}");
                    next[sender] += 1;
                }
            });
        }
    });
    clients.into_iter().for_each(Ws::close);
    let books = server.finish();
    assert_eq!(books.metrics.deliveries_dropped, 0);
}

/// The deadline of its head may be far away, or off: the ping comes in its own time.
#[test]
fn silence_is_pinged_and_no_pong_is_the_end() {
    thread::scope(|scope| {
        for head_timeout_ms in [0, 60_000] {
            scope.spawn(move || pinged_to_the_end(head_timeout_ms));
        }
    });
}

fn pinged_to_the_end(head_timeout_ms: u64) {
    let limits =
        Limits { ping_interval_ms: 50, pong_timeout_ms: 1_000, head_timeout_ms, ..limits() };
    let server = serve_site(limits);
    let mut client = Ws::open(&server, "/echo");
    for _ in 0..2 {
        assert_eq!(client.read(), (PING, vec![]));
        client.send(PONG, b"");
    }
    let start = Instant::now();
    assert_eq!(client.read(), (PING, vec![]), "once, and then it is waited for");
    let (code, reason) = client.read_close();
    assert_eq!(code, 1013);
    assert_eq!(reason, "no answer to a ping for 1000 ms");
    assert!(start.elapsed() >= Duration::from_millis(1_000), "{:?}", start.elapsed());
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::PongMissing), 1);
}

/// However long a pong may take: it came, so the next ping is an interval away.
#[test]
fn after_a_pong_the_next_ping_comes_after_the_interval() {
    let limits = Limits { ping_interval_ms: 50, pong_timeout_ms: 600_000, ..limits() };
    let server = serve_site(limits);
    let mut client = Ws::open(&server, "/echo");
    for _ in 0..4 {
        assert_eq!(client.read(), (PING, vec![]));
        client.send(PONG, b"");
    }
    drop(client);
    server.finish();
}

#[test]
fn tungstenite_is_content() {
    let server = serve_site(Limits { ping_interval_ms: 20, ..limits() });
    let stream = Ws::open(&server, "/echo").into_stream();
    let mut client = WebSocket::from_raw_socket(stream, Role::Client, None);
    let mut pinged = false;
    let messages = [
        Message::text("Grüße"),
        Message::binary(pattern(1, 200_000)),
        Message::text(""),
        Message::text("x".repeat(1 << 20)),
    ];
    for message in messages {
        let mut writer = client.get_ref().try_clone().unwrap();
        client.write(message.clone()).unwrap();
        writer.flush().unwrap();
        client.flush().unwrap();
        let back = loop {
            match client.read().unwrap() {
                Message::Ping(_) => pinged = true,
                other => break other,
            }
        };
        assert!(back == message, "the echo differs");
    }
    while !pinged {
        pinged = matches!(client.read().unwrap(), Message::Ping(_));
    }
    client.flush().unwrap();
    client.close(None).unwrap();
    let end = loop {
        match client.read() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(end, Error::ConnectionClosed), "{end}");
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::ServiceClosed), 1);
}

#[test]
fn a_slow_consumer_is_closed_and_the_others_hear_everything() {
    let limits = Limits { backlog_bytes_max: 128 * 1024, ..limits() };
    let server = run(bind_site("?sndbuf=16k", limits));
    let mut clients = [join(&server, "one"), join(&server, "two")];
    assert_eq!(clients[0].hear(), "two");
    let mut slow = Ws::upgrade(connect_narrow(server.at(0)), "/broadcast");
    slow.say("slow");
    for client in clients.iter_mut().chain([&mut slow]) {
        assert_eq!(client.hear(), "slow");
    }
    let message = "x".repeat(10_000);
    for n in 0..200 {
        clients[n % 2].say(&message);
        for client in &mut clients {
            assert!(client.hear() == message, "message {n}");
        }
    }
    for client in clients {
        client.close();
    }
    drop(slow);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::SlowConsumer), 1);
    let metrics = &books.metrics;
    assert_eq!(metrics.deliveries, metrics.delivered + metrics.deliveries_dropped);
    assert_eq!(metrics.broadcasts, 203);
}

/// The peer goes on sending, and reads the reason all the same: what it sends is read away.
#[test]
fn the_reason_reaches_a_peer_that_does_not_stop() {
    let server = serve_site(Limits { linger_ms: 60_000, ..limits() });
    let mut client = Ws::open(&server, "/echo");
    client.echo("good");
    let bad = [b"\x81\x03bad".to_vec(), frame(BINARY, &pattern(1, 1 << 20)).repeat(4)].concat();
    client.0.write_all(&bad).unwrap();
    assert_eq!(client.read_close(), (1002, "a client's frames must be masked".into()));
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::BadFrame), 1);
    assert_eq!(books.metrics.messages_in, 1);
}

#[test]
fn a_flood_of_control_frames_is_told_and_counted() {
    let server = serve_site(Limits { control_frames_per_s_max: 10, ..limits() });
    let mut client = Ws::open(&server, "/echo");
    client.0.write_all(&frame(PING, b"").repeat(1_000)).unwrap();
    let mut pongs = 0;
    let (first, payload) = loop {
        match client.read() {
            (PONG, _) => pongs += 1,
            other => break other,
        }
    };
    // Ten in each second; all came at once, be it in two reads.
    assert!((10..=20).contains(&pongs), "{pongs} pongs");
    let told = [&1008u16.to_be_bytes()[..], b"too many control frames in a second"].concat();
    assert_eq!((first, payload), (CLOSE, told));
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::ControlFlood), 1);
}

#[test]
fn a_drain_answers_what_it_has_and_says_that_it_goes() {
    let server = serve_site(limits());
    let mut clients: Vec<Ws> = (0..20).map(|_| Ws::open(&server, "/echo")).collect();
    let mut half = Ws::open(&server, "/echo");
    half.0.write_all(&frame(TEXT, b"never whole")[..9]).unwrap();
    let mut members = [join(&server, "one"), join(&server, "two")];
    assert_eq!(members[0].hear(), "two");
    clients.iter_mut().for_each(|client| client.say("and this?"));
    members[0].say("the last news");
    server.stopper().stop().unwrap();
    for client in &mut members {
        assert_eq!(client.hear(), "the last news");
    }
    for client in &mut clients {
        assert_eq!(client.hear(), "and this?");
    }
    let all = clients.into_iter().chain(members).chain([half]);
    for mut client in all {
        assert_eq!(client.read_close(), (1001, "the server is going away".into()));
    }
    let books = server.join();
    assert_eq!(closed(&books, CloseReason::Drained), 23);
}

/// What is unfinished when a client goes is given back: the books say so.
#[test]
fn clients_that_go_in_the_middle_leave_nothing_behind() {
    let server = serve_site(limits());
    let large = frame(BINARY, &pattern(1, 100_000));
    let parts: [&[u8]; 5] = [b"\x81", &large[..50_000], b"", &frame(1, b"Hel"), &frame(TEXT, b"x")];
    for part in parts {
        for path in ["/echo", "/discard", "/broadcast"] {
            let mut ends = Ws::open(&server, path);
            ends.0.write_all(part).unwrap();
            half_close(&ends.0);
            read_to_end(&mut ends.0);
            let mut resets = Ws::open(&server, path);
            resets.0.write_all(part).unwrap();
            reset(resets.into_stream());
        }
    }
    let books = server.finish();
    assert_eq!(books.metrics.accepted, 30);
}

/// Its books count descriptors too: the child has them to itself.
#[test]
fn no_descriptor_is_left_behind() {
    let test = "websocket::no_descriptor_is_left_behind";
    let server = Child::serve(test, &["http://127.0.0.1:0/echo"], limits());
    let before = server.descriptors();
    for _ in 0..3 {
        let mut clients: Vec<Ws> =
            (0..50).map(|_| Ws::upgrade(connect(&server.at[0]), "/echo")).collect();
        let mut others: Vec<TcpStream> = (0..50).map(|_| connect(&server.at[0])).collect();
        others.iter_mut().for_each(ask_health);
        let mut bad = clients.split_off(25);
        for client in &mut bad {
            client.0.write_all(b"\x81\x00").unwrap();
            assert_eq!(client.read_close().0, 1002);
        }
        assert_eq!(server.descriptors(), before + 100);
        clients.into_iter().for_each(Ws::close);
        drop((bad, others));
        until("all are closed", || server.descriptors() == before);
    }
    let books = server.finish();
    assert_eq!(number(&books, "accepted"), 300);
}

/// Answers with the subprotocol that was agreed on.
struct Tells;

impl Service for Tells {
    type State = Option<&'static str>;

    fn subprotocols(&self) -> &[&'static str] {
        &["one", "two"]
    }

    fn agreed(&mut self, state: &mut Self::State, subprotocol: &'static str) {
        *state = Some(subprotocol);
    }

    fn message(&mut self, state: &mut Self::State, _message: &[u8], out: &mut Outbound<'_>) {
        out.send(state.unwrap_or("none").as_bytes());
    }
}

#[test]
fn a_service_is_told_which_subprotocol_was_agreed_on() {
    let server = serve([("http://127.0.0.1:0/tells", Tells)], limits());
    for (wanted, agreed) in [("three, two, one", "two"), ("one", "one"), ("three", "none")] {
        let mut stream = server.connect();
        let opening = opening("/tells");
        let opening = opening.strip_suffix("\r\n").unwrap();
        write!(stream, "{opening}Sec-WebSocket-Protocol: {wanted}\r\n\r\n").unwrap();
        let head = read_head(&mut stream);
        let line = format!("\r\nSec-WebSocket-Protocol: {agreed}\r\n");
        assert_eq!(head.contains(&line), agreed != "none", "{head}");
        let mut client = Ws(stream);
        client.say("which?");
        assert_eq!(client.hear(), agreed);
        client.close();
    }
    server.finish();
}

/// An upgrade that is refused ends the connection; the page's origin decides as the sans-I/O tests
/// say.
#[test]
fn a_page_from_elsewhere_is_refused_unless_it_is_listed() {
    let allow_origin = vec!["https://app.example".to_owned()];
    let server =
        serve([("http://127.0.0.1:0/echo", Builtin::Echo)], Limits { allow_origin, ..limits() });
    for (origin, status) in [("https://app.example", "101"), ("https://app.example.evil", "403")] {
        let mut client = server.connect();
        let opening =
            opening("/echo").replace("\r\n\r\n", &format!("\r\nOrigin: {origin}\r\n\r\n"));
        client.write_all(opening.as_bytes()).unwrap();
        let head = read_head(&mut client);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        let (rest, end) = match status {
            "101" => continue,
            _ => read_to_end(&mut client),
        };
        assert_eq!((&rest[..], end), (&b"this origin may not; see --allow-origin\n"[..], End::Fin));
    }
    server.finish();
}
