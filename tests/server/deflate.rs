//! **What.** Compressed messages over real sockets: who gets which form, what a bomb does, and how
//! many may take context over.
//!
//! **Why this way.** Another library compresses and inflates for the clients (miniz_oxide), so that
//! the codec does not judge itself.
//!
//! **Costs.** A second.
//!
//! **Read next.** `src/session/websocket/tests/deflate.rs`, for what is said on slices.

use crate::child::{Child, number};
use crate::support::*;
use crate::ws::*;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;
use oneloop::metrics::CloseReason;
use oneloop::server::Limits;
use std::io::Write;
use std::net::TcpStream;
use std::thread;

const ALONE: &str = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";
const TAKEOVER: &str = "permessage-deflate";

/// First bytes of frames with whole compressed messages.
const TEXT_DEFLATED: u8 = 0xc1;
const BINARY_DEFLATED: u8 = 0xc2;

/// Opens one on `path` and offers `extensions`; also returns what the server answered to that.
#[track_caller]
fn offer(mut stream: TcpStream, path: &str, extensions: &str) -> (Ws, String) {
    let offer = format!("\r\nSec-WebSocket-Extensions: {extensions}\r\n\r\n");
    let opening = opening(path).replace("\r\n\r\n", &offer);
    stream.write_all(opening.as_bytes()).unwrap();
    let head = read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    let mut lines = head.split("\r\n");
    let answer = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    (Ws(stream), answer.unwrap_or_default().to_owned())
}

/// A client that reads both forms.
struct Reader {
    ws: Ws,
    takeover: bool,
    /// All compressed payloads, if one refers to those before.
    stream: Vec<u8>,
    /// What they said.
    so_far: usize,
}

impl Reader {
    #[track_caller]
    fn open(server: &Running, path: &str, offer: &str) -> Reader {
        let (ws, answer) = self::offer(server.connect(), path, offer);
        assert!(answer.starts_with("permessage-deflate"), "{answer:?}");
        let takeover = !answer.contains("server_no_context_takeover");
        Reader { ws, takeover, stream: Vec::new(), so_far: 0 }
    }

    /// The first byte of the next frame and what it says.
    #[track_caller]
    fn read(&mut self) -> (u8, Vec<u8>) {
        let (first, payload) = self.ws.read();
        if first & 0x40 == 0 {
            return (first, payload);
        }
        if !self.takeover {
            (self.stream, self.so_far) = (Vec::new(), 0);
        }
        self.stream.extend(payload);
        self.stream.extend(b"\0\0\xff\xff");
        let said = decompress_to_vec(&[&self.stream[..], b"\x03\0"].concat()).unwrap();
        let message = said[self.so_far..].to_vec();
        self.so_far = said.len();
        (first, message)
    }

    #[track_caller]
    fn say_compressed(&mut self, text: &str) {
        self.ws.send(TEXT_DEFLATED, &compress_to_vec(text.as_bytes(), 6));
    }
}

/// A text that gains by being compressed, different for each `n`.
fn long(n: usize) -> String {
    format!("message {n} {}", "of many words, ".repeat(40))
}

#[test]
fn what_pays_is_compressed_and_the_rest_is_not() {
    let server = serve_site(limits());
    for offer in [ALONE, "permessage-deflate; server_max_window_bits=9", TAKEOVER] {
        let mut client = Reader::open(&server, "/echo", offer);
        for n in 0..20 {
            client.say_compressed(&long(n));
            assert_eq!(client.read(), (TEXT_DEFLATED, long(n).into_bytes()));
            client.say_compressed("short");
            assert_eq!(client.read(), (TEXT, b"short".to_vec()));
        }
        // In both directions at once, and more than a read brings.
        let large = pattern(1, 300_000).iter().map(|byte| byte & 7).collect::<Vec<u8>>();
        let frame = frame(BINARY_DEFLATED, &compress_to_vec(&large, 6));
        let mut writer = client.ws.0.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || (0..5).for_each(|_| writer.write_all(&frame).unwrap()));
            (0..5).for_each(|_| assert!(client.read() == (BINARY_DEFLATED, large.clone())));
        });
        client.ws.close();
    }
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::ServiceClosed), 3);
    let deflated = books.metrics.deflated;
    assert_eq!((deflated.inflated, deflated.compressed), (3 * 45, 3 * 25));
    assert_eq!(books.metrics.messages_in, 3 * 45);
    assert!(deflated.bytes_saved > 500_000, "{deflated:?}");
}

