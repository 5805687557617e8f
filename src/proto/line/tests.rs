use super::*;

#[test]
fn endings_are_cut_and_trimmed() {
    assert_eq!(split(b"a\nb\n"), Some((&b"a\n"[..], &b"b\n"[..])));
    assert_eq!(split(b"\n"), Some((&b"\n"[..], &b""[..])));
    assert_eq!(split(b"ab"), None);
    for (line, message) in
        [("a\r\n", "a"), ("a\n", "a"), ("a\r", "a"), ("\r\n", ""), ("a\r\r\n", "a\r")]
    {
        assert_eq!(trim(line.as_bytes()), message.as_bytes(), "{line:?}");
    }
}
