use super::*;

const LIMITS: Limits =
    Limits { frame_bytes_max: 70_000, message_bytes_max: 80_000, fragments_max: 9 };

fn server() -> Expect {
    Expect::first(Role::Server, false, &LIMITS)
}

fn client() -> Expect {
    Expect::first(Role::Client, false, &LIMITS)
}

/// All of `bytes` but the last are good, and the last is what earns `error`.
fn fails_at_the_last(bytes: &[u8], expect: &Expect, error: WsError) {
    for len in 0..bytes.len() {
        let outcome = decode(&bytes[..len], expect);
        let needed = match outcome {
            Ok(Decoded::Short { bytes_needed }) => bytes_needed,
            other => panic!("{:02x?} should be short: {other:?}", &bytes[..len]),
        };
        assert!(len < needed && needed <= HEADER_BYTES_MAX);
    }
    assert_eq!(decode(bytes, expect), Err(error), "{bytes:02x?}");
}

#[test]
fn each_error_is_seen_at_its_first_byte() {
    let within = |stage| Expect { stage, ..server() };
    let left = |message_bytes_left| Expect { message_bytes_left, ..server() };
    for bits in [0x40, 0x20, 0x10, 0x70] {
        fails_at_the_last(&[0x81 | bits], &server(), WsError::ReservedBit);
    }
    for opcode in (3..8).chain(11..16) {
        fails_at_the_last(&[0x80 | opcode], &server(), WsError::ReservedOpCode);
        fails_at_the_last(&[opcode], &server(), WsError::ReservedOpCode);
    }
    for opcode in 8..11 {
        fails_at_the_last(&[opcode], &server(), WsError::ControlFragmented);
        fails_at_the_last(&[0x80 | opcode, 0xfe], &server(), WsError::ControlTooLong);
        fails_at_the_last(&[0x80 | opcode, 0xff], &server(), WsError::ControlTooLong);
    }
    fails_at_the_last(&[0x80], &server(), WsError::NothingToContinue);
    for stage in [Stage::Within, Stage::Full] {
        fails_at_the_last(&[0x81], &within(stage), WsError::MessageNotFinished);
        fails_at_the_last(&[0x02], &within(stage), WsError::MessageNotFinished);
    }
    fails_at_the_last(&[0x80], &within(Stage::Full), WsError::TooManyFragments);
    fails_at_the_last(&[0x81, 0x05], &server(), WsError::NotMasked);
    fails_at_the_last(&[0x81, 0x85], &client(), WsError::Masked);

    let not_minimal = WsError::LengthNotMinimal;
    fails_at_the_last(&[0x82, 0xfe, 0, 125], &server(), not_minimal);
    fails_at_the_last(&[0x82, 0xfe, 0, 0], &server(), not_minimal);
    let huge = Expect { frame_bytes_max: usize::MAX, ..left(usize::MAX) };
    fails_at_the_last(&[0x82, 0xff, 0, 0, 0, 0, 0, 0], &huge, not_minimal);
    fails_at_the_last(&[0x82, 0xff, 0x80], &huge, WsError::LengthTooLarge);

    fails_at_the_last(&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x71], &server(), too_long());
    fails_at_the_last(&[0x82, 0xff, 0, 0, 0, 0, 1], &server(), too_long());
    fails_at_the_last(&[0x82, 0xff, 0x7f], &server(), too_long());
    fails_at_the_last(&[0x82, 0xfe, 1, 1], &left(256), WsError::MessageTooLong);
    fails_at_the_last(&[0x82, 0xfe], &left(125), WsError::MessageTooLong);
    fails_at_the_last(&[0x82, 0xff], &left(65_535), WsError::MessageTooLong);
    fails_at_the_last(&[0x82, 0x81], &left(0), WsError::MessageTooLong);
}

/// What breaks two rules is refused for the one that it breaks at the earlier byte.
#[test]
fn an_error_stays_the_same_when_more_arrives() {
    let limits = |frame_bytes_max, message_bytes_left| Expect {
        frame_bytes_max,
        message_bytes_left,
        ..server()
    };
    for (bytes, expect, error) in [
        (&[0x82, 0xff, 0x80][..], limits(300, 400), WsError::FrameTooLong),
        (&[0x82, 0xfe, 0, 5], limits(100, 400), WsError::FrameTooLong),
        (&[0x82, 0xfe, 1, 45], limits(300, 200), WsError::MessageTooLong),
        (&[0x82, 0xfe, 1, 45], limits(200, 300), WsError::FrameTooLong),
        (&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], server(), WsError::LengthTooLarge),
        (&[0x92, 0x7f], server(), WsError::ReservedBit),
        (&[0x89, 0x7f], server(), WsError::NotMasked),
    ] {
        let refusals = (0..=bytes.len()).filter_map(|len| decode(&bytes[..len], &expect).err());
        let refusals: Vec<WsError> = refusals.collect();
        assert!(refusals.iter().all(|it| *it == error), "{bytes:02x?}: {refusals:?}");
        assert_eq!(decode(bytes, &expect), Err(error));
    }
}

fn too_long() -> WsError {
    WsError::FrameTooLong
}

#[test]
fn lengths_at_their_limits_pass() {
    let payload = |bytes: &[u8]| match decode(bytes, &client()) {
        Ok(Decoded::Header(header)) => {
            assert_eq!(header.header_bytes, bytes.len());
            header.payload_bytes
        }
        other => panic!("{bytes:02x?}: {other:?}"),
    };
    assert_eq!(payload(&[0x82, 0]), 0);
    assert_eq!(payload(&[0x82, 125]), 125);
    assert_eq!(payload(&[0x89, 125]), 125, "a ping");
    assert_eq!(payload(&[0x82, 126, 0, 126]), 126);
    assert_eq!(payload(&[0x82, 126, 0xff, 0xff]), 65_535);
    assert_eq!(payload(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]), 65_536);
    assert_eq!(payload(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]), 70_000, "the limit");
    let none_left = Expect { message_bytes_left: 0, ..client() };
    assert!(decode(&[0x89, 125], &none_left).is_ok(), "a ping is no part of a message");
}

#[test]
fn a_header_says_what_it_says() {
    let bytes = [0x01, 0xfe, 1, 0, 0xa, 0xb, 0xc, 0xd, 0xee];
    let header = Header {
        fin: false,
        rsv1: false,
        opcode: OpCode::Text,
        header_bytes: 8,
        payload_bytes: 256,
        mask: Some(Mask::new([0xa, 0xb, 0xc, 0xd])),
    };
    assert_eq!(decode(&bytes, &server()), Ok(Decoded::Header(header)));
    assert_eq!(decode(&bytes[..7], &server()), Ok(Decoded::Short { bytes_needed: 8 }));
}

#[test]
fn rsv1_is_for_the_first_frame_of_a_message_and_only_where_agreed() {
    let agreed = Expect { rsv1: true, ..client() };
    assert!(matches!(decode(&[0xc1, 0], &agreed), Ok(Decoded::Header(it)) if it.rsv1));
    assert!(matches!(decode(&[0x81, 0], &agreed), Ok(Decoded::Header(it)) if !it.rsv1));
    fails_at_the_last(&[0xc9], &agreed, WsError::ReservedBit);
    fails_at_the_last(&[0xa1], &agreed, WsError::ReservedBit);
    let within = Expect { stage: Stage::Within, ..agreed };
    fails_at_the_last(&[0xc0], &within, WsError::ReservedBit);
}
