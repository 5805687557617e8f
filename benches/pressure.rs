//! What one greedy client does to a thousand quiet ones.
//!
//! `cargo bench --bench pressure` starts the server and drives 1,000 connections with one 64-byte
//! message a second each: alone, beside a client that echoes as fast as it can, and beside a
//! client that sends without ever reading. Latency is counted from the moment a message was
//! *due*, so that waiting behind a late one counts too. The figures that the project promises are
//! judged at the end.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const QUIET: usize = 1_000;
const INTERVAL: Duration = Duration::from_millis(1);
const SECONDS: u64 = 5;
/// The cases take turns, and the median round of each is shown: a shared machine has bad seconds.
const ROUNDS: usize = 3;

/// `oneloop serve` in a process of its own, ended when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    /// Kept open, or the server would find that nobody reads what it says.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    fn start() -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_oneloop"))
            .args(["serve", "--listen", "tcp://127.0.0.1:0/echo", "--log", "warn"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        pin(child.id(), 0);
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("text");
        let address = line.trim_start_matches("listening tcp://").trim_end_matches("/echo\n");
        Server { address: address.parse().expect("an address"), child, _stdout: stdout }
    }

    /// Memory of its own in use now (`RssAnon`).
    fn memory_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("the server runs");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the quiet clients saw, and what it cost.
struct Outcome {
    p50: Duration,
    p99: Duration,
    max: Duration,
    memory_growth_kib: u64,
    greedy_bytes: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Greedy {
    Nobody,
    Echoes,
    NeverReads,
}

fn main() {
    pin(0, 1);
    println!(
        "{QUIET} clients, one message a second each; medians of {ROUNDS} rounds of {SECONDS} s"
    );
    let cases = [Greedy::Nobody, Greedy::Echoes, Greedy::NeverReads];
    let mut rounds: Vec<Vec<Outcome>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (case, outcomes) in cases.iter().zip(&mut rounds) {
            outcomes.push(measure(*case));
        }
    }
    println!(
        "{:30} {:>9} {:>9} {:>9} {:>10} {:>12}",
        "beside", "p50", "p99", "max", "memory", "sent"
    );
    let [alone, echoes, never_reads] = [0, 1, 2].map(|case| {
        let outcomes = &mut rounds[case];
        outcomes.sort_unstable_by_key(|outcome| outcome.p99);
        let outcome = outcomes.swap_remove(ROUNDS / 2);
        outcome.print(cases[case]);
        outcome
    });
    judge("fairness: p99 beside a full-speed client below 5 ms", echoes.p99.as_millis() < 5);
    judge("flood: p99 beside it at most doubled", never_reads.p99 <= alone.p99 * 2);
    let bounded = never_reads.memory_growth_kib <= 1024;
    judge("flood: memory bounded by --backlog-bytes-max (1 MiB)", bounded);
}

impl Outcome {
    fn print(&self, beside: Greedy) {
        let name = match beside {
            Greedy::Nobody => "nobody",
            Greedy::Echoes => "one that echoes at full speed",
            Greedy::NeverReads => "one that never reads",
        };
        println!(
            "{name:30} {:>6} us {:>6} us {:>6} us {:>6} KiB {:>8} MiB",
            self.p50.as_micros(),
            self.p99.as_micros(),
            self.max.as_micros(),
            self.memory_growth_kib,
            self.greedy_bytes >> 20,
        );
    }
}

/// Keeps a process (0: this one) to one core, so that the clients take no time from the server.
/// Where there is only one core they do, and the figures say little.
fn pin(pid: u32, core: usize) {
    // SAFETY: all-zero is an empty set; `core` is below its size; the set outlives the call.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(pid as i32, size_of_val(&set), &set);
    }
}

/// This thread gets what the quiet clients leave of their core: it is the server's fairness that is
/// measured, not the scheduler's.
fn yield_to_the_quiet() {
    // SAFETY: no preconditions; 0 means this thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
}

fn judge(what: &str, reached: bool) {
    println!("{what}: {}", if reached { "reached" } else { "MISSED" });
}

fn measure(greedy: Greedy) -> Outcome {
    let server = Server::start();
    let mut quiet: Vec<TcpStream> = (0..QUIET)
        .map(|_| TcpStream::connect(server.address).expect("the server listens"))
        .collect();
    quiet.iter_mut().for_each(echo);
    let memory_before = server.memory_kib();

    let stop = Arc::new(AtomicBool::new(false));
    let sent = Arc::new(AtomicU64::new(0));
    let peer = TcpStream::connect(server.address).expect("the server listens");
    let threads = start_greedy(greedy, &peer, &stop, &sent);
    let (latencies, memory_max) = drive(&mut quiet, &server);
    stop.store(true, Ordering::Relaxed);
    // A writer that is blocked wakes up when its socket is shut.
    let _ = peer.shutdown(std::net::Shutdown::Both);
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));

    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    Outcome {
        p50: at(0.5),
        p99: at(0.99),
        max: at(1.0),
        memory_growth_kib: memory_max.saturating_sub(memory_before),
        greedy_bytes: sent.load(Ordering::Relaxed),
    }
}

/// Sends one message each [`INTERVAL`], round robin. Returns the sorted latencies, and the largest
/// amount of memory that the server was seen with.
fn drive(quiet: &mut [TcpStream], server: &Server) -> (Vec<Duration>, u64) {
    let mut latencies = Vec::new();
    let mut memory_max = 0;
    let start = Instant::now();
    for turn in 0..(SECONDS * 1_000) as u32 {
        let due = start + INTERVAL * turn;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        echo(&mut quiet[turn as usize % QUIET]);
        latencies.push(due.elapsed());
        if turn % 100 == 0 {
            memory_max = memory_max.max(server.memory_kib());
        }
    }
    latencies.sort_unstable();
    (latencies, memory_max)
}

fn echo(stream: &mut TcpStream) {
    let mut back = [0; 64];
    stream.write_all(&[7; 64]).expect("the server reads");
    stream.read_exact(&mut back).expect("the server answers");
    assert_eq!(back, [7; 64]);
}

fn start_greedy(
    greedy: Greedy,
    peer: &TcpStream,
    stop: &Arc<AtomicBool>,
    sent: &Arc<AtomicU64>,
) -> Vec<thread::JoinHandle<()>> {
    let mut threads = Vec::new();
    if greedy == Greedy::Nobody {
        return threads;
    }
    let (mut writer, stop, sent) = (peer.try_clone().expect("dup"), stop.clone(), sent.clone());
    threads.push(thread::spawn(move || {
        yield_to_the_quiet();
        let chunk = vec![1; 64 * 1024];
        while !stop.load(Ordering::Relaxed) && writer.write_all(&chunk).is_ok() {
            sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
    }));
    if greedy == Greedy::Echoes {
        let mut reader = peer.try_clone().expect("dup");
        threads.push(thread::spawn(move || {
            yield_to_the_quiet();
            let mut chunk = vec![0; 256 * 1024];
            while reader.read(&mut chunk).is_ok_and(|n| n > 0) {}
        }));
    }
    threads
}
