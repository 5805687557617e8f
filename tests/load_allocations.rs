//! The generator allocates nothing a message.
#![cfg(feature = "cli")]

use oneloop::load::{self, Observer, Report, Scenario};
use oneloop::net::{Address, Endpoint, SelfSigned, Target};
use oneloop::proto::http1::Method;
use oneloop::server::{Limits, Nofile, Server};
use oneloop::service::Builtin;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

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
    assert_at_most(&paced(Target::from(address)), |_| 0);
}

/// Against our server, which is a thread beside.
#[test]
fn websockets_and_http_allocate_nothing() {
    serving("http://127.0.0.1:0", |at| {
        let target = |scheme: &str| target(scheme, at);
        assert_none(target("ws"), Method::Get);
        assert_none(target("http"), Method::Post);
        assert_none(target("http"), Method::Get);
        assert_at_most(&Scenario { method: Method::Post, ..paced(target("http")) }, |_| 0);
        assert_at_most(&paced(target("ws")), |_| 0);
        if cfg!(feature = "deflate") {
            let words = Scenario { deflate: true, size_bytes: 300, ..quick(target("ws")) };
            assert_at_most(&words, |_| 0);
        }
    });
}

/// rustls makes a buffer for each record that it opens, and for each that it seals; a message is no
/// more than one of either.
#[test]
#[cfg(feature = "tls")]
fn under_tls_only_rustls_allocates() {
    serving("https://127.0.0.1:0", |at| {
        for (scheme, method) in [("wss", Method::Get), ("https", Method::Post)] {
            let trust = Some(oneloop::net::Trust::Anybody);
            let scenario = Scenario { method, trust, ..quick(target(scheme, at)) };
            assert_at_most(&scenario, |report| report.messages.sent + report.messages.received);
        }
    });
}

fn target(scheme: &str, at: SocketAddr) -> Target {
    Target::parse(&format!("{scheme}://{at}/echo")).expect("a URL")
}

/// Our server on `url`, while `then` looks at it.
fn serving(url: &str, then: impl FnOnce(SocketAddr)) {
    let at = Endpoint::parse(url).expect("a URL");
    let limits = Limits { nofile: Nofile::Keep, ..Limits::default() };
    let certificate = SelfSigned::new("localhost", [].iter(), None);
    let server = Server::builder().limits(limits).tls_self_signed(certificate.ok());
    let server = server.site(at, vec![("/echo".into(), Builtin::Echo)]).bind().expect("binds");
    let Some(Address::Tcp(at)) = server.endpoints().next().map(|it| it.address.clone()) else {
        panic!("not TCP")
    };
    let stopper = server.stopper();
    let thread = std::thread::spawn(move || server.run());
    then(at);
    stopper.stop().expect("is told");
    thread.join().expect("no panic").expect("runs");
}

fn assert_none(target: Target, method: Method) {
    assert_at_most(&Scenario { method, ..quick(target) }, |_| 0);
}

fn quick(target: Target) -> Scenario {
    Scenario { connections: 8, depth: 4, duration_ms: 500, ..Scenario::new(target) }
}

fn paced(target: Target) -> Scenario {
    Scenario { rate_per_s: Some(10_000), ..quick(target) }
}

#[track_caller]
fn assert_at_most(scenario: &Scenario, allocations: impl FnOnce(&Report) -> u64) {
    let mut observer = AtSettled(0);
    let report = load::run(scenario, &mut observer).expect("runs");
    let during = COUNT.with(Cell::get) - observer.0;
    let answers = report.messages.received + report.messages.refused;
    assert!(answers > 500, "{:?}", report.messages);
    // The report at the end allocates its texts and its copy of the histogram.
    let most = allocations(&report) + 32;
    assert!(during < most, "{during} allocations for {answers} messages, more than {most}");
}
