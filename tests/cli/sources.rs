//! Where values come from: a flag beats the environment, which beats the file.

use crate::{TempFile, oneloop, stdout};
use oneloop::config::SETTINGS;
use oneloop::net::OPTIONS;

/// Three values of each setting, in the form that `--check` gives back; none is the default, but
/// that a switch has two.
pub(crate) const SAMPLES: [(&str, [&str; 3]); 39] = [
    ("listen", ["tcp://127.0.0.1:0/echo", "http://[::1]:0", "unix:///a?service=broadcast"]),
    ("workers", ["2", "auto", "3"]),
    ("worker_kind", ["thread", "process", "thread"]),
    ("accept", ["shared", "reuseport", "shared"]),
    ("join", ["on", "off", "on"]),
    ("nofile", ["20", "keep", "30"]),
    ("max_connections", ["1", "2", "3"]),
    // Not refuse, which is for a single worker.
    ("at_limit", ["pause", "evict-idle", "pause"]),
    ("evict_idle_after", ["0s", "1ms", "2h"]),
    ("per_ip_max", ["1", "2", "4294967295"]),
    ("accept_rate", ["1", "2", "3"]),
    ("idle_timeout", ["5m", "1m30s", "1ms"]),
    ("linger", ["500ms", "2s", "3s"]),
    ("backlog_bytes_max", ["128KiB", "131073", "2MiB"]),
    ("buffers_bytes_max", ["1MiB", "2MiB", "3GiB"]),
    ("tls_handshake_timeout", ["1s", "off", "1m"]),
    ("tls_self_signed", ["on", "a.example", "192.0.2.1"]),
    ("line_bytes_max", ["2", "100", "1KiB"]),
    ("head_bytes_max", ["64", "1000", "8KiB"]),
    ("headers_max", ["1", "100", "256"]),
    ("body_bytes_max", ["1", "1KiB", "2GiB"]),
    ("head_timeout", ["1ms", "off", "3s"]),
    ("body_bytes_per_s_min", ["1", "off", "2KiB"]),
    ("keep_alive", ["1ms", "off", "3s"]),
    ("frame_bytes_max", ["125", "1KiB", "2MiB"]),
    ("message_bytes_max", ["125", "1KiB", "2MiB"]),
    ("fragments_max", ["1", "2", "4294967295"]),
    ("control_frames_per_s_max", ["1", "off", "65535"]),
    // It can be switched on only where it is built in.
    ("deflate", ["off", if cfg!(feature = "deflate") { "on" } else { "off" }, "off"]),
    ("deflate_takeover_max", ["1", "2", "3"]),
    ("deflate_bytes_min", ["0", "1", "1KiB"]),
    ("ping_interval", ["1ms", "off", "3s"]),
    ("pong_timeout", ["1ms", "off", "3s"]),
    ("allow_origin", ["https://example.org", "null", "*"]),
    ("drain", ["1s", "1day", "3s"]),
    ("spin_us", ["1", "50", "10000"]),
    ("metrics_file", ["a.json", "/a \"b\".json", "./off"]),
    ("pid_file", ["a.pid", "/a b.pid", "./off"]),
    ("log", ["warn", "off", "warn,oneloop::server=debug"]),
];

/// Settings of which every other value is a sample: they have only two.
const TWO_VALUED: [&str; 4] = ["worker_kind", "accept", "join", "deflate"];

/// A value of each option of a URL that is not its default.
const OPTION_SAMPLES: [(&str, &str); 9] = [
    ("backlog", "7"),
    ("reuse_port", "true"),
    ("nodelay", "false"),
    ("keepalive", "1m30s"),
    ("user_timeout", "500ms"),
    ("defer_accept", "3s"),
    ("rcvbuf", "64KiB"),
    ("sndbuf", "4097"),
    ("v6only", "true"),
];

/// What `--check` says of one setting: its value, and where that came from.
#[derive(Debug, PartialEq)]
struct Line {
    name: String,
    value: String,
    origin: String,
}

fn lines(check: &str) -> Vec<Line> {
    let line = |line: &str| {
        let (assignment, origin) = line.split_once("  # ").expect("an origin");
        let table: toml::Table = assignment.parse().expect("TOML");
        let (name, value) = table.into_iter().next().expect("a setting");
        Line { name, value: text(&value), origin: origin.into() }
    };
    check.lines().map(line).collect()
}

fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn check(args: &[&str], variables: &[(&str, &str)]) -> Vec<Line> {
    lines(&stdout(oneloop(&[&["serve", "--check"], args].concat(), variables)))
}

/// What `--check` says of the setting `name`: value and origin.
fn checked(name: &str, args: &[&str], variables: &[(&str, &str)]) -> (String, String) {
    let line = check(args, variables).into_iter().find(|line| line.name == name);
    let line = line.unwrap_or_else(|| panic!("no line for {name}"));
    (line.value, line.origin)
}

pub(crate) fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

pub(crate) fn variable(name: &str) -> String {
    format!("ONELOOP_{}", name.to_uppercase())
}

