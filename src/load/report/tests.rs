use super::*;

fn report(latencies_us: &[u64], measured_s: u64) -> Report {
    let mut latency = latencies();
    latencies_us.iter().for_each(|us| latency.saturating_record(us * 1_000));
    Report {
        command: "oneloop load tcp://127.0.0.1:7000".into(),
        url: "tcp://127.0.0.1:7000/".into(),
        method: None,
        size_bytes: 64,
        depth: 1,
        hold: false,
        measured_from_unix_ms: 1_700_000_000_500,
        settle: Duration::from_millis(5),
        measured: Duration::from_secs(measured_s),
        common: None,
        measured_answers: latencies_us.len() as u64,
        connections: Connections::default(),
        messages: Messages {
            sent: 12,
            received: 8,
            wrong: 1,
            refused: 1,
            lost: 2,
            ..Messages::default()
        },
        statuses: BTreeMap::from([(200, 8), (404, 1)]),
        deflate_agreed: None,
        bytes_sent: 1,
        bytes_received: 1,
        cpu: Duration::from_secs(1),
        cpu_share: 0.5,
        cpu_wait_share: 0.0,
        latency,
        rows: Vec::new(),
        paced: None,
        shape: None,
        sizes: Vec::new(),
    }
}

fn near(found: Option<f64>, expected: f64) {
    let found = found.expect("there are answers");
    assert!((found - expected).abs() <= expected / 1_000.0, "{found} is not {expected}");
}

#[test]
fn merging_keeps_histograms_and_averages_no_percentiles() {
    let mut fast = report(&[10; 99], 1);
    let slow = report(&[1_000; 1], 2);
    fast.merge(&slow);
    near(fast.latency_us(0.5), 10.0);
    near(fast.latency_us(0.99), 10.0);
    near(fast.latency_us(0.999), 1_000.0);
    near(fast.latency_max_us(), 1_000.0);
    assert_eq!((fast.messages.sent, fast.messages.in_flight()), (24, 0));
    assert_eq!(fast.statuses, BTreeMap::from([(200, 16), (404, 2)]));
    assert_eq!(fast.measured, Duration::from_secs(2), "they ran at the same time");
    assert_eq!(fast.rate_per_s(), 50.0);
}

#[test]
fn no_answers_are_null_and_not_zero() {
    let json = serde_json::to_value(report(&[], 0)).expect("serialises");
    assert!(json["latency_us"]["p50"].is_null() && json["latency_us"]["max"].is_null());
    assert_eq!(json["rate_per_s"], 0.0);
}

#[test]
fn a_day_is_an_hour_and_breaks_nothing() {
    near(report(&[86_400_000_000], 1).latency_max_us(), 3_600_000_000.0);
}
