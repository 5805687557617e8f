//! How much a reader has to hold in mind: lines of code in a file, lines in a function, columns.

use crate::scan::{Token, is_word, strip, text_at, tokens};
use crate::{Violation, is_test};

const FILE_LINES_MAX: usize = 400;
const FN_LINES_MAX: usize = 70;
const RUST_COLUMNS_MAX: usize = 100;
const SHELL_COLUMNS_MAX: usize = 120;

/// Lines of code in a file; blank lines and comments are free, tests may be long.
pub(crate) fn file_lines(path: &str, text: &str) -> Vec<Violation> {
    if !path.ends_with(".rs") || is_test(path) {
        return vec![];
    }
    let code = strip(text);
    let mut code_lines = code.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let count = code_lines.clone().count();
    let Some((first_over, _)) = code_lines.nth(FILE_LINES_MAX) else { return vec![] };
    let what = format!("{count} lines of code, {FILE_LINES_MAX} at most");
    vec![Violation::new(first_over + 1, what, "split the file where its subject changes")]
}

/// Lines of a function, from `fn` to its closing brace.
pub(crate) fn fn_lines(path: &str, text: &str) -> Vec<Violation> {
    if !path.ends_with(".rs") {
        return vec![];
    }
    let code = strip(text);
    let tokens = tokens(&code);
    let is_fn = |at: &usize| tokens[*at].text == "fn" && is_word(text_at(&tokens, at + 1));
    let too_long = |at| {
        let lines = last_line(&tokens[at..])? + 1 - tokens[at].line;
        let what = format!("`{}` has {lines} lines, {FN_LINES_MAX} at most", tokens[at + 1].text);
        let mend = "give a part of it a name of its own";
        (lines > FN_LINES_MAX).then(|| Violation::new(tokens[at].line, what, mend))
    };
    (0..tokens.len()).filter(is_fn).filter_map(too_long).collect()
}

/// Where the body of the function ends that `tokens` begins with; none if it has no body.
/// The `;` of `[u8; 4]` in a signature is no end.
fn last_line(tokens: &[Token<'_>]) -> Option<usize> {
    let (mut braces, mut parens) = (0, 0);
    for token in tokens {
        match token.text {
            "(" | "[" => parens += 1,
            ")" | "]" => parens -= 1,
            "{" => braces += 1,
            "}" => braces -= 1,
            ";" if braces == 0 && parens == 0 => return None,
            _ => continue,
        }
        if token.text == "}" && braces == 0 && parens == 0 {
            return Some(token.line);
        }
    }
    None
}

/// Columns of a line, in characters.
pub(crate) fn columns(path: &str, text: &str) -> Vec<Violation> {
    let most = match path.rsplit_once('.') {
        Some((_, "rs")) => RUST_COLUMNS_MAX,
        Some((_, "sh")) => SHELL_COLUMNS_MAX,
        _ => return vec![],
    };
    let measured = text.lines().map(|line| line.chars().count()).enumerate();
    let over = measured.filter(|(_, columns)| *columns > most);
    over.map(|(index, columns)| {
        let what = format!("{columns} columns, {most} at most");
        Violation::new(index + 1, what, "break the line")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{columns, file_lines, fn_lines};
    use crate::lines;

    #[test]
    fn files_are_short() {
        let full = "//! Free.\n\n/* free\nfree */\n".to_owned() + &"x(); // code\n".repeat(400);
        assert_eq!(lines(&file_lines("src/net/link.rs", &full)), []);
        let over = full + "// free\nx();\n";
        assert_eq!(lines(&file_lines("src/net/link.rs", &over)), [406]);
        assert_eq!(lines(&file_lines("examples/a.rs", &over)), [406]);
        assert_eq!(lines(&file_lines("src/net/tests.rs", &over)), []);
        let string = format!("const A: &str = r#\"\n{}\"#;", "// text\n".repeat(399));
        assert_eq!(lines(&file_lines("src/net/link.rs", &string)), [401], "strings are code");
    }

    #[test]
    fn functions_are_short() {
        let with = |lines: usize| {
            format!("\nfn f(a: [u8; 4]) {{{}}}", "x(\"}\"); // }\n".repeat(lines - 1))
        };
        assert_eq!(lines(&fn_lines("src/net/link.rs", &with(70))), []);
        assert_eq!(lines(&fn_lines("src/net/link.rs", &with(71))), [2]);
        assert_eq!(lines(&fn_lines("tests/echo.rs", &with(71))), [2]);
        let trait_fn = format!("trait T {{ fn f(&self) -> u8;\n{}}}", "// x\n".repeat(100));
        assert_eq!(lines(&fn_lines("src/net/link.rs", &trait_fn)), []);
        let nested = format!(
            "impl T {{\n const fn g<T>() where T: Fn(u8) {{ {{ }}\n fn h() {{ }}\n{}}}\n}}",
            "\n".repeat(70)
        );
        assert_eq!(lines(&fn_lines("src/net/link.rs", &nested)), [2]);
        let pointer = format!("type F = fn(u8);\n{}", "{\n}\n".repeat(80));
        assert_eq!(lines(&fn_lines("src/net/link.rs", &pointer)), []);
    }

    #[test]
    fn lines_are_short() {
        let text = format!("{}\n{}\n{}", "é".repeat(100), "x".repeat(101), "y".repeat(121));
        assert_eq!(lines(&columns("src/net/link.rs", &text)), [2, 3]);
        assert_eq!(lines(&columns("tests/echo.rs", &text)), [2, 3]);
        assert_eq!(lines(&columns("scripts/load.sh", &text)), [3]);
        assert_eq!(lines(&columns("docs/design.md", &text)), []);
    }
}
