use super::*;
use crate::net::{Address, Target};
use std::collections::BTreeSet;

fn scenario(connections: u32) -> Scenario {
    let to: Address = Target::parse("tcp://127.0.0.1:7000").expect("a URL").address;
    Scenario { connections, ..Scenario::new(to) }
}

#[test]
fn nothing_is_lost_in_cutting() {
    for procs in [1, 2, 3, 6, 7] {
        let whole = Scenario {
            rate_per_s: Some(10_001),
            connect_rate_per_s: Some(500),
            ..scenario(100_000)
        };
        let shares = whole.shares(procs).expect("enough for all");
        assert_eq!(shares.len(), procs as usize);
        let sum = |of: fn(&Share) -> u64| shares.iter().map(of).sum::<u64>();
        assert_eq!(sum(|it| it.connections.into()), 100_000);
        assert_eq!(sum(|it| it.rate_per_s.expect("paced")), 10_001);
        assert_eq!(sum(|it| it.connect_rate_per_s.expect("paced")), 500);
        let counts: BTreeSet<u32> = shares.iter().map(|it| it.connections).collect();
        assert!(counts.last().expect("some") - counts.first().expect("some") <= 1, "{counts:?}");
        // Together they are the schedule of one: a message each 100 us.
        assert!(shares.iter().zip(0..).all(|(it, n)| it.first_due_ns / 99_000 == n), "{shares:?}");
    }
}

#[test]
fn each_process_stays_below_the_port_cliff_on_addresses_of_its_own() {
    let shares = scenario(100_000).shares(6).expect("enough for all");
    let mut seen = BTreeSet::new();
    for share in &shares {
        let room = share.sources.len() * 12_000;
        assert!(room >= share.connections as usize, "{share:?}");
        assert!(
            share.sources.iter().all(|source| seen.insert(*source)),
            "{source:?}",
            source = share
        );
    }
    let few = scenario(12_000).shares(6).expect("enough for all");
    assert!(few.iter().all(|share| share.sources.is_empty()), "the system chooses: {few:?}");
}

#[test]
fn given_sources_are_dealt_out_and_shared_where_they_are_few() {
    let given: Vec<IpAddr> =
        ["127.0.0.9", "127.0.0.8", "127.0.0.7"].map(|it| it.parse().expect("an address")).into();
    let whole = Scenario { sources: given.clone(), ..scenario(100) };
    let dealt = |procs| {
        let shares = whole.shares(procs).expect("enough for all");
        shares.into_iter().map(|it| it.sources).collect::<Vec<_>>()
    };
    assert_eq!(dealt(2), [vec![given[0], given[2]], vec![given[1]]]);
    assert!(dealt(4).iter().all(|sources| sources.len() == 3), "all have all");
}

#[test]
fn more_processes_than_there_is_to_do_are_refused() {
    let error = |scenario: Scenario| scenario.shares(6).expect_err("too many").to_string();
    assert!(error(scenario(5)).starts_with("procs 6: connections is 5"));
    let slow = Scenario { rate_per_s: Some(3), ..scenario(6) };
    assert!(error(slow).contains("rate is 3, and each process needs at least 1"));
}

#[test]
fn a_share_survives_the_pipe_and_becomes_a_scenario() {
    let whole = Scenario { rate_per_s: Some(1_000), size_bytes: 7, ..scenario(50_000) };
    let share = whole.shares(3).expect("enough for all").remove(2);
    let text = serde_json::to_string(&share).expect("JSON");
    let back: Share = serde_json::from_str(&text).expect("our own");
    assert_eq!(back, share);
    let part = back.of(&whole);
    assert_eq!((part.connections, part.size_bytes, part.rate_per_s), (16_666, 7, Some(333)));
    assert!(part.begin_on_stdin && part.stop_on_stdin_end);
}
