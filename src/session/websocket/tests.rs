//! Frames on slices: what is answered, to whom, and how it ends.

use super::*;
use crate::buf::Pool;
use crate::proto::ws::encode::{First, frame};
use crate::proto::ws::frame::OpCode;
use crate::proto::ws::{Kind, WsError};
use crate::session::tests::*;
use crate::session::*;

mod back_to_back;
#[cfg(feature = "deflate")]
mod deflate;

const KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

/// A session that has been upgraded; what it said by then is gone.
fn joined(bench: &mut Bench, path: &str) -> Session<()> {
    let mut session = Session::http(bench.desk.now);
    let outcome = bench.receive(&mut session, opening(path, "h", "").as_bytes());
    assert_eq!(outcome, Ok(()));
    bench.desk.write.clear();
    session
}

/// How `frames` on `path` end behind an upgrade, the same at every split; the answers; the mail.
fn ask(path: &str, frames: &[u8]) -> (Result<(), End>, Vec<u8>, Vec<u8>) {
    let session = || {
        let mut bench = Bench::new(limits());
        joined(&mut bench, path)
    };
    run_every_way(session, frames, |outcome| (outcome.end, outcome.said, outcome.mail))
}

fn text(payload: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode::message(Kind::Text, payload.as_bytes(), KEY, &mut out);
    out
}

fn fragment(fin: bool, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame(First { fin, rsv1: false, opcode }, payload, KEY, &mut out);
    out
}

fn close(payload: &[u8]) -> Vec<u8> {
    fragment(true, OpCode::Close, payload)
}

/// A server's close frame.
fn closed(code: u16, reason: &str) -> Vec<u8> {
    let head = [0x88, 2 + reason.len() as u8];
    [&head[..], &code.to_be_bytes(), reason.as_bytes()].concat()
}

#[test]
fn answers_come_in_order_whether_they_lie_in_the_read_or_are_written() {
    let long = "l".repeat(300);
    let says = ["one", "two", "twice", "four", &long, "late", "", "seven", &long, "twice", "end"];
    for many in 1..=says.len() {
        let (mut frames, mut answers) = (Vec::new(), Vec::new());
        for said in &says[..many] {
            frames.extend(text(said));
            let mut answer = |what: &str| {
                encode::message(Kind::Text, what.as_bytes(), None, &mut answers);
            };
            match *said {
                "twice" => ["twice"; 2].map(&mut answer),
                "late" => ["other words", "late"].map(&mut answer),
                said => [(), answer(said)],
            };
        }
        assert_eq!(ask("/echo", &frames), (Ok(()), answers.clone(), vec![]));
        let bad = [frames, fragment(true, OpCode::Text, b"\xff")].concat();
        let told = [&answers[..], &closed(1007, WsError::InvalidUtf8.reason())].concat();
        assert_eq!(ask("/echo", &bad).1, told, "and the reason of an end comes last");
    }
}

#[test]
fn messages_are_answered_in_kind() {
    let mut frames = text("Hello");
    frames.extend(fragment(true, OpCode::Binary, b"\xff\0"));
    frames.extend(text(""));
    frames.extend(fragment(false, OpCode::Text, b"Hel"));
    frames.extend(fragment(true, OpCode::Continuation, b"lo"));
    let (outcome, said, mail) = ask("/echo", &frames);
    assert_eq!(outcome, Ok(()));
    assert_eq!(said, b"\x81\x05Hello\x82\x02\xff\0\x81\x00\x81\x05Hello");
    assert_eq!(mail, b"");
}

#[test]
fn a_message_is_what_the_service_takes_for_a_line() {
    let frames = [text("one"), text("two\nthree\n")].concat();
    assert_eq!(ask("/bracket", &frames).1, b"\x81\x05[one]\x81\x0c[two\nthree\n]");
}

#[test]
fn pings_are_answered_and_pongs_are_not() {
    let mut frames = fragment(false, OpCode::Text, b"a");
    frames.extend(fragment(true, OpCode::Ping, b"between"));
    frames.extend(fragment(true, OpCode::Pong, b"nobody asked"));
    frames.extend(fragment(true, OpCode::Continuation, b"b"));
    frames.extend(fragment(true, OpCode::Ping, &[7; 125]));
    let expected = [&b"\x8a\x07between\x81\x02ab\x8a\x7d"[..], &[7; 125]].concat();
    assert_eq!(ask("/echo", &frames).1, expected);
}

#[test]
fn a_message_for_all_is_mail_in_its_own_kind() {
    let mut bench = Bench::new(limits());
    let (mut one, mut other) = (joined(&mut bench, "/room"), joined(&mut bench, "/room"));
    let mut elsewhere = joined(&mut bench, "/echo");
    for (session, bytes) in [
        (&mut one, text("from one")),
        (&mut elsewhere, text("to none")),
        (&mut other, fragment(true, OpCode::Binary, b"\xff")),
    ] {
        assert_eq!(bench.receive(session, &bytes), Ok(()));
    }
    let Mail { bytes, messages } = bench.mail(ROOM);
    assert_eq!((&bytes[..], *messages), (&b"\x81\x08from one\x82\x01\xff"[..], 2));
    assert_eq!(bench.mail(ECHO).messages, 0);
    assert_eq!(bench.desk.write, b"\x81\x07to none");
    assert_eq!(bench.desk.messages, 3);
    for session in [one, other, elsewhere] {
        bench.end(session);
    }
}

