//! The command line, by running the program. Nothing here opens a socket.
#![cfg(feature = "cli")]

mod bad_input;
mod docs;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Runs the program with `args` and, beside `variables`, an empty environment.
pub(crate) fn oneloop(args: &[&str], variables: &[(&str, &str)]) -> Output {
    command(args, variables).output().expect("the program starts")
}

pub(crate) fn command(args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oneloop"));
    command.args(args).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

/// stdout of a run that succeeded and had nothing to complain about.
pub(crate) fn stdout(output: Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// The one line that a run with exit 2 said, without `error: `.
pub(crate) fn refusal(output: Output) -> String {
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(output.stdout.is_empty(), "stdout is for results");
    let line = stderr.strip_suffix('\n').expect("a whole line");
    assert!(!line.contains('\n'), "more than a line: {stderr}");
    line.strip_prefix("error: ").unwrap_or_else(|| panic!("{line}")).to_owned()
}

/// A file in a directory of its own that goes away with it.
pub(crate) struct TempFile(PathBuf);

impl TempFile {
    pub(crate) fn new(text: &str) -> TempFile {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let dir = dir.join(format!("cli-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).expect("a writable target directory");
        let path = dir.join("a.toml");
        fs::write(&path, text).expect("writable");
        TempFile(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }

    pub(crate) fn dir(&self) -> &Path {
        self.0.parent().expect("in a directory")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.dir());
    }
}
