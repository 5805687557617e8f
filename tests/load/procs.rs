//! `oneloop load --procs`: several processes whose results are one; none of them stays behind.

use crate::results::{Place, oneloop};
use crate::servers::{self, Count};
use oneloop::net::Address;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn url(address: &Address) -> String {
    match address {
        Address::Tcp(address) => format!("tcp://{address}"),
        other => panic!("not needed here: {other:?}"),
    }
}

fn load(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oneloop"));
    command.arg("load").args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tool starts")
}

fn signal(pid: u32, signal: i32) {
    // SAFETY: takes integers only; the process is a child that is not waited for yet, or its child.
    assert_eq!(unsafe { libc::kill(pid as libc::pid_t, signal) }, 0, "{pid}");
}

/// The processes that a parent has started and that still run (not: wait to be waited for).
fn children_of(parent: u32) -> Vec<u32> {
    let stat = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let pids = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        let Some(stat) = stat(*pid) else { return false };
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let mut fields = fields.split(' ');
        fields.next() != Some("Z") && fields.next() == Some(&parent.to_string())
    };
    pids.filter(is_child).collect()
}

fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// An echo server, and how many of its connections have ended.
fn counting_server() -> (String, Count) {
    let ended = Count::default();
    let counted = ended.clone();
    let server = servers::tcp(move |_, stream| {
        servers::echo(stream);
        counted.add(1);
    });
    (url(&server), ended)
}

/// Seconds since 1970.
fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("later").as_secs_f64()
}

/// Waits for a line of progress with this in it.
fn wait_for_line(child: &mut Child, word: &str) {
    let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut seen = Vec::new();
    for line in lines.map_while(Result::ok) {
        if line.contains(word) {
            return;
        }
        seen.push(line);
    }
    panic!("no `{word}` in {seen:?}");
}

/// Waits for what has to come, or for a limit that only a broken run meets.
fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        servers::dawdle(Duration::from_millis(10));
    }
    panic!("20 s without: {what}");
}

