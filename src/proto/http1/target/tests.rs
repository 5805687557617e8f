use super::*;

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
        assert!(is_authority(text), "{text}");
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
        assert!(!is_authority(text), "{text}");
    }
}

#[test]
fn forms() {
    let parse = |text| Target::parse(text, Method::Get);
    let target = |authority, path, query| Some(Target { authority, path, query });
    assert_eq!(parse("/"), target(None, "/", None));
    assert_eq!(parse("/a?b?c"), target(None, "/a", Some("b?c")));
    assert_eq!(parse("/http://b/"), target(None, "/http://b/", None));
    assert_eq!(parse("http://a:1/b?c"), target(Some("a:1"), "/b", Some("c")));
    assert_eq!(parse("http://a?b/c"), target(Some("a"), "/", Some("b/c")));
    assert_eq!(parse("http://a@b/"), None);
    assert_eq!(parse(""), None);
    assert_eq!(parse("?a"), None);
    assert_eq!(parse("*"), None);
    assert_eq!(Target::parse("*", Method::Options), target(None, "*", None));
    assert_eq!(Target::parse("**", Method::Options), None);
}
