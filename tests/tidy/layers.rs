//! The floors of the house (`docs/design.md`, "Two halves"): which module may import which.

use crate::Violation;
use crate::scan::{Path, paths, strip, tokens};

/// Each module's floor. A module imports from lower floors only.
/// The roof is stacked too, as the tool is: `config` says what to run, `cli` makes it from flags.
const FLOORS: [(&str, u8); 18] = [
    ("sys", 0),
    ("metrics", 0),
    ("buf", 0),
    ("clock", 1),
    ("proto", 1),
    ("reactor", 2),
    ("service", 2),
    ("net", 3),
    ("session", 3),
    ("server", 4),
    ("load", 4),
    ("limits", 4),
    ("ladder", 5),
    ("report", 5),
    ("config", 5),
    ("cli", 6),
    ("lib", ROOF),
    ("main", ROOF),
];
const ROOF: u8 = 7;

/// The half that does I/O and knows no protocol.
const IO_HALF: [&str; 3] = ["sys", "reactor", "net"];
/// The half that gives bytes a meaning and does no I/O. The two meet in `server` and `load`.
const MEANING_HALF: [&str; 3] = ["proto", "service", "session"];

/// What the meaning half may not name. (`core::net` has the addresses and no sockets.)
const IMPURE: [&[&str]; 11] = [
    &["std", "net"],
    &["std", "io"],
    &["std", "fs"],
    &["std", "os"],
    &["std", "process"],
    &["std", "thread"],
    &["time", "Instant"],
    &["time", "SystemTime"],
    &["mio"],
    &["socket2"],
    &["libc"],
];

/// `src/net/link.rs` is `["net", "link"]`. Nothing outside `src/` is a module of the house.
pub(crate) fn module(path: &str) -> Option<Vec<&str>> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    Some(inner.strip_suffix("/mod").unwrap_or(inner).split('/').collect())
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// Imports go down: never up, never to a sibling, never into the other half.
pub(crate) fn imports(path: &str, text: &str) -> Vec<Violation> {
    let Some(home) = module(path) else { return vec![] };
    let Some(own_floor) = floor(home[0]) else {
        let what = format!("the module `{}` has no floor", home[0]);
        return vec![Violation::new(1, what, "give it one in FLOORS, tests/tidy/layers.rs")];
    };
    if own_floor == ROOF {
        return vec![];
    }
    let broken = |path: &Path<'_>| {
        let name = target(&home, path).filter(|name| *name != home[0])?;
        let (what, mend) = judge(home[0], own_floor, name)?;
        Some(Violation::new(path.line, what, mend))
    };
    paths(&tokens(&strip(text))).iter().filter_map(broken).collect()
}

/// The name just below the crate's root that a path leads to, when it does lead through the root.
fn target<'a>(home: &[&str], path: &Path<'a>) -> Option<&'a str> {
    let mut segments = &path.segments[..];
    while let ["self", rest @ ..] = segments {
        segments = rest;
    }
    if let ["crate", name, ..] = segments {
        return Some(name);
    }
    let climbs = segments.iter().take_while(|segment| **segment == "super").count();
    let out_of_the_module = climbs >= home.len() + path.inline_mods;
    segments.get(climbs).copied().filter(|_| out_of_the_module)
}

fn judge(own: &str, own_floor: u8, name: &str) -> Option<(String, &'static str)> {
    let Some(floor) = floor(name).filter(|floor| *floor < ROOF) else {
        let what = format!("`{own}` names `{name}` from the crate's root, which is the roof");
        return Some((what, "name the module that defines it (a new module: give it a floor)"));
    };
    let across = (IO_HALF.contains(&own) && MEANING_HALF.contains(&name))
        || (MEANING_HALF.contains(&own) && IO_HALF.contains(&name));
    if floor >= own_floor {
        let relation = if floor == own_floor { "its sibling" } else { "above it" };
        let what = format!("`{own}` (floor {own_floor}) imports `{name}` ({floor}), {relation}");
        Some((what, "move what both need to a lower floor, or pass it in as an argument"))
    } else if across {
        let what = format!("`{own}` imports `{name}` from the other half of the house");
        Some((what, "let them meet in `server` or `load`"))
    } else {
        None
    }
}

/// The meaning half does no I/O and reads no clock.
pub(crate) fn purity(path: &str, text: &str) -> Vec<Violation> {
    if !module(path).is_some_and(|home| MEANING_HALF.contains(&home[0])) {
        return vec![];
    }
    let impure = |path: &Path<'_>| {
        let named = IMPURE.iter().find(|banned| names(&path.segments, banned))?;
        let what = format!("`{}` in the half that does no I/O", named.join("::"));
        let mend = "take bytes, time and addresses (`core::net`) as arguments";
        Some(Violation::new(path.line, what, mend))
    };
    paths(&tokens(&strip(text))).iter().filter_map(impure).collect()
}

