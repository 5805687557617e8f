//! Memory of compression, from outside: what a bomb may take, and what context takeover leaves.

use crate::server::{Server, ask, frames, upgrade, upgrade_with, wait_until};
use oneloop::proto::ws::encode::{First, frame};
use oneloop::proto::ws::frame::OpCode;
use std::io::{Read, Write};
use std::net::TcpStream;

fn upgraded(server: &Server) -> TcpStream {
    let mut stream = server.connect(0);
    upgrade(&mut stream);
    stream
}

/// Asks for a compressed WebSocket, with context takeover if the server allows it.
fn upgrade_compressed(server: &Server, nth: usize) -> TcpStream {
    let mut stream = server.connect(nth);
    let answer = upgrade_with(&mut stream, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    assert!(answer.contains("\r\nSec-WebSocket-Extensions: permessage-deflate"), "{answer}");
    stream
}

/// A client's text of this many zeros, compressed.
fn compressed(len: usize) -> Vec<u8> {
    let first = First { fin: true, rsv1: true, opcode: OpCode::Text };
    let payload = miniz_oxide::deflate::compress_to_vec(&vec![0; len], 9);
    let mut bytes = Vec::new();
    frame(first, &payload, Some([1, 2, 3, 4]), &mut bytes);
    bytes
}

/// 64 MB in 64 KB, from a hundred clients: each is told that its message is too long, and nobody's
/// is ever inflated beyond the limit. What is left in the end is the inflater.
#[test]
fn a_bomb_takes_no_more_than_the_limit_and_a_window() {
    const LIMIT_KIB: u64 = 4 * 1024;
    let server =
        Server::start_on("http://127.0.0.1:0/", &["--message-bytes-max", "4MiB", "--linger", "9s"]);
    ask(&mut upgraded(&server), &frames(&[&[7; 60_000]]));
    let bomb = compressed(64 << 20);
    assert!(bomb.len() < 70_000, "{} bytes", bomb.len());
    let before_kib = server.status("RssAnon");
    for nth in 0..100 {
        let mut stream = upgrade_compressed(&server, nth);
        stream.write_all(&bomb).expect("the server reads");
        let mut close = Vec::new();
        stream.read_to_end(&mut close).expect("the server answers and closes");
        assert_eq!(close[..4], [0x88, 2 + 23, 0x03, 0xf1], "1009");
        assert_eq!(&close[4..], b"the message is too long");
    }
    // The most that there ever was: the message, the inflater (47.5 KB), what gathers the payload,
    // and the allocator's odd page.
    let most_kib = server.status("VmHWM") - server.status("RssFile") - before_kib;
    println!("bombs: {most_kib} KiB at the most");
    assert!(most_kib <= LIMIT_KIB + 512, "{most_kib} KiB");
    wait_until("the memory is given back", || {
        server.status("RssAnon").saturating_sub(before_kib) <= 512
    });
}

/// What took context over is given back with its connection.
#[test]
fn after_takeover_nothing_is_kept() {
    const COUNT: usize = 30;
    let server = Server::start_on("http://127.0.0.1:0/", &["--deflate-takeover-max", "30"]);
    ask(&mut upgraded(&server), &frames(&[&[7; 60_000]]));
    let (message, mut byte) = (compressed(30_000), [0]);
    let before_kib = server.status("RssAnon");
    let mut streams: Vec<TcpStream> =
        (0..COUNT).map(|nth| upgrade_compressed(&server, nth)).collect();
    for stream in &mut streams {
        stream.write_all(&message).expect("the server reads");
        stream.read_exact(&mut byte).expect("the server answers");
        assert_eq!(byte, [0xc1], "compressed");
    }
    let each_kib = (server.status("RssAnon") - before_kib) / COUNT as u64;
    println!("takeover: {each_kib} KiB each");
    assert!((150..=330).contains(&each_kib), "{each_kib} KiB each");
    drop(streams);
    wait_until("the memory is given back", || {
        server.status("RssAnon").saturating_sub(before_kib) <= 512
    });
}
