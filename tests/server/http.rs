//! **What.** HTTP over real sockets: pipelines, bodies, and clients that take their time.
//!
//! **Why this way.** What each request gets is tested on slices (`src/session/http/tests.rs`); here
//! is what needs a socket or a clock: deadlines, ends, refusals.
//!
//! **Costs.** Some timeouts of a second.
//!
//! **Read next.** `websocket.rs`.

use crate::services::read_slowly;
use crate::support::*;
use crate::ws::*;
use oneloop::metrics::{CloseReason, RefuseReason};
use oneloop::server::{AtLimit, Limits};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn pipelined_requests_are_answered_in_order_and_the_last_closes() {
    let server = serve_site(limits());
    let mut client = server.connect();
    let last = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let requests = [&get("/healthz").repeat(100)[..], &get("/nope"), last].concat();
    client.write_all(requests.as_bytes()).unwrap();
    for _ in 0..100 {
        assert_eq!(read_response(&mut client).1, "ok\n");
    }
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 404 Not Found\r\n"));
    let (head, page) = read_response(&mut client);
    assert!(head.contains("\r\nConnection: close\r\n") && head.contains("\r\nDate: "), "{head}");
    assert!(page.contains("/broadcast"), "{page}");
    assert_eq!(last_words(&mut client), "");
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::ServiceClosed), 1);
    assert_eq!(books.metrics.messages_in, 0, "no service was asked");
}

/// Reads chunks to the last one.
fn read_chunks(stream: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        body.extend(read_n(stream, size));
        assert_eq!(read_n(stream, 2), b"\r\n");
        if size == 0 {
            return body;
        }
    }
}

#[test]
fn a_megabyte_is_echoed_by_length_and_in_chunks() {
    let server = serve_site(limits());
    let body = pattern(1, 1 << 20);
    let by_length =
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", 1 << 20);
    let mut in_chunks =
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(10_007) {
        in_chunks.extend(format!("{:x}\r\n", chunk.len()).bytes());
        in_chunks.extend([chunk, b"\r\n"].concat());
    }
    in_chunks.extend(b"0\r\n\r\n");
    let mut client = server.connect();
    for request in [[by_length.as_bytes(), &body].concat(), in_chunks] {
        let mut writer = client.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || writer.write_all(&request).unwrap());
            let mut reader = BufReader::new(&client);
            let head = read_head(&mut reader);
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert!(read_chunks(&mut reader) == body, "the echo differs");
            assert!(reader.buffer().is_empty(), "and nothing behind it");
        });
        ask_health(&mut client);
    }
    drop(client);
    server.finish();
}

/// A byte now and then does not help: the deadline is the whole head's.
#[test]
fn a_head_that_trickles_in_is_given_up_at_the_deadline_and_hurts_nobody() {
    let server = serve_site(Limits { head_timeout_ms: 1_000, ..limits() });
    let (mut good, mut upgraded) = (server.connect(), Ws::open(&server, "/echo"));
    let start = Instant::now();
    let mut slow = server.connect();
    let (mut writer, told) = (slow.try_clone().unwrap(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let (head, body) = read_response(&mut slow);
            assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{head}");
            assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
            assert_eq!(body, "the request was not whole in time\n");
            assert!(start.elapsed() >= Duration::from_millis(1_000), "{:?}", start.elapsed());
            told.store(true, Ordering::Relaxed);
        });
        let begin = b"GET /healthz HTTP/1.1\r\nHost: h\r\nX-Slow: ";
        let mut bytes = begin.iter().chain(std::iter::repeat(&b'x'));
        until("it is told", || {
            // It may be closed by now.
            let _ = writer.write_all(&[*bytes.next().unwrap()]);
            ask_health(&mut good);
            upgraded.echo("still here");
            told.load(Ordering::Relaxed)
        });
    });
    drop((slow, writer, good, upgraded));
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::RequestLate), 1);
    assert_eq!(closed(&books, CloseReason::BadRequest), 0);
}

