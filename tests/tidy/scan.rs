//! Reads Rust as text: just enough of a scanner that no rule is fooled by a comment or a string.

/// A word, `::`, or a single other character, and the line it stands on (from 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// A path such as `std::io::Read`; `use a::{b, c::d}` gives `a::b` and `a::c::d`.
#[derive(Debug, PartialEq)]
pub(crate) struct Path<'a> {
    pub(crate) segments: Vec<&'a str>,
    pub(crate) line: usize,
    /// How many inline `mod name { ... }` blocks of the file are open around it.
    pub(crate) inline_mods: usize,
}

/// The code alone, line for line: comments become spaces, what is quoted becomes quote marks.
/// So a line that holds only a comment is blank, and a line inside a long string is not.
pub(crate) fn strip(text: &str) -> String {
    let out = String::with_capacity(text.len());
    let mut scanner = Scanner { chars: text.chars().collect(), at: 0, out };
    while scanner.at < scanner.chars.len() {
        scanner.step();
    }
    scanner.out
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
    out: String,
}

impl Scanner {
    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => {
                let rest = self.chars[self.at..].iter();
                let n = rest.take_while(|c| **c != '\n').count();
                self.emit(n, Some(' '));
            }
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(),
            ('\'', _) => self.char_or_lifetime(),
            (c, _) if is_word_char(c) => self.word(),
            _ => self.emit(1, None),
        }
    }

    /// The character `ahead` of the cursor; NUL after the end, which no rule matches.
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn ended(&self, ahead: usize) -> bool {
        self.at + ahead >= self.chars.len()
    }

    /// Moves over `n` characters: as they are, or each as `mask`. White space is never masked.
    fn emit(&mut self, n: usize, mask: Option<char>) {
        let end = (self.at + n).min(self.chars.len());
        for &c in &self.chars[self.at..end] {
            self.out.push(if c.is_whitespace() { c } else { mask.unwrap_or(c) });
        }
        self.at = end;
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.emit(1, Some(' '));
                    if self.ended(0) {
                        return;
                    }
                    continue;
                }
            }
            self.emit(2, Some(' '));
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        let mut n = 1;
        while !self.ended(n) && self.peek(n) != '"' {
            n += if self.peek(n) == '\\' { 2 } else { 1 };
        }
        self.emit(n + 1, Some('"'));
    }

    /// `'x'` and `'\n'` are characters; `'a` is a lifetime or a label.
    fn char_or_lifetime(&mut self) {
        if self.peek(1) == '\\' {
            let mut n = 3; // past the escaped character, which may be the quote itself
            while !self.ended(n) && self.peek(n) != '\'' {
                n += 1;
            }
            self.emit(n + 1, Some('"'));
        } else if self.peek(2) == '\'' {
            self.emit(3, Some('"'));
        } else {
            self.emit(1, None);
        }
    }

    /// A word, and the raw string that it may open: `r"..."`, `br#"..."#`, `cr"..."`.
    fn word(&mut self) {
        let start = self.at;
        while is_word_char(self.peek(0)) {
            self.emit(1, None);
        }
        let word: String = self.chars[start..self.at].iter().collect();
        let hashes = (0..).take_while(|n| self.peek(*n) == '#').count();
        if matches!(word.as_str(), "r" | "br" | "cr") && self.peek(hashes) == '"' {
            let mut n = hashes + 1;
            let closes =
                |s: &Self, n| s.peek(n) == '"' && (1..=hashes).all(|hash| s.peek(n + hash) == '#');
            while !self.ended(n) && !closes(self, n) {
                n += 1;
            }
            self.emit(n + hashes + 1, Some('"'));
        }
    }
}

fn is_word_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

pub(crate) fn is_word(text: &str) -> bool {
    text.starts_with(is_word_char)
}

