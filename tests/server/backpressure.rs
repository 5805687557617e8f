//! **What.** Clients that send and do not read, or read slowly: what they cost, and whom.
//!
//! **Why this way.** Memory is looked at while they are stuck, so the server is a child and its
//! books are asked for by signal.
//!
//! **Costs.** As many megabytes as the kernel's buffers take.
//!
//! **Read next.** `broadcast.rs`.

use crate::child::{Child, number};
use crate::echo::write_until_stuck;
use crate::support::*;
use oneloop::buf::BLOCK_BYTES;
use oneloop::server::{BACKLOG_HIGH_BYTES, READ_BYTES};
use oneloop::service::Builtin;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The most that one connection may have waiting: the high watermark, and one more read.
const BLOCKS_A_CONNECTION: u64 = (BACKLOG_HIGH_BYTES + READ_BYTES).div_ceil(BLOCK_BYTES) as u64 + 1;

#[test]
fn a_flood_that_is_never_read_is_bounded_and_others_are_served() {
    let test = "backpressure::a_flood_that_is_never_read_is_bounded_and_others_are_served";
    let server = Child::serve(test, &["tcp://127.0.0.1:0/echo"], limits());
    let mut others: Vec<TcpStream> = (0..20).map(|_| connect(&server.at[0])).collect();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (over, at) = (&over, &server.at[0]);
        let flood = scope.spawn(move || {
            let mut client = connect(at);
            let mut sent = 0;
            while !over.load(Ordering::Relaxed) {
                sent += write_until_stuck(&mut client);
            }
            (client, sent)
        });
        until("the flood is stuck", || server.count("blocks") > 1);
        for round in 0..20 {
            for (i, client) in others.iter_mut().enumerate() {
                let bytes = pattern(round * 100 + i as u64, 1_000);
                client.write_all(&bytes).unwrap();
                assert!(read_n(client, 1_000) == bytes);
            }
            let blocks = server.count("blocks");
            assert!(blocks <= BLOCKS_A_CONNECTION, "{blocks} blocks for one that does not read");
        }
        over.store(true, Ordering::Relaxed);
        let (client, sent) = flood.join().unwrap();
        let read = server.count("bytes_in");
        assert!(read < sent as u64 + 400_000 + 1, "more was read than sent: {read} of {sent}");
        reset(client);
        until("its memory is given back", || server.count("blocks") == 0);
    });
    server.finish();
}

#[test]
fn fifty_that_never_read_hold_no_more_than_their_share() {
    let test = "backpressure::fifty_that_never_read_hold_no_more_than_their_share";
    let server = Child::serve(test, &["tcp://127.0.0.1:0/echo?sndbuf=16k"], limits());
    let mut stuck: Vec<TcpStream> = (0..50).map(|_| connect_narrow(&server.at[0])).collect();
    thread::scope(|scope| {
        for client in &mut stuck {
            scope.spawn(|| write_until_stuck(client));
        }
    });
    let books = server.books();
    assert!(number(&books, "stalls") >= 50, "{books}");
    let blocks = number(&books, "blocks");
    assert!((50..=50 * BLOCKS_A_CONNECTION).contains(&blocks), "{blocks} blocks");
    ping(&mut connect(&server.at[0]));
    drop(stuck);
    server.finish();
}

/// The backlog must start and stop reading many times without losing a byte or a wake-up.
#[test]
fn a_slow_reader_gets_everything_in_the_end() {
    let server = serve([("tcp://127.0.0.1:0/?sndbuf=16k", Builtin::Echo)], limits());
    let mut client = connect_narrow(server.at(0));
    let bytes = pattern(9, 3_000_000);
    let mut answer = Vec::with_capacity(bytes.len());
    thread::scope(|scope| {
        let mut writer = client.try_clone().unwrap();
        let bytes = &bytes;
        scope.spawn(move || {
            writer.write_all(bytes).unwrap();
            half_close(&writer);
        });
        let mut piece = [0; 4_096];
        loop {
            match client.read(&mut piece).unwrap() {
                0 => break,
                n => answer.extend_from_slice(&piece[..n]),
            }
            if answer.len() % 7 == 0 {
                thread::yield_now();
            }
        }
    });
    assert!(answer == bytes, "{} of {} bytes", answer.len(), bytes.len());
    let books = server.finish();
    assert!(books.metrics.stalls > 0, "{}", books.to_json());
}
