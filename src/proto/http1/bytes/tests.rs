use super::*;

/// The classes in other words: the lists as the RFCs print them.
#[test]
fn the_classes_are_those_of_the_grammar() {
    let alphanumeric = |byte: u8| byte.is_ascii_alphanumeric();
    for byte in 0..=255 {
        let is_token = alphanumeric(byte) || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert_eq!(is(byte, TOKEN), is_token, "{byte}");
        let is_host = alphanumeric(byte) || b"-._~!$&'()*+,;=".contains(&byte);
        assert_eq!(is(byte, HOST), is_host, "{byte}");
        let is_visible = (0x21..=0x7e).contains(&byte);
        assert_eq!(is(byte, TARGET), is_visible && byte != b'#', "{byte}");
        assert_eq!(is(byte, PATH), is_visible && byte != b'#' && byte != b'?', "{byte}");
        assert_eq!(is(byte, TEXT), byte == b'\t' || !byte.is_ascii_control(), "{byte}");
        assert_eq!(is(byte, PATH | HOST | TOKEN), is_visible && byte != b'?' || byte == b'#');
    }
}