#[test]
fn no_setting_is_without_samples_and_check_shows_all() {
    let samples = SAMPLES.map(|(name, _)| name);
    let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    assert_eq!(samples[..], known[..]);
    let shown: Vec<String> = check(&[], &[]).into_iter().map(|line| line.name).collect();
    assert_eq!(samples[..], shown[..]);
    // Those of TLS name files, which have to be there: see `src/net/tls/tests/files.rs`.
    let of_sockets = OPTIONS.iter().map(|option| option.name).filter(|it| !it.starts_with("tls_"));
    assert_eq!(OPTION_SAMPLES.map(|(name, _)| name)[..], of_sockets.collect::<Vec<_>>()[..]);
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    for (name, [in_file, in_env, in_flag]) in SAMPLES {
        let file = TempFile::new(&format!("\n{name} = {in_file:?}\n"));
        let (flag, variable) = (flag(name), variable(name));
        let with_file = ["--config", file.path()];
        let with_flag = [&with_file[..], &[&flag, in_flag]].concat();
        let variables = [(variable.as_str(), in_env)];

        let is = |value: &str, origin: String| (value.to_owned(), origin);
        let (default, origin) = checked(name, &[], &[]);
        assert_eq!(origin, "default");
        let is_bad = [in_file, in_env, in_flag].contains(&default.as_str());
        assert!(!is_bad || TWO_VALUED.contains(&name), "{name}: a bad sample");
        let place = format!("file {}:2:{}", file.path(), name.len() + 4);
        assert_eq!(checked(name, &with_file, &[]), is(in_file, place));
        let place = format!("environment {variable}");
        assert_eq!(checked(name, &with_file, &variables), is(in_env, place));
        let place = format!("flag {flag}");
        assert_eq!(checked(name, &with_flag, &variables), is(in_flag, place));
    }
}

#[test]
fn the_file_may_be_named_by_the_environment_and_a_flag_beats_that_too() {
    let (weak, strong) = (TempFile::new("drain = \"1s\""), TempFile::new("drain = \"2s\""));
    let variables = [("ONELOOP_CONFIG", weak.path())];
    assert_eq!(checked("drain", &[], &variables).0, "1s");
    assert_eq!(checked("drain", &["--config", strong.path()], &variables).0, "2s");
}

#[test]
fn what_check_prints_means_the_same_when_it_is_read_back() {
    for sample in 0..3 {
        let mut args = vec![];
        for (name, values) in SAMPLES {
            args.extend([flag(name), values[sample].to_owned()]);
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        for args in [&args[..], &[]] {
            let first = check(args, &[]);
            let printed = stdout(oneloop(&[&["serve", "--check"], args].concat(), &[]));
            let file = TempFile::new(&printed);
            let second = check(&["--config", file.path()], &[]);
            assert_eq!(first.len(), second.len());
            for (at, (first, second)) in first.iter().zip(&second).enumerate() {
                assert_eq!((&first.name, &first.value), (&second.name, &second.value));
                // An empty list says nothing, so it is the default wherever it stands.
                let place = match second.value.as_str() {
                    "" => "default".to_owned(),
                    _ => format!("file {}:{}:", file.path(), at + 1),
                };
                assert!(second.origin.starts_with(&place), "{second:?}");
            }
        }
    }
}

#[test]
fn listeners_are_a_list_in_every_source() {
    let [one, two] = ["tcp://127.0.0.1:0/echo", "udp://127.0.0.1:0/discard"];
    let both = format!("{one},{two}");
    let file = TempFile::new(&format!("listen = [\n  {one:?},\n  {two:?},\n]"));
    assert_eq!(checked("listen", &["--listen", one, "--listen", two], &[]).0, both);
    assert_eq!(checked("listen", &[], &[("ONELOOP_LISTEN", &format!("{one}, {two}"))]).0, both);
    assert_eq!(checked("listen", &["--config", file.path()], &[]).0, both);
}

#[test]
fn every_option_of_a_url_is_given_back() {
    let all = OPTION_SAMPLES.map(|(name, value)| format!("{name}={value}"));
    let each = all.iter().map(|option| format!("tcp://[::1]:7000/echo?{option}"));
    for url in each.chain([format!("tcp://[::1]:7000/echo?{}", all.join("&"))]) {
        assert_eq!(checked("listen", &["--listen", &url], &[]).0, url);
    }
    // Defaults are left out, a service that is not said is echo.
    let url = "unix:///a?backlog=4096&nodelay=true&keepalive=1m&rcvbuf=auto";
    assert_eq!(checked("listen", &["--listen", url], &[]).0, "unix:///a?service=echo");
}

#[test]
fn a_switch_needs_no_value() {
    for args in [&["--tls-self-signed"][..], &["--tls-self-signed", "--per-ip-max", "9"]] {
        assert_eq!(checked("tls_self_signed", args, &[]).0, "on");
    }
    if cfg!(feature = "tls") {
        let url = "https://127.0.0.1:0";
        let args = ["--tls-self-signed", "--listen", url];
        assert_eq!(checked("listen", &args, &[]).0, url);
    }
}

#[test]
fn numbers_need_no_quotes_in_a_file_and_off_is_a_number_of_none() {
    let file = TempFile::new("nofile = 40\nper_ip_max = 1_000\nbacklog_bytes_max = 262144\n");
    let with_file = ["--config", file.path()];
    assert_eq!(checked("nofile", &with_file, &[]).0, "40");
    assert_eq!(checked("per_ip_max", &with_file, &[]).0, "1000");
    assert_eq!(checked("backlog_bytes_max", &with_file, &[]).0, "256KiB");
    assert_eq!(checked("per_ip_max", &["--per-ip-max", "off"], &[]).0, "off");
    assert_eq!(checked("per_ip_max", &["--per-ip-max", "0"], &[]).0, "off");
    assert_eq!(checked("idle_timeout", &["--idle-timeout", "off"], &[]).0, "off");
}
