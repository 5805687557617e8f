use super::*;

const MIX: [(usize, u64); 3] = [(64, 90), (1_024, 9), (65_536, 1)];

fn id(slot: u32) -> ConnId {
    ConnId { slot, generation: 1 }
}

#[test]
fn messages_stand_end_to_end_and_the_weights_hold() {
    let sizes = Sizes::mixed(&MIX, 7);
    for slot in [0, 1, 9_999] {
        let mut begin = 0;
        let mut counts = [0; 3];
        for number in 0..3_000 {
            assert_eq!(sizes.begin(id(slot), number), begin, "message {number} of {slot}");
            begin += sizes.size(id(slot), number);
            counts[sizes.class(id(slot), number)] += 1;
        }
        assert_eq!(counts, [2_700, 270, 30], "of {slot}");
    }
    let far = 3_000_000_000_000;
    assert_eq!(sizes.begin(id(5), far + 1) - sizes.begin(id(5), far), sizes.size(id(5), far));
}

#[test]
fn a_seed_is_a_run_that_can_be_repeated() {
    let row = |seed, slot| -> Vec<usize> {
        let sizes = Sizes::mixed(&MIX, seed);
        (0..1_000).map(|number| sizes.class(id(slot), number)).collect()
    };
    assert_eq!(row(1, 3), row(1, 3));
    assert_ne!(row(1, 3), row(2, 3), "another seed is another row");
    assert_ne!(row(1, 3), row(1, 4), "each connection has its own");
    let longest = row(1, 3).chunk_by(|a, b| a == b).map(<[usize]>::len).max().expect("some");
    assert!(longest < 200, "they are shuffled: {longest} alike in a row");
}

#[test]
fn one_size_needs_no_deck() {
    let sizes = Sizes::one(64);
    assert_eq!(
        (sizes.begin(id(3), 10), sizes.size(id(3), 10), sizes.class(id(3), 10)),
        (640, 64, 0)
    );
}

#[test]
fn weights_are_reduced() {
    assert_eq!(divisor(&[(1, 6), (2, 9)]), 3);
    let huge = Sizes::mixed(&[(1, 3_000_000_000), (2, 1_000_000_000)], 1);
    assert_eq!(huge.deck.expect("a mix").cards.len(), 1_000);
}
