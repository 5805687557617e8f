//! **What.** The bench that the tests of all protocols stand on: three services, what a worker
//! lends to a session, and an input fed whole, byte by byte and at every split.
//!
//! **Why this way.** A session is pure, so a test is a table of bytes in and bytes out. That blocks
//! and unfinished messages are given back is looked at after each run.
//!
//! **Costs.** Nothing worth a word.
//!
//! **Read next.** `src/session/stream/tests.rs`, `src/session/http/tests.rs`,
//! `src/session/websocket/tests.rs`.

use super::*;
use crate::buf::Pool;

/// What the services do. Each has a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// Sends bytes back, "twice" twice and "late" behind other words; tells all at "shout", ends
    /// the connection at "quit".
    Echo,
    /// Answers each line with itself in brackets; ends the connection at "quit".
    Bracket,
    /// A message from one goes to all; those who join by WebSocket are greeted.
    Room,
}

pub(super) const ECHO: u16 = 0;
pub(super) const BRACKET: u16 = 1;
pub(super) const ROOM: u16 = 2;

impl Service for Trial {
    type State = ();

    fn framing(&self) -> Framing {
        if *self == Trial::Echo { Framing::Bytes } else { Framing::Lines }
    }

    fn connected(&mut self, _state: &mut (), out: &mut crate::service::Outbound<'_>) {
        if *self == Trial::Room {
            out.send(b"welcome");
        }
    }

    fn subprotocols(&self) -> &[&'static str] {
        if *self == Trial::Room { &["chat.v1", "chat.v2"] } else { &[] }
    }

    fn message(&mut self, _state: &mut (), message: &[u8], out: &mut crate::service::Outbound<'_>) {
        match self {
            Trial::Echo if message == b"shout" => out.broadcast(b"heard"),
            Trial::Echo => {
                if message == b"late" {
                    out.send(b"other words");
                }
                out.send(message);
                if message == b"twice" {
                    out.send(message);
                }
            }
            Trial::Bracket => out.send(&[b"[", message, b"]"].concat()),
            Trial::Room => out.broadcast(message),
        }
        if message == b"quit" {
            out.close();
        }
    }
}