/// A body that never begins is told; one that comes too slowly has its answer under way, and that
/// is cut off.
#[test]
fn a_body_that_is_late_is_given_up() {
    let limits = Limits { head_timeout_ms: 500, body_bytes_per_s_min: 1 << 20, ..limits() };
    let server = serve_site(limits);
    let head = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    let (mut never, mut slow) = (server.connect(), server.connect());
    never.write_all(head.as_bytes()).unwrap();
    let start = Instant::now();
    slow.write_all(head.as_bytes()).unwrap();
    let mut writer = slow.try_clone().unwrap();
    until("it is closed", || {
        pause_ms(1);
        writer.write_all(b"x").is_err()
    });
    assert!(start.elapsed() >= Duration::from_millis(500), "{:?}", start.elapsed());
    assert!(read_head(&mut slow).starts_with("HTTP/1.1 200 OK\r\n"));
    let (echo, _) = read_to_end(&mut slow);
    // In as many chunks as reads brought it, and without the last one.
    assert!(echo.ends_with(b"x\r\n"), "{echo:?}");
    let (head, body) = read_response(&mut never);
    assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{head}");
    assert_eq!(body, "the request was not whole in time\n");
    drop((never, slow, writer));
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::RequestLate), 2);
}

/// A length says so before anything is answered. Chunks may not: then the answer has no end.
#[test]
fn a_body_over_the_limit_is_counted_as_that() {
    let limits = Limits { body_bytes_max: 1_000, linger_ms: 60_000, ..limits() };
    let server = serve_site(limits);
    let post = |framing: &str| format!("POST /echo HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n");
    let chunk = |len: usize| format!("{len:x}\r\n{}\r\n", "x".repeat(len));
    let chunked = post("Transfer-Encoding: chunked");
    for request in [post("Content-Length: 1001"), format!("{chunked}{}", chunk(1_001))] {
        let mut client = server.connect();
        client.write_all(request.as_bytes()).unwrap();
        let (head, body) = read_response(&mut client);
        assert!(head.starts_with("HTTP/1.1 413 Content Too Large\r\n"), "{head}");
        assert_eq!(body, "request body over the limit\n");
        assert_eq!(read_to_end(&mut client), (vec![], End::Fin));
    }
    let mut client = server.connect();
    // The megabyte behind it is read away, so that no reset overtakes what was echoed.
    let request = [chunked, chunk(1_000), chunk(1), chunk(1 << 20)].concat();
    client.write_all(request.as_bytes()).unwrap();
    assert!(read_head(&mut client).starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(read_to_end(&mut client), (chunk(1_000).into_bytes(), End::Fin));
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::BodyTooLarge), 3);
    assert_eq!(closed(&books, CloseReason::BadRequest), 0);
}

#[test]
fn who_never_asks_is_closed_at_the_same_deadline_without_a_word() {
    let server = serve_site(Limits { head_timeout_ms: 100, ..limits() });
    let start = Instant::now();
    assert_eq!(last_words(&mut server.connect()), "");
    assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::RequestLate), 1);
}

#[test]
fn a_long_head_that_comes_byte_by_byte_is_refused_at_the_limit() {
    let server = serve_site(Limits { linger_ms: 60_000, head_timeout_ms: 60_000, ..limits() });
    let mut client = server.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nX: ").unwrap();
    for _ in 0..100_000 {
        client.write_all(b"x").unwrap();
    }
    half_close(&client);
    let (head, body) = read_response(&mut client);
    assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{head}");
    assert_eq!(body, "request head over the limit\n");
    assert_eq!(last_words(&mut client), "");
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::HeadTooLarge), 1);
    // What came behind the limit was read away, and is not counted; one read may reach beyond it.
    let least = books.metrics.bytes_in.min(16 * 1024);
    assert_eq!(least, 16 * 1024, "{}", books.metrics.bytes_in);
}

/// All of it and the end are there before the server looks: what is left unread at a close is
/// answered with a reset, which overtakes the last words.
#[test]
fn who_has_said_too_much_and_ended_hears_why_and_no_reset() {
    let server = bind_site("?rcvbuf=2m", limits());
    let mut client = connect(server.endpoints().next().unwrap());
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nX: ").unwrap();
    client.write_all(&[b'x'; 200_000]).unwrap();
    half_close(&client);
    let server = run(server);
    let (head, _) = read_response(&mut client);
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    assert_eq!(last_words(&mut client), "");
    assert_eq!(closed(&server.finish(), CloseReason::HeadTooLarge), 1);
}

