//! `oneloop serve` in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Everything a test waits for comes within this time or not at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The tests share one process's descriptors, and 19,000 connections leave few: one at a time.
static TURN: Mutex<()> = Mutex::new(());

/// A running server; killed when dropped.
pub(crate) struct Server {
    _turn: MutexGuard<'static, ()>,
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The server's process; not the child's where strace is in between.
    pid: u32,
}

impl Server {
    /// Starts the server with these further arguments.
    pub(crate) fn start(args: &[&str]) -> Server {
        Server::start_on("tcp://127.0.0.1:0/echo", args)
    }

    /// Starts the server with this listener instead of the plain one.
    pub(crate) fn start_on(url: &str, args: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oneloop"));
        command.args(["serve", "--listen", url]);
        Server::spawn(command, args)
    }

    /// Starts the server on `url` below strace, which writes a line a syscall to `log`.
    pub(crate) fn start_traced(log: &std::path::Path, url: &str) -> Server {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o"]).arg(log).arg(env!("CARGO_BIN_EXE_oneloop"));
        strace.args(["serve", "--listen", url]);
        let mut server = Server::spawn(strace, &[]);
        let children = format!("/proc/{0}/task/{0}/children", server.child.id());
        let children = fs::read_to_string(children).expect("strace runs");
        server.pid = children.trim().parse().expect("strace has one child");
        server
    }

    fn spawn(mut command: Command, args: &[&str]) -> Server {
        // A test that failed has poisoned the lock, but there is nothing behind it to be spoilt.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = command
            .args(["--log", "warn"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server (or strace: scripts/test.sh installs it) starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        let listening = line();
        let address = listening.rsplit_once("://").map_or("", |(_, url)| url);
        let address = address.trim_end_matches("/echo").trim_end_matches('/');
        let address = address.parse().unwrap_or_else(|_| panic!("not an address: {listening}"));
        while line() != "ready" {}
        let pid = child.id();
        Server { _turn: turn, child, address, pid }
    }

    /// A line of `/proc/PID/status`.
    pub(crate) fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        let number = line.trim_start_matches(':').split_whitespace().next().expect("a value");
        number.parse().expect("a number")
    }

    /// Nanoseconds that the server's thread had a CPU.
    pub(crate) fn cpu_ns(&self) -> u64 {
        let path = format!("/proc/{0}/task/{0}/schedstat", self.pid);
        let schedstat = fs::read_to_string(path).expect("it runs");
        let ns = schedstat.split_whitespace().next().expect("a value");
        ns.parse().expect("a number")
    }

    /// Whether its thread neither runs nor wants to.
    pub(crate) fn is_asleep(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("it runs");
        status.lines().any(|line| line.starts_with("State:\tS"))
    }

    /// Connects from the `nth` of as many source addresses as the source-port cliff asks for.
    pub(crate) fn connect(&self, nth: usize) -> TcpStream {
        let domain = socket2::Domain::IPV4;
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).expect("a socket");
        // The port at connect: `bind` alone would not reuse one of which a TIME_WAIT is left.
        oneloop::sys::socket::set_bind_address_no_port(&socket).expect("a socket option");
        let source = Ipv4Addr::new(127, 0, 0, 1 + (nth / 10_000) as u8);
        socket.bind(&SocketAddr::new(IpAddr::V4(source), 0).into()).expect("a free port");
        socket.connect(&self.address.into()).expect("the server listens");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        stream.set_nodelay(true).expect("a socket option");
        stream
    }

    /// Drains the server and waits for its end.
    pub(crate) fn stop(mut self) {
        let pid = i32::try_from(self.pid).expect("a pid");
        // SAFETY: a plain syscall; the process is our descendant and not yet reaped.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0, "the server runs");
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Of a test that failed. Below strace the server is not the child, and would stay.
        if let (Ok(None), Ok(pid)) = (self.child.try_wait(), i32::try_from(self.pid)) {
            // SAFETY: a plain syscall; the child is not yet reaped, and neither is its own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends `message` and reads it back.
pub(crate) fn echo(stream: &mut (impl Read + Write), message: &[u8]) {
    stream.write_all(message).expect("the server reads");
    let mut back = vec![0; message.len()];
    stream.read_exact(&mut back).expect("the server answers");
    assert!(back == message, "the echo differs");
}

/// Asks for a WebSocket on `/echo`, and reads the answer.
pub(crate) fn upgrade(stream: &mut TcpStream) {
    upgrade_with(stream, "");
}

/// The same with these further header lines; returns the answer.
pub(crate) fn upgrade_with(stream: &mut TcpStream, more: &str) -> String {
    const OPENING: &str = "GET /echo HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let opening = format!("{OPENING}{more}\r\n");
    stream.write_all(opening.as_bytes()).expect("the server reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut bytes = [0; 256];
        let len = stream.read(&mut bytes).expect("the server answers");
        answer.extend_from_slice(&bytes[..len]);
        assert!(len > 0, "it closed instead: {answer:?}");
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{answer:?}");
    String::from_utf8(answer).expect("a head is text")
}

/// A client's binary message, in as many fragments as `payloads`; and what a server makes of it.
pub(crate) fn frames(payloads: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    use oneloop::proto::ws::encode::{First, frame, message};
    use oneloop::proto::ws::{Kind, frame::OpCode};
    let (mut asked, mut answer) = (Vec::new(), Vec::new());
    for (at, payload) in payloads.iter().enumerate() {
        let opcode = if at == 0 { OpCode::Binary } else { OpCode::Continuation };
        let first = First { fin: at + 1 == payloads.len(), rsv1: false, opcode };
        frame(first, payload, Some([1, 2, 3, 4]), &mut asked);
    }
    message(Kind::Binary, &payloads.concat(), None, &mut answer);
    (asked, answer)
}

/// Sends `asked` and reads `answer`.
pub(crate) fn ask(stream: &mut TcpStream, (asked, answer): &(Vec<u8>, Vec<u8>)) {
    stream.write_all(asked).expect("the server reads");
    let mut back = vec![0; answer.len()];
    stream.read_exact(&mut back).expect("the server answers");
    assert!(back == *answer, "the echo differs");
}

/// Looks until `condition` holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::yield_now();
    }
}
