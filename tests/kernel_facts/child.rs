//! **What.** Runs the body of a test in a child process of its own, with its own descriptor limit
//! and, where asked for, in a private network namespace with its own loopback and sysctls.
//!
//! **Why this way.** The child is this same test binary, told by an environment variable to run
//! the body of exactly one test. So the body stands in the test that names it. Rejected: `fork`
//! without `exec` (unsafe in a program with threads), `unshare` in the test process (would change
//! the network of whatever runs beside it), `#[ignore]` (tests that nobody runs).
//!
//! **Costs.** One `fork` and `exec` per test, a few milliseconds. Where the system forbids
//! namespaces, the test passes and says on stderr that it was skipped, and why.
//!
//! **Read next.** `emfile.rs`, `reuseport.rs`.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Output};

const ROLE: &str = "KERNEL_FACTS_CHILD";
const SHOWN: &str = "kernel-facts-child: shown";
const SKIPPED: &str = "kernel-facts-child: skipped: ";
/// A child that hangs is ended by SIGALRM after this time.
const CHILD_SECONDS_MAX: u32 = 60;

/// What the child has to itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Its process: the descriptor table and the resource limits.
    Process,
    /// Its process and its network: loopback, ports, sysctls under `net`.
    Network,
}

/// Runs `body` in a child process. `test` is the path of the calling test as the harness names it;
/// a wrong name runs no test in the child and fails here.
pub(crate) fn run(test: &str, room: Room, body: fn()) {
    if env::var_os(ROLE).is_some_and(|role| role == *test) {
        if room == Room::Network {
            raise_loopback();
        }
        body();
        println!("{SHOWN}");
        return;
    }
    let output = match spawn(test, room) {
        Ok(output) => output,
        Err(e) if room == Room::Network && forbids_namespaces(&e) => {
            return tell_skipped(test, &format!("no private network namespace here: {e}"));
        }
        Err(e) => panic!("cannot start the child of {test}: {e}"),
    };
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if let Some((_, reason)) = out.split_once(SKIPPED) {
        return tell_skipped(test, reason.lines().next().unwrap_or_default());
    }
    let shown = output.status.success() && out.contains(SHOWN);
    assert!(shown, "the child of {test} ended with {}\n{out}\n{err}", output.status);
    print!("{out}");
}

fn spawn(test: &str, room: Room) -> io::Result<Output> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, test);
    // SAFETY: between fork and exec the closure makes only the system calls alarm and unshare.
    unsafe {
        command.pre_exec(move || {
            libc::alarm(CHILD_SECONDS_MAX);
            if room == Room::Network { unshare_network() } else { Ok(()) }
        });
    }
    command.output()
}

/// A network namespace alone needs privileges; together with a user namespace often it does not.
fn unshare_network() -> io::Result<()> {
    // SAFETY: unshare takes flags only; the forked child has one thread, as CLONE_NEWUSER asks.
    let done = unsafe {
        libc::unshare(libc::CLONE_NEWNET) == 0
            || libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) == 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The refusals of unshare(2) by policy, configuration or quota.
fn forbids_namespaces(error: &io::Error) -> bool {
    let refusals = [libc::EPERM, libc::EINVAL, libc::ENOSYS, libc::ENOSPC, libc::EUSERS];
    error.raw_os_error().is_some_and(|code| refusals.contains(&code))
}

/// Writes past the harness, which would keep the output of a passing test to itself.
fn tell_skipped(test: &str, reason: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {reason}");
}

/// In the child: ends this test as skipped.
fn skip(reason: &str) -> ! {
    println!("{SKIPPED}{reason}");
    process::exit(0)
}

/// In the child: a sysctl of its own namespace.
pub(crate) fn set_sysctl(name: &str, value: &str) {
    let path = format!("/proc/sys/net/ipv4/{name}");
    if let Err(e) = fs::write(&path, value) {
        skip(&format!("cannot set {path}: {e}"));
    }
}

/// In the child: a new network namespace starts with its loopback down (netdevice(7)).
fn raise_loopback() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // SAFETY: ifreq is integers and a union of plain data, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[..2].copy_from_slice(&[b'l' as libc::c_char, b'o' as libc::c_char]);
    // SAFETY: both requests read and write one ifreq; the flags are the member they use.
    let done = unsafe {
        libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &mut request) == 0 && {
            request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
            libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) == 0
        }
    };
    if !done {
        skip(&format!("cannot raise the loopback interface: {}", io::Error::last_os_error()));
    }
}