/// It is the server who does not read on then: what it has not read is not late.
#[test]
fn who_takes_many_answers_slowly_is_not_late_with_the_next_request() {
    const COUNT: usize = 3_000;
    let limits = Limits { head_timeout_ms: 800, ..limits() };
    let server = run(bind_site("?sndbuf=16k&rcvbuf=16k", limits));
    let mut client = connect_narrow(server.at(0));
    let mut writer = client.try_clone().unwrap();
    let last = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let requests = [&get("/").repeat(COUNT)[..], last].concat();
    let answers = thread::scope(|scope| {
        scope.spawn(move || writer.write_all(requests.as_bytes()).unwrap());
        read_slowly(&mut client, 20_000)
    });
    let whole = String::from_utf8(answers).unwrap().matches("HTTP/1.1 200 OK\r\n").count();
    assert_eq!(whole, COUNT + 1);
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::RequestLate), 0);
}

/// Its FIN does not free it from taking what it has asked for.
#[test]
fn a_half_closed_client_that_never_reads_is_ended_like_any_silent_one() {
    // Answers of 80 KB: more than the kernel takes, and too few to be paused for.
    let frames = frame(BINARY, &[7; 40_000]).repeat(2);
    let requests = get("/").repeat(370).into_bytes();
    for bytes in [requests, [opening("/echo").as_bytes(), &frames].concat()] {
        let (max_connections, keep_alive_ms) = (1, 200);
        let (ping_interval_ms, pong_timeout_ms) = (100, 100);
        let times = Limits { keep_alive_ms, ping_interval_ms, pong_timeout_ms, ..limits() };
        let server = run(bind_site("?sndbuf=16k", Limits { max_connections, ..times }));
        let mut client = connect_narrow(server.at(0));
        client.write_all(&bytes).unwrap();
        half_close(&client);
        until("there is room for another", || {
            let mut other = server.connect();
            let _ = other.write_all(get("/healthz").as_bytes());
            read_response(&mut other).1 == "ok\n"
        });
        let books = server.finish();
        assert_eq!(closed(&books, CloseReason::IdleTimeout), 1);
    }
}

#[test]
fn a_connection_that_asks_for_nothing_more_is_closed() {
    let server = serve_site(Limits { keep_alive_ms: 1_000, ..limits() });
    let mut client = server.connect();
    for _ in 0..5 {
        ask_health(&mut client);
        pause_ms(5);
    }
    let start = Instant::now();
    ask_health(&mut client);
    assert_eq!(last_words(&mut client), "");
    assert!(start.elapsed() >= Duration::from_millis(1_000), "{:?}", start.elapsed());
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::IdleTimeout), 1);
}

#[test]
fn a_full_server_answers_in_http() {
    let server = serve_site(Limits { max_connections: 2, ..limits() });
    let mut clients = [server.connect(), server.connect()];
    clients.iter_mut().for_each(ask_health);
    for asks in [false, true] {
        let mut extra = server.connect();
        if asks {
            // It may be told before it has asked: then the write fails, and the words are there.
            let _ = extra.write_all(get("/healthz").as_bytes());
        }
        let (head, body) = read_response(&mut extra);
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
        for line in ["\r\nRetry-After: 1\r\n", "\r\nConnection: close\r\n"] {
            assert!(head.contains(line), "{head}");
        }
        assert_eq!(body, "full: 2 connections; try again later\n");
        assert_eq!(last_words(&mut extra), "");
    }
    clients.iter_mut().for_each(ask_health);
    drop(clients);
    let books = server.finish();
    assert_eq!(refused(&books, RefuseReason::Full), 2);
}

/// Half a head waits in a block; here there are eight of them.
#[test]
fn who_finds_no_block_for_half_a_request_is_told() {
    let least = 128 * 1024;
    let limits = Limits { backlog_bytes_max: least, buffers_bytes_max: least as u64, ..limits() };
    let server = serve_site(limits);
    let (whole, half) = (get("/healthz"), "GET /healthz HTTP/1.1\r\n");
    let begin = || {
        let mut client = server.connect();
        client.write_all([&whole, half].concat().as_bytes()).unwrap();
        assert_eq!(read_response(&mut client).1, "ok\n");
        client
    };
    let mut waiting: Vec<TcpStream> = (0..8).map(|_| begin()).collect();
    let mut ninth = begin();
    let (head, body) = read_response(&mut ninth);
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
    assert!(head.contains("\r\nRetry-After: 1\r\n"), "{head}");
    assert_eq!(body, "out of buffers; try again later\n");
    assert_eq!(last_words(&mut ninth), "");
    for client in &mut waiting {
        client.write_all(b"Host: h\r\n\r\n").unwrap();
        assert_eq!(read_response(client).1, "ok\n");
    }
    drop((waiting, ninth));
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::BuffersExhausted), 1);
}

