//! Who holds a port.
//!
//! **What.** [`tcp_listener`] finds the process that listens on a TCP port.
//!
//! **Why this way.** "Address in use" is the error that every server's user meets first, and the
//! next question is always: by whom? The kernel tells in two steps: `/proc/net/tcp` has the
//! socket's inode, and somebody's `/proc/PID/fd` links to it. Other users' processes are hidden
//! from all but root; then there is no answer, which is no error.
//!
//! **Costs.** Reads every process's descriptors, once, when the start has failed anyway.
//!
//! **Read next.** `src/net/acceptor.rs`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// The process that listens on `address`'s TCP port: its id and name.
pub(super) fn tcp_listener(address: SocketAddr) -> Option<(u32, String)> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| listening_inode(&table, address.port()))?;
    let target = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if holds(&process.path(), &target) {
            return Some((pid, process_name(pid)));
        }
    }
    None
}

/// What the process is called (`/proc/PID/comm`).
pub(super) fn process_name(pid: u32) -> String {
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    comm.trim_end().to_owned()
}

fn holds(process: &Path, target: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors
        .flatten()
        .any(|fd| fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == target))
}

/// The inode of the socket that listens on `port`, from a table as `proc_pid_net(5)` describes it:
/// `sl local_address rem_address st … inode`, the port in hexadecimal, state 0A for LISTEN.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    let port = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&port) && *fields.get(3)? == "0A";
        listens.then(|| fields.get(9)?.parse().ok())?
    })
}
