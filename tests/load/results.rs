//! What becomes of the files that loads write: from the load to the sum.

use crate::servers;
use oneloop::net::Address;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// A directory that goes away.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Place {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("results-{}-{number}", std::process::id());
        let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&place).expect("a writable target directory");
        Place(place)
    }

    /// A file in it, as an argument.
    pub(crate) fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn oneloop(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oneloop"));
    command.args(arguments).stdin(Stdio::null()).output().expect("the tool runs")
}

/// Standard output of a run that went well.
fn stdout(arguments: &[&str]) -> String {
    let out = oneloop(arguments);
    let stderr = String::from_utf8_lossy(&out.stderr);
    // 3: too few answers for a p99. So short are they on purpose.
    let is_good = matches!(out.status.code(), Some(0 | 3));
    assert!(is_good, "{arguments:?}: {stderr}");
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// The line of a run that was refused.
fn refusal(arguments: &[&str]) -> String {
    let out = oneloop(arguments);
    let stderr = String::from_utf8(out.stderr).expect("UTF-8");
    assert_eq!(out.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{stderr}");
    assert!(out.stdout.is_empty(), "{arguments:?}");
    stderr
}

/// An echo server that takes `delay` for an answer to every second connection and no time for the
/// others, as a URL: the first of two loads of one connection is quick, the second slow.
fn uneven_server(delay: Duration) -> String {
    let address = servers::tcp(move |n, stream| {
        let (_silent, nothing) = mpsc::channel::<()>();
        servers::echo_changed(stream, |_, _| {
            if n % 2 == 1 {
                // The delay is what is measured, and no waiting for something.
                let _ = nothing.recv_timeout(delay);
            }
        });
    });
    match address {
        Address::Tcp(address) => format!("tcp://{address}"),
        other => panic!("not TCP: {other:?}"),
    }
}

fn json(path: &str) -> Value {
    serde_json::from_slice(&fs::read(path).expect("written")).expect("JSON")
}

#[test]
fn two_loads_are_merged() {
    let url = uneven_server(Duration::from_millis(20));
    let place = Place::new();
    let files = [place.at("a.json"), place.at("b.json")];
    for file in &files {
        stdout(&["load", &url, "-c", "1", "-d", "600ms", "-q", "--json", file]);
    }
    let [a, b] = &files;
    let sum: Value = serde_json::from_str(&stdout(&["merge", a, b, "--json", "-"])).expect("JSON");
    let parts = [json(a), json(b)];
    for pointer in ["/messages/sent", "/messages/received", "/connections/attempted", "/bytes_sent"]
    {
        let [a, b] = parts.each_ref().map(|part| part.pointer(pointer).and_then(Value::as_u64));
        let sum = sum.pointer(pointer).and_then(Value::as_u64);
        assert_eq!(sum, a.zip(b).map(|(a, b)| a + b), "{pointer}");
        assert!(sum > Some(0), "{pointer}");
    }
    let of = |json: &Value, name: &str| json["latency_us"][name].as_f64().expect("a time");
    let [quick, slow] = &parts;
    assert!(of(slow, "p50") >= 20_000.0, "the delay is there: {}", of(slow, "p50"));
    let between = of(quick, "p50")..=of(slow, "p50");
    assert!(between.contains(&of(&sum, "p50")), "{} {between:?}", of(&sum, "p50"));
    assert_eq!(of(&sum, "max"), of(quick, "max").max(of(slow, "max")));
    // They took turns, so the rate is over the time of both.
    let seconds = |json: &Value| json["duration_s"].as_f64().expect("a time");
    let both = seconds(quick) + seconds(slow);
    assert!((seconds(&sum) - both).abs() < 0.02, "{} {both}", seconds(&sum));
    assert_eq!(sum["generators"].as_array().map(Vec::len), Some(2));
    let rows = parts[0]["generators"][0]["rows"].as_array().expect("rows");
    let counted: u64 = rows.iter().filter_map(|row| row["answers"].as_u64()).sum();
    assert!(counted > 0 && Some(counted) <= parts[0]["messages"]["received"].as_u64());

    let out = oneloop(&["merge", a, b]);
    let table = String::from_utf8_lossy(&out.stdout);
    assert!(table.contains("\n  the generators had 0.0 of "), "{table}");
    assert!(table.contains("messages a second on 2 connections"), "{table}");
}

#[test]
fn what_cannot_be_added_is_refused_with_file_field_and_reason() {
    let url = uneven_server(Duration::ZERO);
    let place = Place::new();
    let (a, cut, other) = (place.at("a.json"), place.at("cut.json"), place.at("other.json"));
    stdout(&["load", &url, "-c", "1", "-d", "50ms", "-q", "--json", &a]);
    stdout(&["load", &url, "-c", "1", "-d", "50ms", "--depth", "2", "-q", "--json", &other]);
    let text = fs::read_to_string(&a).expect("written");
    fs::write(&cut, &text[..text.len() / 2]).expect("writable");
    let missing = place.at("missing.json");
    assert!(refusal(&["merge", &a, &missing]).contains("missing.json: No such file"));
    assert!(refusal(&["merge", &a, &cut]).contains("cut.json: is cut off"));
    assert!(refusal(&["merge", &a, &other]).contains("other.json: field `depth`: 2, but 1 in"));
    assert!(refusal(&["merge", &a, &a]).contains("its run is in the sum already"));
    fs::write(&cut, text.replace("oneloop-load-1", "oneloop-load-9")).expect("writable");
    assert!(refusal(&["merge", &a, &cut]).contains("field `format`: \"oneloop-load-9\""));
}

#[test]
fn a_load_and_a_file_become_the_same_page() {
    let url = uneven_server(Duration::ZERO);
    let place = Place::new();
    let (a, page, again) = (place.at("a.json"), place.at("a.html"), place.at("b.html"));
    stdout(&["load", &url, "-c", "2", "-d", "100ms", "-q", "--json", &a, "--report", &page]);
    assert_eq!(stdout(&["report", &a, "-o", &again]), "");
    let [page, again] = [page, again].map(|path| fs::read_to_string(path).expect("written"));
    assert!(page == again, "{a} says what the run said");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</footer>\n"));
    for heading in ["Latency by percentile", "Rate over time", "CPU", "Where it ran"] {
        assert!(page.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
    let nowhere = "/no/such/directory/x.html";
    assert!(refusal(&["load", &url, "--report", nowhere]).contains("name a file you may write"));
    assert!(refusal(&["report", &a, "-o", nowhere]).contains("out /no/such/directory/x.html"));
    assert!(refusal(&["report", "/no/such/file", "-o", &a]).contains("/no/such/file: No such"));
}

#[test]
fn files_are_compared() {
    let url = uneven_server(Duration::from_millis(20));
    let place = Place::new();
    let names = ["quick1", "slow1", "quick2", "slow2"];
    let files = names.map(|name| place.at(&format!("{name}.json")));
    for file in &files {
        stdout(&["load", &url, "-c", "1", "-d", "100ms", "-q", "--json", file]);
    }
    let label = |label: &str, n: usize| format!("{label}={}", files[n]);
    let [a, b, c, d] = [label("quick", 0), label("slow", 1), label("quick", 2), label("slow", 3)];
    let page = place.at("c.html");
    let text = stdout(&["compare", &a, &b, &c, &d, "-o", &page]);
    assert!(text.contains("quick: between 2 repetitions; slow: between 2 repetitions"), "{text}");
    assert!(text.contains("slow against quick: "), "{text}");
    let page = fs::read_to_string(page).expect("written");
    assert!(page.contains("2 runs compared") && page.contains("</svg>slow</li>"), "{page}");
    let text = stdout(&["compare", &files[0], &files[1]]);
    assert!(text.contains("slow1 against quick1: "), "a file is called as it is: {text}");
    assert!(refusal(&["compare", &files[0]]).contains("needs two labels"));
    assert!(refusal(&["compare"]).contains("needs two labels"));
    assert!(refusal(&["merge"]).contains("no file: name at least one"));
    assert!(refusal(&["compare", &a, &a, &b]).contains("its run is in the sum already"));
    assert!(refusal(&["compare", &a, "x=/no/such/file"]).contains("/no/such/file: No such"));
}

#[test]
fn the_rows_of_a_run_add_up_to_it() {
    let url = uneven_server(Duration::ZERO);
    let text = stdout(&["load", &url, "-c", "2", "-d", "2200ms", "-q", "--json", "-"]);
    let run: Value = serde_json::from_str(&text).expect("JSON");
    let rows = run["generators"][0]["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 3);
    let sum = |name: &str| rows.iter().filter_map(|row| row[name].as_f64()).sum::<f64>();
    let of = |name: &str| run[name].as_f64().expect("a number");
    assert_eq!(sum("answers"), of("measured_answers"));
    assert!((sum("length_s") - of("duration_s")).abs() < 1e-3, "{rows:?}");
    // Connecting is not measured, and used some too.
    assert!(sum("cpu_s") > 0.0 && sum("cpu_s") <= of("cpu_s"), "{} {rows:?}", of("cpu_s"));
}
