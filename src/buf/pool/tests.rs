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
