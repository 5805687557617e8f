use super::*;
use std::collections::BTreeMap;

fn tcp(address: &str) -> Address {
    Address::Tcp(address.parse().expect("an address"))
}

fn target(address: &str) -> Target {
    Target::from(tcp(address))
}

fn plan(address: &str, connections: u32, given: &[&str]) -> Result<Sources, LoadError> {
    let given: Vec<IpAddr> = given.iter().map(|ip| ip.parse().expect("an address")).collect();
    Sources::plan(&tcp(address), connections, &given, false)
}

#[test]
fn below_the_cliff_the_system_chooses() {
    for address in ["127.0.0.1:1", "[::1]:1", "192.0.2.1:1"] {
        assert_eq!(plan(address, 12_000, &[]).expect("plans").of(0), None, "{address}");
    }
}

#[test]
fn beyond_it_loopback_rotates_and_no_source_has_too_many() {
    for connections in [12_001, 24_000, 100_000] {
        let sources = plan("127.0.0.1:1", connections, &[]).expect("plans");
        let mut by_source: BTreeMap<IpAddr, u32> = BTreeMap::new();
        for index in 0..connections {
            *by_source.entry(sources.of(index).expect("a source")).or_default() += 1;
        }
        assert!(by_source.values().all(|&n| n <= 12_000), "{by_source:?}");
        assert!(by_source.keys().all(|ip| ip.is_loopback()), "{by_source:?}");
    }
}

#[test]
fn given_sources_are_taken_in_turn_and_must_fit() {
    let sources = plan("127.0.0.1:1", 50_000, &["127.9.9.9", "127.8.8.8"]).expect("plans");
    let first: Vec<String> =
        (0..3).map(|index| sources.of(index).expect("a source").to_string()).collect();
    assert_eq!(first, ["127.9.9.9", "127.8.8.8", "127.9.9.9"]);
    assert!(matches!(plan("[::1]:1", 1, &["127.0.0.1"]), Err(LoadError::Usage(_))));
    let unix = Address::Unix("/x".into());
    assert!(Sources::plan(&unix, 1, &["127.0.0.1".parse().expect("ip")], false).is_err());
}

#[test]
fn advice_is_given_where_rotation_cannot_help() {
    let given: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().expect("ip"));
    assert_eq!(advice(&target("127.0.0.1:1"), 100_000, &[], false), None);
    assert_eq!(advice(&target("192.0.2.9:1"), 12_000, &[], false), None);
    assert_eq!(advice(&target("192.0.2.9:1"), 24_000, &given, false), None);
    let text = advice(&target("192.0.2.9:1"), 24_001, &given, false).expect("advice");
    assert!(text.contains("--source 3 times"), "{text}");
}

#[test]
fn who_comes_and_goes_comes_from_many_addresses() {
    let to = tcp("127.0.0.1:1");
    let sources = Sources::plan(&to, 1, &[], true).expect("plans");
    let mut addresses: Vec<IpAddr> = (0..1_000).filter_map(|turn| sources.of(turn)).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 250);
    assert!(addresses.iter().all(IpAddr::is_loopback));
    assert_eq!(advice(&target("127.0.0.1:1"), 1, &[], true), None);
    let text = advice(&target("192.0.2.9:1"), 1, &[], true).expect("advice");
    assert!(text.contains("TIME_WAIT") && text.contains("give --source"), "{text}");
}
