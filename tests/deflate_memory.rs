//! What permessage-deflate costs in memory: counted, not guessed.
//!
//! The allocator of this test keeps count of the bytes that are out on its own thread, and of the
//! most there ever were.
#![cfg(feature = "deflate")]

use oneloop::proto::ws::deflate::{
    Codec, Compressor, Flow, Inflater, Params, Shared, TAKEOVER_BYTES, WindowBits,
};
use oneloop::proto::ws::{Role, WsError};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static OUT: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn add(bytes: isize) {
    // Tables of the thread itself may go after the counters have gone.
    let _ = OUT.try_with(|out| {
        out.set(out.get() + bytes);
        MOST.with(|most| most.set(most.get().max(out.get())));
        CALLS.with(|calls| calls.set(calls.get() + usize::from(bytes > 0)));
    });
}

// SAFETY: every call is passed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `make` returns, the bytes it holds, and the most that were out meanwhile.
fn held<T>(make: impl FnOnce() -> T) -> (T, isize, isize) {
    let before = OUT.get();
    MOST.set(before);
    let made = make();
    (made, OUT.get() - before, MOST.get() - before)
}

fn flow(bits: u8) -> Flow {
    Flow { takeover: true, window_bits: WindowBits::new(bits).expect("8 to 15") }
}

#[test]
fn a_compressor_and_an_inflater_cost_what_their_headers_say() {
    let is_about = |bytes: isize, said: isize| (bytes - said).abs() <= said / 50;
    for (bits, said) in [(9, 137_000), (12, 152_000), (15, 266_000)] {
        let (_compressor, bytes, _) = held(|| Compressor::new(flow(bits)));
        assert!(is_about(bytes, said), "{bits} bits: {bytes} bytes");
    }
    for bits in [8, 15] {
        let (_inflater, bytes, _) = held(|| Inflater::new(flow(bits)));
        assert!(is_about(bytes, 47_500), "{bytes} bytes");
    }
}

/// The cap on connections counts with it.
#[test]
fn who_takes_context_over_holds_what_is_said_and_gives_it_back() {
    let agreed = Params {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        ..Params::default()
    };
    let mut shared = Shared::new(agreed, 2);
    let text = b"a text that gains by being compressed, for it says that it gains ".repeat(100);
    let hello = miniz_oxide::deflate::compress_to_vec(&text, 6);
    let mut open = || {
        let mut codec = Codec::new(agreed, Role::Server, &mut shared);
        codec.inflate(&hello, 10_000, &mut shared.inflating).expect("it is good");
        codec.compress(&text, &mut shared.compressing).expect("it gains");
        codec
    };
    // The first also grows the buffers that all share.
    let first = open();
    let (codec, bytes, _) = held(open);
    first.clear(&mut shared);
    let most = TAKEOVER_BYTES as isize;
    assert!(bytes <= most && bytes > most * 9 / 10, "{bytes} bytes, should be up to {most}");
    let ((), given_back, _) = held(|| codec.clear(&mut shared));
    assert!(given_back < -most * 9 / 10, "{given_back} bytes");
}

/// A server's worker that is sent `bomb`, and the most it held meanwhile.
fn explode(bomb: &[u8], bytes_max: usize) -> (Result<usize, WsError>, isize) {
    let mut shared = Shared::new(Params::default(), 0);
    let mut server = Codec::new(Params::default(), Role::Server, &mut shared);
    let inflate = || server.inflate(bomb, bytes_max, &mut shared.inflating).map(<[u8]>::len);
    let (outcome, _, most) = held(inflate);
    (outcome, most)
}

#[test]
fn a_bomb_takes_no_more_than_the_limit_and_an_inflater() {
    const LIMIT: usize = 1 << 20;
    for (len, expected) in [
        (LIMIT, Ok(LIMIT)),
        (LIMIT + 1, Err(WsError::MessageTooLong)),
        (64 * LIMIT, Err(WsError::MessageTooLong)),
    ] {
        let bomb = miniz_oxide::deflate::compress_to_vec(&vec![0; len], 9);
        assert!(len / bomb.len() > 950, "{} bytes for {len}", bomb.len());
        let (outcome, most) = explode(&bomb, LIMIT);
        assert_eq!(outcome, expected);
        assert!(most <= (LIMIT + 48_000) as isize, "{most} bytes");
    }
}

#[test]
fn steady_work_allocates_nothing() {
    let text = br#"{"kind":"trade","price":17.5,"amount":3},"#.repeat(20);
    for takeover in [false, true] {
        let agreed = Params {
            server_no_context_takeover: !takeover,
            client_no_context_takeover: !takeover,
            ..Params::default()
        };
        let mut shared = Shared::new(agreed, 2);
        let mut server = Codec::new(agreed, Role::Server, &mut shared);
        let mut client = Codec::new(agreed, Role::Client, &mut shared);
        let mut payload = Vec::with_capacity(1000);
        let mut warm = 0;
        for round in 0..200 {
            if round == 100 {
                warm = CALLS.get();
            }
            for way in 0..2 {
                let (from, to) =
                    if way == 0 { (&mut server, &mut client) } else { (&mut client, &mut server) };
                payload.clear();
                payload.extend_from_slice(
                    from.compress(&text, &mut shared.compressing).expect("it gains"),
                );
                assert_eq!(to.inflate(&payload, 10_000, &mut shared.inflating), Ok(&text[..]));
            }
        }
        assert_eq!(CALLS.get(), warm, "takeover {takeover}");
    }
}
