use super::*;
use proptest::prelude::*;

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

/// Each byte at each place of a word, among such as are all but one of those that stop.
#[test]
fn eight_at_a_time_is_as_one_by_one() {
    for byte in 0..=255 {
        for other in [b'\t', b' ', b'a', 0x7e, 0x80, 0xff] {
            for at in 0..17 {
                let mut bytes = [other; 17];
                bytes[at] = byte;
                let expected = if is(byte, TEXT) { 17 } else { at };
                assert_eq!(text_span(&bytes), expected, "{byte} at {at} among {other}");
            }
        }
    }
}

const EDGES: [u8; 9] = *b"\t\x1f\x20\x7e\x7f\x80\x9f\xa0\xff";

proptest! {
    #[test]
    fn any_eight_are_as_one_by_one(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(text_span(&bytes), span(&bytes, TEXT));
    }

    #[test]
    fn and_so_are_those_at_the_edges(
        bytes in prop::collection::vec(prop::sample::select(&EDGES[..]), 0..40),
    ) {
        prop_assert_eq!(text_span(&bytes), span(&bytes, TEXT));
    }
}
