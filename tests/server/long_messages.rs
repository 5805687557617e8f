//! WebSocket messages that are longer than the backlog of a connection may be.
//!
//! **What.** A peer sends one, and reads nothing until all of it is out: the server has to queue
//! the echo nearly whole.
//!
//! **Why this way.** `--message-bytes-max` says what a peer may send. What it may send must not end
//! it when it comes back, whatever `--backlog-bytes-max` says.
//!
//! **Costs.** A megabyte through a narrow socket, twice; under a second.
//!
//! **Read next.** `src/server/pump.rs`.

use crate::support::*;
use oneloop::server::Limits;
use oneloop::service::Builtin;
use std::io::Write as _;

const REQUEST: &str = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const LONG: u64 = 1024 * 1024;

/// The beginning of a binary frame, be it masked or not.
fn header(second: u8) -> Vec<u8> {
    [&[0x82, second][..], &LONG.to_be_bytes()].concat()
}

#[test]
fn a_message_longer_than_the_backlog_comes_back() {
    for service in [Builtin::Echo, Builtin::Broadcast] {
        let limits = Limits {
            backlog_bytes_max: 128 * 1024,
            frame_bytes_max: LONG as usize,
            message_bytes_max: LONG as usize,
            ..limits()
        };
        let server = serve([("http://127.0.0.1:0/x?sndbuf=16k", service)], limits);
        let mut client = connect_narrow(server.at(0));
        client.write_all(REQUEST.as_bytes()).unwrap();
        assert_eq!(read_line(&mut client), "HTTP/1.1 101 Switching Protocols\r");
        while read_line(&mut client) != "\r" {}
        let payload = pattern(7, LONG as usize);
        // A mask of zeros leaves it as it is.
        client.write_all(&[header(0xff), vec![0; 4], payload.clone()].concat()).unwrap();
        assert_eq!(read_n(&mut client, 10), header(0x7f));
        assert!(read_n(&mut client, LONG as usize) == payload);
        drop(client);
        server.finish();
    }
}
