//! The generator allocates nothing a message.
#![cfg(feature = "cli")]

use oneloop::load::{self, Observer, Report, Scenario};
use oneloop::net::{Address, Endpoint, Target};
use oneloop::proto::http1::Method;
use oneloop::server::{Limits, Nofile, Server};
use oneloop::service::Builtin;
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
fn bytes_allocate_nothing() {
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
    assert_none(Target::from(address.clone()), Method::Get);
    assert_none_at(Some(10_000), Target::from(address), Method::Get);
}

/// Against our server, which is a thread beside.
#[test]
fn websockets_and_http_allocate_nothing() {
    let at = Endpoint::parse("http://127.0.0.1:0").expect("a URL");
    let limits = Limits { nofile: Nofile::Keep, ..Limits::default() };
    let server = Server::builder().limits(limits);
    let server = server.site(at, vec![("/echo".into(), Builtin::Echo)]).bind().expect("binds");
    let Some(Address::Tcp(at)) = server.endpoints().next().map(|it| it.address.clone()) else {
        panic!("not TCP")
    };
    let stopper = server.stopper();
    let thread = std::thread::spawn(move || server.run());
    let target = |url: &str| Target::parse(&format!("{url}{at}/echo")).expect("a URL");
    assert_none(target("ws://"), Method::Get);
    assert_none(target("http://"), Method::Post);
    assert_none(target("http://"), Method::Get);
    assert_none_at(Some(10_000), target("http://"), Method::Post);
    assert_none_at(Some(10_000), target("ws://"), Method::Get);
    stopper.stop().expect("is told");
    thread.join().expect("no panic").expect("runs");
}

fn assert_none(target: Target, method: Method) {
    assert_none_at(None, target, method);
}

fn assert_none_at(rate_per_s: Option<u64>, target: Target, method: Method) {
    let quick = Scenario { connections: 8, depth: 4, duration_ms: 500, ..Scenario::new(target) };
    let scenario = Scenario { method, rate_per_s, ..quick };
    let mut observer = AtSettled(0);
    let report = load::run(&scenario, &mut observer).expect("runs");
    let during = COUNT.with(Cell::get) - observer.0;
    let answers = report.messages.received + report.messages.refused;
    assert!(answers > 1_000, "{:?}", report.messages);
    // The report at the end allocates its texts and its copy of the histogram.
    assert!(during < 32, "{during} allocations for {answers} messages");
}