#[test]
fn the_shortest_message_that_is_compressed_is_a_limit() {
    let limits = Limits { deflate_bytes_min: 1_000, ..limits() };
    let server = serve_site(limits);
    let mut client = Reader::open(&server, "/echo", ALONE);
    for (len, first) in [(999, TEXT), (1_000, TEXT_DEFLATED)] {
        client.ws.say(&"x".repeat(len));
        assert_eq!(client.read(), (first, vec![b'x'; len]));
    }
    server.finish();
}

#[test]
fn who_does_not_ask_or_is_declined_gets_plain_messages() {
    let on = serve_site(limits());
    let off = serve_site(Limits { deflate: false, ..limits() });
    let (declined, answer) = offer(off.connect(), "/echo", TAKEOVER);
    assert_eq!(answer, "");
    for mut client in [Ws::open(&on, "/echo"), declined] {
        client.echo(&long(1));
        client.send(TEXT_DEFLATED, &compress_to_vec(b"not agreed", 6));
        assert_eq!(client.read_close(), (1002, "a reserved bit is set".into()));
    }
    on.finish();
    off.finish();
}

/// What the peer hears; what it costs in memory is in `tests/costs/memory.rs`.
#[test]
fn a_bomb_and_a_bad_text_are_told() {
    let server = serve_site(Limits { message_bytes_max: 100_000, ..limits() });
    let cases = [
        (compress_to_vec(&vec![b'a'; 64 << 20], 9), 1009, "the message is too long"),
        (compress_to_vec(b"a\xff", 9), 1007, "the text is not UTF-8"),
        (b"\xff\xff\xff".to_vec(), 1007, "the message is not compressed data"),
    ];
    for offer in [ALONE, TAKEOVER] {
        for (payload, code, reason) in &cases {
            let mut client = Reader::open(&server, "/echo", offer);
            client.say_compressed(&"a".repeat(100_000));
            assert_eq!(client.read(), (TEXT_DEFLATED, vec![b'a'; 100_000]));
            client.ws.send(TEXT_DEFLATED, payload);
            assert_eq!(client.ws.read_close(), (*code, (*reason).to_owned()));
        }
    }
    let books = server.finish();
    assert_eq!(closed(&books, CloseReason::MessageTooLong), 2);
    assert_eq!(closed(&books, CloseReason::BadMessage), 4);
}

#[test]
fn takeover_is_for_as_many_as_the_limit_says() {
    let server = serve_site(Limits { deflate_takeover_max: 2, ..limits() });
    let open = || Reader::open(&server, "/echo", TAKEOVER);
    let (first, second, third) = (open(), open(), open());
    assert_eq!([&first, &second, &third].map(|it| it.takeover), [true, true, false]);
    // It did not want to.
    assert!(!Reader::open(&server, "/echo", ALONE).takeover);
    first.ws.close();
    let mut asked = 0;
    until("its place is free", || {
        asked += 1;
        open().takeover
    });
    for mut client in [second, third] {
        client.say_compressed(&long(1));
        assert_eq!(client.read(), (TEXT_DEFLATED, long(1).into_bytes()));
    }
    let books = server.finish();
    assert_eq!(books.metrics.deflated.takeovers_full, asked, "the third, and all but one");
    assert_eq!(books.deflate_takeovers, 0);
}

