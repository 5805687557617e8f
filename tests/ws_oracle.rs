//! A second opinion on RFC 6455: tungstenite reads what we write, and we read what it writes.
//!
//! The two ends share a pair of byte queues and no socket, so all is bounded and nothing waits. A
//! mistake that our encoder and our decoder have in common would go unseen in their own tests.

use oneloop::buf::Pool;
use oneloop::proto::ws::encode::{self, First, Key};
use oneloop::proto::ws::frame::OpCode;
use oneloop::proto::ws::{Assembly, CloseCode, Decoder, Event, Kind, Limits, Role};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use tungstenite::protocol::{Role as TheirRole, WebSocketContext};
use tungstenite::{Error, Message};

/// What tungstenite reads from and writes to. An empty queue would block.
#[derive(Default)]
struct Wire {
    incoming: VecDeque<u8>,
    outgoing: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.incoming.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One frame of ours, or a message of theirs.
#[derive(Clone, Debug)]
enum Said {
    /// A message, and where it is cut into fragments if we say it.
    Message(Kind, Vec<u8>, Vec<prop::sample::Index>),
    Ping(Vec<u8>),
}

fn said() -> impl Strategy<Value = Said> {
    let cuts = || prop::collection::vec(any::<prop::sample::Index>(), 0..3);
    let bytes = |max| prop::collection::vec(any::<u8>(), 0..max);
    let long = prop::sample::select(&[125usize, 126, 65_535, 65_536, 100_000][..]);
    prop_oneof![
        ("(?s:.{0,60})", cuts()).prop_map(|(it, cuts)| Said::Message(Kind::Text, it.into(), cuts)),
        (bytes(300), cuts()).prop_map(|(it, cuts)| Said::Message(Kind::Binary, it, cuts)),
        (long, cuts()).prop_map(|(len, cuts)| Said::Message(Kind::Binary, vec![7; len], cuts)),
        bytes(126).prop_map(Said::Ping),
    ]
}

fn as_theirs(said: &Said) -> Message {
    match said {
        Said::Message(Kind::Text, it, _) => {
            Message::text(String::from_utf8(it.clone()).expect("it was a string"))
        }
        Said::Message(Kind::Binary, it, _) => Message::binary(it.clone()),
        Said::Ping(it) => Message::Ping(it.clone().into()),
    }
}

fn encode_ours(said: &Said, key: Key, out: &mut Vec<u8>) {
    let (kind, payload, cuts) = match said {
        Said::Ping(payload) => return encode::ping(payload, key, out),
        Said::Message(kind, payload, cuts) => (*kind, payload, cuts),
    };
    let mut opcode = if kind == Kind::Text { OpCode::Text } else { OpCode::Binary };
    let mut rest = &payload[..];
    for cut in cuts {
        let (piece, behind) = rest.split_at(cut.index(rest.len() + 1));
        encode::frame(First { fin: false, rsv1: false, opcode }, piece, key, out);
        (rest, opcode) = (behind, OpCode::Continuation);
    }
    encode::frame(First::whole(opcode), rest, key, out);
}

/// All that tungstenite makes of its incoming bytes.
fn read_theirs(theirs: &mut WebSocketContext, wire: &mut Wire) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        match theirs.read(wire) {
            Ok(message) => messages.push(message),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return messages,
            Err(Error::ConnectionClosed) => return messages,
            Err(error) => panic!("tungstenite refuses it: {error}"),
        }
    }
}

/// All that we make of `bytes`, read in pieces of `read_bytes`.
fn read_ours(role: Role, bytes: &[u8], read_bytes: usize) -> Vec<Message> {
    let (mut decoder, mut pool) = (Decoder::new(role), Pool::new(u64::MAX));
    let mut assembly = Assembly::new(Limits::default());
    let mut messages = Vec::new();
    for piece in bytes.to_vec().chunks_mut(read_bytes) {
        let mut rest = piece;
        while let Some(event) =
            decoder.next(&mut rest, &mut assembly, &mut pool).expect("tungstenite is right")
        {
            messages.push(match event {
                Event::Message(Kind::Text, it) => {
                    Message::text(std::str::from_utf8(it).expect("checked"))
                }
                Event::Message(Kind::Binary, it) => Message::binary(it.to_vec()),
                Event::Compressed(..) => panic!("nobody agreed to compress"),
                Event::Ping(it) => Message::Ping(it.to_vec().into()),
                Event::Pong(it) => Message::Pong(it.to_vec().into()),
                Event::Close(..) => Message::Close(None),
            });
        }
    }
    assert!(decoder.is_between() && assembly.is_empty() && pool.blocks_out() == 0);
    messages
}