#[test]
fn a_close_is_answered_with_its_code_and_is_the_last() {
    let cases = [
        (&b""[..], &b"\x88\x00"[..]),
        (b"\x03\xe8", b"\x88\x02\x03\xe8"),
        (b"\x03\xe8bye", b"\x88\x02\x03\xe8"),
        (b"\x03\xe9", b"\x88\x02\x03\xe9"),
        (b"\x0b\xb8", b"\x88\x02\x0b\xb8"),
        (b"\x13\x87", b"\x88\x02\x13\x87"),
        // 1010 is for clients to say.
        (b"\x03\xf2", b"\x88\x02\x03\xe8"),
    ];
    for (payload, answer) in cases {
        let frames = [close(payload), text("more"), close(b"")].concat();
        let (outcome, said, _) = ask("/echo", &frames);
        assert_eq!((outcome, &said[..]), (Err(End::Closes), answer), "{payload:?}");
    }
}

/// Nothing more is to come from a peer whose close was the last thing it sent. One that goes on, or
/// may be about to answer a ping, is waited for.
#[test]
fn a_close_parts_both_unless_more_may_come() {
    let end_of = |is_pinged: bool, frames: &[u8]| {
        let mut bench = Bench::new(limits());
        let mut session = joined(&mut bench, "/echo");
        if is_pinged {
            session.ping(Time::from_ms(1), &mut Vec::new());
        }
        let outcome = bench.receive(&mut session, frames);
        bench.end(session);
        outcome
    };
    let close = close(b"\x03\xe8");
    assert_eq!(end_of(false, &close), Err(End::Parted));
    assert_eq!(end_of(false, &[text("last words"), close.clone()].concat()), Err(End::Parted));
    assert_eq!(end_of(false, &[close.clone(), b"\x81".to_vec()].concat()), Err(End::Closes));
    assert_eq!(end_of(true, &close), Err(End::Closes));
}

#[test]
fn control_frames_are_counted_by_the_second() {
    let max = limits().control_frames_per_s_max as usize;
    let controls = |count: usize| {
        let kinds = [OpCode::Ping, OpCode::Pong].into_iter().cycle();
        kinds.take(count).flat_map(|opcode| fragment(true, opcode, b"")).collect::<Vec<u8>>()
    };
    let pongs = b"\x8a\x00".repeat(max.div_ceil(2));
    let told = closed(1008, "too many control frames in a second");

    let (outcome, said, _) = ask("/echo", &[controls(max), text("good")].concat());
    assert_eq!((outcome, said), (Ok(()), [&pongs[..], b"\x81\x04good"].concat()));
    let (outcome, said, _) = ask("/echo", &[controls(max + 1), text("not heard")].concat());
    assert_eq!(outcome, Err(End::WebSocket(WsError::TooManyControlFrames)));
    assert_eq!(said, [&pongs[..], &told].concat());

    let mut bench = Bench::new(limits());
    let mut session = joined(&mut bench, "/echo");
    let mut flow_at = |ms, count| {
        bench.desk.now = Time::from_ms(ms);
        bench.receive(&mut session, &controls(count)).is_ok()
    };
    // Each second has its own, and what a message costs is not counted.
    assert!(flow_at(500, max) && flow_at(1_000, max) && flow_at(2_500, 1));
    assert!(flow_at(2_999, max - 1) && !flow_at(2_999, 1));
    bench.end(session);

    bench.desk.limits.control_frames_per_s_max = 0;
    let mut unlimited = joined(&mut bench, "/echo");
    assert_eq!(bench.receive(&mut unlimited, &controls(70_000)), Ok(()));
    bench.end(unlimited);
}

#[test]
fn a_service_that_closes_does_so_normally() {
    let frames = [text("quit"), text("more"), close(b"")].concat();
    let (outcome, said, _) = ask("/echo", &frames);
    assert_eq!(outcome, Err(End::Closes));
    assert_eq!(said, [&b"\x81\x04quit"[..], &closed(1000, "")].concat());
}

