use super::*;
use crate::service::Mail;
use proptest::prelude::*;

/// Answers each line with itself in brackets; ends the connection at "quit".
struct Bracket;

impl Service for Bracket {
    type State = ();
    fn message(&mut self, _state: &mut (), message: &[u8], out: &mut Outbound<'_>) {
        out.send(&[b"[", message, b"]"].concat());
        if message == b"quit" {
            out.close();
        }
    }
}

const LIMITS: SessionLimits = SessionLimits { line_bytes_max: 8 };

/// Feeds `parts` one after the other, then the end; returns what came out.
fn run<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<String, SessionError> {
    let (mut pool, mut bytes, mut mail) = (Pool::new(u64::MAX), Vec::new(), Mail::default());
    let mut session = Session::new(Framing::Lines);
    let mut out = Outbound::new(Framing::Lines, &mut bytes, &mut mail);
    let mut outcome = Ok(());
    let mut messages = 0;
    for part in parts {
        outcome = session.receive(part, &mut Bracket, &mut out, &mut pool, &LIMITS, &mut messages);
        if outcome.is_err() {
            break;
        }
    }
    if outcome.is_ok() && !out.is_closed() {
        session.receive_end(&mut Bracket, &mut out, &mut pool);
    }
    session.clear(&mut pool);
    assert_eq!(pool.blocks_out(), 0, "a session gives its blocks back");
    outcome.map(|_| String::from_utf8(bytes).expect("ASCII in, ASCII out"))
}

/// The same whole, byte by byte, and at every split in two.
fn run_every_way(input: &str) -> Result<String, SessionError> {
    let input = input.as_bytes();
    let whole = run([input]);
    assert_eq!(run(input.chunks(1)), whole, "byte by byte");
    for split in 0..=input.len() {
        let (a, b) = input.split_at(split);
        assert_eq!(run([a, b]), whole, "split at {split}");
    }
    whole
}

#[test]
fn lines_are_messages_however_they_arrive() {
    assert_eq!(run_every_way("a\nbc\r\n\nd"), Ok("[a]\n[bc]\n[]\n[d]\n".into()));
    assert_eq!(run_every_way(""), Ok(String::new()));
    assert_eq!(run_every_way("a"), Ok("[a]\n".into()));
}

#[test]
fn nothing_is_heard_after_the_service_closed() {
    assert_eq!(run_every_way("a\nquit\nb\n"), Ok("[a]\n[quit]\n".into()));
}

#[test]
fn a_line_at_the_limit_passes_and_one_past_it_is_refused() {
    assert_eq!(run_every_way("1234567\n"), Ok("[1234567]\n".into()));
    assert_eq!(run_every_way("12345678\n"), Err(SessionError::LineTooLong));
    assert_eq!(run_every_way("12345678"), Err(SessionError::LineTooLong));
    assert_eq!(run_every_way("a\n12345678\n"), Err(SessionError::LineTooLong));
}

#[test]
fn without_a_block_a_half_line_ends_the_session() {
    let mut pool = Pool::new(0);
    let taken = pool.take();
    assert!(taken.is_ok(), "a pool has one block at least");
    let (mut bytes, mut mail) = (Vec::new(), Mail::default());
    let mut out = Outbound::new(Framing::Lines, &mut bytes, &mut mail);
    let (mut session, mut messages) = (Session::new(Framing::Lines), 0);
    let input = b"a\nb";
    let outcome = session.receive(input, &mut Bracket, &mut out, &mut pool, &LIMITS, &mut messages);
    assert_eq!(messages, 1);
    assert_eq!(outcome, Err(SessionError::Exhausted));
    assert_eq!(bytes, b"[a]\n", "the whole line before it was answered");
}

proptest! {
    #[test]
    fn any_split_gives_the_same_messages(
        lines in prop::collection::vec("[a-z]{0,6}\r?\n", 0..20),
        cuts in prop::collection::vec(1usize..9, 1..200),
    ) {
        let input = lines.concat().into_bytes();
        let whole = run([&input[..]]);
        let (mut parts, mut rest) = (Vec::new(), &input[..]);
        for cut in cuts {
            let (part, behind) = rest.split_at(cut.min(rest.len()));
            parts.push(part);
            rest = behind;
        }
        parts.push(rest);
        prop_assert_eq!(run(parts), whole);
    }
}
