//! The load generator against servers that misbehave in known ways: its figures must match what was
//! injected, exactly.
#![cfg(feature = "cli")]

#[cfg(feature = "tls")]
#[path = "../server/certs.rs"]
#[expect(dead_code, reason = "it has clients too, and here the load is one")]
mod certs;
mod datagrams;
#[cfg(feature = "deflate")]
mod deflate;
mod fates;
mod find;
mod http;
mod messages;
mod paced;
mod procs;
mod results;
mod servers;
mod shapes;
#[cfg(feature = "tls")]
mod tls;
mod tool;
mod unix;
mod ws;

use oneloop::load::{self, Observer, Report, Scenario};
use oneloop::net::{Address, Endpoint};

/// A short run with long patience, so that a slow machine decides nothing. Who must hang says so.
pub(crate) fn scenario(address: Address, connections: u32) -> Scenario {
    Scenario {
        connections,
        duration_ms: 200,
        connect_timeout_ms: 20_000,
        answer_timeout_ms: 20_000,
        ..Scenario::new(address)
    }
}

/// Runs a scenario and checks what holds for every run.
pub(crate) fn run(scenario: &Scenario) -> Report {
    run_watched(scenario, &mut ())
}

pub(crate) fn run_watched(scenario: &Scenario, observer: &mut dyn Observer) -> Report {
    let report = load::run(scenario, observer).expect("the run takes place");
    let messages = report.messages;
    assert_eq!(
        messages.sent,
        messages.received + messages.wrong + messages.refused + messages.lost,
        "the messages balance: {messages:?}"
    );
    let fates: u64 = report.connections.by_fate().iter().map(|(_, count)| count).sum();
    assert_eq!(fates, report.connections.attempted, "{:?}", report.connections);
    assert_eq!(fates, u64::from(scenario.connections), "{:?}", report.connections);
    report
}

pub(crate) fn address(url: &str) -> Address {
    Endpoint::parse(url).expect("a URL").address
}