#[test]
fn every_error_has_its_code_and_its_reason_in_the_close_frame() {
    let thousand = [b'a'; 1_000];
    let in_fragments = |lens: &[usize]| {
        let mut frames = fragment(false, OpCode::Text, &thousand[..lens[0]]);
        for len in &lens[1..] {
            frames.extend(fragment(false, OpCode::Continuation, &thousand[..*len]));
        }
        frames
    };
    let cases = [
        (b"\x81\x01a".to_vec(), 1002, WsError::NotMasked),
        (b"\xc1\x80\0\0\0\0".to_vec(), 1002, WsError::ReservedBit),
        (b"\x91\x80\0\0\0\0".to_vec(), 1002, WsError::ReservedBit),
        (b"\x83\x80\0\0\0\0".to_vec(), 1002, WsError::ReservedOpCode),
        (b"\x09\x80\0\0\0\0".to_vec(), 1002, WsError::ControlFragmented),
        (b"\x89\xfe\0\x7e\0\0\0\0".to_vec(), 1002, WsError::ControlTooLong),
        (b"\x80\x80\0\0\0\0".to_vec(), 1002, WsError::NothingToContinue),
        ([in_fragments(&[1]), text("b")].concat(), 1002, WsError::MessageNotFinished),
        (b"\x81\xfe\0\x7d\0\0\0\0".to_vec(), 1002, WsError::LengthNotMinimal),
        (close(b"\x03"), 1002, WsError::CloseTooShort),
        (close(b"\x03\xed"), 1002, WsError::CloseCodeInvalid),
        (close(b"\x03\xe8\xff"), 1007, WsError::InvalidUtf8),
        (fragment(true, OpCode::Text, b"a\xff"), 1007, WsError::InvalidUtf8),
        (fragment(true, OpCode::Text, b"\xc3"), 1007, WsError::InvalidUtf8),
        (in_fragments(&[1, 1, 1, 1, 1]), 1008, WsError::TooManyFragments),
        (fragment(true, OpCode::Text, &[b'a'; 1_001]), 1009, WsError::FrameTooLong),
        (in_fragments(&[1_000, 900, 101]), 1009, WsError::MessageTooLong),
    ];
    for (bad, code, error) in cases {
        let frames = [text("good"), bad, text("not heard")].concat();
        let (outcome, said, _) = ask("/echo", &frames);
        assert_eq!(outcome, Err(End::WebSocket(error)));
        let expected = [&b"\x81\x04good"[..], &closed(code, error.reason())].concat();
        assert_eq!(said, expected, "{error}");
    }
}

#[test]
fn without_a_block_the_peer_is_told_to_come_again() {
    let mut bench = Bench::new(limits());
    let mut session = joined(&mut bench, "/echo");
    bench.desk.pool = Pool::new(0);
    while bench.desk.pool.take().is_ok() {}
    // The first bytes of a message fit beside its state; more of them need a block.
    let frames = fragment(false, OpCode::Text, &[b'a'; 900]);
    let outcome = frames.chunks(300).map(|part| bench.receive(&mut session, part));
    let outcome = outcome.collect::<Result<Vec<_>, _>>();
    assert_eq!(outcome, Err(End::WebSocket(WsError::Exhausted)));
    assert_eq!(bench.desk.write, closed(1013, WsError::Exhausted.reason()));
}

#[test]
fn silence_is_asked_and_no_answer_is_the_end() {
    let mut bench = Bench::new(limits());
    let mut session = joined(&mut bench, "/echo");
    let expiry = |session: &Session<()>, ms| session.expiry(Time::from_ms(ms), &limits());
    let at = |ms, expiry| Some((Time::from_ms(ms), expiry));
    assert_eq!(expiry(&session, 7), at(407, Expiry::Ping));
    session.ping(Time::from_ms(410), &mut bench.desk.write);
    assert_eq!(bench.desk.write, b"\x89\x00");
    assert_eq!(expiry(&session, 410), at(460, Expiry::PongMissing));
    assert_eq!(expiry(&session, 450), at(460, Expiry::PongMissing), "what goes out is no answer");
    // Whatever comes is an answer, be it not even a whole frame.
    for bytes in [fragment(true, OpCode::Pong, b""), text("a"), b"\x81".to_vec()] {
        session.ping(Time::from_ms(410), &mut bench.desk.write);
        assert_eq!(bench.receive(&mut session, &bytes), Ok(()));
        assert_eq!(expiry(&session, 420), at(820, Expiry::Ping), "{bytes:?}");
    }
    let mut never = limits();
    (never.ping_interval_ms, never.pong_timeout_ms) = (0, 0);
    assert_eq!(session.expiry(Time::ZERO, &never), None);
    bench.end(session);
}

#[test]
fn farewells_are_close_frames() {
    let mut bench = Bench::new(limits());
    let session = joined(&mut bench, "/echo");
    for (why, code) in [(Farewell::Drain, 1001), (Farewell::Idle, 1013)] {
        let mut said = Vec::new();
        session.farewell(why, "because", &bench.desk.date, &mut said);
        assert_eq!(said, closed(code, "because"));
    }
    assert!(!session.is_expendable(), "an upgrade is never given up for another connection");
    assert!(!session.is_http());
    bench.end(session);
}

/// The answers to all that one read brings leave together, the upgrade's among them.
#[test]
fn a_hundred_frames_behind_the_upgrade() {
    let frames = text("x").repeat(100);
    let input = [opening("/echo", "h", "").as_bytes(), &frames].concat();
    let outcome = run(Session::http(Time::ZERO), [&input[..]]);
    assert_eq!(outcome.said, [SWITCHED.as_bytes(), &b"\x81\x01x".repeat(100)].concat());
}