/// Splits stripped code. Quoted text leaves no token.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (index, row) in code.lines().enumerate() {
        let mut rest = row.trim_start_matches(|c: char| c == '"' || c.is_whitespace());
        while let Some(first) = rest.chars().next() {
            let length = if is_word(rest) {
                rest.find(|c| !is_word_char(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push(Token { text: &rest[..length], line: index + 1 });
            let tail = &rest[length..];
            rest = tail.trim_start_matches(|c: char| c == '"' || c.is_whitespace());
        }
    }
    found
}

/// Every path in the code, with `use` groups spelled out. A lone word is a path of one segment.
pub(crate) fn paths<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let mut found = Vec::new();
    let mut braces = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text {
            "{" => braces.push(at >= 2 && tokens[at - 2].text == "mod"),
            "}" => {
                braces.pop();
            }
            word if is_word(word) && text_at(tokens, at.wrapping_sub(1)) != "." => {
                let inline_mods = braces.iter().filter(|is_mod| **is_mod).count();
                at = path(tokens, at, Path { segments: vec![], line: 0, inline_mods }, &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one path, or one group of them, that begins at `at`; tells where it ended.
fn path<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    prefix: Path<'a>,
    found: &mut Vec<Path<'a>>,
) -> usize {
    let mut segments = prefix.segments;
    let (line, inline_mods) = (tokens[at].line, prefix.inline_mods);
    loop {
        if text_at(tokens, at) == "{" {
            at += 1;
            while !matches!(text_at(tokens, at), "}" | "") {
                at = match text_at(tokens, at) {
                    "as" => at + 2,
                    next if is_word(next) || next == "*" => {
                        let segments = segments.clone();
                        path(tokens, at, Path { segments, line, inline_mods }, found)
                    }
                    _ => at + 1,
                };
            }
            return at + 1;
        }
        segments.push(tokens[at].text);
        at += 1;
        let next = text_at(tokens, at + 1);
        if text_at(tokens, at) != "::" || !(is_word(next) || next == "*" || next == "{") {
            found.push(Path { segments, line, inline_mods });
            return at;
        }
        at += 1;
    }
}

/// The token's text, or nothing where there is no such token.
pub(crate) fn text_at<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

/// The tokens with every path cut down to its last word, so that `std::rc::Rc` reads `Rc`.
pub(crate) fn unqualified<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let kept = |at: &usize| {
        let [word, next, after] = [0, 1, 2].map(|ahead| text_at(tokens, at + ahead));
        word != "::" && !(is_word(word) && next == "::" && is_word(after))
    };
    (0..tokens.len()).filter(kept).map(|at| tokens[at]).collect()
}

/// The lines on which these tokens follow each other.
pub(crate) fn lines_with(tokens: &[Token<'_>], sequence: &[&str]) -> Vec<usize> {
    let here = |window: &&[Token<'_>]| window.iter().map(|t| t.text).eq(sequence.iter().copied());
    tokens.windows(sequence.len()).filter(here).map(|window| window[0].line).collect()
}

#[cfg(test)]
mod tests {
    use super::{Path, lines_with, paths, strip, tokens, unqualified};

    fn words(text: &str) -> String {
        tokens(&strip(text)).iter().map(|t| t.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_vanish_and_lines_stay() {
        assert_eq!(strip("a // b\nc"), "a     \nc");
        assert_eq!(strip("a /* x /* y */ z\n */ b"), "a               \n    b");
        assert_eq!(
            words("/// use crate::net;\n//! x\nfn f() {} /** doc */ mod m;"),
            "fn f ( ) { } mod m ;"
        );
        assert_eq!(words("a /* never closed"), "a");
    }

    #[test]
    fn quoted_text_is_no_code() {
        assert_eq!(words(r#"f("// no { comment \" }", b"\\", c"x")"#), "f ( , b , c )");
        assert_eq!(words(r###"a(r#"x " } // "#, br"\", r##""# {"##) b"###), "a ( r , br , r ) b");
        assert_eq!(
            words(r"x = ['{', '\'', '\\', '\u{7d}', b'}', '/'] // }"),
            "x = [ , , , , b , ]"
        );
        assert_eq!(strip("let a = \"two\nlines\";"), "let a = \"\"\"\"\n\"\"\"\"\"\";");
        assert_eq!(words("let a = \"never closed"), "let a =");
    }

    #[test]
    fn lifetimes_labels_and_raw_names_are_code() {
        assert_eq!(words("fn f<'a>(x: &'a str, c: 'b')"), "fn f < ' a > ( x : & ' a str , c : )");
        assert_eq!(words("'outer: loop { break 'outer; }"), "' outer : loop { break ' outer ; }");
        assert_eq!(words("let r#type = r; /* */ x"), "let r # type = r ; x");
    }

    #[test]
    fn paths_are_spelled_out() {
        let code = "use std::{io::{self, Read as R}, net::*};\nuse super::super::x;";
        let tokens = tokens(code);
        let found: Vec<_> = paths(&tokens).iter().map(|p| p.segments.join("::")).collect();
        let group = ["std::io::self", "std::io::Read", "std::net::*"];
        assert_eq!(found, [&["use"], &group[..], &["use", "super::super::x"]].concat());
    }

    #[test]
    fn paths_know_their_line_and_their_inline_modules() {
        let code =
            "mod a {\n fn f() { Vec::<u8>::new(); }\n mod b { x.len(); use self::{\n y }; } } z";
        let tokens = tokens(code);
        let found = paths(&tokens);
        let has = |segments: &[&str], line, inline_mods| {
            found.contains(&Path { segments: segments.to_vec(), line, inline_mods })
        };
        assert!(has(&["Vec"], 2, 1) && has(&["self", "y"], 4, 2) && has(&["z"], 4, 0), "{found:?}");
        assert!(!has(&["len"], 3, 2), "a method is not a path: {found:?}");
    }

    #[test]
    fn sequences_are_found_behind_any_path() {
        let tokens = tokens("a: Rc<u8>,\nb: std::rc::Rc<cell::RefCell<T>> = Vec::<u8>::new()");
        let short = unqualified(&tokens);
        assert_eq!(lines_with(&short, &["Rc", "<", "RefCell"]), [2]);
        assert_eq!(lines_with(&short, &["Rc"]), [1, 2]);
        assert_eq!(lines_with(&short, &["Vec", "<", "u8", ">", "new"]), [2]);
    }
}
