//! Frames of both roles: whole, in pieces, and as tungstenite reads them.
//!
//! **What.** Nothing panics; events and errors do not depend on the split; all memory comes back;
//! with limits that the input cannot reach, tungstenite hears the same messages.
//!
//! **Why this way.** A frame that lies whole in a read takes another way through the decoder than
//! one that does not, and the two must not differ.
//!
//! **Costs.** Three passes over the input.
//!
//! **Read next.** `src/proto/ws/message.rs`.

#![no_main]

mod pieces;

use libfuzzer_sys::fuzz_target;
use oneloop::buf::Pool;
use oneloop::proto::ws::{Assembly, Decoder, Event, Kind, Limits, Role, WsError};
use std::io::{self, Read, Write};
use tungstenite::protocol::{Role as TheirRole, WebSocketContext};
use tungstenite::{Error, Message};

/// Limits that a short input can reach.
const SMALL: Limits = Limits { frame_bytes_max: 130, message_bytes_max: 150, fragments_max: 3 };

/// What is heard of a peer.
#[derive(Clone, Debug, PartialEq)]
enum Heard {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

/// All that the decoder makes of an input, and why it stopped.
fn ours<'a>(
    role: Role,
    limits: Limits,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Heard>, Option<WsError>) {
    let (mut assembly, mut pool) = (Assembly::new(limits), Pool::new(u64::MAX));
    let (mut decoder, mut heard, mut error) = (Decoder::new(role), Vec::new(), None);
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        loop {
            heard.push(match decoder.next(&mut rest, &mut assembly, &mut pool) {
                Ok(None) => break,
                Ok(Some(Event::Message(Kind::Text, it))) => {
                    assert!(std::str::from_utf8(it).is_ok(), "a text is UTF-8");
                    Heard::Text(it.to_vec())
                }
                Ok(Some(Event::Message(Kind::Binary, it))) => Heard::Binary(it.to_vec()),
                Ok(Some(Event::Compressed(..))) => panic!("nobody expects them"),
                Ok(Some(Event::Ping(it))) => Heard::Ping(it.to_vec()),
                Ok(Some(Event::Pong(it))) => Heard::Pong(it.to_vec()),
                Ok(Some(Event::Close(code, reason))) => {
                    Heard::Close(code.map(|code| code.get()), reason.to_owned())
                }
                Err(why) => {
                    assert!(error.replace(why).is_none(), "an error is the last");
                    break;
                }
            });
        }
        assert!(rest.is_empty() || error.is_some(), "all is used up");
    }
    decoder.clear(&mut assembly, &mut pool);
    assert!(assembly.is_empty() && pool.blocks_out() == 0, "nothing is left behind");
    (heard, error)
}

/// A wire on which nothing more comes. What is written to it is dropped.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.0.read(bytes)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            length => Ok(length),
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(role: Role, input: &[u8]) -> Vec<Heard> {
    let role = if role == Role::Server { TheirRole::Server } else { TheirRole::Client };
    let (mut socket, mut wire) = (WebSocketContext::new(role, None), Wire(input));
    let mut heard = Vec::new();
    loop {
        heard.push(match socket.read(&mut wire) {
            Ok(Message::Text(it)) => Heard::Text(it.as_bytes().to_vec()),
            Ok(Message::Binary(it)) => Heard::Binary(it.to_vec()),
            Ok(Message::Ping(it)) => Heard::Ping(it.to_vec()),
            Ok(Message::Pong(it)) => Heard::Pong(it.to_vec()),
            Ok(Message::Close(it)) => Heard::Close(
                it.as_ref().map(|it| it.code.into()),
                it.map_or(String::new(), |it| it.reason.as_str().to_owned()),
            ),
            Ok(Message::Frame(_)) => unreachable!("only written"),
            Err(Error::Io(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                return heard;
            }
            Err(_) => return heard,
        });
    }
}

/// What it hears of that: 1014, registered since, is to it still a code that must not be sent.
fn as_they_have_it(heard: &Heard) -> Heard {
    match heard {
        Heard::Close(Some(1014), _) => Heard::Close(Some(1002), "Protocol violation".into()),
        _ => heard.clone(),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let Some(split) = pieces::split(data) else { return };
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let limits = if choice & 2 == 0 { Limits::default() } else { SMALL };
    let (heard, error) = ours(role, limits, std::iter::once(split.input));
    assert_eq!(ours(role, limits, split.pieces()), (heard.clone(), error), "in pieces, and whole");
    if limits == SMALL {
        return;
    }
    let heard: Vec<_> = heard.iter().map(as_they_have_it).collect();
    let theirs = theirs(role, split.input);
    match error {
        // It does not mind a length that has a shorter form (of a control frame: the long form
        // itself), and hands a code that must not be sent out as another one.
        Some(WsError::LengthNotMinimal | WsError::ControlTooLong | WsError::CloseCodeInvalid) => {
            assert!(theirs.starts_with(&heard), "{theirs:?} {heard:?}");
        }
        _ => assert_eq!(theirs, heard, "{error:?}"),
    }
});
