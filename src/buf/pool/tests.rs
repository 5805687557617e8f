use super::*;

#[test]
fn the_limit_holds_and_one_past_it_is_refused() {
    let mut pool = Pool::new(3 * BLOCK_BYTES as u64);
    let mut blocks: Vec<Block> = (0..3).map(|_| pool.take().expect("within")).collect();
    assert_eq!(pool.take(), Err(Exhausted));
    pool.give(blocks.pop().expect("three"));
    assert!(pool.take().is_ok());
    assert_eq!(pool.take(), Err(Exhausted));
}

#[test]
fn a_burst_leaves_only_the_spare_blocks_behind() {
    let mut pool = Pool::new(u64::MAX);
    let blocks: Vec<Block> = (0..1_000).map(|_| pool.take().expect("no limit")).collect();
    assert_eq!(pool.blocks_out(), 1_000);
    blocks.into_iter().for_each(|block| pool.give(block));
    assert_eq!(pool.blocks_out(), 0);
    assert_eq!(pool.spare.len(), SPARE_MAX);
}

#[test]
fn a_run_counts_as_its_blocks_and_is_used_again() {
    let mut pool = Pool::new(8 * BLOCK_BYTES as u64);
    let run = pool.take_run(3 * BLOCK_BYTES).expect("within");
    assert_eq!((run.capacity(), pool.blocks_out()), (4 * BLOCK_BYTES, 4));
    assert_eq!(pool.take_run(5 * BLOCK_BYTES), Err(Exhausted));
    let place = run.as_ptr();
    pool.give_run(run);
    assert_eq!(pool.blocks_out(), 0);
    let again = pool.take_run(4 * BLOCK_BYTES).expect("within");
    assert_eq!(again.as_ptr(), place, "it was kept");
    assert_eq!(pool.take_run(usize::MAX), Err(Exhausted));
}

#[test]
fn runs_are_kept_up_to_a_limit() {
    let mut pool = Pool::new(u64::MAX);
    let runs: Vec<Run> =
        (0..40).map(|_| pool.take_run(2 * BLOCK_BYTES).expect("no limit")).collect();
    runs.into_iter().for_each(|run| pool.give_run(run));
    let kept: usize = pool.spare_runs.iter().map(Vec::capacity).sum();
    assert_eq!((kept, pool.blocks_out()), (SPARE_RUN_BYTES_MAX, 0));
    assert_eq!(pool.released * BLOCK_BYTES, 40 * 2 * BLOCK_BYTES - kept);
}
