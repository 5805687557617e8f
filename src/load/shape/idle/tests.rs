use super::*;

#[test]
fn pings_are_spread_and_do_not_drift() {
    let at = Time::from_ms;
    let mut idle = Idle::new(1_000, 4);
    let id = |slot| ConnId { slot, generation: 1 };
    assert_eq!(idle.next_ping(id(0), at(0)), None, "nothing is held yet");
    idle.begin(at(500), 4, Messages::default());
    let first = [0, 1, 2, 3].map(|slot| idle.next_ping(id(slot), at(0)));
    assert_eq!(first, [500, 750, 1_000, 1_250].map(|ms| Some(at(ms))));
    for (after, next) in [(749, 750), (750, 1_750), (1_000, 1_750), (9_760, 10_750)] {
        assert_eq!(idle.next_ping(id(1), at(after)), Some(at(next)), "after {after}");
    }
    idle.end(3);
    assert_eq!(idle.next_ping(id(0), at(20_000)), None);
    let messages = Messages { sent: 9, received: 8, ..Messages::default() };
    let figures = idle.figures(0, &messages);
    assert_eq!((figures.settled, figures.held, figures.pings, figures.answered), (4, 3, 9, 8));
    assert_eq!(figures.bytes_per_connection(), None, "four connections tell nothing");
}