#[test]
fn an_upgraded_connection_never_makes_room_for_another() {
    let at_limit = AtLimit::EvictIdle;
    let limits = Limits { max_connections: 2, evict_idle_after_ms: 1, at_limit, ..limits() };
    let server = serve_site(limits);
    let mut upgraded = Ws::open(&server, "/echo");
    pause_ms(5);
    let mut idle = server.connect();
    ask_health(&mut idle);
    pause_ms(5);
    let mut second = Ws::open(&server, "/echo");
    assert_eq!(last_words(&mut idle), "", "it was owed no answer");
    pause_ms(5);
    let (head, _) = read_response(&mut server.connect());
    assert!(head.starts_with("HTTP/1.1 503 "), "only upgraded ones are left: {head}");
    upgraded.echo("here");
    second.echo("and here");
    drop((idle, upgraded, second));
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::Evicted), 1);
    assert_eq!(refused(&books, RefuseReason::Full), 1);
}

/// A request that is not whole is work under way, however old.
#[test]
fn half_a_request_makes_no_room_either() {
    let at_limit = AtLimit::EvictIdle;
    let limits = Limits { max_connections: 1, evict_idle_after_ms: 1, at_limit, ..limits() };
    let server = serve_site(limits);
    let mut busy = server.connect();
    ask_health(&mut busy);
    // The answer to the first shows that the half behind it has been read too.
    busy.write_all([get("/healthz"), "GET /healthz HTTP/1.1\r\n".into()].concat().as_bytes())
        .unwrap();
    assert_eq!(read_response(&mut busy).1, "ok\n");
    pause_ms(5);
    assert!(read_response(&mut server.connect()).0.starts_with("HTTP/1.1 503 "));
    busy.write_all(b"Host: h\r\n\r\n").unwrap();
    assert_eq!(read_response(&mut busy).1, "ok\n");
    drop(busy);
    server.finish();
}

/// What is behind the refusal is read away, so that no reset overtakes the answer.
#[test]
fn the_answer_to_a_bad_request_is_heard_although_more_comes() {
    let server = serve_site(Limits { linger_ms: 60_000, ..limits() });
    let mut client = server.connect();
    client.write_all(b"\x01\x03\x01 this is nothing").unwrap();
    client.write_all(&pattern(3, 1 << 20)).unwrap();
    half_close(&client);
    let (head, body) = read_response(&mut client);
    assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
    assert_eq!(body, "this is not HTTP\n");
    assert_eq!(last_words(&mut client), "");
    drop(client);
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::BadRequest), 1);
}

#[test]
fn requests_in_flight_are_answered_by_a_drain() {
    let server = bind_site("", limits());
    let at = server.endpoints().next().unwrap().clone();
    let mut asking: Vec<TcpStream> = (0..20).map(|_| connect(&at)).collect();
    for client in &mut asking {
        client.write_all(get("/healthz").repeat(3).as_bytes()).unwrap();
    }
    let (mut silent, mut half) = (connect(&at), connect(&at));
    half.write_all(b"GET / HT").unwrap();
    server.stopper().stop().unwrap();
    let server = run(server);
    for client in &mut asking {
        for _ in 0..3 {
            assert_eq!(read_response(client).1, "ok\n");
        }
        assert_eq!(last_words(client), "");
    }
    assert_eq!((last_words(&mut silent), last_words(&mut half)), (String::new(), String::new()));
    drop((asking, silent, half));
    let books = server.join();
    assert_eq!(closed(&books, CloseReason::Drained), 22);
}

/// Everything that a client may leave behind when it goes: the books balance all the same.
#[test]
fn clients_that_go_in_the_middle_leave_nothing_behind() {
    let server = serve_site(limits());
    let parts = [
        "",
        "GET",
        "GET / HTTP/1.1\r\nHost: h\r\n",
        &get("/"),
        "\r\n",
        "POST /echo HTTP/1.1\
        \r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf",
    ];
    for part in parts {
        let [mut ends, mut resets] = [server.connect(), server.connect()];
        for client in [&mut ends, &mut resets] {
            client.write_all(part.as_bytes()).unwrap();
        }
        half_close(&ends);
        let mut rest = Vec::new();
        ends.read_to_end(&mut rest).unwrap();
        reset(resets);
    }
    let books = server.finish();
    assert_eq!(books.metrics.accepted, 2 * parts.len() as u64);
}
