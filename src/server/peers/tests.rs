use super::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn v4(bits: u32) -> IpAddr {
    Ipv4Addr::from_bits(bits).into()
}

#[test]
fn the_cap_of_an_address_is_exact_and_freed_by_a_close() {
    let mut peers = Peers::new(2, 0);
    let first = peers.admit(v4(1), Time::ZERO).expect("the first");
    peers.admit(v4(1), Time::ZERO).expect("the second");
    assert_eq!(peers.admit(v4(1), Time::ZERO), Err(RefuseReason::PerIp));
    peers.admit(v4(2), Time::ZERO).expect("another address");
    peers.release(first);
    peers.admit(v4(1), Time::ZERO).expect("room again");
    assert_eq!(peers.admit(v4(1), Time::ZERO), Err(RefuseReason::PerIp));
}

#[test]
fn an_ipv6_network_counts_as_one() {
    let mut peers = Peers::new(1, 0);
    let host =
        |network: u16, n: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, n));
    peers.admit(host(1, 1), Time::ZERO).expect("the first of the network");
    assert_eq!(peers.admit(host(1, 2), Time::ZERO), Err(RefuseReason::PerIp));
    peers.admit(host(2, 1), Time::ZERO).expect("another network");
}

#[test]
fn the_rate_allows_a_second_s_worth_and_refills() {
    let mut peers = Peers::new(0, 10);
    let mut admitted = |ms: u64, tries: usize| {
        (0..tries).filter(|_| peers.admit(v4(1), Time::from_ms(ms)).is_ok()).count()
    };
    assert_eq!(admitted(0, 100), 10);
    assert_eq!(admitted(99, 100), 0, "a tenth of a second earns one, 99 ms do not");
    assert_eq!(admitted(100, 100), 1);
    assert_eq!(admitted(60_000, 100), 10, "no more than a second's worth is saved");
}

#[test]
fn the_table_stays_bounded_and_keeps_those_who_are_connected() {
    let mut peers = Peers::new(1, 0);
    let held = peers.admit(v4(1), Time::ZERO).expect("the one that stays");
    for address in 2..20_000 {
        let slot = peers.admit(v4(address), Time::ZERO).expect("a fresh address");
        peers.release(slot);
    }
    assert!(peers.peers.len() <= GONE_MAX + 1, "{} entries", peers.peers.len());
    assert_eq!(peers.index.len(), peers.peers.len());
    assert_eq!(peers.admit(v4(1), Time::ZERO), Err(RefuseReason::PerIp));
    peers.release(held);
    peers.admit(v4(1), Time::ZERO).expect("room again");
}