#[test]
fn the_books_have_who_takes_context_over() {
    let limits = Limits { deflate_takeover_max: 2, ..limits() };
    let test = "deflate::the_books_have_who_takes_context_over";
    let server = Child::serve(test, &["http://127.0.0.1:0/echo"], limits);
    let open = || offer(connect(&server.at[0]), "/echo", TAKEOVER).0;
    let mut clients = [open(), open(), open()];
    clients.iter_mut().for_each(|client| client.echo("here"));
    let books = server.books();
    assert_eq!(number(&books, "deflate_takeovers"), 2);
    assert_eq!(number(&books, "deflate_takeovers_full"), 1);
}

#[test]
fn a_broadcast_reaches_everybody_in_the_form_that_was_agreed_on() {
    const MESSAGES: usize = 50;
    let server = serve_site(Limits { deflate_takeover_max: 1, ..limits() });
    let narrow = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10";
    let open = |offer| Reader::open(&server, "/broadcast", offer);
    // The first has all of the takeover that there is, and so gets what has none.
    let offers = [TAKEOVER, ALONE, ALONE, narrow, narrow];
    let mut clients: Vec<Reader> = offers.map(open).into();
    assert_eq!(clients.iter().filter(|it| it.takeover).count(), 1);
    for _ in 0..2 {
        let (ws, takeover) = (Ws::open(&server, "/broadcast"), false);
        clients.push(Reader { ws, takeover, stream: Vec::new(), so_far: 0 });
    }
    let expects = |at: usize| if (1..5).contains(&at) { TEXT_DEFLATED } else { TEXT };
    for n in 0..MESSAGES {
        let sender = n % clients.len();
        match sender {
            0..5 => clients[sender].say_compressed(&long(n)),
            _ => clients[sender].ws.say(&long(n)),
        }
        clients[sender].ws.say("short");
        for (at, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.read(), (expects(at), long(n).into_bytes()), "client {at}");
            assert_eq!(client.read(), (TEXT, b"short".to_vec()), "client {at}");
        }
    }
    // All at once: each hears each sender in its order, and everything once.
    thread::scope(|scope| {
        for (at, client) in clients.iter_mut().enumerate() {
            let mut writer = Ws(client.ws.0.try_clone().unwrap());
            scope.spawn(move || {
                (0..MESSAGES).for_each(|n| writer.say(&format!("{at} {n} {}", long(0))));
            });
            scope.spawn(move || {
                let mut next = [0; 7];
                while next != [MESSAGES; 7] {
                    let (first, message) = client.read();
                    assert_eq!(first, expects(at));
                    let message = String::from_utf8(message).unwrap();
                    let mut words = message.split(' ');
                    let mut number = || words.next().unwrap().parse::<usize>().unwrap();
                    let (sender, n) = (number(), number());
                    assert_eq!(n, next[sender], "of sender {sender}");
                    next[sender] += 1;
                }
            });
        }
    });
    clients.into_iter().for_each(|client| client.ws.close());
    let books = server.finish();
    let long_ones = (MESSAGES + 7 * MESSAGES) as u64;
    assert_eq!(books.metrics.deflated.compressed, 2 * long_ones, "once for each of two windows");
    assert_eq!(books.metrics.delivered, 7 * (long_ones + MESSAGES as u64));
    assert_eq!(books.metrics.deliveries_dropped, 0);
}

/// What a read of the usual size would say is inflated over several turns.
#[test]
fn many_messages_that_say_much_are_all_heard() {
    const COUNT: usize = 40;
    let server = serve_site(limits());
    let mut client = Reader::open(&server, "/echo", ALONE);
    let large = vec![b'a'; 1 << 20];
    let frames = frame(TEXT_DEFLATED, &compress_to_vec(&large, 9)).repeat(COUNT);
    client.ws.0.write_all(&frames).unwrap();
    for _ in 0..COUNT {
        assert!(client.read() == (TEXT_DEFLATED, large.clone()));
    }
    client.ws.close();
    server.finish();
}