fn both_roles() -> impl Strategy<Value = (Role, TheirRole)> {
    prop_oneof![Just((Role::Server, TheirRole::Client)), Just((Role::Client, TheirRole::Server)),]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tungstenite_reads_what_we_write(
        (role, their_role) in both_roles(),
        said in prop::collection::vec(said(), 0..6),
        key in any::<[u8; 4]>(),
    ) {
        let key = (role == Role::Client).then_some(key);
        let mut bytes = Vec::new();
        said.iter().for_each(|it| encode_ours(it, key, &mut bytes));
        let mut wire = Wire { incoming: bytes.into(), outgoing: Vec::new() };
        let mut theirs = WebSocketContext::new(their_role, None);
        let expected: Vec<Message> = said.iter().map(as_theirs).collect();
        prop_assert_eq!(read_theirs(&mut theirs, &mut wire), expected);
    }

    #[test]
    fn we_read_what_tungstenite_writes(
        (role, their_role) in both_roles(),
        said in prop::collection::vec(said(), 0..6),
        read_bytes in prop_oneof![1usize..40, 1usize..70_000],
    ) {
        let mut wire = Wire::default();
        let mut theirs = WebSocketContext::new(their_role, None);
        let expected: Vec<Message> = said.iter().map(as_theirs).collect();
        for message in &expected {
            theirs.write(&mut wire, message.clone()).expect("the wire takes all");
        }
        theirs.flush(&mut wire).expect("the wire takes all");
        prop_assert_eq!(read_ours(role, &wire.outgoing, read_bytes), expected);
    }
}

/// The two agree on which frames break a rule: every first byte, with every short length.
#[test]
fn both_refuse_the_same_frames() {
    for first in 0..=255u8 {
        for (len, byte) in (0..126u8).flat_map(|len| [(len, b'a'), (len, 0x03), (len, 0xff)]) {
            let mut bytes = vec![first, 0x80 | len];
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend(std::iter::repeat_n(byte, len as usize));

            let mut wire = Wire { incoming: bytes.clone().into(), outgoing: Vec::new() };
            let theirs = WebSocketContext::new(TheirRole::Server, None).read(&mut wire);
            let they_refuse = match theirs {
                // It hands out a code of its own for one that must not be sent.
                Ok(Message::Close(Some(frame))) => {
                    u16::from(frame.code) != u16::from_be_bytes([byte; 2])
                }
                Ok(_) => false,
                Err(Error::Io(error)) => error.kind() != io::ErrorKind::WouldBlock,
                Err(_) => true,
            };
            let (mut decoder, mut pool) = (Decoder::new(Role::Server), Pool::new(u64::MAX));
            let mut assembly = Assembly::new(Limits::default());
            let outcome = decoder.next(&mut &mut bytes[..], &mut assembly, &mut pool);
            assert_eq!(
                outcome.is_err(),
                they_refuse,
                "{first:#x}, {len} of {byte:#x}: {outcome:?}"
            );
        }
    }
}

#[test]
fn the_closing_handshake_ends_on_both_sides() {
    let mut theirs = WebSocketContext::new(TheirRole::Client, None);
    let mut bytes = Vec::new();
    encode::close(Some(CloseCode::GOING_AWAY), "bye", None, &mut bytes);
    let mut wire = Wire { incoming: bytes.into(), outgoing: Vec::new() };
    let heard = read_theirs(&mut theirs, &mut wire);
    let [Message::Close(Some(close))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1001, "bye"));
    assert_eq!(read_ours(Role::Server, &wire.outgoing, 7), [Message::Close(None)], "the echo");
}
