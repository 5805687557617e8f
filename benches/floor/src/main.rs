//! The least code that can echo, as a yardstick and nothing else: `floor tcp|ws|http PORT`, on
//! 127.0.0.1, one thread, one edge-triggered epoll, one shared buffer of 64 KiB.
//!
//! What a server costs above this is what the server adds; what this costs is the kernel's. It
//! checks nothing and keeps no output queue, so one client who does not read stops it for all,
//! for up to ten seconds. A floor is to stand on: do not live there.
//!
//! `epoll.rs` holds every system call and the loop, `ws.rs` and `http.rs` what is not trivial.

mod epoll;
mod http;
mod sha1;
mod ws;

use epoll::{BUFFER_BYTES, Fd, Read, Socket};

fn main() -> std::io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [kind, port] = &arguments[..] else { usage() };
    let Ok(port) = port.parse() else { usage() };
    let mut buffer = vec![0; BUFFER_BYTES];
    match kind.as_str() {
        "tcp" => epoll::run(port, |socket| echo(socket, &mut buffer)),
        "ws" => {
            let mut floor = ws::Floor::new();
            epoll::run(port, |socket| floor.ready(socket))
        }
        "http" => epoll::run(port, |socket| http::answer(socket, &mut buffer)),
        _ => usage(),
    }
}

fn usage() -> ! {
    eprintln!("usage: floor tcp|ws|http PORT");
    std::process::exit(2)
}

/// TCP echo, whole: what came goes back.
fn echo(socket: Fd, buffer: &mut [u8]) -> Read {
    match socket.recv(buffer) {
        Socket::Bytes(length) if !socket.send(&buffer[..length]) => Read::End,
        Socket::Bytes(length) if length == buffer.len() => Read::Full,
        Socket::Bytes(_) | Socket::Empty => Read::Short,
        Socket::End => Read::End,
    }
}
