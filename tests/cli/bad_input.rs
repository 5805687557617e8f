//! What bad input gets: one line that names the setting, the source, the value and what is allowed.

use crate::sources::{SAMPLES, flag, variable};
use crate::{TempFile, command, oneloop, refusal};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

#[test]
fn every_setting_names_a_bad_value_and_its_source() {
    const WRONG: &str = "/no such/value";
    for (name, _) in SAMPLES {
        let (flag, variable) = (flag(name), variable(name));
        let file = TempFile::new(&format!("{name} = \"{WRONG}\""));
        let place = format!("file {}:1:{}", file.path(), name.len() + 4);
        let refused = [
            (refusal(oneloop(&["serve", &flag, WRONG], &[])), format!("flag {flag}")),
            (refusal(oneloop(&[], &[(&variable, WRONG)])), format!("environment {variable}")),
            (refusal(oneloop(&["serve", "--config", file.path()], &[])), place),
        ];
        for (line, origin) in refused {
            assert!(line.starts_with(&format!("{name} ({origin}): ")), "{line}");
            assert!(line.contains(&format!("`{WRONG}`")), "{line}");
            assert!(["write ", "allowed: "].iter().any(|hint| line.contains(hint)), "{line}");
        }
    }
}

#[test]
fn the_nearest_spelling_is_offered() {
    let url = |rest: &str| ["serve", "--listen", rest].map(str::to_owned);
    let set = |name: &str, value: &str| ["serve", name, value].map(str::to_owned);
    let cases = [
        (url("tpc://127.0.0.1:7000/echo"), "tcp"),
        (url("tcp://127.0.0.1:7000/ecko"), "echo"),
        (url("unix:///a?service=brodcast"), "broadcast"),
        (url("tcp://127.0.0.1:7000/echo?nodealy=true"), "nodelay"),
        (set("--at-limit", "evict"), "evict-idle"),
        (set("--nofile", "maxx"), "max"),
        (set("--log", "inof"), "info"),
        (set("--log", "oneloop::server=dbug"), "debug"),
    ];
    for (args, nearest) in cases {
        let line = refusal(oneloop(&args.each_ref().map(String::as_str), &[]));
        assert!(line.contains(&format!("did you mean `{nearest}`?")), "{line}");
        assert!(line.contains("allowed: "), "{line}");
    }
}

#[test]
fn values_at_the_edge() {
    let cases = [
        ("--idle-timeout", "0s", "off"),
        ("--drain", "0s", "at least 1ms"),
        ("--drain", "10", "10s"),
        ("--linger", "1500us", "milliseconds"),
        ("--linger", "999999999999years", "duration"),
        ("--line-bytes-max", "1", "at least 2"),
        ("--line-bytes-max", "17KiB", "at most 16384"),
        ("--backlog-bytes-max", "64KiB", "at least 131072"),
        ("--buffers-bytes-max", "64KiB", "at least 1048576"),
        ("--backlog-bytes-max", "99999999999GiB", "64KiB"),
        ("--max-connections", "-1", "off"),
        ("--per-ip-max", "4294967296", "number"),
        ("--nofile", "12x", "max or keep"),
        ("--nofile", "1099511627776", "hard limit"),
        ("--listen", "", "tcp://HOST:PORT"),
        ("--listen", "tcp://127.0.0.1/echo", "7000"),
        ("--listen", "udp://127.0.0.1:7000/broadcast", "udp has none"),
        ("--listen", "tcp://127.0.0.1:7000?nodelay=maybe", "true|false"),
        ("--listen", "http://127.0.0.1/", "7000"),
        ("--listen", "ws://127.0.0.1:7080/", "http://"),
        ("--listen", "tcp://127.0.0.1:0?tls_key=/no", "tcp:// has no TLS; use tls or https"),
        ("--head-bytes-max", "63", "at least 64"),
        ("--head-bytes-max", "17KiB", "at most 16384"),
        ("--headers-max", "0", "at least 1"),
        ("--headers-max", "257", "at most 256"),
        ("--headers-max", "many", "write 64"),
        ("--frame-bytes-max", "124", "at least 125"),
        ("--message-bytes-max", "1GiB", "at most 268435456"),
        ("--fragments-max", "0", "at least 1"),
        ("--fragments-max", "4294967296", "write 64"),
        ("--deflate", "of", "did you mean `off`?"),
        ("--deflate-takeover-max", "-1", "off"),
        ("--deflate-bytes-min", "few", "64KiB"),
        ("--head-timeout", "0s", "off"),
        ("--allow-origin", "example.org", "https://example.org"),
        ("--allow-origin", "https://example.org/", "without a path"),
        ("--allow-origin", "https://*.example.org", "or a pattern"),
        ("--allow-origin", "ftp://example.org", "https://example.org"),
        ("--spin-us", "10001", "10001 is too large, at most 10000"),
        ("--spin-us", "-1", "off"),
        ("--spin-us", "50us", "write 1000, or off"),
        ("--metrics-file", "", "write one"),
        ("--metrics-file", "/", "write one"),
        ("--metrics-file", "/dev", "cannot be written"),
        ("--log", "", "info"),
    ];
    for (flag, value, hint) in cases {
        let line = refusal(oneloop(&["serve", "--check", flag, value], &[]));
        let name = flag.trim_start_matches('-').replace('-', "_");
        assert!(line.starts_with(&format!("{name} (flag {flag}): ")), "{line}");
        assert!(line.contains(hint), "{line}");
    }
}

