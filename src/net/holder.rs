//! Who holds a port.
//!
//! **What.** [`tcp_listener`] finds the process that listens on a TCP port, `tcp_listeners` all of
//! them: a socket may be shared, and a port too.
//!
//! **Why this way.** "Address in use" is the error that every server's user meets first, and the
//! next question is always: by whom? The kernel tells in two steps: `/proc/net/tcp` has the
//! socket's inode, and somebody's `/proc/PID/fd` links to it. Other users' processes are hidden
//! from all but root; then there is no answer, which is no error.
//!
//! **Costs.** Reads every process's descriptors: once, when a start has failed anyway, or before a
//! load begins.
//!
//! **Read next.** `src/net/acceptor.rs`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// The process that listens on `address`'s TCP port: its id and name.
pub(super) fn tcp_listener(address: SocketAddr) -> Option<(u32, String)> {
    let pid = listeners(address).next()?;
    Some((pid, process_name(pid)))
}

/// The processes that listen on `address`'s TCP port, as far as we may see them.
#[cfg(feature = "cli")]
pub(crate) fn tcp_listeners(address: SocketAddr) -> Vec<u32> {
    listeners(address).collect()
}

fn listeners(address: SocketAddr) -> impl Iterator<Item = u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.iter().filter_map(|table| beginning(table).ok());
    let inodes = tables.flat_map(|table| listening_inodes(&table, address));
    let targets: Vec<String> = inodes.map(|inode| format!("socket:[{inode}]")).collect();
    let processes = if targets.is_empty() { None } else { fs::read_dir("/proc").ok() };
    processes.into_iter().flatten().flatten().filter_map(move |process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        holds(&process.path(), &targets).then_some(pid)
    })
}

/// A table as far as its sockets listen. These stand before all others, of which there may be a
/// hundred thousand: what is not read the kernel need not write.
fn beginning(table: &str) -> io::Result<String> {
    let mut beginning = String::new();
    for (n, line) in BufReader::new(File::open(table)?).lines().enumerate() {
        let line = line?;
        if n > 0 && line.split_whitespace().nth(3) != Some("0A") {
            break;
        }
        beginning = beginning + &line + "\n";
    }
    Ok(beginning)
}

/// What the process is called (`/proc/PID/comm`).
pub(super) fn process_name(pid: u32) -> String {
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    comm.trim_end().to_owned()
}

fn holds(process: &Path, targets: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    let mut links = descriptors.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
    links.any(|link| targets.iter().any(|target| link.as_os_str() == target.as_str()))
}

/// The inodes of the sockets that listen in `address`'s way, from a table as `proc_pid_net(5)`
/// describes it: `sl local_address rem_address st … inode`, state 0A for LISTEN. Another address
/// on the same port is in the way only if one of the two is the wildcard.
fn listening_inodes(table: &str, address: SocketAddr) -> Vec<u64> {
    let (own_ip, own_port) = (hexadecimal(address.ip()), format!("{:04X}", address.port()));
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (ip, port) = fields.get(1)?.split_once(':')?;
        let is_wildcard = address.ip().is_unspecified() || ip.bytes().all(|digit| digit == b'0');
        let is_there = port == own_port && (ip == own_ip || is_wildcard);
        let listens = is_there && *fields.get(3)? == "0A";
        listens.then(|| fields.get(9)?.parse().ok())?
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// An address as the tables have it: 32-bit words in the machine's order of bytes.
fn hexadecimal(ip: IpAddr) -> String {
    let bytes = match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let words = bytes.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_ne_bytes));
    words.map(|word| format!("{word:08X}")).collect()
}

#[cfg(all(test, feature = "cli"))]
mod tests;
