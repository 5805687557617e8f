use super::*;

#[test]
fn codes_that_may_be_sent_pass_and_no_others() {
    let passed = |codes: std::ops::RangeInclusive<u16>| {
        codes.filter(|code| CloseCode::new(*code).is_some()).count()
    };
    assert_eq!(passed(0..=999), 0, "not used");
    assert_eq!(passed(1000..=1003), 4);
    assert_eq!(passed(1004..=1006), 0, "reserved, never on the wire");
    assert_eq!(passed(1007..=1014), 8);
    assert_eq!(passed(1015..=2999), 0, "TLS failure is never on the wire, the rest unassigned");
    assert_eq!(passed(3000..=4999), 2000);
    assert_eq!(passed(5000..=u16::MAX), 0);
}

#[test]
fn payloads_are_read() {
    assert_eq!(parse(b""), Ok((None, "")));
    assert_eq!(parse(b"\x03\xe8"), Ok((Some(CloseCode::NORMAL), "")));
    assert_eq!(parse(b"\x0f\xa0bye"), Ok((CloseCode::new(4000), "bye")));
    assert_eq!(parse(b"\x03"), Err(WsError::CloseTooShort));
    assert_eq!(parse(b"\x03\xed"), Err(WsError::CloseCodeInvalid), "1005");
    assert_eq!(parse(b"\x03\xe8\xff"), Err(WsError::InvalidUtf8));
    assert_eq!(parse(b"\x03\xe8\xc3"), Err(WsError::InvalidUtf8), "a character cut in two");
}

#[test]
fn the_answer_repeats_the_code_where_it_may() {
    let missing = Some(CloseCode::EXTENSION_MISSING);
    assert_eq!(CloseCode::echo(None, Role::Server), None);
    assert_eq!(CloseCode::echo(Some(CloseCode::NORMAL), Role::Server), Some(CloseCode::NORMAL));
    assert_eq!(CloseCode::echo(missing, Role::Server), Some(CloseCode::NORMAL));
    assert_eq!(CloseCode::echo(missing, Role::Client), missing);
}
