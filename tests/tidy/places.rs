//! Things that have one place: `unsafe` in `sys`, the clock in `clock`, tests beside the code.

use crate::layers::module;
use crate::scan::{Path, is_word, lines_with, paths, strip, text_at, tokens};
use crate::{Violation, is_test};

/// Who else may read which clock, and why that does no harm.
const CLOCK_READERS: [(&str, &str, &str); 1] =
    [("cli", "SystemTime", "a report carries its date; nothing is decided by it")];

/// `unsafe` stands in `src/sys/`, in tests and in benches; nowhere else.
pub(crate) fn unsafe_code(path: &str, text: &str) -> Vec<Violation> {
    let in_sys = module(path).is_some_and(|home| home[0] == "sys");
    let is_code = path.ends_with(".rs");
    if !is_code || in_sys || is_test(path) || path.starts_with("benches/") {
        return vec![];
    }
    let what = "`unsafe` outside `src/sys/`";
    let mend = "wrap the call in a safe function in `src/sys/`, named as the syscall is";
    Violation::on(&lines_with(&tokens(&strip(text)), &["unsafe"]), what, mend)
}

/// In the library only `clock.rs` reads a clock.
pub(crate) fn clock_reads(path: &str, text: &str) -> Vec<Violation> {
    let Some(home) = module(path).filter(|home| home[0] != "clock" && home[..] != ["sys", "time"])
    else {
        return vec![];
    };
    let code = strip(text);
    let tokens = tokens(&code);
    let reads = |path: &Path<'_>| {
        let clock = path.segments.windows(2).find_map(|pair| match pair {
            [clock @ ("Instant" | "SystemTime" | "UNIX_EPOCH"), "now" | "elapsed"] => Some(*clock),
            _ => None,
        })?;
        let excused = CLOCK_READERS.iter().any(|(who, what, _)| *who == home[0] && *what == clock);
        (!excused).then_some(path.line)
    };
    let mut found: Vec<usize> = paths(&tokens).iter().filter_map(reads).collect();
    // A reading in disguise, and the renaming that would hide one from us.
    let hidden = [".", "elapsed", "("];
    for hidden in [&hidden[..], &["Instant", "as"], &["SystemTime", "as"], &["monotonic_ns", "("]] {
        found.extend(lines_with(&tokens, hidden));
    }
    found.sort_unstable();
    let mend = "take the time as an argument; `clock` is read once a turn";
    Violation::on(&found, "reads a clock outside `clock.rs`", mend)
}

/// Unit tests stand in a sibling `tests.rs`, so that the code can be read in one go.
pub(crate) fn inline_tests(path: &str, text: &str) -> Vec<Violation> {
    if !path.starts_with("src/") {
        return vec![];
    }
    let mend = "move it to a sibling `tests.rs`, which `mod tests;` names";
    Violation::on(&lines_with(&tokens(&strip(text)), &["mod", "tests", "{"]), "inline tests", mend)
}

/// A test that sleeps is slow on every machine and wrong on a slower one.
pub(crate) fn sleeping_tests(path: &str, text: &str) -> Vec<Violation> {
    if !is_test(path) {
        return vec![];
    }
    let sleeps = |path: &Path<'_>| match path.segments[..] {
        [.., "thread", "sleep" | "*"] => Some(path.line),
        _ => None,
    };
    let found: Vec<usize> = paths(&tokens(&strip(text))).iter().filter_map(sleeps).collect();
    let mend = "wait for the condition: a read with a timeout, `recv_timeout`, `poll`";
    Violation::on(&found, "a test that sleeps", mend)
}