/// The services by path, each with its mail.
pub(super) struct Paths([(&'static str, Trial, Mail); 3]);

impl Routes for Paths {
    type Service = Trial;

    fn find(&self, path: &[u8]) -> Option<u16> {
        self.0.iter().position(|(known, ..)| known.as_bytes() == path).map(|at| at as u16)
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(path, ..)| *path)
    }

    fn service(&mut self, route: u16) -> (&mut Trial, &mut Mail) {
        let (_, service, mail) = &mut self.0[route as usize];
        (service, mail)
    }
}

/// Limits that a test can reach with few bytes.
pub(super) fn limits() -> SessionLimits {
    let http = http1::Limits {
        head_bytes_max: 512,
        headers_max: 8,
        body_bytes_max: 32,
        chunk_extra_bytes_max: 16,
    };
    SessionLimits {
        handshake_timeout_ms: 0,
        line_bytes_max: 8,
        http,
        ws: ws::Limits { frame_bytes_max: 1_000, message_bytes_max: 2_000, fragments_max: 4 },
        idle_timeout_ms: 100,
        head_timeout_ms: 200,
        body_bytes_per_s_min: 10,
        keep_alive_ms: 300,
        control_frames_per_s_max: 5,
        ping_interval_ms: 400,
        pong_timeout_ms: 50,
        allow_origin: Vec::new(),
    }
}

/// What a worker has for its sessions.
pub(super) struct Bench {
    pub(super) paths: Paths,
    pub(super) desk: Desk,
}

impl Bench {
    pub(super) fn new(limits: SessionLimits) -> Bench {
        let path = |path, service| (path, service, Mail::default());
        let deflate = deflate::Shared::serving(true, 1, deflate::BYTES_MIN);
        // The example of RFC 9110 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT.
        let date = Date::at(784_111_777);
        Bench {
            paths: Paths([
                path("/echo", Trial::Echo),
                path("/bracket", Trial::Bracket),
                path("/room", Trial::Room),
            ]),
            desk: Desk::new(limits, Pool::new(u64::MAX), deflate, date),
        }
    }

    /// Lets `session` read `bytes`.
    pub(super) fn receive(&mut self, session: &mut Session<()>, bytes: &[u8]) -> Result<(), End> {
        let mut read = bytes.to_vec();
        let mut said = std::mem::take(&mut self.desk.write);
        let outcome = session.receive(&mut read, &mut self.paths, &mut self.desk);
        said.extend_from_slice(self.desk.answers(&read).0);
        self.desk.clear_answers();
        self.desk.write = said;
        outcome
    }

    /// Lets `session` hear that its peer has ended.
    pub(super) fn receive_end(&mut self, session: &mut Session<()>) {
        session.receive_end(&mut self.paths, &mut self.desk);
    }

    /// What the service of `route` said to all.
    pub(super) fn mail(&mut self, route: u16) -> &mut Mail {
        self.paths.service(route).1
    }

    /// The session ends; it must leave nothing behind.
    pub(super) fn end(&mut self, mut session: Session<()>) {
        session.clear(&mut self.desk);
        assert_eq!(self.desk.pool.blocks_out(), 0, "a session gives its blocks back");
        assert!(self.desk.assembly.is_empty(), "and what it has begun");
    }
}

/// The answer to [`opening`] (RFC 6455 1.3).
pub(super) const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The request of RFC 6455 1.3, with these further header lines.
pub(super) fn opening(path: &str, host: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

/// What came of an input.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) end: Result<(), End>,
    pub(super) said: Vec<u8>,
    /// What went to all of the room.
    pub(super) mail: Vec<u8>,
    /// Where the session was joined to in the end.
    pub(super) route: Option<u16>,
}

impl Outcome {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.said).expect("text")
    }
}

/// Feeds `parts` one after the other until the session ends, then the end of the stream.
pub(super) fn run<'a>(
    mut session: Session<()>,
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut bench = Bench::new(limits());
    let mut outcome = Ok(());
    for part in parts {
        outcome = bench.receive(&mut session, part);
        if outcome.is_err() {
            break;
        }
    }
    if outcome.is_ok() {
        bench.receive_end(&mut session);
    }
    if outcome == Err(End::Parted) {
        // Whether something stands behind the peer's last word hangs on where the input was split.
        outcome = Err(End::Closes);
    }
    let route = session.route();
    bench.end(session);
    let mail = std::mem::take(&mut bench.mail(ROOM).bytes);
    Outcome { end: outcome, said: bench.desk.write, mail, route }
}

/// The same whole, byte by byte, and at every split in two; `view` is what must be equal.
pub(super) fn run_every_way<T: PartialEq + std::fmt::Debug>(
    session: impl Fn() -> Session<()>,
    input: &[u8],
    view: impl Fn(Outcome) -> T,
) -> T {
    let run = |parts: &[&[u8]]| view(run(session(), parts.iter().copied()));
    let whole = run(&[input]);
    assert_eq!(run(&input.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
    for split in 0..=input.len() {
        let (a, b) = input.split_at(split);
        assert_eq!(run(&[a, b]), whole, "split at {split}");
    }
    whole
}

#[test]
fn a_refusal_is_in_the_words_of_the_listener() {
    let (date, mut line, mut response) = (Date::at(0), Vec::new(), Vec::new());
    refusal(false, "full: 4 connections", &date, &mut line);
    assert_eq!(line, b"-ERR full: 4 connections\n");
    refusal(true, "full: 4 connections", &date, &mut response);
    let response = String::from_utf8(response).expect("text");
    assert!(response.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{response}");
    for part in ["\r\nConnection: close\r\n", "\r\nRetry-After: 1\r\n", "\r\n\r\nfull: 4"] {
        assert!(response.contains(part), "{part:?} in {response}");
    }
}
