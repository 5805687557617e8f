use super::*;

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = b"before".to_vec();
    encode(&mut out);
    assert_eq!(&out[..6], b"before", "what is there stays");
    out.split_off(6)
}

/// The examples of section 5.7.
#[test]
fn the_examples_of_the_rfc() {
    const KEY: Key = Some([0x37, 0xfa, 0x21, 0x3d]);
    let hello = |key| encoded(|out| message(Kind::Text, b"Hello", key, out));
    assert_eq!(hello(None), b"\x81\x05Hello");
    assert_eq!(hello(KEY), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    let first = First { fin: false, rsv1: false, opcode: OpCode::Text };
    assert_eq!(encoded(|out| frame(first, b"Hel", None, out)), b"\x01\x03Hel");
    let last = First::whole(OpCode::Continuation);
    assert_eq!(encoded(|out| frame(last, b"lo", None, out)), b"\x80\x02lo");
    assert_eq!(encoded(|out| ping(b"Hello", None, out)), b"\x89\x05Hello");
    let answer = encoded(|out| pong(b"Hello", KEY, out));
    assert_eq!(answer, b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

#[test]
fn lengths_take_their_shortest_form() {
    for (len, header) in [
        (0, &b"\x82\x00"[..]),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (0xffff, b"\x82\x7e\xff\xff"),
        (0x1_0000, b"\x82\x7f\0\0\0\0\0\x01\0\0"),
    ] {
        let bytes = encoded(|out| message(Kind::Binary, &vec![7; len], None, out));
        assert_eq!(&bytes[..header.len()], header, "{len}");
        assert_eq!(bytes.len(), header.len() + len);
    }
}

#[test]
fn the_first_byte_says_what_it_is() {
    let first = First { fin: false, rsv1: true, opcode: OpCode::Binary };
    assert_eq!(encoded(|out| frame(first, b"", None, out)), b"\x42\x00");
}

#[test]
fn close_frames_fit() {
    assert_eq!(encoded(|out| close(None, "unsaid", None, out)), b"\x88\x00");
    let code = Some(CloseCode::GOING_AWAY);
    assert_eq!(encoded(|out| close(code, "bye", None, out)), b"\x88\x05\x03\xe9bye");
    let long = format!("{}€€", "a".repeat(121));
    let bytes = encoded(|out| close(code, &long, None, out));
    assert_eq!(bytes[1], 123, "two bytes of code, 121 of reason: half a character is left out");
    assert_eq!(&bytes[4..], "a".repeat(121).as_bytes());
}

#[test]
fn pings_are_cut_to_what_fits() {
    assert_eq!(encoded(|out| ping(&[7; 200], None, out)).len(), 2 + CONTROL_BYTES_MAX);
}
