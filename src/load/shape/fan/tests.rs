use super::*;
use crate::load::pattern::Pattern;
use crate::load::series::Series;
use crate::load::sizes::Sizes;
use crate::net::{Address, Target};

const AT: [u64; 4] = [10, 20, 30, 40];

fn at(ms: u64) -> Time {
    Time::from_ms(ms)
}

/// A broadcast of messages of 64 bytes, to be heard.
struct Room {
    fan: Option<Fan>,
    words: Words,
    tally: Tally,
}

impl Room {
    fn new() -> Room {
        let address = Address::Tcp("127.0.0.1:1".parse().expect("an address"));
        let series = Series::new(&address, 1_000);
        let scenario =
            Scenario { size_bytes: 65, depth: 8, ..Scenario::new(Target::from(address)) };
        Room {
            fan: Some(Fan::new(&scenario, 1)),
            words: Words {
                pattern: Pattern::new(true),
                ask: None,
                size_bytes: 65,
                sizes: Sizes::one(65),
            },
            tally: Tally::new(series, &[]),
        }
    }

    fn fan(&mut self) -> &mut Fan {
        self.fan.as_mut().expect("made above")
    }

    fn message(&mut self, what: Announcement) -> Vec<u8> {
        let Room { fan: Some(fan), words, .. } = self else { panic!("made above") };
        fan.write(what, words);
        fan.draft.clone()
    }

    fn hear(&mut self, ear: &mut Ear, in_flight: &mut InFlight, message: &[u8], now: u64) -> Life {
        let Room { fan, words, tally } = self;
        ear.take(message, Hearing { fan, words, tally, in_flight, now: at(now) })
    }
}

fn waiting_for(messages: u64) -> InFlight {
    let mut in_flight = InFlight::new(8);
    in_flight.ask(Stamp::on_time(at(0)), messages);
    in_flight
}

#[test]
fn first_half_and_last_are_told_apart() {
    let mut room = Room::new();
    let number = room.fan().sends(Stamp::on_time(at(0)), 4);
    let message = room.message(Announcement::Message(number));
    assert_eq!(message.len(), 64, "a line's ending is not in it");
    for now in AT {
        assert!(!room.fan().has_room(1));
        let (mut ear, mut in_flight) = (Ear::default(), waiting_for(1));
        assert!(room.hear(&mut ear, &mut in_flight, &message, now).is_continue());
        assert_eq!(in_flight.len(), 0);
    }
    assert!(room.fan().has_room(1), "all have it");
    let figures = room.fan().figures();
    let of = |times: &Times| (times.count(), times.max_us().map(|us| (us / 1_000.0).round()));
    assert_eq!(of(&figures.first_us), (1, Some(10.0)));
    assert_eq!(of(&figures.median_us), (1, Some(20.0)));
    assert_eq!(of(&figures.last_us), (1, Some(40.0)));
    assert_eq!(of(&figures.skew_us), (1, Some(30.0)));
    assert_eq!(room.tally.messages.received, 4);
}

#[test]
fn what_is_missing_doubled_late_or_damaged_is_counted() {
    let mut room = Room::new();
    let messages: Vec<Vec<u8>> = (0..5)
        .map(|_| {
            let number = room.fan().sends(Stamp::on_time(at(0)), 1);
            room.message(Announcement::Message(number))
        })
        .collect();
    let (mut ear, mut in_flight) = (Ear::default(), waiting_for(5));
    let mut damaged = messages[4].clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    // 1 and 2 are skipped, 1 comes after all, 3 and 1 come again.
    for message in [&messages[0], &messages[3], &messages[1], &messages[3], &messages[1], &damaged]
    {
        assert!(room.hear(&mut ear, &mut in_flight, message, 1).is_continue());
    }
    let Messages { received, wrong, lost, late, duplicate, .. } = room.tally.messages;
    assert_eq!((received, wrong, lost, late, duplicate), (2, 1, 2, 1, 2));
    assert!(room.fan().has_room(1), "nobody waits any more");
    assert_eq!(room.fan().figures().last_us.count(), 3, "two reached nobody");
}

#[test]
fn others_on_the_channel_are_no_matter_and_greetings_make_members() {
    let mut room = Room::new();
    let (mut ear, mut in_flight) = (Ear::default(), waiting_for(0));
    let greeting = room.message(Announcement::Greeting);
    let mut foreign = greeting.clone();
    foreign[1] = if foreign[1] == b'0' { b'1' } else { b'0' };
    for other in
        [&foreign[..], b"", b"hello", "h\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}".as_bytes()]
    {
        assert!(room.hear(&mut ear, &mut in_flight, other, 1).is_continue());
        assert!(!ear.is_member);
    }
    assert!(room.hear(&mut ear, &mut in_flight, &greeting, 1).is_continue());
    assert!(ear.is_member);
    let early = room.message(Announcement::Message(0));
    assert!(room.hear(&mut ear, &mut in_flight, &early, 1).is_break(), "it was never sent");
}

#[test]
fn who_leaves_is_not_waited_for() {
    let mut room = Room::new();
    for receivers in [3, 3] {
        room.fan().sends(Stamp::on_time(at(0)), receivers);
    }
    let message = room.message(Announcement::Message(0));
    for _ in 0..2 {
        let (mut ear, mut in_flight) = (Ear::default(), waiting_for(2));
        assert!(room.hear(&mut ear, &mut in_flight, &message, 5).is_continue());
    }
    assert!(!room.fan().has_room(2));
    room.fan().leaves(2, at(9));
    assert!(room.fan().has_room(2) && !room.fan().has_room(1), "the second is on its way to two");
    assert_eq!(room.fan().free_since, at(9));
    let figures = room.fan().figures();
    let last_ms = figures.last_us.max_us().map(|us| (us / 1_000.0).round());
    assert_eq!((figures.last_us.count(), last_ms), (1, Some(5.0)), "not when somebody left");
    assert_eq!(figures.skew_us.count(), 1);
}
