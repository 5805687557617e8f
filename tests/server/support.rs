//! **What.** A server on a thread of its own, and blocking clients with patience.
//!
//! **Why this way.** [`Running::finish`] is how every test ends, so that no test forgets the books.
//! Descriptors are not among what it checks: all tests of this binary share them (`child.rs` has
//! them to itself).
//!
//! **Costs.** A thread a server.
//!
//! **Read next.** `echo.rs`.

use oneloop::metrics::{CloseReason, RefuseReason};
use oneloop::net::{Address, Endpoint};
use oneloop::server::{Books, Exit, Limits, Nofile, Server, Stopper};
use oneloop::service::{Builtin, Service};
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long something that must happen may take on a machine that is busy with other work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long silence is watched before it counts as "nothing comes".
pub(crate) const QUIET: Duration = Duration::from_millis(100);

pub(crate) const TCP: &str = "tcp://127.0.0.1:0/";

/// The defaults, but for the process's own limit, which the tests share.
pub(crate) fn limits() -> Limits {
    Limits { nofile: Nofile::Keep, ..Limits::default() }
}

/// A server at work.
pub(crate) struct Running {
    at: Vec<Endpoint>,
    stopper: Stopper,
    thread: Option<JoinHandle<io::Result<(Exit, Books)>>>,
}

/// Binds a server that does not run yet: what clients do now waits in the kernel.
pub(crate) fn bind<S: Service>(
    listen: impl IntoIterator<Item = (impl AsRef<str>, S)>,
    limits: Limits,
) -> Server<S> {
    let mut builder = Server::builder().limits(limits);
    for (url, service) in listen {
        builder = builder.listen(Endpoint::parse(url.as_ref()).unwrap(), service);
    }
    builder.bind().unwrap_or_else(|error| panic!("{error}"))
}

/// Lets a server run on a thread of its own.
pub(crate) fn run<S>(server: Server<S>) -> Running
where
    S: Service + Send + 'static,
    S::State: Send,
{
    let at = server.endpoints().cloned().collect();
    let stopper = server.stopper();
    let thread = thread::Builder::new().name("server".into());
    Running { at, stopper, thread: Some(thread.spawn(move || server.run()).unwrap()) }
}

/// A server with one or more listeners.
pub(crate) fn serve<S>(
    listen: impl IntoIterator<Item = (impl AsRef<str>, S)>,
    limits: Limits,
) -> Running
where
    S: Service + Send + 'static,
    S::State: Send,
{
    run(bind(listen, limits))
}

/// An echo server.
pub(crate) fn serve_echo(limits: Limits) -> Running {
    serve([(TCP, Builtin::Echo)], limits)
}

impl Running {
    /// Where listener `index` listens.
    pub(crate) fn at(&self, index: usize) -> &Endpoint {
        &self.at[index]
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(&self.at[0])
    }

    pub(crate) fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits for the server's end, without asking for it.
    #[track_caller]
    pub(crate) fn join(mut self) -> Books {
        let thread = self.thread.take().unwrap();
        let (exit, books) = thread.join().expect("the server panicked").unwrap();
        assert_eq!(exit, Exit::Drained);
        assert_balanced(&books);
        books
    }

    /// Stops the server and checks its books.
    #[track_caller]
    pub(crate) fn finish(self) -> Books {
        self.stopper.stop().unwrap();
        self.join()
    }
}

impl Drop for Running {
    /// A test that failed must not wait for its server, only tell it.
    fn drop(&mut self) {
        let _ = self.stopper.stop();
    }
}

#[track_caller]
fn assert_balanced(books: &Books) {
    let mut faults = books.faults();
    faults.retain(|fault| !fault.starts_with("open descriptors"));
    assert!(faults.is_empty(), "{faults:?}\n{}", books.to_json());
    assert_eq!(books.connections, 0, "{}", books.to_json());
    assert_eq!(books.blocks, 0, "{}", books.to_json());
}

pub(crate) fn closed(books: &Books, reason: CloseReason) -> u64 {
    books.metrics.closed[reason as usize]
}

pub(crate) fn refused(books: &Books, reason: RefuseReason) -> u64 {
    books.metrics.refused[reason as usize]
}

