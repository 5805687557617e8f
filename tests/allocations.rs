//! Steady work allocates nothing: counted, not timed.
//!
//! The allocator of this test counts what the server's thread asks of it. After a warm-up, in which
//! tables and scratch buffers get their size, echoing must not ask for anything.

#[cfg(feature = "tls")]
#[path = "server/certs.rs"]
mod certs;

use oneloop::buf::Pool;
use oneloop::net::{Address, Endpoint};
use oneloop::proto::ws::{Assembly, Decoder, Event, Kind, Limits, Role, encode};
use oneloop::server::{Books, Server};
use oneloop::service::Builtin;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if IS_COUNTED.try_with(Cell::get).unwrap_or(false) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn serve(url: &str, client: impl FnOnce(SocketAddr)) -> Books {
    serve_with(url, Default::default(), client)
}

/// Serves `url` on a counted thread while `client` runs.
fn serve_with(
    url: &str,
    limits: oneloop::server::Limits,
    client: impl FnOnce(SocketAddr),
) -> Books {
    let endpoint = Endpoint::parse(url).expect("a good URL");
    let service = Builtin::from_name(&endpoint.service).expect("a known service");
    let server = Server::builder().limits(limits).listen(endpoint, service);
    let server = server.bind().expect("a free port");
    let address = match server.endpoints().next().map(|endpoint| &endpoint.address) {
        Some(Address::Tcp(address) | Address::Udp(address)) => *address,
        other => panic!("no address: {other:?}"),
    };
    let stopper = server.stopper();
    let thread = std::thread::spawn(move || {
        IS_COUNTED.set(true);
        let (_, books) = server.run().expect("epoll works");
        IS_COUNTED.set(false);
        books
    });
    client(address);
    stopper.stop().expect("the eventfd works");
    thread.join().expect("the server does not panic")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket option");
    stream.set_nodelay(true).expect("a socket option");
    stream
}

fn echo(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(message).expect("the server reads");
    let mut back = vec![0; message.len()];
    stream.read_exact(&mut back).expect("the server answers");
    assert_eq!(back, message);
}

/// A client's frame with a binary message.
fn frame(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::message(Kind::Binary, message, Some([1, 2, 3, 4]), &mut bytes);
    bytes
}

/// Asks for a WebSocket on `path`.
fn upgrade(address: SocketAddr, path: &str) -> TcpStream {
    upgrade_with(address, path, "")
}

