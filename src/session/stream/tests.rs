use crate::buf::Pool;
use crate::clock::Time;
use crate::service::Framing;
use crate::session::tests::*;
use crate::session::*;
use proptest::prelude::*;

fn lines() -> Session<()> {
    Session::stream(Framing::Lines, BRACKET)
}

/// What came of lines, or what was wrong with them.
fn outcome(outcome: Outcome) -> Result<String, End> {
    match outcome.end {
        Ok(()) | Err(End::Closes) => Ok(outcome.text().to_owned()),
        Err(end) => Err(end),
    }
}

fn run_lines(input: &str) -> Result<String, End> {
    run_every_way(lines, input.as_bytes(), outcome)
}

#[test]
fn lines_are_messages_however_they_arrive() {
    assert_eq!(run_lines("a\nbc\r\n\nd"), Ok("[a]\n[bc]\n[]\n[d]\n".into()));
    assert_eq!(run_lines(""), Ok(String::new()));
    assert_eq!(run_lines("a"), Ok("[a]\n".into()));
}

#[test]
fn nothing_is_heard_after_the_service_closed() {
    assert_eq!(run_lines("a\nquit\nb\n"), Ok("[a]\n[quit]\n".into()));
}

#[test]
fn a_line_at_the_limit_passes_and_one_past_it_is_refused() {
    assert_eq!(run_lines("1234567\n"), Ok("[1234567]\n".into()));
    assert_eq!(run_lines("12345678\n"), Err(End::LineTooLong));
    assert_eq!(run_lines("12345678"), Err(End::LineTooLong));
    assert_eq!(run_lines("a\n12345678\n"), Err(End::LineTooLong));
    let said = run_every_way(lines, b"a\n12345678\n", |outcome| outcome.said);
    assert_eq!(said, b"[a]\n-ERR line longer than 8 bytes\n");
}

#[test]
fn without_a_block_a_half_line_ends_the_session() {
    let mut bench = Bench::new(limits());
    bench.desk.pool = Pool::new(0);
    assert!(bench.desk.pool.take().is_ok(), "a pool has one block at least");
    let outcome = bench.receive(&mut lines(), b"a\nb");
    assert_eq!(bench.desk.messages, 1);
    assert_eq!(outcome, Err(End::Exhausted));
    let said = String::from_utf8_lossy(&bench.desk.write).into_owned();
    assert_eq!(said, "[a]\n-ERR out of buffers; try again later\n", "behind the whole line");
}

#[test]
fn bytes_are_messages_as_they_come() {
    let echo = || Session::stream(Framing::Bytes, ECHO);
    let said = run_every_way(echo, b"GET / HTTP/1.1\r\n\r\n\x81\x00", |outcome| outcome.said);
    assert_eq!(said, b"GET / HTTP/1.1\r\n\r\n\x81\x00", "no protocol is seen in it");
    assert_eq!(run(echo(), [&b"quit"[..]]).end, Err(End::Closes));
}

#[test]
fn a_line_for_all_is_mail() {
    let outcome = run(Session::stream(Framing::Lines, ROOM), [&b"a\nb"[..]]);
    assert_eq!((&outcome.said[..], &outcome.mail[..]), (&b""[..], &b"a\nb\n"[..]));
}

#[test]
fn only_the_idle_timeout_is_due() {
    let mut limits = limits();
    let due = |limits: &_| lines().expiry(Time::from_ms(7), limits);
    assert_eq!(due(&limits), Some((Time::from_ms(107), Expiry::Idle)));
    limits.idle_timeout_ms = 0;
    assert_eq!(due(&limits), None);
}

#[test]
fn farewells_are_lines_and_a_drain_has_none() {
    let said = |why| {
        let mut said = Vec::new();
        lines().farewell(why, "why", &Date::at(0), &mut said);
        said
    };
    assert_eq!(said(Farewell::Idle), b"-ERR why\n");
    assert_eq!(said(Farewell::Drain), b"");
}

#[test]
fn half_a_line_is_not_expendable() {
    let (mut bench, mut session) = (Bench::new(limits()), lines());
    for (bytes, expendable) in [("", true), ("a", false), ("\n", true)] {
        assert_eq!(bench.receive(&mut session, bytes.as_bytes()), Ok(()));
        assert_eq!(session.is_expendable(), expendable, "after {bytes:?}");
    }
    bench.end(session);
}

proptest! {
    #[test]
    fn any_split_gives_the_same_messages(
        texts in prop::collection::vec("[a-z]{0,6}\r?\n", 0..20),
        cuts in prop::collection::vec(1usize..9, 1..200),
    ) {
        let input = texts.concat().into_bytes();
        let whole = outcome(run(lines(), [&input[..]]));
        let (mut parts, mut rest) = (Vec::new(), &input[..]);
        for cut in cuts {
            let (part, behind) = rest.split_at(cut.min(rest.len()));
            parts.push(part);
            rest = behind;
        }
        parts.push(rest);
        prop_assert_eq!(outcome(run(lines(), parts)), whole);
    }
}
