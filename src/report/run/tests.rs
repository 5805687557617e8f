use super::*;
use serde_json::json;

/// A file as `oneloop load` writes it, with latencies of `us` microseconds, a second of each.
pub(in crate::report) fn file(from_unix_s: f64, rates: &[u64], us: u64) -> Value {
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
    let mut latency = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 3).expect("bounds");
    let answers: u64 = rates.iter().sum();
    latency.record_n(us * 1_000, answers).expect("within the bounds");
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&latency, &mut bytes).expect("memory");
    let histogram = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
    let row = |(at, answers): (usize, &u64)| {
        json!({
            "at_s": at as f64, "length_s": 1.0, "answers": answers, "p50_us": us, "p99_us": us,
            "max_us": us, "cpu_s": 0.5, "server_cpu_s": 0.4,
        })
    };
    let rows: Vec<Value> = rates.iter().enumerate().map(row).collect();
    let seconds = rates.len() as f64;
    json!({
        "format": FORMAT, "command": "oneloop load tcp://127.0.0.1:7000 -c 2",
        "url": "tcp://127.0.0.1:7000", "size_bytes": 64, "depth": 1, "hold": false,
        "measured_from_unix_s": from_unix_s, "measured_answers": answers, "settle_s": 0.1,
        "duration_s": seconds,
        "connections": {
            "attempted": 3, "connected": 2, "told_why": 1, "refused": 0, "reset": 0, "closed": 0,
            "timed_out": 0, "hung": 0, "failed": 0, "reopened": 0, "reasons": {"full": 1},
            "phases": {"connect": 0, "handshake": 0, "send": 0, "receive": 1, "close": 0},
        },
        "messages": {
            "sent": answers + 3, "received": answers + 2, "wrong": 0, "refused": 0, "lost": 1,
            "late": 0, "duplicate": 0,
        },
        "bytes_sent": 64, "bytes_received": 64, "cpu_s": 1.5,
        "cpu_share": 0.5, "cpu_wait_share": 0.1, "latency_ns_histogram": histogram,
        "generators": [{
            "command": "oneloop load tcp://127.0.0.1:7000 -c 2",
            "measured_from_unix_s": from_unix_s, "measured_s": seconds,
            "environment": {"oneloop": "0.1.0 release", "kernel": "6.1", "cores": 2},
            "rows": rows,
        }],
    })
}

/// The same, read.
pub(in crate::report) fn run(from_unix_s: f64, rates: &[u64], us: u64) -> Run {
    Run::parse(&file(from_unix_s, rates, us).to_string()).expect("our own")
}

#[test]
fn what_is_written_comes_back() {
    let first = run(1e9, &[100, 200], 250);
    let text = first.to_json().expect("JSON");
    let second = Run::parse(&text).expect("our own");
    assert_eq!(second.to_json().expect("JSON"), text);
    assert_eq!((second.report.rate_per_s(), second.report.latency_ns().len()), (150.0, 300));
    assert_eq!(second.generators, first.generators);
    assert!(text.contains("\"latency_ns_histogram\": \"HISTFAAA"), "as other tools know it");
}