/// Whether a path names `banned`: a crate at its start, anything longer wherever it stands.
/// A glob names everything: `std::time::*` is also `time::Instant`.
fn names(segments: &[&str], banned: &[&str]) -> bool {
    match banned {
        [krate] => segments[0] == *krate,
        _ => segments.windows(banned.len()).any(|window| {
            window.iter().zip(banned).all(|(seen, word)| seen == word || *seen == "*")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{imports, purity};
    use crate::lines;

    fn import_lines(path: &str, text: &str) -> Vec<usize> {
        lines(&imports(path, text))
    }

    #[test]
    fn down_is_allowed() {
        let text = "use crate::{clock, buf::Carry};\nfn f() -> crate::sys::Fd { self::g() }";
        assert_eq!(import_lines("src/net/link.rs", text), []);
        assert_eq!(import_lines("src/server/mod.rs", "use crate::{net, session, proto};"), []);
        assert_eq!(import_lines("src/cli/serve.rs", "use crate::{config, server};"), []);
        assert_eq!(import_lines("src/main.rs", "use crate::cli; pub use crate::Anything;"), []);
        assert_eq!(import_lines("tests/serve.rs", "use crate::anything;"), []);
    }

    #[test]
    fn up_and_sideways_are_not() {
        assert_eq!(import_lines("src/clock.rs", "\nuse crate::reactor::Reactor;"), [2]);
        assert_eq!(import_lines("src/buf/pool.rs", "use crate::sys::page_size;"), [1]);
        assert_eq!(import_lines("src/config.rs", "use crate::cli;"), [1]);
        let group = "use crate::{\n    clock,\n    server::{Server, conn},\n    load,\n};";
        assert_eq!(import_lines("src/limits/mod.rs", group), [3, 3, 4]);
        assert_eq!(import_lines("src/net/tls.rs", "fn f() { crate::server::g() }"), [1]);
    }

    #[test]
    fn comments_strings_and_visibility_are_no_imports() {
        let text = "//! [`crate::net`]\n/* use crate::net; */\nconst A: &str = \"crate::net\";\n\
                    pub(crate) fn f() {}\npub(in crate::clock) fn g() {}";
        assert_eq!(import_lines("src/clock.rs", text), []);
    }

    #[test]
    fn super_counts_when_it_climbs_out() {
        assert_eq!(import_lines("src/proto/ws/mask.rs", "use super::super::line;"), []);
        assert_eq!(import_lines("src/proto/ws/mask.rs", "use super::super::super::net;"), [1]);
        assert_eq!(import_lines("src/proto/ws/mod.rs", "use super::super::net;"), [1]);
        assert_eq!(import_lines("src/clock.rs", "use super::{net, proto};"), [1, 1]);
        assert_eq!(import_lines("src/clock.rs", "mod a { use super::b; }"), []);
        assert_eq!(import_lines("src/clock.rs", "mod a { use self::super::super::net; }"), [1]);
    }

    #[test]
    fn the_halves_do_not_meet() {
        assert_eq!(import_lines("src/net/link.rs", "use crate::proto::line;"), [1]);
        assert_eq!(import_lines("src/session.rs", "use crate::reactor::ConnId;"), [1]);
        assert_eq!(import_lines("src/session.rs", "use crate::{proto, service, buf};"), []);
    }

    #[test]
    fn the_roof_and_the_unknown_are_named() {
        assert_eq!(import_lines("src/net/link.rs", "use crate::Server;\nuse crate::*;"), [1, 2]);
        let found = imports("src/attic/trunk.rs", "");
        assert!(found[0].to_string().contains("`attic` has no floor; give it one"), "{found:?}");
    }

    #[test]
    fn the_meaning_half_is_pure() {
        let text = "use std::{\n net::TcpStream,\n io::Read,\n fmt,\n};\nuse std::time::*;\n\
                    fn f(t: time::Instant) { libc::read() }\nuse mio;";
        assert_eq!(lines(&purity("src/proto/line.rs", text)), [2, 3, 6, 7, 7, 8]);
        assert_eq!(lines(&purity("src/net/link.rs", text)), []);
        let text =
            "use std::time::Duration;\nuse core::net::IpAddr;\nfn f(x: &X) { x.mio() } // libc";
        assert_eq!(lines(&purity("src/service/echo.rs", text)), []);
    }
}
