use super::*;

#[test]
fn refusals_are_known_from_their_first_byte_on() {
    for end in 1..=REFUSAL.len() {
        assert!(may_be_refusal(&REFUSAL[..end]));
    }
    assert!(may_be_refusal(b"-ERR full\r\n"));
    for not in ["-ERX", "ERR ", "+OK", "-err "] {
        assert!(!may_be_refusal(not.as_bytes()), "{not}");
    }
}

#[test]
fn the_reason_is_the_first_line_made_printable() {
    let told = |line: &[u8]| Fate::told(line);
    assert_eq!(told(b"-ERR full\r\nmore"), Some(Fate::ToldWhy("full".into())));
    assert_eq!(told(b"-ERR \x1b[2J"), Some(Fate::ToldWhy("\\u{1b}[2J".into())));
    assert_eq!(told(b"-ER"), None);
}

#[test]
fn fates_add_up_and_merge() {
    let fates = [
        Fate::ToldWhy("full".into()),
        Fate::Refused,
        Fate::Reset,
        Fate::Closed,
        Fate::TimedOut,
        Fate::Hung,
        Fate::Failed("EMFILE".into()),
    ];
    let mut one = Connections::default();
    fates.into_iter().for_each(|fate| one.count(fate, Phase::Receive));
    one.count(Fate::Done, Phase::Close);
    one.count_connected(4);
    assert_eq!(one.attempted, 12);
    assert_eq!(one.by_fate().map(|(_, count)| count), [5, 1, 1, 1, 1, 1, 1, 1]);
    let mut two = one.clone();
    two.merge(&one);
    assert_eq!(two.attempted, 24);
    assert_eq!(two.by_fate().map(|(_, count)| count), [10, 2, 2, 2, 2, 2, 2, 2]);
    assert_eq!(two.reasons["full"], 2);
    assert_eq!(two.phases.by_name().map(|(_, count)| count), [0, 0, 0, 0, 14, 0]);
    assert_eq!(two.ended["receive: reset (ECONNRESET)"], 2);
    assert_eq!(two.ended.values().sum::<u64>(), 14);
}

#[test]
fn ends_are_told_in_the_order_of_a_life_with_their_errno() {
    let mut one = Connections::default();
    let full = io::Error::from_raw_os_error(libc::EADDRNOTAVAIL);
    for (fate, phase) in [
        (Fate::Reset, Phase::Receive),
        (Fate::Hung, Phase::Close),
        (Fate::of(&full), Phase::Connect),
        (Fate::Refused, Phase::Connect),
        (Fate::Refused, Phase::Connect),
        (Fate::ToldWhy("full".into()), Phase::Handshake),
    ] {
        one.count(fate, phase);
    }
    let ends = one.ends();
    let ends: Vec<(&str, u64)> = ends.iter().map(|(end, count)| (&end[..], *count)).collect();
    let expected = [
        ("connect: EADDRNOTAVAIL (cannot assign requested address)", 1),
        ("connect: refused (ECONNREFUSED)", 2),
        ("handshake: told why", 1),
        ("receive: reset (ECONNRESET)", 1),
        ("close: hung", 1),
    ];
    assert_eq!(ends, expected);
    // Merged with what an older version wrote, which knew the phases alone.
    one.ended.clear();
    one.merge(&one.clone());
    assert_eq!((one.ends()[0].clone(), one.ends().len()), (("connect".to_owned(), 6), 6));
}

#[test]
fn a_thousand_reasons_stay_bounded_and_counted() {
    let mut connections = Connections::default();
    for n in 0..1_000 {
        connections.count(Fate::ToldWhy(format!("reason {n}")), Phase::Connect);
        connections.count(Fate::Failed(format!("failure {n}")), Phase::Send);
    }
    assert_eq!(connections.reasons.len(), REASONS_MAX + 1);
    assert_eq!(connections.reasons.values().sum::<u64>(), 2_000);
    assert_eq!(connections.ended.len(), ENDS_MAX + 1);
    assert_eq!(connections.ends().iter().map(|(_, count)| count).sum::<u64>(), 2_000);
}
