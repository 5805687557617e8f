//! The generator allocates nothing a message.
#![cfg(feature = "cli")]

use oneloop::load::{self, Observer, Report, Scenario};
use oneloop::net::Address;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpListener;

thread_local! {
    /// Allocations of this thread.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands everything to the system's allocator; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Notes how many allocations had happened when the messages began.
struct AtSettled(u64);

impl Observer for AtSettled {
    fn settled(&mut self, _report: &Report) {
        self.0 = COUNT.with(Cell::get);
    }
}

#[test]
fn messages_allocate_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = Address::Tcp(listener.local_addr().expect("is bound"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(&bytes[..n]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let scenario =
        Scenario { connections: 8, depth: 4, duration_ms: 500, ..Scenario::new(address) };
    let mut observer = AtSettled(0);
    let report = load::run(&scenario, &mut observer).expect("runs");
    let during = COUNT.with(Cell::get) - observer.0;
    assert!(report.messages.received > 1_000, "{:?}", report.messages);
    // The report at the end allocates its texts and its copy of the histogram.
    assert!(during < 32, "{during} allocations for {} messages", report.messages.received);
}
