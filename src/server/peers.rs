//! Who connects how often: a bounded table of addresses.
//!
//! **What.** [`Peers`] counts the connections of each address and keeps a token bucket of its new
//! ones. An IPv6 address counts as its /64 network, because one customer holds all of it.
//!
//! **Why this way.** A connection keeps only the number of its entry: when it has been reset its
//! address can no longer be asked for. The table is bounded: entries with open connections are as
//! many as connections at most, and of the others the oldest makes room. std's map hashes with a
//! random key, so that nobody can choose addresses that collide.
//!
//! **Costs.** Nothing unless a limit by address is set; then one look-up an accept.
//!
//! **Read next.** `src/server/admission.rs`.

use super::conn::PeerSlot;
use crate::clock::Time;
use crate::metrics::RefuseReason;
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// Addresses without connections that are remembered, for their token buckets.
const GONE_MAX: usize = 4096;

struct Peer {
    /// What the entry is found by.
    network: u64,
    is_v6: bool,
    connections: u32,
    /// Connections it may open now, in thousandths; at most a second's worth.
    tokens_milli: u64,
    refilled: Time,
    /// It is on the list of those that may be forgotten, once.
    listed: bool,
}

/// Addresses and what they hold.
pub(super) struct Peers {
    per_ip_max: u32,
    accept_rate: u32,
    peers: Slab<Peer>,
    index: HashMap<(bool, u64), usize>,
    /// Entries that had no connection when they were put here, oldest first. May have some now.
    gone: VecDeque<usize>,
}

impl Peers {
    /// A table for these limits; 0 means no limit.
    pub(super) fn new(per_ip_max: u32, accept_rate: u32) -> Peers {
        Peers {
            per_ip_max,
            accept_rate,
            peers: Slab::new(),
            index: HashMap::new(),
            gone: VecDeque::new(),
        }
    }

    /// Counts a new connection from `address`, or says why it may not stay.
    pub(super) fn admit(&mut self, address: IpAddr, now: Time) -> Result<PeerSlot, RefuseReason> {
        let slot = self.entry(address, now);
        let (rate, per_ip_max) = (u64::from(self.accept_rate), self.per_ip_max);
        let peer = &mut self.peers[slot];
        if per_ip_max != 0 && peer.connections >= per_ip_max {
            return Err(RefuseReason::PerIp);
        }
        if rate != 0 {
            let earned = now.ms_since(peer.refilled).saturating_mul(rate);
            if earned > 0 {
                peer.tokens_milli = (peer.tokens_milli + earned).min(rate * 1_000);
                peer.refilled = now;
            }
            peer.tokens_milli = peer.tokens_milli.checked_sub(1_000).ok_or(RefuseReason::Rate)?;
        }
        peer.connections += 1;
        Ok(PeerSlot::MIN.saturating_add(slot as u32))
    }

    /// A connection of this entry has ended.
    pub(super) fn release(&mut self, slot: PeerSlot) {
        let slot = slot.get() as usize - 1;
        self.peers[slot].connections -= 1;
        if self.peers[slot].connections == 0 {
            self.retire(slot);
        }
    }

    fn entry(&mut self, address: IpAddr, now: Time) -> usize {
        let (is_v6, network) = match address {
            IpAddr::V4(v4) => (false, u64::from(v4.to_bits())),
            IpAddr::V6(v6) => (true, (v6.to_bits() >> 64) as u64),
        };
        if let Some(&slot) = self.index.get(&(is_v6, network)) {
            return slot;
        }
        let tokens_milli = u64::from(self.accept_rate) * 1_000;
        let peer =
            Peer { network, is_v6, connections: 0, tokens_milli, refilled: now, listed: false };
        let slot = self.peers.insert(peer);
        self.index.insert((is_v6, network), slot);
        self.retire(slot);
        slot
    }

    /// Remembers an entry without connections for a while, and forgets the oldest such.
    fn retire(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.peers[slot].listed, true) {
            self.gone.push_back(slot);
        }
        while self.gone.len() > GONE_MAX {
            let Some(oldest) = self.gone.pop_front() else { break };
            self.peers[oldest].listed = false;
            if self.peers[oldest].connections == 0 {
                let peer = self.peers.remove(oldest);
                self.index.remove(&(peer.is_v6, peer.network));
            }
        }
    }
}

#[cfg(test)]
mod tests;
