//! What the doctor foretells is what the server does.

use crate::server::Server;
use std::process::Command;

#[test]
fn the_doctor_s_reserve_is_the_server_s() {
    let output = Command::new(env!("CARGO_BIN_EXE_oneloop"))
        .args(["limits", "--json"])
        .output()
        .expect("the doctor runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let foretold =
        report["held"]["connections"].as_u64().unwrap_or_else(|| panic!("no `held`: {report}"));

    let metrics = concat!(env!("CARGO_TARGET_TMPDIR"), "/cap.json");
    let _ = std::fs::remove_file(metrics);
    // Three listeners, as many as it has by default.
    let others = ["--listen", "udp://127.0.0.1:0/echo", "--listen", "http://127.0.0.1:0/"];
    Server::start(&[&others[..], &["--metrics-file", metrics]].concat()).stop();
    let books = std::fs::read_to_string(metrics).expect("written at the end");
    let books: serde_json::Value = serde_json::from_str(&books).expect("JSON");
    // The listeners are closed by now; what is open beside the server's own seven was inherited
    // (a build tool's job server, say), which nobody can foretell.
    let inherited = books["descriptors"].as_u64().expect("a number") - 7;
    assert_eq!(books["cap"].as_u64(), Some(foretold - inherited));
    assert_eq!(books["faults"], 0, "{books}");
}
