//! `oneloop load` as a program: flags, output, signals, exit status.

use crate::results::{Place, oneloop};
use crate::servers::{self, Count};
use oneloop::net::Address;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oneloop"));
    command.arg("load").args(arguments).stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> Output {
    tool(arguments).output().expect("the tool runs")
}

fn url(address: &Address) -> String {
    match address {
        Address::Tcp(address) => format!("tcp://{address}"),
        other => panic!("not needed here: {other:?}"),
    }
}

/// Nothing was wrong; a run this short may be INVALID for having too few answers.
fn went_well(status: ExitStatus) -> bool {
    matches!(status.code(), Some(0 | 3))
}

fn echo_server() -> String {
    url(&servers::tcp(|_, stream| servers::echo(stream)))
}

fn interrupt(child: &Child) {
    // SAFETY: the child is not waited for yet, so its pid is still its own.
    let result = unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) };
    assert_eq!(result, 0);
}

fn stdout_of(child: &mut Child) -> BufReader<ChildStdout> {
    BufReader::new(child.stdout.take().expect("piped"))
}

#[test]
fn json_has_all_figures_and_standard_output_nothing_else() {
    let url = echo_server();
    let out = output(&[&url, "-c", "3", "-d", "100ms", "--json", "-", "-q"]);
    assert!(went_well(out.status));
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let json: Value = serde_json::from_slice(&out.stdout).expect("one JSON document");
    let fates = "attempted connected told_why refused reset closed timed_out hung failed";
    for key in fates.split(' ') {
        assert!(json["connections"][key].is_u64(), "{key}");
    }
    assert!(json["connections"]["reasons"].is_object());
    for key in ["sent", "received", "wrong", "lost"] {
        assert!(json["messages"][key].is_u64(), "{key}");
    }
    for key in ["p50", "max"] {
        assert!(json["latency_us"][key].as_f64().is_some_and(|us| us > 0.0), "{key}");
    }
    for key in ["p90", "p99", "p999"] {
        let told = &json["latency_us"][key];
        assert!(told.is_f64() || told.is_null(), "{key}: {told}");
    }
    assert_eq!(json["valid"].as_bool(), json["reasons"].as_array().map(Vec::is_empty));
    assert!(json["cpu_share"].as_f64().is_some_and(|share| share > 0.0));
    assert!(json["rate_per_s"].as_f64().is_some_and(|rate| rate > 0.0));
    assert_eq!((&json["size_bytes"], &json["depth"]), (&64.into(), &1.into()));
    assert_eq!(json["url"], url);
    assert_eq!(
        json["command"],
        format!("oneloop load {url} -c 3 -d 100ms --json - -q"),
        "the command can be repeated"
    );
    assert!(json["duration_s"].as_f64().is_some_and(|seconds| seconds >= 0.1));
    assert!(json["cpu_s"].is_f64() && json["bytes_sent"].is_u64());
}

#[test]
fn the_table_says_what_happened_and_the_file_has_the_figures() {
    let path = std::env::temp_dir().join(format!("oneloop-load-{}.json", std::process::id()));
    let name = path.to_str().expect("UTF-8");
    let out = output(&[&echo_server(), "-c", "2", "-d", "100ms", "--json", name]);
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    for word in ["CONNECTIONS", "attempted", "told why", "sent", "p99.9", "every byte compared"] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let file = std::fs::read(&path).expect("written");
    std::fs::remove_file(&path).expect("it was there");
    let json: Value = serde_json::from_slice(&file).expect("JSON");
    assert_eq!(json["connections"]["connected"], 2);
}

#[test]
fn the_status_tells_good_from_bad() {
    let wrong = servers::tcp(|_, stream| {
        servers::echo_changed(stream, |_, bytes| bytes.iter_mut().for_each(|byte| *byte ^= 1));
    });
    let wrong = url(&wrong);
    let nobody = format!("tcp://{}", servers::nobody());
    for (url, verdict) in [(&wrong, "WRONG BYTES"), (&nobody, "NOBODY SERVED")] {
        let out = output(&[url, "-c", "2", "-d", "50ms", "-q"]);
        assert_eq!(out.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&out.stdout).contains(verdict));
    }
}

