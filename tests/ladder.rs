//! `oneloop ladder` as a program: every cap is as predicted, and every client beyond it is treated
//! as its policy promises. Small rungs, because what holds is the same on all.

use oneloop::sys::child;
use oneloop::sys::signals::Signal;
use serde_json::Value;
use std::io::Read;
use std::process::{Command, Output, Stdio};

fn ladder(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oneloop"));
    command.arg("ladder").args(arguments).stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> Output {
    ladder(arguments).output().expect("the tool runs")
}

/// Climbs 40, 64 and 128 and returns the rungs, which are as they should be.
fn climb(policy: &str) -> Vec<Value> {
    let out = output(&["--nofile", "40,64,128", "--at-limit", policy, "--json", "-"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{said}");
    let json: Value = serde_json::from_slice(&out.stdout).expect("one JSON document");
    assert_eq!((&json["ok"], &json["fault"]), (&true.into(), &Value::Null));
    let rungs = json["rungs"].as_array().expect("a list").clone();
    let nofile: Vec<_> = rungs.iter().map(|rung| rung["nofile"].as_u64()).collect();
    assert_eq!(nofile, [Some(40), Some(64), Some(128)]);
    for rung in &rungs {
        assert_eq!(rung["at_limit"], policy);
        assert_eq!(rung["measured"], rung["predicted"], "{rung}");
        assert!(rung["predicted"].as_u64() > Some(0) && rung["predicted"] != rung["nofile"]);
        assert_eq!(rung["accept_failures"], 0, "a cap is there so that accept never fails: {rung}");
        assert_eq!(rung["replaced"], rung["left"], "{rung}");
        assert!(rung["extra"]["attempted"].as_u64() >= Some(16), "{rung}");
    }
    rungs
}

#[test]
fn shed_tells_every_extra_client_why() {
    for rung in climb("shed") {
        let extra = &rung["extra"];
        assert_eq!(extra["told_why"], extra["attempted"]);
        let cap = rung["predicted"].as_u64().expect("a number");
        let reason = format!("full: {cap} connections; try again later");
        assert_eq!(extra["reasons"][&reason], extra["attempted"], "{extra}");
    }
}

#[test]
fn pause_lets_them_wait_and_forgets_nobody() {
    for rung in climb("pause") {
        assert_eq!(rung["extra"]["hung"], rung["extra"]["attempted"]);
    }
}

#[test]
fn evict_idle_serves_them_all_and_tells_those_who_go() {
    for rung in climb("evict-idle") {
        assert_eq!(rung["extra"]["connected"], rung["extra"]["attempted"]);
        assert_eq!(rung["evicted"], rung["extra"]["attempted"]);
    }
}

#[test]
fn refuse_lets_the_kernel_say_no() {
    for rung in climb("refuse") {
        let count = |fate: &str| rung["extra"][fate].as_u64().expect("a number");
        assert_eq!(count("refused") + count("reset"), count("attempted"));
    }
}

#[test]
fn the_table_the_data_and_the_picture_agree() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (svg, json) = (dir.join("ladder.svg"), dir.join("ladder.json"));
    let [svg_path, json_path] = [&svg, &json].map(|path| path.to_str().expect("UTF-8"));
    let out = output(&["--nofile", "50", "--extra", "3", "--svg", svg_path, "--json", json_path]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let table = String::from_utf8(out.stdout).expect("UTF-8");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert!(table.contains("3 told why") && table.contains("1 of 1 caps as predicted"), "{table}");
    let json: Value = serde_json::from_slice(&std::fs::read(json).expect("written")).expect("JSON");
    let cap = json["rungs"][0]["measured"].to_string();
    let picture = std::fs::read_to_string(svg).expect("written");
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    assert!(table.contains(&cap) && picture.contains(&cap) && picture.contains("3 told why"));
}

#[test]
fn what_cannot_be_climbed_is_said_in_one_line() {
    let cases: [(&[&str], &str); 6] = [
        (&["--nofile", "1000000000000"], "hard limit is"),
        (&["--nofile", "3"], "the lowest is 32"),
        (&["--nofile", "lots"], "number of open files"),
        (&["--at-limit", "shedd"], "did you mean `shed`?"),
        (&["--extra", "0"], "extra"),
        (&["--svg", "/no/such/directory/a.svg"], "name a file you may write"),
    ];
    for (arguments, phrase) in cases {
        let out = output(arguments);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(phrase) && said.lines().count() == 1, "{arguments:?}: {said}");
        assert!(out.stdout.is_empty());
    }
}

/// The ids of the processes whose parent is `pid`.
fn children_of(pid: u32) -> Vec<String> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let ids = std::fs::read_to_string(path).unwrap_or_default();
    ids.split_whitespace().map(str::to_owned).collect()
}

/// Ends a ladder while its children run. They hold its stderr, so its end is theirs.
fn end_by(signal: impl FnOnce(&mut std::process::Child)) -> (Option<i32>, Vec<String>) {
    let mut running = ladder(&["--nofile", "64", "--at-limit", "pause"])
        .stdout(Stdio::null())
        .spawn()
        .expect("the tool runs");
    // The server, and a crowd that fills it.
    let began = std::time::Instant::now();
    let mut seen = Vec::new();
    while seen.len() < 3 && began.elapsed().as_secs() < 20 {
        seen = children_of(running.id());
        std::thread::yield_now();
    }
    assert!(seen.len() >= 3, "the ladder has no children: {seen:?}");
    signal(&mut running);
    (running.wait().expect("it ends").code(), seen)
}

/// Waits until none of the processes is left; a zombie is as good as gone.
fn wait_until_gone(ids: &[String]) {
    let began = std::time::Instant::now();
    let lives = |id: &String| {
        let mut stat = String::new();
        let file = std::fs::File::open(format!("/proc/{id}/stat"));
        let read = file.and_then(|mut file| file.read_to_string(&mut stat));
        read.is_ok() && !stat.contains(") Z ")
    };
    while ids.iter().any(lives) {
        assert!(began.elapsed().as_secs() < 20, "some of {ids:?} outlived their ladder");
        std::thread::yield_now();
    }
}

#[test]
fn ctrl_c_leaves_no_child_behind() {
    let (status, children) = end_by(|running| {
        child::send(running, Signal::Interrupt).expect("our own child");
    });
    assert_eq!(status, Some(130));
    wait_until_gone(&children);
}

#[test]
fn neither_does_a_sudden_death() {
    let (status, children) = end_by(|running| running.kill().expect("our own child"));
    assert_eq!(status, None);
    wait_until_gone(&children);
}

#[test]
fn the_shares_of_workers_add_up() {
    let out = output(&["--workers", "1,2", "--accept", "reuseport,shared", "--json", "-"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{said}");
    let json: Value = serde_json::from_slice(&out.stdout).expect("one JSON document");
    let found = json["balance"].as_array().expect("a list");
    let expected = [("reuseport", 1), ("reuseport", 2), ("shared", 1), ("shared", 2)];
    assert_eq!(found.len(), expected.len());
    for (balance, (accept, workers)) in found.iter().zip(expected) {
        let shares = balance["workers"].as_array().expect("a list");
        let share = |name: &str| -> Vec<u64> {
            shares.iter().map(|share| share[name].as_u64().expect("a number")).collect()
        };
        assert_eq!((balance["accept"].as_str(), shares.len()), (Some(accept), workers));
        assert_eq!(share("connections").iter().sum::<u64>(), 400, "{balance}");
        let (sum, squares) = share("messages")
            .iter()
            .fold((0.0, 0.0), |(sum, squares), &n| (sum + n as f64, squares + (n * n) as f64));
        let jain = balance["jain_messages"].as_f64().expect("a number");
        assert!((jain - sum * sum / (squares * workers as f64)).abs() < 0.001, "{balance}");
    }
}

#[test]
fn threads_share_a_limit_that_processes_multiply() {
    let out = output(&["--workers", "2", "--worker-kind", "process,thread", "--json", "-"]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let json: Value = serde_json::from_slice(&out.stdout).expect("one JSON document");
    let cap = |of: usize| -> u64 {
        let shares = json["balance"][of]["workers"].as_array().expect("a list");
        shares.iter().map(|share| share["cap"].as_u64().expect("a number")).sum()
    };
    assert!(cap(0) > cap(1) * 3 / 2, "{json}");
}
