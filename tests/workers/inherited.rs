//! **What.** Sockets from systemd, and what is refused at the start.
//!
//! **Why this way.** systemd is played by a shell: it opens a descriptor, sets the three variables
//! and becomes the server, whose process id they name.
//!
//! **Costs.** A shell a server.
//!
//! **Read next.** `src/server/handover.rs`.

use crate::support::*;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A command whose process gets `fd` as its descriptor 3, as systemd hands it over.
fn activated(fd: i32) -> Command {
    let binary = env!("CARGO_BIN_EXE_oneloop");
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web; exec \"$0\" serve \"$@\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, binary]).env_clear();
    // SAFETY: `dup2` is async-signal-safe.
    unsafe {
        command.pre_exec(move || match libc::dup2(fd, 3) {
            -1 => Err(std::io::Error::last_os_error()),
            // It was there already: then it must lose its close-on-exec.
            3 if fd == 3 => {
                libc::fcntl(3, libc::F_SETFD, 0);
                Ok(())
            }
            _ => Ok(()),
        })
    };
    command
}

#[test]
fn a_socket_from_systemd_is_served_and_readiness_is_told() {
    for workers in ["1", "2"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let path = format!("{}/notify-{}.sock", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        let _ = std::fs::remove_file(&path);
        let notify = UnixDatagram::bind(&path).unwrap();
        notify.set_read_timeout(Some(PATIENCE)).unwrap();
        // It waits before the server is there, and is served all the same.
        let mut early = connect(at);
        let url = format!("tcp://{at}/echo");
        let mut command = activated(listener.as_raw_fd());
        command.env("NOTIFY_SOCKET", &path);
        let server = Served::spawn(&mut command, &["--workers", workers, "--listen", &url]);
        let mut word = [0; 64];
        let len = notify.recv(&mut word).unwrap();
        let word = String::from_utf8_lossy(&word[..len]).into_owned();
        assert_eq!(word, format!("READY=1\nMAINPID={}\n", server.pid()));
        assert!(is_served(&mut early));
        drop((early, client(at)));
        server.finish();
        std::fs::remove_file(&path).unwrap();
    }
}

/// The one line that a server says which does not start.
fn refusal(command: &mut Command, args: &[&str]) -> (Option<i32>, String) {
    let output = command.args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    (output.status.code(), line.to_owned())
}

#[test]
fn a_descriptor_that_does_not_listen_is_refused() {
    let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    for (fd, reason) in [(bound.as_raw_fd(), "it does not listen"), (file.as_raw_fd(), "socket")] {
        let (code, said) = refusal(&mut activated(fd), &["--listen", "tcp://127.0.0.1:0"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("LISTEN_FDS: descriptor 3") && said.contains(reason), "{said}");
    }
}

#[test]
fn a_second_server_on_a_port_needs_join() {
    let start = |args: &[&str], url: &str| {
        Served::start(&[args, &["--workers", "2", "--listen", url]].concat())
    };
    let first = start(&[], "tcp://127.0.0.1:0/echo");
    let url = format!("tcp://{}/echo", first.at("tcp"));
    let (code, said) = refusal(&mut command(&["serve"]), &["--workers", "2", "--listen", &url]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("address in use: process"), "{said}");
    let second = start(&["--join"], &url);
    drop(client(first.at("tcp")));
    second.finish();
    first.finish();
}

#[test]
fn what_several_workers_cannot_do_is_refused() {
    let cases: [(&[&str], &str); 5] = [
        (
            &["--at-limit", "refuse", "--listen", "unix:///tmp/a.sock"],
            "at_limit (flag --at-limit): a unix:// socket that several workers have",
        ),
        (&["--workers", "0"], "workers (flag --workers): `0` is no number of workers: write auto"),
        (&["--workers", "many"], "workers (flag --workers): `many` is no number of workers"),
        (&["--accept", "reuse"], "unknown way `reuse`; did you mean `reuseport`?"),
        (&["--worker-kind", "fiber"], "unknown kind `fiber`;"),
    ];
    for (args, reason) in cases {
        let workers: &[&str] = if args[0] == "--workers" { &[] } else { &["--workers", "2"] };
        let args = [workers, args, &["--listen", "tcp://127.0.0.1:0"]].concat();
        let (code, said) = refusal(&mut command(&["serve"]), &args);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn more_workers_than_descriptors_carry_are_refused() {
    let mut command = Command::new("/bin/sh");
    let script = "ulimit -n 64; exec \"$0\" serve \"$@\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_oneloop")]).env_clear();
    let args = ["--workers", "40", "--listen", "tcp://127.0.0.1:0"];
    let (code, said) = refusal(&mut command, &args);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("40 of them on 1 listeners need") && said.contains("64"), "{said}");
}

#[test]
fn more_workers_than_memory_carries_are_refused() {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
    let total_kib: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    let args = ["--workers", "200", "--accept", "shared", "--listen", "tcp://127.0.0.1:0/echo"];
    // As many connections in all as there are 10 KiB: none would be left for anything else.
    let each = (total_kib / 10 / 200).to_string();
    let files = (total_kib / 10 / 200 + 1).max(3_000).to_string();
    let mut command = Command::new("/bin/sh");
    let script = "ulimit -n \"$1\" || exit 77; shift; exec \"$0\" serve \"$@\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_oneloop"), &files]).env_clear();
    let (code, said) = refusal(&mut command, &[&args[..], &["--max-connections", &each]].concat());
    if code == Some(77) {
        return eprintln!("SKIPPED: {files} open files are not allowed here");
    }
    assert_eq!(code, Some(2), "{said}");
    let reason = format!("workers: 200 of them with {each} connections each need ");
    assert!(said.contains(&reason) && said.contains("a lower --max-connections"), "{said}");
}