/// Nothing unfinished, nothing left from debugging, no test that is switched off.
pub(crate) fn unfinished(path: &str, text: &str) -> Vec<Violation> {
    if !path.ends_with(".rs") {
        return vec![];
    }
    let code = strip(text);
    let tokens = tokens(&code);
    let mut found = Vec::new();
    for name in ["todo", "unimplemented", "dbg"] {
        let calls = lines_with(&tokens, &[name, "!"]);
        found.extend(Violation::on(&calls, &format!("`{name}!`"), "finish it, or leave it out"));
    }
    let ignored = lines_with(&tokens, &["[", "ignore"]);
    let mend = "make it run everywhere, or leave it out";
    found.extend(Violation::on(&ignored, "a test that is switched off", mend));
    found
}

/// Ownership stays plain: no shared cells, no callbacks kept for later.
pub(crate) fn plain_ownership(path: &str, text: &str) -> Vec<Violation> {
    if !path.starts_with("src/") {
        return vec![];
    }
    let code = strip(text);
    let tokens = crate::scan::unqualified(&tokens(&code));
    let cells = lines_with(&tokens, &["Rc", "<", "RefCell"]);
    let mend = "let one value own it and pass `&mut` down";
    let mut found = Violation::on(&cells, "`Rc<RefCell>`", mend);
    let mut callbacks = Vec::new();
    for at in 0..tokens.len() {
        let defines = matches!(tokens[at].text, "struct" | "enum" | "union" | "type");
        if defines && is_word(text_at(&tokens, at + 1)) {
            let item = &tokens[at..at + item_length(&tokens[at..])];
            let dynamic = item.iter().position(|token| token.text == "dyn");
            let after = &item[dynamic.unwrap_or(item.len())..];
            let fns = after.iter().filter(|t| matches!(t.text, "Fn" | "FnMut" | "FnOnce"));
            callbacks.extend(fns.map(|token| token.line));
        }
    }
    let mend = "store a value that says what to do, or take a generic handler as an argument";
    found.extend(Violation::on(&callbacks, "a callback stored in a type", mend));
    found
}

/// How many tokens a `struct`, `enum` or `type` has, up to its `}` or `;`.
fn item_length(tokens: &[crate::scan::Token<'_>]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(token.text, "}" | ";") {
            return at + 1;
        }
    }
    tokens.len()
}

