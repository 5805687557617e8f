//! Memory for what is stuck or not whole yet, from a pool that has been used before.

use crate::payload;
use gungraun::{library_benchmark, library_benchmark_group};
use oneloop::buf::{Backlog, Gather, Pool};
use std::hint::black_box;
use std::io::IoSlice;

const TOTAL: usize = 1 << 16;

struct Stuck {
    bytes: Vec<u8>,
    backlog: Backlog,
    gather: Gather,
    pool: Pool,
}

impl Stuck {
    fn new() -> Box<Stuck> {
        let (backlog, gather, pool) = (Backlog::default(), Gather::default(), Pool::new(1 << 20));
        let mut stuck = Box::new(Stuck { bytes: payload(TOTAL), backlog, gather, pool });
        stuck.queue_and_send(TOTAL, TOTAL);
        stuck.gather(TOTAL / 16);
        stuck
    }

    /// 64 KiB are queued and then taken by the socket, so many bytes at a time.
    fn queue_and_send(&mut self, push_bytes: usize, sent_bytes: usize) {
        for piece in self.bytes.chunks(push_bytes) {
            self.backlog.push(piece, &mut self.pool).expect("there is room");
        }
        while !self.backlog.is_empty() {
            let mut slices = [IoSlice::new(&[]); 16];
            black_box(self.backlog.slices(&mut slices));
            let sent_bytes = sent_bytes.min(self.backlog.len());
            self.backlog.consume(sent_bytes, &mut self.pool);
        }
    }

    /// A message of 64 KiB comes in reads of so many bytes.
    fn gather(&mut self, read_bytes: usize) {
        for piece in self.bytes.chunks(read_bytes) {
            self.gather.append(piece, TOTAL, &mut self.pool).expect("there is room");
        }
        black_box(self.gather.bytes());
        self.gather.clear(&mut self.pool);
    }
}

#[library_benchmark]
#[bench::at_once(Stuck::new(), TOTAL, TOTAL)]
#[bench::by_64(Stuck::new(), 64, 1_000)]
fn backlog(mut stuck: Box<Stuck>, push_bytes: usize, sent_bytes: usize) -> Box<Stuck> {
    stuck.queue_and_send(push_bytes, sent_bytes);
    stuck
}

#[library_benchmark]
#[bench::by_4k(Stuck::new(), 4_096)]
fn gather(mut stuck: Box<Stuck>, read_bytes: usize) -> Box<Stuck> {
    stuck.gather(read_bytes);
    stuck
}

library_benchmark_group!(name = buf, benchmarks = [backlog, gather]);