/// The same with these further header lines.
fn upgrade_with(address: SocketAddr, path: &str, more: &str) -> TcpStream {
    let mut stream = connect(address);
    let opening = format!(
        "GET {path} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    );
    stream.write_all(opening.as_bytes()).expect("the server reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the server answers");
        answer.extend_from_slice(&byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{answer:?}");
    stream
}

/// Sends `frame` and reads the message that it holds from each of `receivers`.
fn tell(frame: &[u8], message: &[u8], sender: usize, receivers: &mut [TcpStream]) {
    receivers[sender].write_all(frame).expect("the server reads");
    let header_bytes = if message.len() < 126 {
        2
    } else if message.len() < 65_536 {
        4
    } else {
        10
    };
    for stream in receivers {
        let mut back = vec![0; header_bytes + message.len()];
        stream.read_exact(&mut back).expect("the server answers");
        assert!(back[header_bytes..] == *message, "it differs");
    }
}

/// Sends a message in two pieces, and sees to it that the server has read the first before the
/// second comes: so it is gathered, which a message that comes in one read is not.
fn tell_in_two(message: &[u8], cut: usize, streams: &mut [TcpStream; 2]) {
    let (whole, between) = (frame(message), frame(b"between"));
    let [first, second] = streams;
    first.write_all(&whole[..cut]).expect("the server reads");
    tell(&between, b"between", 0, std::slice::from_mut(second));
    tell(&whole[cut..], message, 0, std::slice::from_mut(first));
}

/// What a WebSocket server does in steady work: echoes of all sizes, clients that come and go,
/// broadcasts.
fn serve_websockets() {
    serve("http://127.0.0.1:0/echo", |address| {
        let mut streams: Vec<TcpStream> = (0..50).map(|_| upgrade(address, "/echo")).collect();
        let mut two = [(); 2].map(|()| upgrade(address, "/echo"));
        for len in [64, 60_000, 100_000] {
            let (message, rounds) = (vec![7; len], if len < 100 { 100 } else { 1 });
            let frame = frame(&message);
            for quarter in 1..4 {
                tell_in_two(&message, len * quarter / 4, &mut two);
            }
            let echoes = allocations_of(|| {
                for _ in 0..rounds {
                    for stream in &mut streams {
                        tell(&frame, &message, 0, std::slice::from_mut(stream));
                    }
                }
            });
            assert_none(echoes, &format!("WebSocket echoes of {len} bytes"));
        }
        let hello = frame(b"hello");
        let connects = allocations_of(|| {
            for _ in 0..50 {
                tell(&hello, b"hello", 0, &mut [upgrade(address, "/echo")]);
            }
        });
        assert_none(connects, "WebSockets that come and go");
    });

    serve("http://127.0.0.1:0/broadcast", |address| {
        let mut streams: Vec<TcpStream> = Vec::new();
        for _ in 0..20 {
            streams.push(upgrade(address, "/broadcast"));
            let last = streams.len() - 1;
            tell(&frame(b"here"), b"here", last, &mut streams);
        }
        let news = frame(b"news for all");
        let broadcasts = allocations_of(|| {
            for round in 0..50 {
                tell(&news, b"news for all", round % 20, &mut streams);
            }
        });
        assert_none(broadcasts, "WebSocket broadcasts");
    });
}

/// Compressed echoes: without context takeover, and with one on each of a few connections.
#[cfg(feature = "deflate")]
fn serve_compressed() {
    use oneloop::proto::ws::deflate::{Codec, Params, Shared};
    const TAKEOVERS: usize = 10;
    const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

    let limits = oneloop::server::Limits {
        deflate_takeover_max: TAKEOVERS,
        ..oneloop::server::Limits::default()
    };
    serve_with("http://127.0.0.1:0/echo", limits, |address| {
        let message = br#"{"kind":"trade","price":17.5,"amount":3},"#.repeat(25);
        let mut shared = Shared::serving(true, 2 * TAKEOVERS, 256);
        let open = |at: usize| {
            let no = at >= TAKEOVERS;
            let mut agreed = Params::default();
            (agreed.server_no_context_takeover, agreed.client_no_context_takeover) = (no, no);
            let stream = upgrade_with(address, "/echo", OFFER);
            (stream, Codec::new(agreed, Role::Client, &mut shared))
        };
        let mut clients: Vec<_> = (0..2 * TAKEOVERS).map(open).collect();
        let mut work = || {
            for (stream, codec) in &mut clients {
                let mut frame = Vec::new();
                let key = Some([1, 2, 3, 4]);
                let compressing = &mut shared.compressing;
                codec.encode(Kind::Text, &message, key, compressing, &mut frame);
                stream.write_all(&frame).expect("the server reads");
                let mut head = [0; 4];
                stream.read_exact(&mut head).expect("the server answers");
                assert_eq!(head[0], 0xc1, "compressed");
                assert!(head[1] <= 126, "{head:?}");
                // Up to 125 bytes have a header of two bytes.
                let (len, mut payload) = match head[1] {
                    126 => (u16::from_be_bytes([head[2], head[3]]).into(), vec![]),
                    len => (usize::from(len), head[2..].to_vec()),
                };
                let from = payload.len();
                payload.resize(len, 0);
                stream.read_exact(&mut payload[from..]).expect("the rest");
                let back = codec.decode(Kind::Text, &payload, 1 << 20, &mut shared.inflating);
                assert!(back == Ok(&message[..]), "{back:?}");
            }
        };
        (0..10).for_each(|_| work());
        assert_none(allocations_of(work), "compressed WebSocket echoes");
    });
}

/// Runs `work` twice, the first time to warm up; returns how often the second allocated.
fn allocations_of(mut work: impl FnMut()) -> u64 {
    work();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    work();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// Reads messages of these lengths from the bytes of a WebSocket client, `read_bytes` at a time,
/// and encodes each again; returns how often that allocated.
fn websocket_allocations(lengths: &[usize], read_bytes: usize) -> u64 {
    let mut bytes = Vec::new();
    for len in lengths {
        encode::message(Kind::Text, &vec![b'a'; *len], Some([1, 2, 3, 4]), &mut bytes);
    }
    let (mut pool, mut read, mut out) = (Pool::new(u64::MAX), bytes.clone(), Vec::new());
    let (mut assembly, mut decoder) =
        (Assembly::new(Limits::default()), Decoder::new(Role::Server));
    IS_COUNTED.set(true);
    let allocations = allocations_of(|| {
        read.copy_from_slice(&bytes);
        out.clear();
        for mut piece in read.chunks_mut(read_bytes) {
            while let Ok(Some(event)) = decoder.next(&mut piece, &mut assembly, &mut pool) {
                let Event::Message(kind, message) = event else { panic!("{event:?}") };
                encode::message(kind, message, None, &mut out);
            }
        }
        assert!(decoder.is_between(), "all are whole");
    });
    IS_COUNTED.set(false);
    let headers: usize = lengths.iter().map(|len| if *len < 126 { 2 } else { 4 }).sum();
    assert_eq!(out.len(), headers + lengths.iter().sum::<usize>(), "all came out");
    assert_eq!(pool.blocks_out(), 0, "and left nothing behind");
    allocations
}

/// rustls makes a buffer for each record that it opens, and one for each that it seals.
#[cfg(feature = "tls")]
fn serve_tls() {
    let files = certs::Files::new("allocations");
    serve(&files.url("tls://127.0.0.1:0/echo"), |address| {
        let mut stream = certs::secure(&files.config(), connect(address));
        for (len, records) in [(64, 1), (16_384, 1), (60_000, 4)] {
            let message = vec![7; len];
            let mut back = vec![0; len];
            let echoes = allocations_of(|| {
                for _ in 0..100 {
                    stream.write_all(&message).expect("the server reads");
                    stream.read_exact(&mut back).expect("the server answers");
                }
            });
            assert_eq!(echoes, 100 * 2 * records, "TLS echoes of {len} bytes");
        }
    });
}

fn assert_none(allocations: u64, what: &str) {
    assert!(
        allocations == 0,
        "{allocations} allocations by {what}, expected none. Memory for steady work is kept from \
         one time to the next (docs/design.md); if one is meant, the test is where to allow it"
    );
}

/// One test, because all share the counter.
#[test]
fn steady_work_allocates_nothing() {
    serve("tcp://127.0.0.1:0/echo", |address| {
        let mut streams: Vec<TcpStream> = (0..50).map(|_| connect(address)).collect();
        let small = allocations_of(|| {
            for round in 0..100u8 {
                streams.iter_mut().for_each(|stream| echo(stream, &[round; 64]));
            }
        });
        assert_none(small, "64-byte echoes");
        let large = allocations_of(|| echo(&mut streams[0], &[7; 60_000]));
        assert_none(large, "60,000-byte echoes");
        let connects = allocations_of(|| {
            for _ in 0..50 {
                echo(&mut connect(address), b"x");
            }
        });
        assert_none(connects, "connections that come and go");
    });

    serve("tcp://127.0.0.1:0/broadcast", |address| {
        let mut streams: Vec<TcpStream> = (0..20).map(|_| connect(address)).collect();
        // The one that came last hears itself once it is a member.
        echo(&mut streams[19], b"here\n");
        streams[..19].iter_mut().for_each(|stream| {
            let _ = stream.read(&mut [0; 64]).expect("all hear the last");
        });
        let broadcasts = allocations_of(|| {
            for _ in 0..50 {
                streams[0].write_all(b"a line for all\n").expect("the server reads");
                for stream in &mut streams {
                    stream.read_exact(&mut [0; 15]).expect("everybody gets it");
                }
            }
        });
        assert_none(broadcasts, "broadcasts");
    });

    serve("udp://127.0.0.1:0/echo", |address| {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket option");
        let datagrams = allocations_of(|| {
            for round in 0..100u8 {
                socket.send_to(&[round; 512], address).expect("loopback");
                let mut back = [0; 1024];
                assert_eq!(socket.recv(&mut back).expect("an answer"), 512);
                assert_eq!(back[..512], [round; 512]);
            }
        });
        assert_none(datagrams, "datagrams");
    });

    serve_websockets();
    #[cfg(feature = "deflate")]
    serve_compressed();
    #[cfg(feature = "tls")]
    serve_tls();

    assert_none(websocket_allocations(&[64; 100], 65_536), "whole WebSocket messages");
    assert_none(websocket_allocations(&[64; 100], 50), "WebSocket messages cut by reads");
    assert_none(websocket_allocations(&[60_000; 3], 40_000), "large ones");

    let counted = ALLOCATIONS.load(Ordering::Relaxed);
    assert!(counted > 0, "starting up and warming up must have been counted");
}