#[test]
fn a_file_that_is_no_good_names_its_field_and_the_reason() {
    let good = file(1e9, &[100], 250);
    let with = |pointer: &str, value: Value| {
        let mut json = good.clone();
        *json.pointer_mut(pointer).expect("there") = value;
        json.to_string()
    };
    let without = |name: &str| {
        let mut json = good.clone();
        json.as_object_mut().expect("an object").remove(name);
        json.to_string()
    };
    let whole = good.to_string();
    let cases = [
        (String::new(), "is empty"),
        (whole[..whole.len() / 2].to_owned(), "is cut off: EOF"),
        ("hello".to_owned(), "is no JSON"),
        ("[]".to_owned(), "field `format`: missing"),
        (without("format"), "field `format`: missing"),
        (with("/format", "oneloop-load-2".into()), "`format`: \"oneloop-load-2\", where we know"),
        (without("depth"), "field `depth`: missing"),
        (with("/depth", "deep".into()), "field `depth`: invalid type: string \"deep\""),
        (with("/connections/hung", 7.into()), "field `connections`: the fates do not add up"),
        (with("/messages/sent", u64::MAX.into()), "field `messages`: received"),
        (with("/messages/received", u64::MAX.into()), "field `messages`: received"),
        (with("/measured_answers", 101.into()), "field `latency_ns_histogram`: has 100 answers"),
        (with("/latency_ns_histogram", "HIST".into()), "field `latency_ns_histogram`: no HdrHi"),
        (with("/latency_ns_histogram", "?".into()), "field `latency_ns_histogram`: base64"),
        (with("/duration_s", (-1).into()), "field `duration_s`: "),
        (with("/cpu_s", 1e18.into()), "field `cpu_s`: longer than anything"),
        (with("/bytes_sent", u64::MAX.into()), "a count is above 9007199254740992"),
        (with("/connections/reasons/full", (1_u64 << 60).into()), "a count is above"),
        (with("/generators", json!([])), "field `generators`: empty"),
        (with("/generators/0/measured_s", 1e300.into()), "field `generators`: the times"),
        (with("/generators/0/rows", 1.into()), "field `generators`: invalid type"),
    ];
    for (text, reason) in cases {
        let error = Run::parse(&text).expect_err(reason);
        assert!(error.contains(reason), "{error}, not {reason}");
        assert!(!error.contains('\n'), "{error}");
    }
}

/// A histogram's plain encoding, changed by hand, as text: compressed, and as it is.
fn forged(change: impl Fn(&mut Vec<u8>)) -> [String; 2] {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Serializer, V2Serializer};
    let mut latency = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 3).expect("bounds");
    latency.record_n(250_000, 100).expect("within the bounds");
    let mut plain = Vec::new();
    V2Serializer::new().serialize(&latency, &mut plain).expect("memory");
    change(&mut plain);
    let body = miniz_oxide::deflate::compress_to_vec_zlib(&plain, 6);
    let head = [0x1c84_9314_u32.to_be_bytes(), (body.len() as u32).to_be_bytes()].concat();
    [[head, body].concat(), plain].map(|bytes| BASE64_STANDARD.encode(bytes))
}

#[test]
fn a_histogram_that_lies_is_refused_before_anything_is_allocated_for_it() {
    let read = |text: &String| {
        let mut json = file(1e9, &[100], 250);
        json["latency_ns_histogram"] = text.clone().into();
        Run::parse(&json.to_string())
    };
    for text in forged(|_| {}) {
        assert!(read(&text).is_ok(), "{text}");
    }
    let word = |bytes: &mut Vec<u8>, at: usize, word: u32| {
        bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
    };
    let refused = |reason: &str, change: &dyn Fn(&mut Vec<u8>)| {
        for text in forged(change) {
            let error = read(&text).expect_err(reason);
            assert!(error.starts_with("field `latency_ns_histogram`: "), "{error}");
            assert!(error.contains(reason), "{error}, not {reason}");
        }
    };
    // 4 GiB of counts.
    refused("its counts are not as long as it says", &|it| word(it, 4, u32::MAX));
    refused("its counts are not as long as it says", &|it| word(it, 4, 0));
    refused("its counts are not as long as it says", &|it| it.truncate(42));
    refused("cut off", &|it| it.truncate(30));
    refused("longer than all counts together can be", &|it| it.resize(1 << 20, 0));
    refused("not of 1 to", &|it| word(it, 12, 5));
    refused("not of 1 to", &|it| word(it, 24, u32::MAX));
    refused("it does not begin as one", &|it| word(it, 0, 0x1c84_9312));
    refused("a gap of 2^63", &|it| {
        it.truncate(40);
        it.extend([0xff; 9]);
        word(it, 4, 9);
    });
    // A bomb: 100 MB of zeros in 100 KB.
    let [bomb, _] = forged(|it| it.resize(100 << 20, 0));
    assert!(read(&bomb).is_err_and(|error| error.contains("longer than all counts")));
}
