//! Whole sessions: lines, HTTP, and a WebSocket behind its upgrade.
//!
//! **What.** Nothing panics; answers, mail, what a service heard and the end of the session do not
//! depend on how the bytes were split into reads; every block comes back.
//!
//! **Why this way.** It is the one place where all state machines meet: a head that is carried, a
//! body under way, an upgrade in the middle of a read, fragments.
//!
//! **Costs.** Two sessions an input.
//!
//! **Read next.** `src/session.rs`, `src/session/tests.rs`.

#![no_main]

mod pieces;

use libfuzzer_sys::fuzz_target;
use oneloop::buf::Pool;
use oneloop::clock::Time;
use oneloop::proto::http1::{self, Date};
use oneloop::proto::ws::{self, deflate};
use oneloop::service::{Framing, Mail, Outbound, Service};
use oneloop::session::{Desk, End, Routes, Session, SessionLimits};

const OPENING: &[u8] = b"GET /lines HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What the two services do.
enum Trial {
    /// Sends messages back, and does as some of them say.
    Lines,
    /// Takes bytes, and answers nothing: an answer in chunks would tell how they were split.
    Sink(Vec<u8>),
}

impl Service for Trial {
    type State = ();

    fn framing(&self) -> Framing {
        match self {
            Trial::Lines => Framing::Lines,
            Trial::Sink(_) => Framing::Bytes,
        }
    }

    fn subprotocols(&self) -> &[&'static str] {
        &["a", "b"]
    }

    fn message(&mut self, _state: &mut (), message: &[u8], out: &mut Outbound<'_>) {
        match self {
            Trial::Sink(heard) => heard.extend_from_slice(message),
            Trial::Lines => {
                out.send(message);
                if message.starts_with(b"all") {
                    out.broadcast(message);
                }
                if message == b"quit" {
                    out.close();
                }
            }
        }
    }
}

struct Paths([(Trial, Mail); 2]);

impl Routes for Paths {
    type Service = Trial;

    fn find(&self, path: &[u8]) -> Option<u16> {
        ["/lines", "/sink"].iter().position(|known| known.as_bytes() == path).map(|at| at as u16)
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        ["/lines", "/sink"].into_iter()
    }

    fn service(&mut self, route: u16) -> (&mut Trial, &mut Mail) {
        let (service, mail) = &mut self.0[usize::from(route)];
        (service, mail)
    }
}

fn limits() -> SessionLimits {
    SessionLimits {
        line_bytes_max: 16,
        http: http1::Limits {
            head_bytes_max: 512,
            headers_max: 8,
            body_bytes_max: 64,
            chunk_extra_bytes_max: 16,
        },
        ws: ws::Limits { frame_bytes_max: 130, message_bytes_max: 150, fragments_max: 3 },
        handshake_timeout_ms: 1_000,
        idle_timeout_ms: 1_000,
        head_timeout_ms: 1_000,
        body_bytes_per_s_min: 10,
        keep_alive_ms: 1_000,
        control_frames_per_s_max: 5,
        ping_interval_ms: 1_000,
        pong_timeout_ms: 1_000,
        allow_origin: Vec::new(),
    }
}

/// What came of an input.
#[derive(Debug, PartialEq)]
struct Outcome {
    end: Result<(), End>,
    said: Vec<u8>,
    mail: [Vec<u8>; 2],
    heard: Vec<u8>,
    route: Option<u16>,
}

fn run<'a>(mut session: Session<()>, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    // Off: what comes in one read with the upgrade must be plain, so there the split does matter.
    let deflate = deflate::Shared::serving(false, 0, deflate::BYTES_MIN);
    let mut desk = Desk::new(limits(), Pool::new(u64::MAX), deflate, Date::at(0));
    desk.now = Time::from_ms(500);
    let trials = [Trial::Lines, Trial::Sink(Vec::new())];
    let mut paths = Paths(trials.map(|trial| (trial, Mail::default())));
    let (mut end, mut said) = (Ok(()), Vec::new());
    for piece in pieces {
        let mut read = piece.to_vec();
        let outcome = session.receive(&mut read, &mut paths, &mut desk);
        // As the server does after each read, or no answer would ever be left where it lies.
        said.extend_from_slice(desk.answers(&read).0);
        desk.clear_answers();
        // Whether more stands behind a peer's last word hangs on the split.
        end = match outcome {
            Err(End::Parted) => Err(End::Closes),
            outcome => outcome,
        };
        if end.is_err() {
            break;
        }
    }
    if end.is_ok() {
        session.receive_end(&mut paths, &mut desk);
        said.append(&mut desk.write);
    }
    let _ = session.expiry(Time::ZERO, &desk.limits);
    let route = session.route();
    session.clear(&mut desk);
    let is_clear = desk.assembly.is_empty() && desk.pool.blocks_out() == 0;
    assert!(is_clear, "nothing is left behind");
    let [(_, lines), (Trial::Sink(heard), sink)] = paths.0 else { unreachable!() };
    Outcome { end, said, mail: [lines.bytes, sink.bytes], heard, route }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let Some(split) = pieces::split(data) else { return };
    let begin = || match choice % 4 {
        0 => Session::stream(Framing::Lines, 0),
        1 => Session::stream(Framing::Bytes, 1),
        _ => Session::http(Time::ZERO),
    };
    // Upgraded already, so that the fuzzer need not find the way.
    let opening = if choice % 4 == 3 { OPENING } else { b"" };
    let together = [opening, split.input].concat();
    let together = run(begin(), std::iter::once(&together[..]));
    let opening = std::iter::once(opening).filter(|opening| !opening.is_empty());
    let whole = run(begin(), opening.clone().chain(std::iter::once(split.input)));
    assert_eq!(whole, together, "behind the opening, and with it");
    assert_eq!(run(begin(), opening.chain(split.pieces())), whole, "in pieces, and whole");
});
