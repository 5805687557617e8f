use super::*;

/// Each extension as its name and its parameters in brackets.
fn read(value: &str) -> Result<Vec<String>, Malformed> {
    let mut found = Vec::new();
    for extension in parse(value.as_bytes()) {
        let extension = extension?;
        let param = |(name, value): Param<'_>| match value {
            Some(value) => format!("[{name}={value}]"),
            None => format!("[{name}]"),
        };
        let params: String = extension.params().map(param).collect();
        found.push(format!("{}{params}", extension.name));
    }
    Ok(found)
}

#[test]
fn extensions_and_their_parameters() {
    for (value, expected) in [
        ("", &[][..]),
        (" ,, ", &[]),
        ("foo", &["foo"]),
        ("foo, bar; baz=2", &["foo", "bar[baz=2]"]),
        ("\tfoo ; a ;b = 1 ,bar", &["foo[a][b=1]", "bar"]),
        (
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
             permessage-deflate",
            &[
                "permessage-deflate[client_max_window_bits][server_max_window_bits=10]",
                "permessage-deflate",
            ],
        ),
        ("foo; a=\"1\"; b", &["foo[a=1][b]"]),
        ("foo; a=\"1\\0\", bar", &["foo[a=10]", "bar"]),
    ] {
        let expected: Vec<String> = expected.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(read(value), Ok(expected), "{value}");
    }
}

#[test]
fn what_breaks_the_grammar() {
    for value in [
        ";",
        "foo;",
        "foo; ",
        "foo;;a",
        "foo;=1",
        "foo; a=",
        "foo; a=\"",
        "foo; a=\"1",
        "foo; a=\"\"",
        "foo; a=\"1 2\"",
        "foo; a=\"1,2\"",
        "foo; a=\"1\"x",
        "foo; a=\"\\",
        "foo; a=1 2",
        "foo bar",
        "fo\u{f6}",
        "foo, b/ar",
        "foo; a=\"\\\"\"",
    ] {
        assert_eq!(read(value), Err(Malformed), "{value}");
    }
}
