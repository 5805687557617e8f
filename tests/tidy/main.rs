//! The house keeps its own rules: this test reads the source tree as text and lists every place
//! that breaks one, as `path:line: what; how to mend it`. It knows Rust no better than `scan.rs`
//! does, which is enough: a rule that needs the compiler is a lint, not a line here.
//!
//! Each check is a function of a path and a text. Beside it stands a test with a text that breaks
//! the rule and one that does not, so that no check can go blind in silence.

mod header;
mod layers;
mod places;
mod scan;
mod size;

use std::fmt;
use std::fs;
use std::path::Path;

/// What is read: the code and what is told about it. Vendored files and `target/` are not.
const PLACES: [&str; 14] = [
    "src",
    "tests",
    "examples",
    "benches",
    "fuzz/fuzz_targets",
    "scripts",
    "docs",
    ".ci",
    "README.md",
    "Cargo.toml",
    "build.rs",
    "deny.toml",
    "rustfmt.toml",
    ".cargo",
];

/// One place that breaks one rule.
#[derive(Debug)]
pub(crate) struct Violation {
    line: usize,
    what: String,
    mend: &'static str,
}

impl Violation {
    pub(crate) fn new(line: usize, what: String, mend: &'static str) -> Self {
        Self { line, what, mend }
    }

    pub(crate) fn on(lines: &[usize], what: &str, mend: &'static str) -> Vec<Self> {
        lines.iter().map(|line| Self::new(*line, what.to_owned(), mend)).collect()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.line, self.what, self.mend)
    }
}

/// The lines of what a check found, for the checks' own tests.
#[cfg(test)]
pub(crate) fn lines(found: &[Violation]) -> Vec<usize> {
    found.iter().map(|violation| violation.line).collect()
}

/// Integration tests, and the `tests.rs` beside a module.
pub(crate) fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.split('/').any(|part| matches!(part, "tests" | "tests.rs"))
}

/// Every rule, over one file.
fn check(path: &str, text: &str) -> Vec<Violation> {
    let rules = [
        layers::imports,
        layers::purity,
        places::unsafe_code,
        places::clock_reads,
        places::inline_tests,
        places::sleeping_tests,
        places::unfinished,
        places::plain_ownership,
        places::machine_paths,
        size::file_lines,
        size::fn_lines,
        size::columns,
        header::parts,
        |path: &str, text: &str| header::read_next(path, text, |place| root().join(place).exists()),
    ];
    let mut found: Vec<_> = rules.iter().flat_map(|rule| rule(path, text)).collect();
    found.sort_by_key(|violation| violation.line);
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file below `place`, as its path from the root and its text.
fn read_tree(place: &Path, files: &mut Vec<(String, String)>) {
    if place.is_dir() {
        let entries = fs::read_dir(place).expect("a directory of the repository can be read");
        let mut inner: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        inner.sort();
        inner.iter().for_each(|path| read_tree(path, files));
    } else if let Ok(text) = fs::read_to_string(place) {
        let path = place.strip_prefix(root()).expect("below the root");
        files.push((path.to_str().expect("a UTF-8 path").to_owned(), text));
    }
}

fn tree() -> Vec<(String, String)> {
    let mut files = Vec::new();
    PLACES.iter().for_each(|place| read_tree(&root().join(place), &mut files));
    files
}

#[test]
fn the_tree_is_tidy() {
    let mut report = String::new();
    for (path, text) in tree() {
        for violation in check(&path, &text) {
            report += &format!("{path}:{violation}\n");
        }
    }
    assert!(report.is_empty(), "{} places to tidy:\n{report}", report.lines().count());
}

/// If the walk missed the code, or the scanner lost its way in it, a tidy tree would mean nothing.
#[test]
fn the_tree_is_seen_and_understood() {
    let files = tree();
    for expected in ["src/lib.rs", "src/main.rs", "tests/tidy/scan.rs", "Cargo.toml"] {
        assert!(files.iter().any(|(path, _)| path == expected), "{expected} was not read");
    }
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let code = scan::strip(text);
        assert_eq!(code.lines().count(), text.lines().count(), "{path}: lines were lost");
        for pair in ["{}", "()", "[]"] {
            let count = |at: usize| code.matches(&pair[at..=at]).count();
            assert_eq!(count(0), count(1), "{path}: the scanner finds `{pair}` out of balance");
        }
    }
}

/// Each rule is tested beside its code; here, that each is asked at all.
#[test]
fn every_rule_is_asked() {
    let long = format!("fn f() {{{}}}{:101}", "\nx();".repeat(400), "//");
    let home = ["/ho", "me/me"].concat();
    let samples = [
        ("src/clock.rs", "use crate::net;", "above it"),
        ("src/proto/line.rs", "use std::net::TcpStream;", "does no I/O"),
        ("src/net/link.rs", "unsafe fn f() {}", "`unsafe` outside"),
        ("src/net/link.rs", "Instant::now()", "reads a clock"),
        ("src/net/link.rs", "mod tests {}", "inline tests"),
        ("tests/echo.rs", "thread::sleep(a)", "sleeps"),
        ("src/net/link.rs", "todo!()", "`todo!`"),
        ("src/net/link.rs", "struct A(Box<dyn Fn()>);", "callback"),
        ("README.md", &home, "one machine"),
        ("src/net/link.rs", &long, "401 lines of code"),
        ("src/net/link.rs", &long, "`f` has 401 lines"),
        ("src/net/link.rs", &long, "columns"),
        ("src/net/link.rs", "use a;", "no header"),
        ("src/net/link.rs", "//! **Read next**: src/no_such_file.rs", "is not there"),
    ];
    for (path, text, phrase) in samples {
        let found: Vec<String> = check(path, text).iter().map(|one| one.to_string()).collect();
        assert!(found.iter().any(|one| one.contains(phrase)), "{phrase}: {found:?}");
    }
}
