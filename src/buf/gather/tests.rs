use super::*;
use crate::buf::BLOCK_BYTES;
use proptest::prelude::*;

proptest! {
    /// Against the plain twin: a `Vec`.
    #[test]
    fn pieces_end_up_side_by_side(
        pieces in prop::collection::vec((0usize..40_000, 0usize..400_000), 1..20)
    ) {
        let mut pool = Pool::new(u64::MAX);
        let (mut gather, mut twin) = (Gather::default(), Vec::new());
        for (round, (len, total)) in pieces.into_iter().enumerate() {
            let piece: Vec<u8> = (0..len).map(|i| (i * 7 + round) as u8).collect();
            twin.extend_from_slice(&piece);
            gather.append(&piece, total, &mut pool).expect("no limit");
            prop_assert_eq!(gather.bytes(), &twin[..]);
            let most = (2 * twin.len()).div_ceil(BLOCK_BYTES).next_power_of_two();
            prop_assert!(pool.blocks_out() <= most, "a promise alone takes no memory");
        }
        gather.clear(&mut pool);
        prop_assert_eq!(pool.blocks_out(), 0);
        prop_assert_eq!(gather.bytes(), b"");
    }
}

#[test]
fn a_known_length_is_not_outgrown() {
    let mut pool = Pool::new(u64::MAX);
    let mut gather = Gather::default();
    gather.append(&[1; 50_000], 100_000, &mut pool).expect("no limit");
    let held = pool.blocks_out();
    gather.append(&[2; 50_000], 100_000, &mut pool).expect("no limit");
    assert_eq!((held, pool.blocks_out()), (8, 8), "100,000 bytes need 7 blocks: 8 as a run");
}

#[test]
fn growing_past_the_pool_is_an_error() {
    let mut pool = Pool::new(4 * BLOCK_BYTES as u64);
    let mut gather = Gather::default();
    assert_eq!(gather.append(&[0; 2 * BLOCK_BYTES], 0, &mut pool), Ok(()));
    let outcome = gather.append(&[0; 1], 0, &mut pool);
    assert_eq!(outcome, Err(Exhausted), "both runs are held while one is copied to the other");
    gather.clear(&mut pool);
    assert_eq!(pool.blocks_out(), 0);
}
