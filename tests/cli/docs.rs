//! Help, completions and manual: all made from one definition, so all complete. And output that
//! nobody takes.

use crate::sources::{flag, variable};
use crate::{TempFile, command, oneloop, stdout};
use oneloop::config::SETTINGS;
use oneloop::net::OPTIONS;
use oneloop::service::Builtin;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::process::Stdio;

/// Text without the way it was laid out: white space is one blank.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn help_tells_all_there_is_to_set() {
    let long = flat(&stdout(oneloop(&["serve", "--help"], &[])));
    let short = flat(&stdout(oneloop(&["serve", "-h"], &[])));
    for setting in SETTINGS {
        for help in [&long, &short] {
            let value = match setting.is_switch() {
                true => format!("[<{}>]", setting.values),
                false => format!("<{}>", setting.values),
            };
            assert!(help.contains(&format!("{} {value}", flag(setting.name))), "{setting:?}");
            assert!(help.contains(&flat(setting.doc)), "{setting:?}");
            assert!(help.contains(&format!("[env: {}]", variable(setting.name))), "{setting:?}");
            let default = setting.default().join(" ");
            let shown = help.contains(&format!("[default: {default}]"));
            assert!(shown || default.is_empty(), "{setting:?}");
        }
    }
    for option in OPTIONS {
        let line = format!("{}={} {}", option.name, option.values, option.doc);
        assert!(long.contains(&line), "{line}");
    }
    for service in Builtin::NAMES {
        assert!(long.contains(&format!(" {service} ")), "{service}");
    }
    for other in ["--check", "--config <FILE>", "ONELOOP_CONFIG", "Exit status"] {
        assert!(long.contains(other), "{other}");
    }
}

#[test]
fn help_does_not_show_what_is_in_the_environment() {
    let variables = [("ONELOOP_LOG", "somebody=debug"), ("ONELOOP_CONFIG", "/etc/secret.toml")];
    let (with, without) =
        (oneloop(&["serve", "--help"], &variables), oneloop(&["serve", "--help"], &[]));
    assert_eq!(stdout(with), stdout(without));
}

#[test]
fn the_program_introduces_itself() {
    let help = stdout(oneloop(&["--help"], &[]));
    for command in
        "serve load merge report compare ladder limits upgrade completions man".split(' ')
    {
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
        assert!(stdout(oneloop(&[command, "--help"], &[])).contains("Usage: oneloop"));
    }
    let version = stdout(oneloop(&["--version"], &[]));
    assert_eq!(version, format!("oneloop {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_know_every_flag_and_word() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(oneloop(&["completions", shell], &[]));
        for setting in SETTINGS {
            let name = flag(setting.name);
            let name = name.trim_start_matches('-');
            assert!(script.contains(name), "{shell}: {name}");
            for word in setting.words() {
                assert!(script.contains(word), "{shell}: {name} {word}");
            }
        }
    }
}

/// Where the shell itself is there, it has the last word.
#[test]
fn shells_can_read_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = TempFile::new(&stdout(oneloop(&["completions", shell], &[])));
        let run = std::process::Command::new(shell).arg("-n").arg(script.path()).output();
        match run {
            Ok(output) => {
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && stderr.is_empty(), "{shell}: {stderr}");
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound, "{shell}: {error}"),
        }
    }
}

#[test]
fn the_manual_has_a_page_a_command_and_all_of_them_go_to_stdout() {
    let place = TempFile::new("");
    let dir = place.dir().join("a").join("man1");
    stdout(oneloop(&["man", dir.to_str().expect("text")], &[]));
    let all = stdout(oneloop(&["man"], &[]));
    for page in [
        "",
        "-serve",
        "-load",
        "-merge",
        "-report",
        "-compare",
        "-ladder",
        "-limits",
        "-completions",
        "-man",
    ] {
        let name = format!("oneloop{page}.1");
        let page = fs::read_to_string(dir.join(&name)).expect("the page is there");
        assert!(page.contains(".TH oneloop") && page.contains(".SH SYNOPSIS"), "{name}");
        assert!(all.contains(&page), "{name}");
    }
    let serve = fs::read_to_string(dir.join("oneloop-serve.1")).expect("the page is there");
    let serve = serve.replace("\\-", "-");
    for setting in SETTINGS {
        assert!(serve.contains(&flag(setting.name)), "{setting:?}");
        assert!(serve.contains(&variable(setting.name)), "{setting:?}");
    }
    for option in OPTIONS {
        assert!(serve.contains(&format!("  {}={}", option.name, option.values)));
    }
}

const TALKATIVE: [&[&str]; 5] = [
    &["serve", "--check"],
    &["serve", "--help"],
    &["completions", "bash"],
    &["man"],
    &["--version"],
];

#[test]
fn a_reader_that_left_is_no_error() {
    for args in TALKATIVE {
        let (reader, writer) = io::pipe().expect("two descriptors");
        drop(reader);
        let output = command(args, &[]).stdout(writer).stderr(Stdio::piped()).output();
        let output = output.expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{args:?}: {stderr}");
    }
}

#[test]
fn a_full_disk_is_an_error_of_one_line() {
    for args in [&["serve", "--check"][..], &["completions", "bash"], &["man"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let output = command(args, &[]).stdout(full).stderr(Stdio::piped()).output();
        let output = output.expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: stdout: ") && stderr.lines().count() == 1, "{stderr}");
    }
}

#[test]
fn the_status_tells_it_when_stderr_is_gone_too() {
    let (reader, writer) = io::pipe().expect("two descriptors");
    drop(reader);
    let mut run = command(&["serve", "--drain", "no such"], &[]);
    let mut child = run.stdout(Stdio::piped()).stderr(writer).spawn().expect("it starts");
    let mut out = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(2));
    assert_eq!(out, "");
}
