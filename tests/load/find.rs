//! `oneloop load --find`, against servers whose knee is known.

use crate::results::{Place, oneloop};
use crate::servers;
use oneloop::net::Address;
use serde_json::Value;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn url(address: &Address) -> String {
    match address {
        Address::Tcp(address) => format!("tcp://{address}"),
        other => panic!("not needed here: {other:?}"),
    }
}

/// An echo server that takes `each` for a message, one after the other: it can answer no more than
/// 1 / `each` a second, whoever asks.
fn slow_server(each: Duration) -> String {
    let counter = Arc::new(Mutex::new(()));
    url(&servers::tcp(move |_, stream| {
        servers::echo_changed(stream, |_, _| {
            let held = counter.lock().expect("nobody panics");
            servers::dawdle(each);
            drop(held);
        });
    }))
}

/// Searches, and what was found; on a busy machine that may be the generator's limit.
fn find(arguments: &[&str]) -> (Value, String) {
    let place = Place::new();
    let file = place.at("f.json");
    let out = oneloop(&[&["load"], arguments, &["--json", &file]].concat());
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    let json = fs::read(&file).unwrap_or_else(|_| panic!("{text}{errors}"));
    let json: Value = serde_json::from_slice(&json).expect("JSON");
    let (status, words) = match json["outcome"].as_str() {
        Some("found") => (0, "is the highest rate at which"),
        Some("generator") => (3, "THE GENERATOR IS THE LIMIT"),
        Some("never") => (1, "NO RATE: "),
        other => panic!("{other:?}: {text}{errors}"),
    };
    assert!(out.status.code() == Some(status) && text.contains(words), "{text}{errors}");
    assert!(errors.contains("run 1: "), "it tells how it goes: {errors}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    (json, text)
}

#[test]
fn what_is_found_is_what_the_server_can_do_and_is_confirmed_three_times() {
    // At most 500 a second, whoever asks.
    let url = slow_server(Duration::from_millis(2));
    let arguments = [&url, "-c", "20", "--procs", "2", "--find", "p50<100ms", "--rate", "100"];
    let (json, text) = find(&[&arguments[..], &["-d", "300ms"]].concat());
    assert_eq!(json["format"], "oneloop-find-1");
    assert_eq!(json["objective"]["below_us"], 100_000.0);
    let probes = json["probes"].as_array().expect("probes");
    let rate = |probe: &Value| probe["rate_asked_per_s"].as_u64().expect("a rate");
    let mut kept = probes.iter().filter(|probe| probe["verdict"] == "kept");
    assert!(kept.all(|probe| rate(probe) < 1_000), "{text}");
    if json["outcome"] == "found" {
        let found = &json["rate_per_s"];
        let again = probes.iter().filter(|it| it["confirms"] == true && it["verdict"] == "kept");
        assert_eq!(again.filter(|it| it["rate_asked_per_s"] == *found).count(), 3, "{text}");
        assert_eq!(json["runs"].as_array().map(Vec::len), Some(3));
        assert_eq!(json["runs"][0]["format"], "oneloop-load-1");
        let spread = json["confirmed_us"].as_array().expect("three figures");
        assert!(spread.iter().all(|us| us.as_f64().is_some_and(|us| us < 100_000.0)), "{text}");
        assert!(json["missed_from_per_s"].as_u64() > found.as_u64(), "{text}");
    }
}

#[test]
fn what_no_server_can_do_is_kept_at_no_rate() {
    let url = url(&servers::tcp(|_, stream| servers::echo(stream)));
    let arguments = [&url, "-c", "2", "--find", "service p50<1us", "--rate", "200", "-d", "200ms"];
    let (json, text) = find(&arguments);
    let probes = json["probes"].as_array().expect("probes");
    assert!(probes.iter().all(|probe| probe["verdict"] != "kept"), "{text}");
    assert!(json["rate_per_s"].is_null() && json["kept_up_to_per_s"].is_null(), "{json}");
}

#[test]
fn where_nobody_serves_the_search_ends_at_once_and_says_so() {
    let url = format!("tcp://{}", servers::nobody());
    let out = oneloop(&["load", &url, "-c", "2", "--find", "p99<1ms", "-d", "1s"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(1), "{text}");
    assert!(text.contains("NOT FOUND: nobody was served: 2 refused."), "{text}");
}

/// What a search wrote, whatever it found.
fn searched(url: &str, file: &str, page: &str) {
    let arguments = ["load", url, "-c", "9", "--find", "p50<90ms", "--rate", "300", "-d", "150ms"];
    let out = oneloop(&[&arguments[..], &["-q", "--json", file, "--report", page]].concat());
    assert!(out.status.code().is_some_and(|status| status != 2), "{out:?}");
}

#[test]
fn searches_are_compared_and_drawn_and_not_added_up() {
    let url = slow_server(Duration::from_millis(2));
    let place = Place::new();
    let [a, b, run, half, page] =
        ["a.json", "b.json", "run.json", "half.json", "p.html"].map(|name| place.at(name));
    searched(&url, &a, &page);
    let drawn = fs::read_to_string(&page).expect("a page");
    assert!(drawn.contains("<h2>Latency by rate</h2>"), "{drawn}");
    searched(&url, &b, &page);
    let _ = oneloop(&["load", &url, "-c", "1", "-d", "100ms", "-q", "--json", &run]);
    let text = fs::read_to_string(&a).expect("a file");
    fs::write(&half, &text[..text.len() / 2]).expect("a writable place");

    let pages = [place.at("c.html"), place.at("d.html")];
    let out = oneloop(&["compare", &a, &b, "-o", &pages[0]]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let (found, lacks) = (text.contains("b against a: "), text.contains(" has no knee: "));
    assert!(text.contains("P50 THERE") && (found || lacks), "{text}");
    assert_eq!(oneloop(&["report", &a, "-o", &pages[1]]).status.code(), Some(0));
    for (page, title) in pages.iter().zip(["<h1>2 searches compared", "<h2>The runs of the search"])
    {
        assert!(fs::read_to_string(page).expect("a page").contains(title), "{title}");
    }
    let refusals: [(&[&str], &str); 4] = [
        (&["merge", &a, &b], "a.json: is a search (--find), and searches do not add up"),
        (&["compare", &a, &run], "run.json is a run: compare searches with searches"),
        (&["compare", &a, &half], "half.json: is cut off: "),
        (&["compare", &a, &a], "compare: needs two labels or more"),
    ];
    for (arguments, reason) in refusals {
        let out = oneloop(arguments);
        let error = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!((out.status.code(), error.lines().count()), (Some(2), 1), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn what_cannot_be_searched_is_a_usage_error() {
    let cases: [(&[&str], &str); 4] = [
        (&["--find", "p98<5ms"], "did you mean `p90`"),
        (&["--find", "p99"], "write a limit"),
        (&["--find", "p99<5ms", "--steps", "1k,2k"], "cannot be used with"),
        (&["--find", "p99<5ms", "--hold"], "cannot be used with"),
    ];
    for (arguments, word) in cases {
        let out = oneloop(&[&["load", "tcp://127.0.0.1:9"], arguments].concat());
        let error = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(word), "{error}");
    }
}
