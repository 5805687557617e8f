//! WebSocket echo (RFC 6455): the upgrade, then each masked frame goes back without its mask, all
//! frames of one read in one send. Nothing is checked; a fragment is echoed as a fragment.

use crate::epoll::{BUFFER_BYTES, Fd, Read, Socket};
use crate::sha1;

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FIN: u8 = 0x80;

/// All connections, by the number of their socket.
pub struct Floor {
    connections: Vec<Connection>,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// What is kept of a connection.
#[derive(Default)]
struct Connection {
    is_upgraded: bool,
    /// A frame or request that is not whole yet; its length is the room that it needs.
    held: Vec<u8>,
    held_bytes: usize,
}

/// What the frames of one read came to.
struct Taken {
    /// Bytes of the input that were whole frames.
    input: usize,
    output: usize,
    /// How long the frame behind them will be, as far as its header tells.
    next: usize,
    is_closed: bool,
}

impl Floor {
    pub fn new() -> Floor {
        let input = vec![0; BUFFER_BYTES];
        Floor { connections: Vec::new(), input, output: vec![0; BUFFER_BYTES] }
    }

    /// One read, and the answer to it.
    pub fn ready(&mut self, socket: Fd) -> Read {
        let at = socket.0 as usize;
        if at >= self.connections.len() {
            self.connections.resize_with(at + 1, Connection::default);
        }
        let connection = &mut self.connections[at];
        if connection.held_bytes > 0 || !connection.is_upgraded {
            return self.ready_with_held(socket);
        }
        let length = match socket.recv(&mut self.input) {
            Socket::Bytes(length) => length,
            Socket::Empty => return Read::Short,
            Socket::End => return connection.end(),
        };
        let taken = frames(&self.input[..length], &mut self.output);
        let is_sent = taken.output == 0 || socket.send(&self.output[..taken.output]);
        if taken.is_closed || !is_sent {
            return connection.end();
        }
        if taken.input < length {
            connection.hold(&self.input[taken.input..length], taken.next);
        }
        if length == BUFFER_BYTES { Read::Full } else { Read::Short }
    }

    /// The same for who has begun something, the request above all.
    #[cold]
    fn ready_with_held(&mut self, socket: Fd) -> Read {
        let connection = &mut self.connections[socket.0 as usize];
        if connection.held.is_empty() {
            connection.held.resize(1024, 0);
        }
        let room = connection.held.len() - connection.held_bytes;
        let got = match socket.recv(&mut connection.held[connection.held_bytes..]) {
            Socket::Bytes(length) => length,
            Socket::Empty => return Read::Short,
            Socket::End => return connection.end(),
        };
        let held = std::mem::take(&mut connection.held);
        let bytes = &held[..connection.held_bytes + got];
        connection.held_bytes = 0;
        let mut used = 0;
        if !connection.is_upgraded {
            used = match upgrade(socket, bytes) {
                Some(length) => length,
                None => return connection.end(),
            };
            connection.is_upgraded = used > 0;
        }
        let mut next = bytes.len() + 1024;
        if connection.is_upgraded {
            self.output.resize(bytes.len().max(BUFFER_BYTES), 0);
            let taken = frames(&bytes[used..], &mut self.output);
            let is_sent = taken.output == 0 || socket.send(&self.output[..taken.output]);
            if taken.is_closed || !is_sent {
                return connection.end();
            }
            used += taken.input;
            next = taken.next;
        }
        if used < bytes.len() {
            connection.hold(&bytes[used..], next);
        }
        if got == room { Read::Full } else { Read::Short }
    }
}

impl Connection {
    /// Keeps what is not whole, with room for the rest of it, and a byte: so the read that brings
    /// the rest is short, and none is made to find nothing.
    #[cold]
    fn hold(&mut self, bytes: &[u8], needs: usize) {
        self.held = Vec::with_capacity(needs.max(bytes.len() + 14) + 1);
        self.held.extend_from_slice(bytes);
        self.held.resize(self.held.capacity(), 0);
        self.held_bytes = bytes.len();
    }

    fn end(&mut self) -> Read {
        *self = Connection::default();
        Read::End
    }
}

/// Answers the request; returns its length, 0 if it is not whole, none if it is none of ours.
fn upgrade(socket: Fd, request: &[u8]) -> Option<usize> {
    let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else {
        return (request.len() < BUFFER_BYTES).then_some(0);
    };
    let head = str::from_utf8(&request[..end]).ok()?;
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let (_, key) = fields.find(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Key"))?;
    let accept = sha1::base64(&sha1::digest([key.trim(), GUID].concat().as_bytes()));
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    socket.send(answer.as_bytes()).then_some(end + 4)
}

/// Unmasks the whole frames of `input` into `output`, which is at least as long.
#[inline(always)]
fn frames(input: &[u8], output: &mut [u8]) -> Taken {
    let mut taken = Taken { input: 0, output: 0, next: 0, is_closed: false };
    while let Some((header, mask, payload)) = frame(&input[taken.input..], &mut taken.next) {
        taken.input += header.len() + 4 + payload.len();
        let mut first = header[0];
        match first & 0x0f {
            PONG => continue,
            PING => first = FIN | PONG,
            CLOSE => taken.is_closed = true,
            _ => {}
        }
        let (out_header, out) = output[taken.output..].split_at_mut(header.len());
        out_header[0] = first;
        out_header[1] = header[1] & 0x7f;
        // Two bytes are most headers, and not worth a call of `memcpy`.
        if header.len() > 2 {
            out_header[2..].copy_from_slice(&header[2..]);
        }
        unmask(payload, mask, &mut out[..payload.len()]);
        taken.output += header.len() + payload.len();
        if taken.is_closed {
            break;
        }
    }
    taken
}

/// Header (without the mask), mask and payload of the first frame, if it is whole; else `needs`
/// is how long it will be.
#[inline(always)]
fn frame<'a>(input: &'a [u8], needs: &mut usize) -> Option<(&'a [u8], [u8; 4], &'a [u8])> {
    let (header_bytes, payload_bytes) = match input.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(*input[2..].first_chunk()?))),
        127 => (10, u64::from_be_bytes(*input[2..].first_chunk()?) as usize),
        short => (2, usize::from(short)),
    };
    let (header, rest) = input.split_at_checked(header_bytes)?;
    *needs = header_bytes + 4 + payload_bytes;
    let (mask, rest) = rest.split_first_chunk()?;
    Some((header, *mask, rest.get(..payload_bytes)?))
}

/// In steps of 32 bytes, which the compiler makes vectors of.
#[inline(always)]
fn unmask(payload: &[u8], mask: [u8; 4], out: &mut [u8]) {
    const STEP: usize = 32;
    let masks: [u8; STEP] = std::array::from_fn(|at| mask[at % 4]);
    let (steps, rest) = payload.as_chunks::<STEP>();
    let (out_steps, out_rest) = out.as_chunks_mut::<STEP>();
    for (out, step) in out_steps.iter_mut().zip(steps) {
        *out = std::array::from_fn(|at| step[at] ^ masks[at]);
    }
    for (at, (out, byte)) in out_rest.iter_mut().zip(rest).enumerate() {
        *out = byte ^ masks[at];
    }
}
