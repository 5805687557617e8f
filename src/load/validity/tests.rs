use crate::load::report::{Paced, latencies};
use crate::load::{Connections, Messages, Report};
use std::collections::BTreeMap;
use std::time::Duration;

/// A run without a blemish: 10,000 answers in 1 ms each.
fn report() -> Report {
    let mut latency = latencies();
    latency.saturating_record_n(1_000_000, 10_000);
    let mut paced = Paced::new(10_000);
    paced.service.saturating_record_n(1_000_000, 10_000);
    paced.lateness.saturating_record_n(20_000, 10_000);
    Report {
        command: String::new(),
        url: "tcp://127.0.0.1:7000/".into(),
        method: None,
        size_bytes: 64,
        depth: 1,
        hold: false,
        measured_from_unix_ms: 0,
        rows: Vec::new(),
        settle: Duration::ZERO,
        measured: Duration::from_secs(1),
        common: None,
        measured_answers: 10_000,
        connections: Connections::default(),
        messages: Messages::default(),
        statuses: BTreeMap::new(),
        deflate_agreed: None,
        bytes_sent: 0,
        bytes_received: 0,
        cpu: Duration::ZERO,
        cpu_share: 0.54,
        cpu_wait_share: 0.4,
        latency,
        paced: Some(paced),
        shape: None,
        sizes: Vec::new(),
    }
}

/// What `spoil` makes doubtful: exactly one thing, and JSON says so too.
fn doubt(spoil: impl FnOnce(&mut Report)) -> String {
    let mut spoilt = report();
    spoil(&mut spoilt);
    let doubts = spoilt.doubts();
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    assert!(doubts[0].len() <= 76, "fits a terminal: {}", doubts[0]);
    let json = serde_json::to_value(&spoilt).expect("serialises");
    assert_eq!((&json["valid"], &json["reasons"][0]), (&false.into(), &doubts[0][..].into()));
    doubts[0].clone()
}

#[test]
fn without_a_doubt_it_is_valid() {
    assert_eq!(report().doubts(), [""; 0]);
    let json = serde_json::to_value(report()).expect("serialises");
    assert_eq!((&json["valid"], json["reasons"].as_array().map(Vec::len)), (&true.into(), Some(0)));
}

#[test]
fn each_doubt_is_told() {
    let late = |report: &mut Report| {
        let paced = report.paced.as_mut().expect("paced");
        paced.lateness.saturating_record_n(5_000_000, 200);
    };
    assert!(doubt(late).contains("5.0 ms late"));
    assert!(doubt(|report| report.cpu_share = 0.951).contains("used 95 % of a CPU"));
    assert!(doubt(|report| report.cpu_wait_share = 0.43).contains("waited for one 43 %"));
    for (reason, word) in [("EADDRNOTAVAIL (x)", "ports"), ("EMFILE (x)", "descriptors")] {
        let short = |report: &mut Report| {
            report.connections.reasons.insert(reason.into(), 7);
        };
        let doubt = doubt(short);
        assert!(doubt.starts_with("7 ") && doubt.contains(word), "{doubt}");
    }
    let unsent = |report: &mut Report| report.paced.as_mut().expect("paced").unsent = 3;
    assert!(doubt(unsent).starts_with("3 messages"));
    let few = |report: &mut Report| {
        report.latency.reset();
        report.latency.saturating_record_n(1_000, 999);
    };
    assert!(doubt(few).starts_with("999 answers"));
    let apart = |report: &mut Report| report.common = Some(Duration::from_millis(890));
    assert_eq!(doubt(apart), "the generators had 0.9 of 1.0 s in common: start them together");
    let nobody = |report: &mut Report| {
        report.measured = Duration::ZERO;
        report.latency.reset();
    };
    assert_eq!(doubt(nobody), "nothing was measured: no connection was served");
    let opening = |report: &mut Report| {
        nobody(report);
        report.connections.connected = 3;
    };
    assert!(doubt(opening).starts_with("nothing was measured: it ended while"));
}

#[test]
fn what_is_no_fault_is_no_doubt() {
    let together = Report { common: Some(Duration::from_millis(910)), ..report() };
    assert_eq!(together.doubts(), [""; 0]);
    // All connections ended at once: what it used in that moment is no share of anything.
    let brief = Duration::from_millis(1);
    assert_eq!(Report { cpu_share: 1.2, measured: brief, ..report() }.doubts(), [""; 0]);
}

#[test]
fn holding_measures_nothing_and_needs_no_answers() {
    let mut held = Report { measured: Duration::ZERO, latency: latencies(), ..report() };
    (held.hold, held.connections.connected) = (true, 1);
    assert_eq!(held.doubts(), [""; 0]);
    held.connections.connected = 0;
    assert_eq!(held.doubts(), ["nothing was measured: no connection was served"]);
}

#[test]
fn a_percentile_takes_ten_answers_beyond() {
    for (answers, quantile, is_told) in [
        (19, 0.5, false),
        (20, 0.5, true),
        (999, 0.99, false),
        (1_000, 0.99, true),
        (9_999, 0.999, false),
        (10_000, 0.999, true),
    ] {
        let mut report = report();
        report.latency.reset();
        report.latency.saturating_record_n(1_000, answers);
        assert_eq!(report.percentile_us(quantile).is_some(), is_told, "{answers} at {quantile}");
    }
}

#[test]
fn merging_keeps_every_doubt() {
    let mut merged = report();
    let mut other = Report { cpu_share: 0.99, ..report() };
    other.paced.as_mut().expect("paced").unsent = 2;
    merged.merge(&other);
    assert_eq!(merged.doubts().len(), 2);
    let paced = merged.paced.expect("paced");
    assert_eq!((paced.rate_per_s, paced.service.len()), (20_000, 20_000));
}

#[test]
fn one_late_generator_does_not_hide_among_others() {
    let mut late = report();
    let paced = late.paced.as_mut().expect("paced");
    paced.lateness.reset();
    paced.lateness.saturating_record_n(5_000_000, 1_000);
    let mut merged = report();
    for _ in 0..100 {
        merged.merge(&report());
    }
    merged.merge(&late);
    merged.merge(&report());
    let told = merged.paced.as_ref().expect("paced").lateness.value_at_quantile(0.99);
    assert!(told < 1_000_000, "{told}: of all messages together it is no hundredth");
    assert_eq!(merged.doubts(), ["the generator sent 1 of 100 messages 5.0 ms late, or more"]);
    let json = serde_json::to_value(&merged).expect("serialises");
    assert!(json["latest_p99_us"].as_f64().is_some_and(|us| us > 4_990.0), "and it is kept");
}

#[test]
fn the_cpu_of_two_generators_is_not_mixed() {
    let mut busy = Report { cpu_share: 0.9, cpu_wait_share: 0.0, ..report() };
    busy.merge(&Report { cpu_share: 0.1, cpu_wait_share: 0.5, ..report() });
    assert_eq!((busy.cpu_share, busy.cpu_wait_share), (0.9, 0.0));
}