#[test]
fn three_processes_are_one_result() {
    // The first connection is answered late: until then none of the processes may measure.
    let answered_at = Arc::new(Mutex::new(0.0));
    let noted = Arc::clone(&answered_at);
    let url = url(&servers::tcp(move |n, stream| {
        servers::echo_changed(stream, |position, _| {
            if (n, position) == (0, 0) {
                servers::dawdle(Duration::from_millis(500));
                *noted.lock().expect("nobody panics") = now_s();
            }
        });
    }));
    let place = Place::new();
    let (file, page) = (place.at("p.json"), place.at("p.html"));
    let arguments = ["load", &url, "-c", "20", "--procs", "3", "--rate", "600", "-d", "500ms"];
    let out = oneloop(&[&arguments[..], &["-q", "--json", &file, "--report", &page]].concat());
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    // 300 answers are too few for a p99.
    assert_eq!(out.status.code(), Some(3), "{text}{errors}");
    assert!(text.contains("messages a second on 20 connections"), "{text}");
    assert!(text.contains("Of 600 a second asked for"), "{text}");
    assert!(text.contains("PROCESS") && text.contains("\n3 pid "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let json: Value = serde_json::from_slice(&fs::read(&file).expect("written")).expect("JSON");
    assert_eq!(json["connections"]["connected"], 20);
    assert_eq!(json["rate_asked_per_s"], 600);
    assert_eq!((&json["messages"]["sent"], &json["unsent"]), (&320.into(), &0.into()));
    let command = format!("oneloop {} -q --json {file} --report {page}", arguments.join(" "));
    assert_eq!(json["command"], command);
    let parts = json["generators"].as_array().expect("generators");
    let attempted: Vec<_> = parts.iter().map(|part| part["own"]["attempted"].clone()).collect();
    assert_eq!(attempted, [7, 7, 6], "even parts");
    assert!(parts.iter().all(|part| part["command"] == command), "what repeats the whole");
    let answered_at = *answered_at.lock().expect("nobody panics");
    let mut begins = parts.iter().map(|part| part["measured_from_unix_s"].as_f64());
    // To the millisecond.
    assert!(begins.all(|at| at > Some(answered_at - 0.002)), "{answered_at}: {parts:?}");
    // One file like any other.
    let again = oneloop(&["merge", &file]);
    assert!(String::from_utf8_lossy(&again.stdout).contains("\n3 pid "));
    let page = fs::read_to_string(page).expect("written");
    assert!(page.contains("<h2>Generators</h2>") && page.contains("7 of 7"), "{page}");
    assert!(page.contains("by 3 generators") && page.matches("<pre>").count() == 1, "{page}");
}

#[test]
fn steps_are_taken_by_all_processes_and_are_read_by_the_others() {
    let (url, _) = counting_server();
    let place = Place::new();
    let (file, page, sum) = (place.at("s.json"), place.at("s.html"), place.at("t.json"));
    let arguments = ["load", &url, "-c", "4", "--procs", "2", "--steps", "1k,2k", "-d", "100ms"];
    let out = oneloop(&[&arguments[..], &["-q", "--json", &file, "--report", &page]].concat());
    assert_eq!(out.status.code(), Some(3), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("\n   2,000") && text.contains("INVALID"), "{text}");
    let second = place.at("u.json");
    oneloop(&[&arguments[..], &["-q", "--json", &second]].concat());
    let out = oneloop(&["merge", &file, &second, "--json", &sum]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    // Too few samples for a p99, as in the parts.
    assert!(out.status.code() == Some(3) && text.contains("\n   4,000"), "{text}");
    // Each file was made by processes that ran together; these two were not.
    assert!(text.contains("\n  4,000/s: the generators had 0.0 of "), "{text}");
    let json: Value = serde_json::from_slice(&fs::read(&sum).expect("written")).expect("JSON");
    assert_eq!(json["steps"][1]["messages"]["sent"], 2 * (4 + 200));
    let out = oneloop(&["compare", &format!("a={file}"), &format!("b={second}")]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("b 1,000/s against a 1,000/s: "), "{text}");
    assert!(text.contains("b 2,000/s against a 2,000/s: "), "{text}");
    let other = place.at("o.json");
    oneloop(&["load", &url, "-c", "4", "-d", "50ms", "-q", "--json", &other]);
    let out = oneloop(&["compare", &file, &other]);
    assert_eq!(out.status.code(), Some(2));
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(error.contains("o.json: has one run, but") && error.lines().count() == 1, "{error}");
    let drawn = fs::read_to_string(&page).expect("written");
    assert!(drawn.contains("1,000/s") && drawn.contains("2 runs compared"));
    assert!(oneloop(&["report", &file, "-o", &page]).status.success());
    assert!(fs::read_to_string(&page).expect("written") == drawn, "the file says what the run did");
}

#[test]
fn interrupted_it_prints_the_sum_so_far_and_leaves_nothing() {
    let (url, ended) = counting_server();
    let mut child = load(&[&url, "-c", "9", "--procs", "3", "-d", "10m", "--json", "-"]);
    wait_for_line(&mut child, "9 connected");
    let started = children_of(child.id());
    assert_eq!(started.len(), 3);
    signal(child.id(), libc::SIGINT);
    let mut text = String::new();
    let mut out = child.stdout.take().expect("piped");
    out.read_to_string(&mut text).expect("UTF-8");
    assert!(matches!(child.wait().expect("ends").code(), Some(0 | 3)), "{text}");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["connections"]["connected"], 9);
    assert_eq!(json["messages"]["sent"], json["messages"]["received"]);
    assert!(started.iter().all(|&pid| !is_alive(pid)), "{started:?}");
    until("all connections ended", || ended.get() == 9);
}

#[test]
fn one_that_dies_is_named_and_takes_the_others_with_it() {
    let (url, ended) = counting_server();
    let mut child = load(&[&url, "-c", "9", "--procs", "3", "-d", "10m", "--json", "-"]);
    wait_for_line(&mut child, "9 connected");
    let started = children_of(child.id());
    let victim = *started.iter().max().expect("three");
    signal(victim, libc::SIGTERM);
    // SIGTERM ends its run in good order: that is no death.
    until("it has ended", || !is_alive(victim));
    let others: Vec<u32> = started.into_iter().filter(|&pid| pid != victim).collect();
    assert!(others.iter().all(|&pid| is_alive(pid)), "the others go on");
    signal(others[0], libc::SIGKILL);
    let out = child.wait_with_output().expect("ends");
    assert_eq!(out.status.code(), Some(1));
    assert!(out.stdout.is_empty(), "{}", String::from_utf8_lossy(&out.stdout));
    assert!(others.iter().all(|&pid| !is_alive(pid)), "{others:?}");
    until("all connections ended", || ended.get() == 9);
}

#[test]
fn the_death_of_one_is_told_with_its_signal() {
    let (url, _) = counting_server();
    let child = load(&[&url, "-c", "3", "--procs", "3", "-d", "10m", "-q"]);
    until("three are there", || children_of(child.id()).len() == 3);
    let victim = children_of(child.id())[0];
    signal(victim, libc::SIGKILL);
    let out = child.wait_with_output().expect("ends");
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{error}");
    assert!(error.contains(" of 3 (pid ") && error.contains("SIGKILL"), "{error}");
    assert!(error.contains(&victim.to_string()) && error.lines().count() == 1, "{error}");
}

#[test]
fn they_end_with_their_parent() {
    let (url, ended) = counting_server();
    let mut child = load(&[&url, "-c", "6", "--procs", "2", "-d", "10m"]);
    wait_for_line(&mut child, "6 connected");
    let started = children_of(child.id());
    assert_eq!(started.len(), 2);
    signal(child.id(), libc::SIGKILL);
    child.wait().expect("ends");
    until("no process is left", || started.iter().all(|&pid| !is_alive(pid)));
    until("all connections ended", || ended.get() == 6);
}

#[test]
fn held_connections_of_all_are_settled_together() {
    let (url, _) = counting_server();
    let arguments = ["load", &url, "-c", "7", "--procs", "2", "--hold", "-d", "50ms", "-q"];
    let out = oneloop(&[&arguments[..], &["--json", "-"]].concat());
    assert_eq!(out.status.code(), Some(0));
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    let (settled, rest) = text.split_once('\n').expect("two documents");
    let settled = settled.strip_prefix("settled ").expect("the settled line");
    let settled: Value = serde_json::from_str(settled).expect("JSON");
    let last: Value = serde_json::from_str(rest).expect("JSON");
    assert_eq!(settled["connections"]["connected"], 7);
    assert_eq!(last["connections"], settled["connections"]);
    assert_eq!(last["messages"]["received"], 7);
}

#[test]
fn what_cannot_be_shared_is_a_usage_error() {
    let cases: [(&[&str], &str); 4] = [
        (&["--procs", "5", "-c", "4"], "procs 5: connections is 4"),
        (&["--procs", "2", "--rate", "1"], "rate is 1"),
        (&["--procs", "0"], "'0'"),
        (&["--procs", "2", "-c", "4000000"], "procs 2: in each process, connections 2000000"),
    ];
    for (arguments, word) in cases {
        let out = oneloop(&[&["load", "tcp://127.0.0.1:9"], arguments].concat());
        let error = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(word) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn they_begin_at_the_given_time_and_not_after_it() {
    let (url, _) = counting_server();
    let at = now_s() as u64 + 3;
    let arguments = ["load", &url, "-c", "4", "--procs", "2", "-d", "50ms", "--json", "-"];
    let out = oneloop(&[&arguments[..], &["--start-at", &at.to_string()]].concat());
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(errors.contains("begins in 1s\n"), "{errors}");
    let json: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let from = json["measured_from_unix_s"].as_f64().expect("a time");
    assert!(from >= at as f64, "{from} {at}");
    let out = oneloop(&["load", &url, "--start-at", "2020-01-01T00:00:00Z"]);
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{error}");
    assert!(error.contains("start-at 2020-01-01T00:00:00.000Z: is over since "), "{error}");
    assert!(error.contains("give a later time") && error.lines().count() == 1, "{error}");
}