/// No file names a directory of the machine it was written on. Comments and strings count.
pub(crate) fn machine_paths(_path: &str, text: &str) -> Vec<Violation> {
    let on_line = |line: &str| {
        // Spelled without slashes, so that this file keeps its own rule.
        ["work", "root", "home"].iter().any(|top| {
            let full = format!("/{top}/");
            let starts_a_path = |at: usize| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || "_-.~}".contains(c))
            };
            line.match_indices(&full).any(|(at, _)| starts_a_path(at))
        })
    };
    let numbered = text.lines().enumerate().filter(|(_, line)| on_line(line));
    let found: Vec<usize> = numbered.map(|(index, _)| index + 1).collect();
    let mend = "make it relative, or a temporary directory, or a setting";
    Violation::on(&found, "a path of one machine", mend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines;

    #[test]
    fn unsafe_belongs_to_sys() {
        let text = "// unsafe\nunsafe fn f() {}\nconst A: &str = \"unsafe\";";
        assert_eq!(lines(&unsafe_code("src/net/link.rs", text)), [2]);
        assert_eq!(lines(&unsafe_code("examples/a.rs", text)), [2]);
        assert_eq!(lines(&unsafe_code("src/sysx.rs", text)), [2]);
        assert_eq!(lines(&unsafe_code("docs/design.md", text)), []);
        for allowed in
            ["src/sys/fd.rs", "src/sys.rs", "src/net/tests.rs", "tests/a.rs", "benches/a.rs"]
        {
            assert_eq!(lines(&unsafe_code(allowed, text)), [], "{allowed}");
        }
    }

    #[test]
    fn only_the_clock_reads_the_clock() {
        let text = "use std::time::Instant;\nlet a = std::time::Instant::now();\n\
                    // Instant::now()\n\
                    let b = a.elapsed();\nlet c = SystemTime::now;\nInstant::elapsed(&a);\n\
                    use std::time::{Instant as Clock};";
        assert_eq!(lines(&clock_reads("src/net/link.rs", text)), [2, 4, 5, 6, 7]);
        assert_eq!(lines(&clock_reads("src/cli/ladder.rs", text)), [2, 4, 6, 7]);
        assert_eq!(lines(&clock_reads("src/clock.rs", text)), []);
        assert_eq!(lines(&clock_reads("tests/echo.rs", text)), []);
        assert_eq!(lines(&clock_reads("src/net/link.rs", "fn f(now: Instant) { now.x }")), []);
    }

    #[test]
    fn unit_tests_are_siblings() {
        assert_eq!(lines(&inline_tests("src/buf/pool.rs", "#[cfg(test)]\nmod tests {\n}")), [2]);
        assert_eq!(lines(&inline_tests("src/buf/pool.rs", "#[cfg(test)]\nmod tests;")), []);
        assert_eq!(lines(&inline_tests("tests/tidy/scan.rs", "mod tests {}")), []);
    }

    #[test]
    fn tests_do_not_sleep() {
        let text = "use std::thread;\nthread::sleep(d);\nuse std::{thread::{sleep, spawn}};\n\
                    // thread::sleep\nuse std::thread::*;";
        assert_eq!(lines(&sleeping_tests("tests/echo.rs", text)), [2, 3, 5]);
        assert_eq!(lines(&sleeping_tests("src/net/tests.rs", text)), [2, 3, 5]);
        assert_eq!(lines(&sleeping_tests("src/cli/load.rs", text)), []);
        assert_eq!(lines(&sleeping_tests("tests/echo.rs", "thread::spawn(f); x.sleep()")), []);
    }

    #[test]
    fn nothing_is_unfinished() {
        let text = "todo!();\nstd::unimplemented!(\"x\");\n let a = dbg!(b);\n\
                    #[ignore = \"slow\"]\n\
                    #[ignore]\n// todo!()\nfn todo() { ignore(\"dbg!\") }";
        assert_eq!(lines(&unfinished("src/net/link.rs", text)), [1, 2, 3, 4, 5]);
        assert_eq!(lines(&unfinished("scripts/load.sh", text)), []);
    }

    #[test]
    fn ownership_is_plain() {
        let cells =
            "struct A(u8);\nfn f(a: std::rc::Rc<std::cell::RefCell<A>>) {}\nfn g(a: Rc<A>) {}";
        assert_eq!(lines(&plain_ownership("src/net/link.rs", cells)), [2]);
        assert_eq!(lines(&plain_ownership("tests/echo.rs", cells)), []);

        let kept = "struct A {\n    a: [u8; 4],\n    f: Box<dyn Fn(u8) -> u8>,\n}\n\
                    struct B(Vec<Arc<dyn for<'a> FnMut(&'a u8)>>);\n\
                    type C =\n    Box<dyn ops::FnOnce()>;";
        assert_eq!(lines(&plain_ownership("src/net/link.rs", kept)), [3, 5, 7]);
        let passed = "struct A<F: Fn(u8)> { f: F, d: Box<dyn Display> }\n\
                      fn f(x: Box<dyn Fn()>) {}\nstruct B;\nfn g() -> Box<dyn FnOnce()> { h() }";
        assert_eq!(lines(&plain_ownership("src/net/link.rs", passed)), []);
    }

    #[test]
    fn no_path_of_this_machine() {
        let slash = "/";
        let text = format!("// see {slash}work/a\nx\n\"{slash}home/me\" https://a.b{slash}home/");
        assert_eq!(lines(&machine_paths("docs/design.md", &text)), [1, 3]);
        let text = format!("a{slash}work/b $dir{slash}root/ https://a.b{slash}home/ /proc/self");
        assert_eq!(lines(&machine_paths("scripts/load.sh", &text)), []);
    }
}
