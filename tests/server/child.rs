//! **What.** A server in a child process: its descriptors, memory, limits and signals are its own,
//! and its books can be read while it serves.
//!
//! **Why this way.** The child is this same test binary, told by an environment variable to run one
//! test, in which [`Child::serve`] then serves instead of returning; so the server's limits stand
//! in the test that is about them. The real signals are sent and the real metrics file is read.
//! Rejected: the program `oneloop` (its command line has tests of its own), `fork` without `exec`
//! (unsafe in a program with threads).
//!
//! **Costs.** One `fork` and `exec` a server. A child ends when its parent does (its standard input
//! ends), at the latest by SIGALRM.
//!
//! **Read next.** `descriptors.rs`, `signals.rs`.

use crate::support::{Scratch, until};
use oneloop::net::Endpoint;
use oneloop::server::{Limits, Server};
use oneloop::service::Builtin;
use serde_json::Value;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{self, ChildStdout, Command, Stdio};
use std::thread;

const ROLE: &str = "SERVER_TEST_CHILD";
const METRICS: &str = "SERVER_TEST_METRICS";
/// A child that hangs is ended by SIGALRM after this time.
const CHILD_SECONDS_MAX: u32 = 120;

/// A server in a process of its own.
pub(crate) struct Child {
    process: process::Child,
    output: BufReader<ChildStdout>,
    scratch: Scratch,
    /// Where it listens.
    pub(crate) at: Vec<Endpoint>,
    /// Connections that it says it can hold.
    pub(crate) cap: usize,
}

impl Child {
    /// Starts the server. `test` is the path of the calling test as the harness names it; the
    /// services are those that the URLs name. In the child this does not return.
    #[track_caller]
    pub(crate) fn serve(test: &str, urls: &[&str], limits: Limits) -> Child {
        if env::var_os(ROLE).is_some_and(|role| role == *test) {
            serve(urls, limits);
        }
        let scratch = Scratch::new();
        let mut process = spawn(test, &scratch);
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let (mut at, mut cap) = (Vec::new(), None);
        while cap.is_none() {
            let line = next_line(&mut output).expect("the child ended before it was ready");
            if let Some((_, url)) = line.split_once("listening ") {
                at.push(Endpoint::parse(url).unwrap());
            }
            cap = line.strip_prefix("cap ").map(|cap| cap.parse().unwrap());
        }
        Child { process, output, scratch, at, cap: cap.unwrap() }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.process.id() as i32
    }

