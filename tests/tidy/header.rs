//! Every module tells its reader the same four things, and where to go on.

use crate::{Violation, is_test};

const PARTS: [&str; 4] = ["What", "Why this way", "Costs", "Read next"];
const EXTENSIONS: [&str; 9] =
    [".rs", ".md", ".sh", ".toml", ".html", ".js", ".css", ".svg", ".json"];

/// A module begins with a `//!` header of four parts; the crate roots need only a header.
pub(crate) fn parts(path: &str, text: &str) -> Vec<Violation> {
    if !path.starts_with("src/") || !path.ends_with(".rs") || is_test(path) {
        return vec![];
    }
    if header(text).next().is_none() {
        let mend =
            "begin the file with `//!`: **What**, **Why this way**, **Costs**, **Read next**";
        return vec![Violation::new(1, "no header".into(), mend)];
    }
    if matches!(path, "src/lib.rs" | "src/main.rs") {
        return vec![];
    }
    let missing = PARTS.iter().filter(|part| !header(text).any(|line| opens(line, part)));
    missing
        .map(|part| {
            let what = format!("the header has no part **{part}**");
            Violation::new(1, what, "begin a `//!` line with it, in bold")
        })
        .collect()
}

/// What the header says to read next is there. `exists` answers for a path from the root.
pub(crate) fn read_next(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Violation> {
    if !path.starts_with("src/") || !path.ends_with(".rs") || is_test(path) {
        return vec![];
    }
    let lines = header(text).enumerate();
    let mut lines = lines.skip_while(|(_, line)| !opens(line, "Read next")).peekable();
    let Some((opening, _)) = lines.peek().copied() else { return vec![] };
    let other_part = |line: &str| PARTS[..3].iter().any(|part| opens(line, part));
    let mut named = 0;
    let mut found = Vec::new();
    for (index, line) in lines.take_while(|(_, line)| !other_part(line)) {
        for place in words(line).filter_map(as_place) {
            named += 1;
            if !exists(place) {
                let mend = "name a file or directory that is there, from the top of the repository";
                found.push(Violation::new(index + 1, format!("`{place}` is not there"), mend));
            }
        }
    }
    if named == 0 {
        let mend = "name a file, from the top of the repository";
        found.push(Violation::new(opening + 1, "Read next names no path".into(), mend));
    }
    found
}

/// The lines of the `//!` block that the file begins with, without the marks.
fn header(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim)
}

/// `**What** ...` or `# What`.
fn opens(line: &str, part: &str) -> bool {
    let marked = line.strip_prefix("**").or_else(|| line.trim_start_matches('#').strip_prefix(' '));
    let tail = marked.and_then(|title| title.strip_prefix(part));
    tail.is_some_and(|tail| !tail.starts_with(char::is_alphanumeric))
}

/// A word that names a place in the repository: it has an extension we use, or ends in `/`.
fn as_place(word: &str) -> Option<&str> {
    let place = word.split('#').next()?.trim_end_matches(['.', ':', ';', '*']);
    let outside = place.starts_with('/') || place.contains("://");
    let is_file = EXTENSIONS.iter().any(|extension| place.ends_with(extension));
    (!outside && (is_file || place.ends_with('/'))).then_some(place)
}

/// Splits at white space and at what Markdown puts around a path.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c.is_whitespace() || "()[]<>`,".contains(c))
}

#[cfg(test)]
mod tests {
    use super::{parts, read_next};
    use crate::lines;

    const GOOD: &str = "//! **What**: a link.\n//!\n//! **Why this way**: x; not y.\n\
                        //! **Costs**: 1 `read`.\n//! **Read next**: `src/net/link.rs`, then\n\
                        //! [the design](docs/design.md#words). See epoll(7).\n\nuse a;\n";

    fn gone(text: &str) -> Vec<usize> {
        lines(&read_next("src/net/mod.rs", text, |path| path == "src/net/link.rs"))
    }

    #[test]
    fn headers_have_four_parts() {
        assert_eq!(lines(&parts("src/net/mod.rs", GOOD)), []);
        let missing = parts("src/net/mod.rs", &GOOD.replace("**Costs**", "It costs"));
        assert!(missing.len() == 1 && missing[0].to_string().contains("**Costs**"), "{missing:?}");
        let late = format!("use a;\n{GOOD}");
        assert!(parts("src/net/mod.rs", &late)[0].to_string().contains("no header"));
        assert_eq!(parts("src/net/mod.rs", "//! A link.\n// **What**").len(), 4);
        assert_eq!(lines(&parts("src/net/tests.rs", "use a;")), []);
    }

    #[test]
    fn crate_roots_need_a_header_only() {
        assert_eq!(lines(&parts("src/lib.rs", "//! The map.\n")), []);
        assert_eq!(lines(&parts("src/main.rs", "fn main() {}")), [1]);
    }

    #[test]
    fn what_to_read_next_is_there() {
        assert_eq!(gone(GOOD), [6], "docs/design.md");
        assert_eq!(gone(&GOOD.replace("(docs/design.md#words)", "https://a.b/c.md")), []);
        assert_eq!(gone("//! **Read next**: src/nte/, then `/proc/`."), [1]);
        assert_eq!(gone("//! a.rs\n//! **Read next**: the next module.\n//! **Costs**: b.rs"), [2]);
        assert_eq!(gone("//! # Read next\n//! - src/net/link.rs\n//! # Costs\n//! b.rs"), []);
        assert_eq!(gone("//! No such part."), [], "`parts` says so already");
    }
}
