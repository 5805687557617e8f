//! Whole sessions: all that a read costs but the loop and the system calls around it.

use crate::http::{BROWSER, PLAIN, UPGRADE};
use crate::{buffer, text};
use gungraun::{library_benchmark, library_benchmark_group};
use oneloop::buf::Pool;
use oneloop::clock::Time;
use oneloop::proto::http1::{self, Date};
use oneloop::proto::ws::{self, Kind, deflate, encode};
use oneloop::service::{Builtin, Mail, Service};
use oneloop::session::{Desk, Routes, Session, SessionLimits};

/// The limits that the server has by default.
fn limits() -> SessionLimits {
    SessionLimits {
        line_bytes_max: 16 << 10,
        http: http1::Limits::default(),
        ws: ws::Limits::default(),
        handshake_timeout_ms: 10_000,
        idle_timeout_ms: 60_000,
        head_timeout_ms: 10_000,
        body_bytes_per_s_min: 1 << 10,
        keep_alive_ms: 75_000,
        control_frames_per_s_max: 100,
        ping_interval_ms: 30_000,
        pong_timeout_ms: 10_000,
        allow_origin: Vec::new(),
    }
}

/// One service at one path.
struct Only(Builtin, Mail);

impl Routes for Only {
    type Service = Builtin;

    fn find(&self, path: &[u8]) -> Option<u16> {
        (path == b"/echo").then_some(0)
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        ["/echo"].into_iter()
    }

    fn service(&mut self, _route: u16) -> (&mut Builtin, &mut Mail) {
        (&mut self.0, &mut self.1)
    }
}

/// A worker with one connection, and what that reads next.
struct Worker {
    session: Session<()>,
    desk: Desk,
    only: Only,
    read: Vec<u8>,
    answer_bytes: usize,
}

impl Worker {
    fn new(session: Session<()>, service: Builtin) -> Box<Worker> {
        let deflate = deflate::Shared::serving(true, 0, deflate::BYTES_MIN);
        let mut desk = Desk::new(limits(), Pool::new(1 << 20), deflate, Date::at(784_111_777));
        desk.write = buffer(b"");
        let only = Only(service, Mail::default());
        Box::new(Worker { session, desk, only, read: buffer(b""), answer_bytes: 0 })
    }

    /// It reads `read`, for the second time if that is `warm`: buffers are there.
    fn about_to_read(mut self: Box<Worker>, read: &[u8], is_warm: bool) -> Box<Worker> {
        if is_warm {
            self = self.about_to_read(read, false);
            self.receive();
            self.only.1.bytes.clear();
        }
        self.read.clear();
        self.read.extend_from_slice(read);
        self
    }

    /// Handles the read as `src/server/pump.rs` does.
    fn receive(&mut self) {
        let Worker { session, desk, only, read, answer_bytes } = self;
        assert_eq!(session.receive(read, only, desk), Ok(()));
        *answer_bytes = desk.answers(read).0.len();
        desk.clear_answers();
    }
}

fn stream(service: Builtin, read: &[u8]) -> Box<Worker> {
    Worker::new(Session::stream(service.framing(), 0), service).about_to_read(read, true)
}

/// So many lines of 64 bytes.
fn lines(count: usize) -> Vec<u8> {
    [&text(true, 63)[..], b"\n"].concat().repeat(count)
}

fn http(read: &[u8], is_warm: bool) -> Box<Worker> {
    Worker::new(Session::http(Time::ZERO), Builtin::Echo).about_to_read(read, is_warm)
}

/// A WebSocket that reads so many messages of so many bytes at once.
fn websocket(kind: Kind, bytes: usize, depth: usize) -> Box<Worker> {
    let mut worker = http(UPGRADE, false);
    worker.receive();
    let mut read = buffer(b"");
    for _ in 0..depth {
        encode::message(kind, &text(true, bytes), Some(*b"mask"), &mut read);
    }
    worker.about_to_read(&read, true)
}

#[library_benchmark]
#[bench::bytes_64(stream(Builtin::Echo, &text(true, 64)))]
#[bench::ws_64(websocket(Kind::Binary, 64, 1))]
#[bench::ws_64_x16(websocket(Kind::Binary, 64, 16))]
#[bench::ws_1k(websocket(Kind::Binary, 1 << 10, 1))]
#[bench::ws_64k(websocket(Kind::Binary, 1 << 16, 1))]
#[bench::ws_text_64(websocket(Kind::Text, 64, 1))]
fn echo(mut worker: Box<Worker>) -> Box<Worker> {
    worker.receive();
    assert!(worker.answer_bytes >= 64);
    worker
}

#[library_benchmark]
#[bench::line_64(stream(Builtin::Broadcast, &lines(1)))]
#[bench::lines_x16_64(stream(Builtin::Broadcast, &lines(16)))]
fn broadcast(mut worker: Box<Worker>) -> Box<Worker> {
    worker.receive();
    assert!(!worker.only.1.bytes.is_empty());
    worker
}

#[library_benchmark]
#[bench::healthz(http(PLAIN, true))]
#[bench::healthz_x16(http(&PLAIN.repeat(16), true))]
#[bench::not_found(http(BROWSER, true))]
#[bench::upgrade(http(UPGRADE, false))]
fn request(mut worker: Box<Worker>) -> Box<Worker> {
    worker.receive();
    assert!(worker.answer_bytes > 0);
    worker
}

library_benchmark_group!(name = session, benchmarks = [echo, broadcast, request]);
