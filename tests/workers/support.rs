//! **What.** `oneloop serve` as a child, its log, its books and its workers; patient clients.
//!
//! **Why this way.** What is tested is how processes start, die and follow each other, so nothing
//! less than the program will do. It is told to end, or killed, however a test ends; workers end by
//! themselves when their supervisor does, which is a test of its own.
//!
//! **Costs.** A process a worker.
//!
//! **Read next.** `serving.rs`.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long something that must happen may take on a machine that is busy with other work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// All ways of having several workers.
pub(crate) const WAYS: [[&str; 4]; 4] = [
    ["--worker-kind", "process", "--accept", "reuseport"],
    ["--worker-kind", "process", "--accept", "shared"],
    ["--worker-kind", "thread", "--accept", "reuseport"],
    ["--worker-kind", "thread", "--accept", "shared"],
];

/// A server and all that it started.
pub(crate) struct Served {
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
    metrics: PathBuf,
    /// What it listens on, by scheme and place: `tcp 127.0.0.1:4711`.
    at: Vec<(String, SocketAddr)>,
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oneloop"));
    command.args(args).env_clear();
    command
}

impl Served {
    #[track_caller]
    pub(crate) fn start(args: &[&str]) -> Served {
        Served::spawn(&mut command(&["serve"]), args)
    }

    /// Starts `command` with these arguments and a metrics file behind it.
    #[track_caller]
    pub(crate) fn spawn(command: &mut Command, args: &[&str]) -> Served {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("workers-{}-{count}.json", std::process::id());
        let metrics = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_file(&metrics);
        command.args(args).arg("--metrics-file").arg(&metrics);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stderr) = (log.clone(), BufReader::new(process.stderr.take().unwrap()));
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| lines.lock().unwrap().push(line));
        });
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut served = Served { process, log, metrics, at: Vec::new() };
        loop {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            match line.trim_end().strip_prefix("listening ") {
                Some(url) => served.at.extend(place(url)),
                None if line == "ready\n" => break,
                None => panic!("not ready: {line:?}\n{}", served.log()),
            }
        }
        // Its successors write there too, and must not meet a closed pipe.
        thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        served
    }

    pub(crate) fn pid(&self) -> i32 {
        self.process.id() as i32
    }

    /// The address of the listener with this scheme.
    pub(crate) fn at(&self, scheme: &str) -> SocketAddr {
        self.at.iter().find(|(known, _)| known == scheme).unwrap().1
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Asks process `pid` for its books.
    #[track_caller]
    pub(crate) fn books_of(&self, pid: i32) -> Value {
        let before = self.lines().len();
        kill(pid, libc::SIGUSR1);
        until("the books are written", || self.lines().len() > before);
        serde_json::from_str(&self.lines()[before]).unwrap()
    }

    #[track_caller]
    pub(crate) fn books(&self) -> Value {
        self.books_of(self.pid())
    }

    /// The ids of the workers' processes.
    pub(crate) fn workers(&self) -> Vec<i32> {
        let books = self.books();
        let workers = books["workers"].as_array().unwrap().iter();
        workers.filter_map(|worker| worker["pid"].as_i64()).map(|pid| pid as i32).collect()
    }

    /// Tells it to end, and returns how it did and its last books.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Value {
        kill(self.pid(), libc::SIGTERM);
        let status = self.wait();
        assert!(status.success(), "{status}\n{}", self.log());
        let books = serde_json::from_str::<Value>(self.lines().last().unwrap()).unwrap();
        for name in ["faults", "connections"] {
            assert_eq!(number(&books, name), 0, "{name} in {books}");
        }
        books
    }

    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the server has ended", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Whole lines only: the last may be half written.
    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.metrics).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(str::to_owned).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself, which is what we want.
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Those that followed it are nobody's children any more.
        let log = self.log();
        let started = log.lines().filter(|line| line.contains("started a successor"));
        for pid in started.filter_map(|line| line.rsplit_once("pid=")?.1.trim().parse().ok()) {
            let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            if is_running(pid) && exe.as_os_str() == env!("CARGO_BIN_EXE_oneloop") {
                kill(pid, libc::SIGKILL);
            }
        }
        let _ = fs::remove_file(&self.metrics);
    }
}

fn place(url: &str) -> Option<(String, SocketAddr)> {
    let (scheme, rest) = url.split_once("://")?;
    let place = rest.split(['/', '?']).next()?;
    Some((scheme.to_owned(), place.parse().ok()?))
}

/// A number of the books.
#[track_caller]
pub(crate) fn number(books: &Value, name: &str) -> u64 {
    books[name].as_u64().unwrap_or_else(|| panic!("no {name} in {books}"))
}

pub(crate) fn kill(pid: i32, signal: i32) {
    // SAFETY: plain numbers; the process is ours, or our child's.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "kill {pid}");
}

/// A process runs, and is no zombie.
pub(crate) fn is_running(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

/// A client with patience.
#[track_caller]
pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Whether an echo server answers on this stream.
pub(crate) fn is_served(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 4];
    let asked = stream.write_all(b"ping");
    asked.and_then(|()| stream.read_exact(&mut answer)).is_ok() && answer == *b"ping"
}

/// A client that is served.
#[track_caller]
pub(crate) fn client(to: SocketAddr) -> TcpStream {
    let mut stream = connect(to);
    assert!(is_served(&mut stream));
    stream
}

/// Waits for a condition, and fails by name if it does not come.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}
