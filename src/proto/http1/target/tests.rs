use super::*;

/// The target that all of `text` is.
fn whole(text: &str, method: Method) -> Option<Target<'_>> {
    Target::parse(text.as_bytes(), method)
}

#[test]
fn authorities() {
    let valid = [
        "a",
        "example.com",
        "127.0.0.1:80",
        "a:",
        "a:0",
        "a:65535",
        "[::1]",
        "[::ffff:1.2.3.4]:1",
        "[::1]:",
        "a_b-c.~!$&'()*+;=",
        "%41b",
    ];
    for text in valid {
        assert!(is_authority(text.as_bytes()), "{text}");
    }
    let invalid = [
        "",
        ":80",
        "a:65536",
        "a:+80",
        "a:8 0",
        "a:80:80",
        "a b",
        "a/b",
        "a?b",
        "a#b",
        "u@a",
        "::1",
        "[::1",
        "[]",
        "[::1]x",
        "[::1]80",
        "[1.2.3.4]",
        "[fe80::1%1]",
        "[v1.a]",
        "%4",
        "%zz",
        "a%",
        "a\\b",
        "é",
        "a\0",
        "a\"b",
    ];
    for text in invalid {
        assert!(!is_authority(text.as_bytes()), "{text}");
    }
}

#[test]
fn forms() {
    let parse = |text| whole(text, Method::Get);
    let target =
        |authority: Option<&'static str>, path: &'static str, query: Option<&'static str>| {
            let (authority, query) = (authority.map(str::as_bytes), query.map(str::as_bytes));
            Some(Target { authority, path: path.as_bytes(), query })
        };
    assert_eq!(parse("/"), target(None, "/", None));
    assert_eq!(parse("/a?b?c"), target(None, "/a", Some("b?c")));
    assert_eq!(parse("/http://b/"), target(None, "/http://b/", None));
    assert_eq!(parse("http://a:1/b?c"), target(Some("a:1"), "/b", Some("c")));
    assert_eq!(parse("http://a?b/c"), target(Some("a"), "/", Some("b/c")));
    assert_eq!(parse("http://a@b/"), None);
    assert_eq!(parse(""), None);
    assert_eq!(parse("?a"), None);
    assert_eq!(parse("*"), None);
    assert_eq!(whole("*", Method::Options), target(None, "*", None));
    assert_eq!(whole("**", Method::Options), None);
}
