//! Where connections come from: source addresses below the port cliff.
//!
//! **What.** [`Sources`] gives each connection the address to connect from, or leaves it to the
//! system.
//!
//! **Why this way.** A connection is named by both addresses and both ports, so towards one server
//! each source address has only the ports of `ip_local_port_range`. Long before they run out the
//! kernel's search for a free one becomes slow: from half of the range on, connects fall from tens
//! of thousands a second to hundreds (the port cliff, `tests/kernel_facts/ports.rs`). On loopback
//! the cure is free, for all of 127/8 is ours. Elsewhere only the user knows which addresses are.
//!
//! **Costs.** Nothing below the cliff; one `setsockopt` and one `bind` a connection beyond it.
//!
//! **Read next.** `src/net/connector.rs`.

use super::LoadError;
use crate::net::{Address, Dialect, Target};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Connections from one source address to one server that the kernel opens without delay.
const PER_SOURCE_MAX: u32 = 12_000;

/// Addresses that sockets come from which come and go: 3 million ports below the cliff, so that a
/// minute of TIME_WAIT is long over when one is needed again.
const CHURN_SOURCES: u32 = 250;
/// What TIME_WAIT takes (`tcp(7)`, RFC 9293 3.4.2), in seconds.
const TIME_WAIT_S: u32 = 60;

/// Rotation begins here, which leaves 127.0.0.1 to everybody else.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Source addresses, taken in turn. Empty: the system chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sources(Vec<IpAddr>);

impl Sources {
    /// The sources of `connections` to `address`: those `given`, or a rotation on loopback; over
    /// more addresses if each `churns`.
    ///
    /// # Errors
    /// A given source cannot reach the address.
    pub(super) fn plan(
        address: &Address,
        connections: u32,
        given: &[IpAddr],
        churns: bool,
    ) -> Result<Sources, LoadError> {
        let Some(to) = internet(address) else {
            return match given.first() {
                None => Ok(Sources(vec![])),
                Some(source) => Err(LoadError::Usage(format!(
                    "source {source}: a unix socket has no source address; leave it out"
                ))),
            };
        };
        if let Some(source) = given.iter().find(|source| source.is_ipv4() != to.is_ipv4()) {
            let family = if to.is_ipv4() { "IPv4" } else { "IPv6" };
            return Err(LoadError::Usage(format!(
                "source {source}: {to} cannot be reached from it; give an {family} address"
            )));
        }
        if !given.is_empty() || !rotates(to.ip()) || !churns && connections <= PER_SOURCE_MAX {
            return Ok(Sources(given.to_vec()));
        }
        let needed = connections.div_ceil(PER_SOURCE_MAX);
        let needed = if churns { needed.max(CHURN_SOURCES) } else { needed };
        let source = |n| IpAddr::V4(Ipv4Addr::from_bits(FIRST.to_bits() + n));
        Ok(Sources((0..needed).map(source).collect()))
    }

    /// The source of connection `index`.
    pub(super) fn of(&self, index: u32) -> Option<IpAddr> {
        match self.0.len() {
            0 => None,
            len => Some(self.0[index as usize % len]),
        }
    }
}

/// The sources of several processes with so many connections each: those `given` dealt out, or on
/// loopback addresses that each has for itself, where one would not carry all.
///
/// # Errors
/// As of [`Sources::plan`].
pub(super) fn dealt(
    address: &Address,
    connections: &[u32],
    given: &[IpAddr],
    churns: bool,
) -> Result<Vec<Vec<IpAddr>>, LoadError> {
    let (all, procs) = (connections.iter().sum(), connections.len());
    let Sources(planned) = Sources::plan(address, all, given, churns)?;
    if planned.is_empty() {
        return Ok(vec![Vec::new(); connections.len()]);
    }
    if given.is_empty() {
        let mut next = FIRST.to_bits();
        let own = connections.iter().map(|count| {
            let first = next;
            let needed = count.div_ceil(PER_SOURCE_MAX);
            next += if churns { needed.max(CHURN_SOURCES / procs as u32) } else { needed };
            (first..next).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))).collect()
        });
        return Ok(own.collect());
    }
    let own = (0..procs).map(|n| match given.len() < procs {
        true => given.to_vec(),
        false => given.iter().skip(n).step_by(procs).copied().collect(),
    });
    Ok(own.collect())
}

/// Whether sockets can come from these addresses.
///
/// # Errors
/// The first that this machine does not have, or may not use.
pub(super) fn check(given: &[IpAddr]) -> Result<(), LoadError> {
    for source in given {
        if let Err(error) = std::net::UdpSocket::bind((*source, 0)) {
            return Err(LoadError::Usage(format!(
                "source {source}: no socket can come from it ({error}); give an address of this \
                 machine (ip address shows them)"
            )));
        }
    }
    Ok(())
}

/// What is to be feared of the ports, where the rotation does not help.
pub(super) fn advice(
    target: &Target,
    connections: u32,
    given: &[IpAddr],
    churns: bool,
) -> Option<String> {
    let to = internet(&target.address)?;
    let sources = u32::try_from(given.len()).unwrap_or(u32::MAX).max(1);
    // A WebSocket's server ends it, and so has its TIME_WAIT.
    if churns && target.dialect != Dialect::WebSocket && (!given.is_empty() || !rotates(to.ip())) {
        let (low, high) = port_range()?;
        let most = (high - low + 1).saturating_mul(sources) / TIME_WAIT_S;
        return Some(format!(
            "churn: a closed connection keeps its port in TIME_WAIT for a minute on this side: \
             from {sources} source address(es) ports run out above {most} connections a second; \
             give --source several times"
        ));
    }
    let smooth = PER_SOURCE_MAX.saturating_mul(sources);
    if connections <= smooth || given.is_empty() && rotates(to.ip()) {
        return None;
    }
    let ports = match port_range() {
        Some((low, high)) => format!("the range {low}-{high} has {} ports", high - low + 1),
        None => "the port range is limited".to_owned(),
    };
    let more = connections.div_ceil(PER_SOURCE_MAX);
    Some(format!(
        "{connections} connections to {to} from {sources} source address(es): {ports} for each, \
         and beyond {PER_SOURCE_MAX} connecting is slow; give --source {more} times"
    ))
}

fn internet(address: &Address) -> Option<SocketAddr> {
    match address {
        Address::Tcp(to) | Address::Udp(to) => Some(*to),
        Address::Unix(_) => None,
    }
}

fn rotates(to: IpAddr) -> bool {
    matches!(to, IpAddr::V4(v4) if v4.is_loopback())
}

/// First and last port that the system chooses from (`ip(7)`).
fn port_range() -> Option<(u32, u32)> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

#[cfg(test)]
mod tests;
