//! **What.** A client for HTTP and WebSocket, as small as it gets.
//!
//! **Why this way.** It shares no line with the codec that it tests: frames are cut here by hand.
//! Where a whole client is wanted, tungstenite takes the stream over ([`Ws::into_stream`]).
//!
//! **Costs.** Heads are read a byte at a time, so that no byte of what follows is taken.
//!
//! **Read next.** `http.rs`, `websocket.rs`.

use crate::support::*;
use oneloop::net::Endpoint;
use oneloop::server::{Limits, Server};
use oneloop::service::Builtin;
use std::io::{Read, Write};
use std::net::TcpStream;

/// First bytes of whole frames.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// An HTTP listener with these socket options and every service on its path, and a plain one of
/// lines for all beside it.
pub(crate) fn bind_site(options: &str, limits: Limits) -> Server<Builtin> {
    let at = |url: &str| Endpoint::parse(url).unwrap();
    let path = |service: Builtin| (format!("/{}", service.name()), service);
    Server::builder()
        .limits(limits)
        .site(at(&format!("http://127.0.0.1:0/{options}")), Builtin::ALL.map(path).into())
        .listen(at(TCP), Builtin::Broadcast)
        .bind()
        .unwrap()
}

pub(crate) fn serve_site(limits: Limits) -> Running {
    run(bind_site("", limits))
}

/// A request for `target` without a body.
pub(crate) fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// Reads a head, its last line ending included and not a byte further.
#[track_caller]
pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read_n(stream, 1));
    }
    String::from_utf8(head).unwrap()
}

/// Reads a response with a length: its head and its body.
#[track_caller]
pub(crate) fn read_response(stream: &mut impl Read) -> (String, String) {
    let head = read_head(stream);
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("Content-Length: "));
    let length = length.unwrap_or_else(|| panic!("no length: {head}")).parse().unwrap();
    (head, String::from_utf8(read_n(stream, length)).unwrap())
}

/// The server answers requests on this stream.
#[track_caller]
pub(crate) fn ask_health(stream: &mut (impl Read + Write)) {
    stream.write_all(get("/healthz").as_bytes()).unwrap();
    let (head, body) = read_response(stream);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(body, "ok\n");
}

/// What asks for a WebSocket on `path` (the example of RFC 6455 1.3).
pub(crate) fn opening(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A client's frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// An open WebSocket.
pub(crate) struct Ws<S = TcpStream>(pub(crate) S);

impl Ws {
    #[track_caller]
    pub(crate) fn open(server: &Running, path: &str) -> Ws {
        Ws::upgrade(server.connect(), path)
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        self.0
    }
}

impl<S: Read + Write> Ws<S> {
    #[track_caller]
    pub(crate) fn upgrade(mut stream: S, path: &str) -> Ws<S> {
        stream.write_all(opening(path).as_bytes()).unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        Ws(stream)
    }

    #[track_caller]
    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        self.0.write_all(&frame(first, payload)).unwrap();
    }

    #[track_caller]
    pub(crate) fn say(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes());
    }

    /// Reads a frame: its first byte and its payload. It must not be masked.
    #[track_caller]
    pub(crate) fn read(&mut self) -> (u8, Vec<u8>) {
        let head = read_n(&mut self.0, 2);
        let len = match head[1] {
            126 => u16::from_be_bytes(read_n(&mut self.0, 2).try_into().unwrap()) as usize,
            127 => u64::from_be_bytes(read_n(&mut self.0, 8).try_into().unwrap()) as usize,
            len @ 0..126 => len as usize,
            masked => panic!("a server's frames have no mask: {masked:#x}"),
        };
        (head[0], read_n(&mut self.0, len))
    }

    /// Reads a text.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> String {
        let (first, payload) = self.read();
        assert_eq!(first, TEXT, "{payload:?}");
        String::from_utf8(payload).unwrap()
    }

    /// An echo comes back.
    #[track_caller]
    pub(crate) fn echo(&mut self, text: &str) {
        self.say(text);
        assert_eq!(self.hear(), text);
    }

    /// Reads a close frame and then the end of the stream: code and reason.
    #[track_caller]
    pub(crate) fn read_close(&mut self) -> (u16, String) {
        let (first, payload) = self.read();
        assert_eq!(first, CLOSE, "{payload:?}");
        assert_eq!(read_to_end(&mut self.0), (vec![], End::Fin));
        let (code, reason) = payload.split_at(2);
        let code = u16::from_be_bytes(code.try_into().unwrap());
        (code, String::from_utf8(reason.to_vec()).unwrap())
    }

    /// The closing handshake, begun by the client.
    #[track_caller]
    pub(crate) fn close(mut self) {
        self.send(CLOSE, &1000u16.to_be_bytes());
        assert_eq!(self.read_close(), (1000, String::new()));
    }
}