#[test]
fn tls_needs_a_certificate_and_a_build_that_has_it() {
    let cases: &[(&str, &str)] = match cfg!(feature = "tls") {
        true => &[
            ("https://127.0.0.1:0", "add ?tls_cert=PATH&tls_key=PATH to the URL"),
            ("https://127.0.0.1:0", "or --tls-self-signed"),
            ("tls://127.0.0.1:0?tls_cert=/no&tls_key=/no", "`/no` cannot be read: No such file"),
            ("tls://127.0.0.1:0?tls_cert=/no", "tls_cert and tls_key go together"),
        ],
        false => &[("https://127.0.0.1:0", "build it with the feature `tls`")],
    };
    for (url, what) in cases {
        let line = refusal(oneloop(&["serve", "--check", "--listen", url], &[]));
        assert!(line.starts_with("listen (flag --listen): ") && line.contains(what), "{line}");
    }
}

#[test]
fn two_listeners_cannot_have_one_address() {
    let [one, two] = ["tcp://127.0.0.1:7000/echo", "tcp://127.0.0.1:7000/discard"];
    let line = refusal(oneloop(&["serve", "--check", "--listen", one, "--listen", two], &[]));
    assert!(line.starts_with("listen (flag --listen): ") && line.contains(two), "{line}");
}

#[test]
fn files_are_refused_by_line_and_column() {
    let cases = [
        ("# ü\n  nofiel = 3", "2:3", "did you mean `nofile`?"),
        ("[limits]\nnofile = 3", "1:2", "unknown key `limits`"),
        ("drain = 5s", "1:", "config"),
        ("drain = \"5s\"\n\ndrain = \"6s\"", "3:1", "duplicate key"),
        ("drain = ", "1:", "config"),
        ("nofile = [3]", "1:10", "N|max|keep"),
        ("drain = { s = 3 }", "1:9", "DURATION"),
        ("drain = 1979-05-27", "1:9", "DURATION"),
        ("idle_timeout = true", "1:16", "`true` is not a duration"),
        ("listen = []", "1:10", "at least one URL"),
        ("listen = [\n  \"tcp://127.0.0.1:0\",\n  \"tcp://nowhere\",\n]", "3:3", "has no port"),
    ];
    for (text, place, hint) in cases {
        let file = TempFile::new(text);
        let line = refusal(oneloop(&["serve", "--check", "--config", file.path()], &[]));
        assert!(line.contains(&format!("(file {}:{place}", file.path())), "{line}");
        assert!(line.contains(hint), "{line}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_who_named_it() {
    let line = refusal(oneloop(&["serve", "--config", "no-such.toml"], &[]));
    assert!(line.starts_with("config (flag --config): `no-such.toml`"), "{line}");
    let line = refusal(oneloop(&[], &[("ONELOOP_CONFIG", "/")]));
    assert!(line.starts_with("config (environment ONELOOP_CONFIG): `/`"), "{line}");
}

#[test]
fn unknown_flags_and_commands_get_a_tip_and_exit_2() {
    for (args, tip) in [
        (&["serve", "--at-limits", "shed"][..], "'--at-limit'"),
        (&["sreve"][..], "'serve'"),
        (&["completions", "bush"][..], "'bash'"),
    ] {
        let output = oneloop(args, &[]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(tip), "{stderr}");
    }
}

#[test]
fn a_misspelt_variable_is_warned_of() {
    let output = oneloop(&["serve", "--check"], &[("ONELOOP_NOFLIE", "3"), ("LANG", "C")]);
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success());
    assert!(stderr.starts_with("warning: unknown variable `ONELOOP_NOFLIE`"), "{stderr}");
    assert!(stderr.contains("did you mean `ONELOOP_NOFILE`?"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
}

#[test]
fn nothing_in_a_value_reaches_the_terminal_as_a_control() {
    let line = refusal(oneloop(&["serve", "--drain", "5\n\u{1b}[31ms"], &[]));
    assert!(line.contains("`5\\n\\u{1b}[31ms`"), "{line}");
    let not_text = OsStr::from_bytes(b"\xff");
    let run = command(&["serve"], &[]).env("ONELOOP_DRAIN", not_text).output();
    let line = refusal(run.expect("the program starts"));
    assert!(line.contains("ONELOOP_DRAIN") && line.contains("UTF-8"), "{line}");
}