/// The address of a TCP or UDP listener.
pub(crate) fn address(endpoint: &Endpoint) -> SocketAddr {
    match &endpoint.address {
        Address::Tcp(address) | Address::Udp(address) => *address,
        Address::Unix(path) => panic!("{} is no internet address", path.display()),
    }
}

/// A client with patience.
#[track_caller]
pub(crate) fn connect(to: &Endpoint) -> TcpStream {
    patient(TcpStream::connect(address(to)).unwrap())
}

/// A client at 127.0.0.`host`.
#[track_caller]
pub(crate) fn connect_from(host: u8, to: &Endpoint) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    oneloop::sys::socket::set_bind_address_no_port(&socket).unwrap();
    let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.connect(&address(to).into()).unwrap();
    patient(socket.into())
}

/// A client whose receive buffer is as small as the kernel lets it be, so that it stalls soon.
#[track_caller]
pub(crate) fn connect_narrow(to: &Endpoint) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address(to).into()).unwrap();
    patient(socket.into())
}

/// Bounds each read and write, so that a test fails rather than hangs.
pub(crate) fn patient(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads exactly `n` bytes.
#[track_caller]
pub(crate) fn read_n(stream: &mut impl Read, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    if let Err(error) = stream.read_exact(&mut bytes) {
        panic!("{n} bytes were due: {error}");
    }
    bytes
}

/// Reads a line, without its ending and not a byte further. Empty at the end of the stream.
#[track_caller]
pub(crate) fn read_line(stream: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match stream.read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => line.push(byte[0]),
            Err(error) => panic!("a line was due behind {line:?}: {error}"),
        }
    }
    String::from_utf8(line).unwrap()
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Reset,
}

/// Reads to the end.
#[track_caller]
pub(crate) fn read_to_end(stream: &mut impl Read) -> (Vec<u8>, End) {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => (bytes, End::Fin),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (bytes, End::Reset),
        Err(error) => panic!("no end after {} bytes: {error}", bytes.len()),
    }
}

/// The text that a stream ends with; it must end with a FIN.
#[track_caller]
pub(crate) fn last_words(stream: &mut impl Read) -> String {
    let (bytes, end) = read_to_end(stream);
    assert_eq!(end, End::Fin);
    String::from_utf8(bytes).unwrap()
}

/// Nothing comes, for now.
#[track_caller]
pub(crate) fn assert_silent(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(QUIET)).unwrap();
    let error = stream.read(&mut [0]).expect_err("nothing was to come");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
}

/// An echo server answers on this stream.
#[track_caller]
pub(crate) fn ping(stream: &mut (impl Read + Write)) {
    stream.write_all(b"ping").unwrap();
    assert_eq!(read_n(stream, 4), b"ping");
}

/// The same, where the answer may also be a refusal.
pub(crate) fn is_served(stream: &mut (impl Read + Write)) -> bool {
    let mut answer = [0; 4];
    let asked = stream.write_all(b"ping");
    asked.and_then(|()| stream.read_exact(&mut answer)).is_ok() && answer == *b"ping"
}

/// Sends `bytes` and reads as many, at the same time. Returns what came.
#[track_caller]
pub(crate) fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    let mut writer = stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(bytes).unwrap());
        read_n(stream, bytes.len())
    })
}

/// Ends the connection with a reset.
pub(crate) fn reset(stream: TcpStream) {
    let socket = Socket::from(stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

/// "I have said everything."
pub(crate) fn half_close(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
}

/// `len` bytes that are different for each `seed` and nowhere repeat soon (xorshift64*).
pub(crate) fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let words = (0..len.div_ceil(8)).flat_map(|_| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_ne_bytes()
    });
    words.take(len).collect()
}

/// Waits for a condition, and fails by name if it does not come.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        pause_ms(1);
    }
}

/// Lets time pass: between two looks at a condition, or where a test is about slowness.
pub(crate) fn pause_ms(ms: u64) {
    let end = Instant::now() + Duration::from_millis(ms);
    while let Some(rest) = end.checked_duration_since(Instant::now()).filter(|t| !t.is_zero()) {
        thread::park_timeout(rest);
    }
}

/// A directory that is removed at the end of the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oneloop-test-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