#[test]
fn what_stopped_the_connections_is_named_with_its_side_and_what_lifts_it() {
    let nobody = format!("tcp://{}", servers::nobody());
    let out = output(&[&nobody, "-c", "2", "-d", "50ms", "-q"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("2  the server's side: nobody listens there"), "{text}");
    let out = output(&[&nobody, "-c", "2", "-d", "50ms", "--source", "192.0.2.77"]);
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{error}");
    assert!(error.starts_with("error: source 192.0.2.77: no socket can come from it"), "{error}");
    let out = output(&[&nobody, "--churn", "x"]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("write a whole number"), "{out:?}");
}

#[test]
fn http_is_reported_in_its_own_words() {
    let answer = |status: &'static str| {
        servers::tcp(move |_, mut stream| {
            let mut request = BufReader::new(stream.try_clone().expect("a descriptor"));
            let mut line = String::new();
            while request.read_line(&mut line).is_ok_and(|n| n > 0) {
                if line == "\r\n" {
                    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
                    let _ = stream.write_all(head.as_bytes());
                }
                line.clear();
            }
        })
    };
    let cases = [
        ("200 OK", 0, "GET requests a second"),
        ("302 Elsewhere", 0, "302"),
        ("404 Not Found", 1, "NOTHING SERVED"),
    ];
    for (status, code, word) in cases {
        let url = url(&answer(status)).replace("tcp://", "http://");
        let out = output(&[&url, "-c", "2", "-d", "50ms", "-q"]);
        let text = String::from_utf8(out.stdout).expect("UTF-8");
        let is_right =
            if code == 0 { went_well(out.status) } else { out.status.code() == Some(code) };
        assert!(is_right && text.contains(word), "{status}: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("\nSTATUS\n") && !text.contains("byte compared"), "{text}");
        let out = output(&[&url, "-c", "2", "-d", "50ms", "-q", "--json", "-"]);
        let json: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        assert_eq!((&json["method"], &json["size_bytes"]), (&"GET".into(), &0.into()));
        assert_eq!(json["url"], format!("{url}/"));
        let counted = json["statuses"][&status[..3]].as_u64().expect("a count");
        let messages = &json["messages"];
        let answers = messages["received"].as_u64().zip(messages["refused"].as_u64());
        assert_eq!(answers.map(|(received, refused)| received + refused), Some(counted));
    }
}

#[test]
fn what_has_no_say_is_told() {
    let url = echo_server();
    let warning = |arguments: &[&str]| {
        let out = output(&[arguments, &["-c", "1", "-d", "1ms", "-q"]].concat());
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    let text = warning(&[&url, "--method", "PUT"]);
    assert!(text.starts_with("warning: method PUT: has no say at tcp://"), "{text}");
    let text = warning(&["http://127.0.0.1:9/", "--size", "300k"]);
    assert!(text.starts_with("warning: size 307200: a GET request has no body"), "{text}");
    assert_eq!(warning(&["http://127.0.0.1:9/", "--method", "POST", "--size", "300k"]), "");
}

#[test]
fn what_cannot_work_is_said_in_one_line_and_ends_with_status_2() {
    let url = "tcp://127.0.0.1:9";
    let cases: [(&[&str], &str); 32] = [
        (&["tpc://127.0.0.1:9"], "did you mean `tcp`"),
        (&[url, "-c", "0"], "'0'"),
        (&[url, "--size", "many"], "4KiB"),
        (&[url, "-d", "soon"], "10s"),
        (&[url, "-c", "4000000"], "use -c "),
        (&[url, "--source", "::1"], "give an IPv4 address"),
        (&[url, "--json", "/no/such/directory/x.json"], "name a file"),
        (&["udp://127.0.0.1:9", "--size", "8"], "16 to 65507"),
        (&["htps://127.0.0.1/"], "did you mean `https`"),
        (&["wss://127.0.0.1/"], "--tls-ca"),
        (&["wss://127.0.0.1/", "--tls-ca", "x", "--tls-insecure"], "give one of the two"),
        (&["http://127.0.0.1/", "--deflate"], "ws://"),
        (&["ws://:7080/echo"], "no host"),
        (&["http://127.0.0.1/", "--method", "POTS"], "did you mean `POST`"),
        (&["http://127.0.0.1/", "--mirror"], "ws://"),
        (&["ws://127.0.0.1/", "--hold", "--ask", "x"], "over TCP"),
        (&[url, "--steps", "1k,fast"], "500, 10k, 1M"),
        (&[url, "--steps", "1k", "--rate", "1k"], "leave --rate out"),
        (&[url, "--rate", "10kk"], "500, 10k, 1M"),
        (&[url, "--rate", "1k", "--hold"], "not with --hold"),
        // A number below zero is a wrong number, and no unknown flag.
        (&[url, "-c", "-1"], "'-1' for '--connections <N>'"),
        (&[url, "--size", "-64"], "'-64' for '--size <BYTES>': write a number of bytes"),
        (&[url, "--rate", "-5"], "'-5' for '--rate <N>': write so many a second"),
        (&[url, "-d", "-1s"], "'-1s' for '--duration <TIME>': write a time"),
        (&[url, "--start-at", "-5s"], "'-5s' for '--start-at <TIME>': write 2026"),
        (&[url, "-c", "4294967295"], "16777216"),
        (&[url, "--json", "target/x", "--report", "target/x"], "report: goes to the same file"),
        (&["udp://127.0.0.1:9", "--reconnect"], "reconnect, churn 1: over UDP"),
        (&["http://127.0.0.1:9/", "--mix", "1:1,2:2"], "mix: a GET request has no body"),
        (&[url, "--idle", "--ping-every", "16m"], "ping-every 960000ms: use 1ms to 15m"),
        (&[url, "--idle", "--depth", "3"], "not a --depth of 3"),
        (&[url, "--fan", "-c", "1"], "with -c 1"),
    ];
    for (arguments, word) in cases {
        let out = output(arguments);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(word) && out.stdout.is_empty(), "{arguments:?}: {text}");
        assert!(text.starts_with("error: ") && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn flags_may_be_set_by_the_environment() {
    let out = tool(&[&echo_server(), "-d", "50ms", "--json", "-", "-q"])
        .env("ONELOOP_LOAD_CONNECTIONS", "7")
        .output()
        .expect("the tool runs");
    let json: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(json["connections"]["attempted"], 7);
}

#[test]
fn interrupting_prints_the_result_so_far() {
    let open = Count::default();
    let counted = open.clone();
    let server = servers::tcp(move |_, stream| {
        servers::echo(stream);
        counted.add(1);
    });
    let mut child = tool(&[&url(&server), "-c", "5", "-d", "10m", "--json", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let mut progress = BufReader::new(child.stderr.take().expect("piped")).lines();
    let line = progress.find(|line| line.as_ref().is_ok_and(|line| line.contains("5 connected  ")));
    assert!(line.is_some(), "it told how it goes");
    interrupt(&child);
    let mut text = String::new();
    stdout_of(&mut child).read_to_string(&mut text).expect("UTF-8");
    assert!(went_well(child.wait().expect("ends")));
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["connections"]["connected"], 5);
    assert_eq!(json["messages"]["sent"], json["messages"]["received"]);
    assert!(json["duration_s"].as_f64().is_some_and(|seconds| seconds > 0.0));
}

#[test]
fn a_rate_is_reported_with_both_latencies_and_few_answers_are_invalid() {
    let url = echo_server();
    let arguments = [&url, "-c", "4", "--rate", "200", "-d", "300ms", "-q"];
    let out = output(&arguments);
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    assert_eq!(out.status.code(), Some(3), "{text}");
    let words =
        ["Of 200 a second asked for", "response", "service", "INVALID", "60 answers are too few"];
    for word in words {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let out = output(&[&arguments[..], &["--json", "-"]].concat());
    assert_eq!(out.status.code(), Some(3));
    let json: Value = serde_json::from_slice(&out.stdout).expect("one JSON document");
    assert_eq!((&json["valid"], &json["rate_asked_per_s"]), (&false.into(), &200.into()));
    assert_eq!((&json["messages"]["sent"], &json["unsent"]), (&64.into(), &0.into()));
    for times in ["latency_us", "service_us", "lateness_us"] {
        assert!(json[times]["p50"].is_f64() && json[times]["p99"].is_null(), "{}", json[times]);
    }
}

#[test]
fn steps_have_a_row_each() {
    let url = echo_server();
    let arguments = [&url, "-c", "4", "--steps", "1k,2000", "-d", "200ms", "-q"];
    let out = output(&arguments);
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    for word in ["ASKED/s", "\n   1,000", "\n   2,000", "1,000/s: 200 answers are too few"] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(out.status.code(), Some(3), "{text}");
    let out = output(&[&arguments[..], &["--json", "-"]].concat());
    let json: Value = serde_json::from_slice(&out.stdout).expect("one JSON document");
    assert!(json["command"].as_str().is_some_and(|command| command.contains("--steps 1k,2000")));
    let asked: Vec<_> = json["steps"].as_array().expect("steps").iter().collect();
    assert_eq!((asked.len(), &asked[1]["rate_asked_per_s"]), (2, &2_000.into()));
    assert_eq!(asked[1]["messages"]["sent"], 4 + 400);
}

#[test]
fn a_paced_run_can_be_interrupted() {
    let mut child = tool(&[&echo_server(), "-c", "5", "--rate", "1k", "-d", "10m", "--json", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let mut progress = BufReader::new(child.stderr.take().expect("piped")).lines();
    let line = progress.find(|line| line.as_ref().is_ok_and(|line| line.contains("(service ")));
    assert!(line.is_some(), "it tells both while it runs");
    interrupt(&child);
    let mut text = String::new();
    stdout_of(&mut child).read_to_string(&mut text).expect("UTF-8");
    assert!(went_well(child.wait().expect("ends")));
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["messages"]["sent"], json["messages"]["received"]);
    assert_eq!(json["unsent"], 0, "what was due by then was sent");
}

#[test]
fn interrupting_while_nobody_answers_does_not_wait_for_them() {
    let accepted = Count::default();
    let counted = accepted.clone();
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = servers::tcp(move |_, stream| {
        if counted.add(1) == 3 {
            sender.send(()).expect("the test waits");
        }
        servers::read_to_end(stream);
    });
    let mut child =
        tool(&[&url(&server), "-c", "4", "--answer-timeout", "10m", "--json", "-", "-q"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tool starts");
    receiver.recv().expect("all are accepted");
    interrupt(&child);
    let mut text = String::new();
    stdout_of(&mut child).read_to_string(&mut text).expect("UTF-8");
    assert_eq!(child.wait().expect("ends").code(), Some(1), "nobody was served");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["connections"]["attempted"], 0, "no fate is known");
}

/// Interrupts the tool when it says `word`; its status, and what it printed.
fn interrupted_at(word: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let command = tool(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = command.expect("the tool starts");
    let mut progress = BufReader::new(child.stderr.take().expect("piped")).lines();
    let line = progress.find(|line| line.as_ref().is_ok_and(|line| line.contains(word)));
    assert!(line.is_some(), "it told how it goes");
    interrupt(&child);
    let mut text = String::new();
    stdout_of(&mut child).read_to_string(&mut text).expect("UTF-8");
    (child.wait().expect("ends").code(), text)
}

#[test]
fn what_is_interrupted_before_it_measures_is_no_result() {
    let opening = [&echo_server()[..], "-c", "1000", "--connect-rate", "5"];
    let (status, text) = interrupted_at(" of 1,000 connected", &opening);
    assert_eq!(status, Some(3), "{text}");
    assert!(text.contains("NOTHING MEASURED: it ended with "), "{text}");
}

#[test]
fn a_comparison_that_is_interrupted_does_not_begin_its_second_half() {
    let url = echo_server();
    let both = [&url[..], "-c", "2", "--pool", "--reconnect", "-d", "10m"];
    let (_, text) = interrupted_at("2 connected  ", &both);
    assert!(text.contains("messages a second on 2 connections"), "{text}");
}

#[test]
fn holding_settles_waits_for_the_end_of_input_and_reports() {
    let closed = Count::default();
    let counted = closed.clone();
    let server = servers::tcp(move |_, stream| {
        servers::echo(stream);
        counted.add(1);
    });
    let mut child = tool(&[&url(&server), "-c", "9", "--hold", "-d", "10m", "--json", "-", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let mut out = stdout_of(&mut child);
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    let settled = line.strip_prefix("settled ").expect("the settled line");
    let settled: Value = serde_json::from_str(settled).expect("JSON");
    assert_eq!(settled["connections"]["connected"], 9);
    assert_eq!(closed.get(), 0, "they are held");
    drop(child.stdin.take());
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("UTF-8");
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    let last: Value = serde_json::from_str(&rest).expect("JSON");
    assert_eq!(last["connections"], settled["connections"]);
    assert_eq!(last["messages"]["received"], 9);
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let mut child = tool(&[&echo_server(), "-c", "2", "-d", "50ms"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    drop(child.stdout.take());
    let out = child.wait_with_output().expect("ends");
    let text = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_server_that_does_not_echo_is_asked_in_its_own_words() {
    let address = servers::tcp(|n, mut stream| {
        let mut asked = [0; 6];
        let _ = stream.read_exact(&mut asked);
        let answer: &[u8] = match n {
            _ if asked != *b"PING\r\n" => b"-ERR what?\n",
            0 => b"-ERR max number of clients reached\r\n",
            1 => b"-",
            _ => b"+PONG\r\n",
        };
        let _ = stream.write_all(answer);
        if n == 0 {
            return;
        }
        if n == 1 {
            let _ = stream.write_all(b"1\r\n");
        }
        servers::read_to_end(stream);
    });
    let arguments = [&url(&address), "-c", "5", "--hold", "--ask", r"PING\r\n", "-d", "1ms", "-q"];
    let mut child = tool(&arguments)
        .args(["--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tool runs");
    let mut line = String::new();
    stdout_of(&mut child).read_line(&mut line).expect("a line");
    assert!(child.wait().expect("ends").success());
    let json: Value = serde_json::from_str(line.strip_prefix("settled ").expect("settled"))
        .expect("one JSON document");
    let connections = &json["connections"];
    assert_eq!((&connections["connected"], &connections["told_why"]), (&4.into(), &1.into()));
    assert_eq!(connections["reasons"]["max number of clients reached"], 1);
}

#[test]
fn a_question_that_cannot_be_asked_is_a_usage_error() {
    let cases: [&[&str]; 4] = [
        &["tcp://127.0.0.1:1", "--ask", "PING"],
        &["tcp://127.0.0.1:1", "--hold", "--ask", ""],
        &["tcp://127.0.0.1:1", "--hold", "--ask", r"\x"],
        &["udp://127.0.0.1:1", "--hold", "--ask", "PING"],
    ];
    for arguments in cases {
        let out = output(arguments);
        assert_eq!(out.status.code(), Some(2), "{arguments:?}");
        let error = String::from_utf8_lossy(&out.stderr);
        assert!(error.contains("ask") && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn pool_and_reconnect_are_put_side_by_side() {
    let url = echo_server();
    let both = [&url, "-c", "3", "-d", "200ms", "-q", "--pool", "--reconnect"];
    let out = output(&both);
    assert!(went_well(out.status), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    for word in ["POOL", "RECONNECT", "RATIO", "messages a second", "connects a message", "p50"] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    let out = output(&[&both[..], &["--json", "-"]].concat());
    let json: Value = serde_json::from_slice(&out.stdout).expect("one JSON document");
    let connects = &json["ratio"][3];
    assert_eq!(connects["figure"], "connects a message");
    // One for each message, but for those that came last and went nowhere.
    let (pool, reconnect) = (&connects["pool"], &connects["reconnect"]);
    assert!(reconnect.as_f64().is_some_and(|n| (0.9..1.5).contains(&n)), "{connects}");
    assert!(pool.as_f64().is_some_and(|n| n < 0.5), "{connects}");
    let place = Place::new();
    let file = place.at("both.json");
    std::fs::write(&file, &out.stdout).expect("writable");
    let refused = oneloop(&["report", &file, "-o", &place.at("x.html")]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("both.json: has two runs (--pool --reconnect)"), "{error}");
    assert!(json["pool"]["shape"].is_null() && json["reconnect"]["shape"]["churn"].is_object());
}

#[test]
fn shapes_are_told_in_the_table_and_exclude_each_other() {
    let url = echo_server();
    let cases: [(&[&str], &[&str]); 3] = [
        (&["--churn", "2"], &["SOCKETS", "connects, ", "2 message(s) each; we close first"]),
        (&["--idle"], &["HELD", "3  of 3 connections", "missed", "of our memory"]),
        (&["--pool"], &["every byte compared"]),
    ];
    for (flags, words) in cases {
        let out = output(&[&[url.as_str(), "-c", "3", "-d", "200ms"], flags].concat());
        assert!(went_well(out.status), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).expect("UTF-8");
        words.iter().for_each(|word| assert!(text.contains(word), "{word} is not in\n{text}"));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    let cases: [(&[&str], &str); 7] = [
        (&["--fan", "--churn", "1"], "--churn with --fan"),
        (&["--churn", "2", "--idle"], "--churn with --idle"),
        (&["--pool", "--idle"], "--pool with --idle"),
        (&["--reconnect", "--churn", "2"], "--churn with --reconnect"),
        (&["--ping-every", "1s"], "--ping-every without --idle"),
        (&["--idle", "--hold"], "idle: --hold and --mirror"),
        (&["--pool", "--reconnect", "--steps", "1,2"], "steps: with --pool and --reconnect"),
    ];
    for (flags, reason) in cases {
        let out = output(&[&[url.as_str(), "-d", "2s"], flags].concat());
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(text.contains(reason), "{reason} is not in {text}");
        assert_eq!(out.status.code(), Some(2));
    }
}

#[test]
fn a_mix_has_a_row_for_each_size() {
    let url = echo_server();
    let mix = [url.as_str(), "-c", "3", "-d", "300ms", "-q", "--mix", "64:90,1k:9,64KiB:1"];
    let out = output(&mix);
    assert!(went_well(out.status), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    for word in ["SIZE", "64 B", "1,024 B", "65,536 B", "answers", "up to 65,536 bytes each"] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let out = output(&[&mix[..], &["--seed", "5", "--json", "-"]].concat());
    let json: Value = serde_json::from_slice(&out.stdout).expect("one JSON document");
    let sizes = json["sizes"].as_array().expect("a row for each");
    let weights: Vec<_> = sizes.iter().map(|it| (&it["size_bytes"], &it["weight"])).collect();
    let asked =
        [(64, 90), (1_024, 9), (65_536, 1)].map(|(size, weight)| (size.into(), weight.into()));
    let asked: Vec<(&Value, &Value)> = asked.iter().map(|(size, weight)| (size, weight)).collect();
    assert_eq!(weights, asked);
    for (flags, reason) in [
        (["--mix", "64:90,1k"], "write sizes with their weights: 64:90,1k:9,64k:1"),
        (["--mix", "64:0"], "mix 64:0: use 1 byte to 1GiB, and a weight of 1 or more"),
    ] {
        let out = output(&[&[url.as_str()], &flags[..]].concat());
        assert!(String::from_utf8_lossy(&out.stderr).contains(reason), "{reason}");
        assert_eq!(out.status.code(), Some(2));
    }
    let out = output(&[&url, "--mix", "64:1", "--size", "64"]);
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(text.contains("--mix") && text.contains("--size"), "{text}");
}

/// A server and a load in a network of their own, which has ten ports for those that connect.
const WITH_TEN_PORTS: &str = r#"
ip link set lo up && echo '50000 50009' >/proc/sys/net/ipv4/ip_local_port_range || exit 77
exec 3< <(exec "$0" serve --listen "$1://127.0.0.1:7000/echo" --log error)
server=$!
while read -r word _ <&3 && [[ $word != ready ]]; do :; done
"$0" load "$1://127.0.0.1:7000" -c 20 -d 50ms -q --json -
kill "$server"
wait "$server"
"#;

#[test]
fn ports_that_run_out_are_a_limit_of_this_side() {
    for scheme in ["tcp", "udp"] {
        let mut command = Command::new("unshare");
        command.args(["-rn", "bash", "-c", WITH_TEN_PORTS, env!("CARGO_BIN_EXE_oneloop"), scheme]);
        let out = command.stdin(Stdio::null()).output();
        let Some(out) = out.ok().filter(|it| !it.stdout.is_empty()) else {
            eprintln!("skipped: no network of our own here (unshare, ip)");
            return;
        };
        let json: Value = serde_json::from_slice(&out.stdout).expect("one JSON document");
        let connections = &json["connections"];
        assert_eq!((&connections["connected"], &connections["failed"]), (&10.into(), &10.into()));
        let end = "connect: EADDRNOTAVAIL (cannot assign requested address)";
        assert_eq!(connections["ended"][end], 10, "{scheme}: {connections}");
        let doubts = json["reasons"].as_array().expect("a list").iter();
        assert!(doubts.filter_map(Value::as_str).any(|it| it.contains("out of ports")), "{json}");
    }
}

#[test]
fn a_server_without_descriptors_is_found_out() {
    let arguments = ["serve", "--listen", "tcp://127.0.0.1:0/echo", "--at-limit", "pause"];
    let mut server = Command::new(env!("CARGO_BIN_EXE_oneloop"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut line = String::new();
    stdout_of(&mut server).read_line(&mut line).expect("says where it listens");
    let url = line.strip_prefix("listening ").expect("an address").trim_end();
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.id())).expect("ours").count();
    let limit = libc::rlimit64 { rlim_cur: open as u64, rlim_max: open as u64 };
    let pid = server.id() as libc::pid_t;
    // SAFETY: the limit is read only, and the old one is not asked for.
    let set = unsafe { libc::prlimit64(pid, libc::RLIMIT_NOFILE, &limit, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    let out = output(&[url, "-c", "3", "--answer-timeout", "300ms", "-q"]);
    server.kill().and_then(|()| server.wait()).expect("ends");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("NOBODY SERVED") && text.contains("3 hung"), "{text}");
    assert!(text.contains("3  the server's side: it has all files open that it may"), "{text}");
}
