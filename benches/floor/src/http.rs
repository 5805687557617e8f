//! HTTP keep-alive, as little of it as a load generator notices: each empty line is a request,
//! and each gets the same words, as many as from a server that keeps the rules. A request that is
//! cut in two by a read has its empty line in one of the parts or, once in a long while, in
//! neither; a floor does not care.

use crate::epoll::{Fd, Read, Socket};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 3\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\r\nok\n";
/// As many answers as fit into one write.
const AT_ONCE: usize = 64;

/// Answers whatever requests one read brings.
pub fn answer(socket: Fd, buffer: &mut [u8]) -> Read {
    let length = match socket.recv(buffer) {
        Socket::Bytes(length) => length,
        Socket::Empty => return Read::Short,
        Socket::End => return Read::End,
    };
    let ends = |window: &&[u8]| *window == b"\r\n\r\n";
    let mut requests = buffer[..length].windows(4).filter(ends).count();
    const ANSWERS: [u8; ANSWER.len() * AT_ONCE] = repeated();
    while requests > 0 {
        let count = requests.min(AT_ONCE);
        if !socket.send(&ANSWERS[..count * ANSWER.len()]) {
            return Read::End;
        }
        requests -= count;
    }
    if length == buffer.len() { Read::Full } else { Read::Short }
}

const fn repeated() -> [u8; ANSWER.len() * AT_ONCE] {
    let mut all = [0; ANSWER.len() * AT_ONCE];
    let mut at = 0;
    while at < all.len() {
        all[at] = ANSWER[at % ANSWER.len()];
        at += 1;
    }
    all
}