    /// Sends the child a signal.
    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: plain numbers; the child is ours and not yet waited for.
        assert_eq!(unsafe { libc::kill(self.pid(), signal) }, 0);
    }

    /// Asks for the books (SIGUSR1) and reads them.
    #[track_caller]
    pub(crate) fn books(&self) -> Value {
        let before = self.lines_of_metrics().len();
        self.signal(libc::SIGUSR1);
        let mut lines = Vec::new();
        until("the books are written", || {
            lines = self.lines_of_metrics();
            lines.len() > before
        });
        serde_json::from_str(&lines[before]).unwrap()
    }

    /// One number of the books.
    #[track_caller]
    pub(crate) fn count(&self, name: &str) -> u64 {
        number(&self.books(), name)
    }

    /// Tells the child to open descriptors until none is left, behind its server's back.
    pub(crate) fn take_descriptors(&mut self) {
        self.command("take");
    }

    /// Tells the child to close those again.
    pub(crate) fn give_descriptors(&mut self) {
        self.command("give");
    }

    /// Sets the child's soft limit of open files from outside, as `prlimit --nofile=` does.
    pub(crate) fn set_nofile(&self, soft: u64) {
        let hard = oneloop::sys::rlimit::nofile_of(self.pid()).unwrap().hard;
        let new = libc::rlimit { rlim_cur: soft, rlim_max: hard };
        let old = std::ptr::null_mut();
        // SAFETY: `new` is a valid rlimit, and the old one is not asked for.
        let done = unsafe { libc::prlimit(self.pid(), libc::RLIMIT_NOFILE, &new, old) };
        assert_eq!(done, 0, "prlimit: {}", std::io::Error::last_os_error());
    }

    /// Descriptors that the child has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// Bytes of the child's memory that are real.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.pid())).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }

    /// Drains the server (SIGTERM) and checks its books, descriptors included.
    #[track_caller]
    pub(crate) fn finish(self) -> Value {
        self.signal(libc::SIGTERM);
        let (exit, books) = self.wait();
        assert_eq!(exit, "Drained");
        for (name, should) in [("faults", 0), ("connections", 0), ("blocks", 0)] {
            assert_eq!(number(&books, name), should, "{name} in {books}");
        }
        books
    }

    /// Waits for the end; returns how it came, and the last books.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (String, Value) {
        let mut exit = String::new();
        while let Some(line) = next_line(&mut self.output) {
            if let Some((_, how)) = line.split_once("exit ") {
                exit = how.to_owned();
            }
        }
        let status = self.process.wait().unwrap();
        assert!(status.success(), "the child ended with {status}");
        let lines = self.lines_of_metrics();
        (exit, serde_json::from_str(lines.last().unwrap()).unwrap())
    }

    /// Whole lines only: the last may be half written.
    fn lines_of_metrics(&self) -> Vec<String> {
        let text = fs::read_to_string(self.scratch.path("metrics")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(str::to_owned).collect()
    }

    fn command(&mut self, command: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{command}").unwrap();
        let done = format!("done {command}");
        while next_line(&mut self.output).expect("the child goes on") != done {}
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // After `wait` it is gone; if a test failed, it is told by number and not waited for long.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A number of the books.
#[track_caller]
pub(crate) fn number(books: &Value, name: &str) -> u64 {
    books[name].as_u64().unwrap_or_else(|| panic!("no {name} in {books}"))
}

fn next_line(output: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (output.read_line(&mut line).unwrap() > 0).then(|| line.trim_end().to_owned())
}

fn spawn(test: &str, scratch: &Scratch) -> process::Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(ROLE, test).env(METRICS, scratch.path("metrics"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // SAFETY: between fork and exec the closure makes only system calls that are async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::alarm(CHILD_SECONDS_MAX);
            block_signals();
            Ok(())
        });
    }
    command.spawn().unwrap()
}

/// The harness's threads must have them blocked too, or a signal to the process ends it: the mask
/// survives `exec`.
fn block_signals() {
    // SAFETY: the set is initialised by `sigemptyset` before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGUSR1, libc::SIGHUP] {
            libc::sigaddset(&mut set, signal);
        }
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}

/// In the child: serves, says how it ended, and exits.
fn serve(urls: &[&str], limits: Limits) -> ! {
    let metrics = env::var_os(METRICS).unwrap().into();
    let mut builder = Server::builder().limits(limits).handle_signals().metrics_file(metrics);
    for url in urls {
        let endpoint = Endpoint::parse(url).unwrap();
        let service = Builtin::from_name(&endpoint.service).unwrap();
        builder = builder.listen(endpoint, service);
    }
    let server = builder.bind().unwrap_or_else(|error| panic!("{error}"));
    thread::spawn(obey);
    println!();
    for endpoint in server.endpoints() {
        println!("listening {endpoint}");
    }
    println!("cap {}", server.cap().0);
    let (exit, _) = server.run().unwrap();
    println!("\nexit {exit:?}");
    process::exit(0);
}

/// In the child: does what the parent says on standard input, and ends with it.
fn obey() {
    let mut taken: Vec<OwnedFd> = Vec::new();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        match line.as_str() {
            "take" => {
                while let Ok(file) = File::open("/dev/null") {
                    taken.push(file.into());
                }
            }
            "give" => taken.clear(),
            other => panic!("no command: {other}"),
        }
        println!("done {line}");
    }
    process::exit(1);
}
