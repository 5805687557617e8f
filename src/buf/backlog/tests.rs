use super::*;
use proptest::prelude::*;

proptest! {
    /// Against the plain twin: a `Vec` that is drained from the front.
    #[test]
    fn bytes_come_out_as_they_went_in(
        steps in prop::collection::vec((0usize..40_000, 0usize..60_000), 1..40)
    ) {
        let mut pool = Pool::new(u64::MAX);
        let (mut backlog, mut twin) = (Backlog::default(), Vec::new());
        for (round, (push, take)) in steps.into_iter().enumerate() {
            let bytes: Vec<u8> = (0..push).map(|i| (i * 7 + round) as u8).collect();
            backlog.push(&bytes, &mut pool).expect("no limit");
            twin.extend_from_slice(&bytes);

            let mut slices = [IoSlice::new(&[]); 8];
            let count = backlog.slices(&mut slices);
            let front: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
            prop_assert_eq!(&front[..], &twin[..front.len()]);
            prop_assert!(front.len() == twin.len() || count == 8);

            let take = take.min(front.len());
            backlog.consume(take, &mut pool);
            twin.drain(..take);
            prop_assert_eq!(backlog.len(), twin.len());
            prop_assert!(pool.blocks_out() <= twin.len() / BLOCK_BYTES + 2);
        }
        backlog.clear(&mut pool);
        prop_assert_eq!(pool.blocks_out(), 0);
    }
}

#[test]
fn an_exhausted_pool_is_an_error_not_a_loss_in_silence() {
    let mut pool = Pool::new(BLOCK_BYTES as u64);
    let mut backlog = Backlog::default();
    assert_eq!(backlog.push(&[0; BLOCK_BYTES], &mut pool), Ok(()));
    assert_eq!(backlog.push(&[0; 1], &mut pool), Err(Exhausted));
}
