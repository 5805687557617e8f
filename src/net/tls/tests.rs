//! The filter over a pair of sockets. Its counterpart is rustls' other interface, which shares no
//! line with ours, or a second link.

mod files;

use super::*;
use crate::net::{Endpoint, Link, LinkIo, SendError, Sent, Stream, Trust};
use mio::event::Source;
use mio::{Interest, Poll, Token};
use rustls::crypto::cipher::{MessageEncrypter, OutboundPlainMessage};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ConnectionTrafficSecrets, ContentType};
use rustls::{ProtocolVersion, SupportedProtocolVersion};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

const TOKEN: Token = Token(1);

fn server() -> TlsServer {
    let endpoint = Endpoint::parse("tls://127.0.0.1:0").expect("a good URL");
    let certificate = SelfSigned::new("localhost", [].iter(), None).expect("it can be made");
    TlsServer::load(&endpoint, Some(&certificate)).expect("it can be used").expect("it is wanted")
}

/// rustls as it comes, in memory.
fn client_of(versions: &[&'static SupportedProtocolVersion]) -> ClientConnection {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("known versions")
        .dangerous()
        .with_custom_certificate_verifier(client::nobody_asked())
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    let name = ServerName::try_from("localhost").expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("a good configuration")
}

fn client() -> ClientConnection {
    client_of(rustls::ALL_VERSIONS)
}

/// What it wants to send.
fn take(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).expect("into memory");
    }
    bytes
}

/// Gives it what came; returns the plaintext in it.
fn give(client: &mut ClientConnection, mut bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).expect("from memory");
        client.process_new_packets().expect("the server speaks TLS");
        match client.reader().read_to_end(&mut plain) {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    plain
}

/// A link and the other end of its socket.
struct Rig {
    link: Link,
    peer: UnixStream,
    poll: Poll,
    pool: Pool,
    scratch: TlsScratch,
    plain: Vec<u8>,
}

impl Rig {
    fn new(tls: Option<Box<Tls>>) -> Rig {
        let (own, peer) = UnixStream::pair().expect("a pair");
        own.set_nonblocking(true).expect("a socket");
        peer.set_nonblocking(true).expect("a socket");
        let poll = Poll::new().expect("epoll");
        let mut stream = Stream::Unix(mio::net::UnixStream::from_std(own));
        stream.register(poll.registry(), TOKEN, Interest::READABLE).expect("epoll");
        let link = Link::secured(stream, false, tls.expect("rustls makes one"));
        let (pool, scratch) = (Pool::new(1 << 20), TlsScratch::default());
        Rig { link, peer, poll, pool, scratch, plain: vec![0; 64 * 1024] }
    }

    fn serve() -> Rig {
        Rig::new(server().accept())
    }

    /// Lets the link do something.
    fn with<T>(&mut self, act: impl FnOnce(&mut Link, &mut [u8], LinkIo<'_>) -> T) -> T {
        let Rig { link, poll, pool, scratch, plain, .. } = self;
        act(link, plain, LinkIo { registry: poll.registry(), pool, tls: scratch })
    }

    fn receive(&mut self) -> Result<Received, ReceiveError> {
        self.with(|link, plain, io| link.receive(plain, TOKEN, io))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Sent, SendError> {
        self.with(|link, _, io| link.send(bytes, TOKEN, io))
    }

    /// Puts bytes before the link and lets it receive until nothing is left.
    fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>, ReceiveError> {
        self.peer.write_all(bytes).expect("there is room");
        let mut plain = Vec::new();
        loop {
            let (len, more) = match self.receive()? {
                Received::Filled(len) => (len, true),
                Received::Short(len) => (len, false),
                Received::Blocked | Received::Eof => return Ok(plain),
            };
            plain.extend_from_slice(&self.plain[..len]);
            if !more {
                return Ok(plain);
            }
        }
    }

    /// What the link has sent.
    fn sent(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Err(error) = self.peer.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
        bytes
    }

    /// Goes through the handshake, client's bytes cut by `cut`.
    fn shake_hands(&mut self, client: &mut ClientConnection, cut: usize) {
        for _ in 0..8 {
            for piece in take(client).chunks(cut.max(1)) {
                assert_eq!(self.feed(piece), Ok(vec![]));
            }
            assert_eq!(give(client, &self.sent()), b"");
            if !client.is_handshaking() && !client.wants_write() {
                break;
            }
        }
        assert!(!self.link.tls().expect("it is there").is_handshaking(), "and it is done");
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.link.clear(&mut self.pool);
        assert_eq!(self.pool.blocks_out(), 0, "all is given back");
    }
}

/// A rig and a client that have shaken hands.
fn open() -> (Rig, ClientConnection) {
    let (mut rig, mut client) = (Rig::serve(), client());
    rig.shake_hands(&mut client, usize::MAX);
    (rig, client)
}

fn sealed(client: &mut ClientConnection, plain: &[u8]) -> Vec<u8> {
    client.writer().write_all(plain).expect("into memory");
    take(client)
}

#[test]
fn the_framer_knows_where_records_end() {
    let record =
        |len: usize| [&[23, 3, 3, (len >> 8) as u8, len as u8][..], &vec![7; len]].concat();
    let stream = [record(3), record(0), record(300), record(16_401)].concat();
    let ends = [8, 13, 318, 318 + 16_406];
    for cut in [1, 2, 3, 5, 7, 8, 300, 20_000] {
        let (mut framer, mut at) = (Framer::default(), 0);
        for piece in stream.chunks(cut) {
            let expected = ends.iter().any(|end| (at + 1..=at + piece.len()).contains(end));
            assert_eq!(framer.feed(piece), expected, "{cut} at {at}");
            at += piece.len();
        }
    }
    for nonsense in [[25, 3, 3, 0, 9], [22, 3, 3, 0xff, 0xff]] {
        assert!(!Framer::default().feed(&nonsense[..4]));
        assert!(Framer::default().feed(&nonsense), "rustls is to say what it is");
    }
}

/// Every flight of the client is cut in two, at each place.
#[test]
fn every_split_of_the_ciphertext_is_the_same() {
    let server = server();
    let mut at = 1;
    loop {
        let (mut rig, mut client) = (Rig::new(server.accept()), client());
        let mut flights = 0;
        let mut longest = 0;
        while flights < 3 {
            let flight = match flights {
                2 => sealed(&mut client, b"hello, hello"),
                _ => take(&mut client),
            };
            longest = longest.max(flight.len());
            let (one, other) = flight.split_at(at.min(flight.len() - 1));
            let mut plain = rig.feed(one).expect("no fault");
            plain.extend(rig.feed(other).expect("no fault"));
            assert_eq!(plain, if flights == 2 { &b"hello, hello"[..] } else { b"" }, "at {at}");
            assert_eq!(give(&mut client, &rig.sent()), b"");
            flights += 1;
        }
        assert_eq!(rig.send(b"well"), Ok(Sent::All));
        assert_eq!(give(&mut client, &rig.sent()), b"well");
        at += 1;
        if at >= longest {
            assert!(at > 100, "there was something to cut");
            break;
        }
    }
}

#[test]
fn byte_by_byte_is_the_same_in_both_versions() {
    for version in rustls::ALL_VERSIONS {
        let (mut rig, mut client) = (Rig::serve(), client_of(&[version]));
        rig.shake_hands(&mut client, 1);
        let mut plain = Vec::new();
        for byte in sealed(&mut client, &[7; 20_000]) {
            plain.extend(rig.feed(&[byte]).expect("no fault"));
        }
        assert!(plain == [7; 20_000], "{version:?}");
        assert_eq!(rig.send(&[8; 40_000]), Ok(Sent::All));
        assert!(give(&mut client, &rig.sent()) == [8; 40_000], "{version:?}");
    }
}

/// Two links, neither of which takes it all at once.
#[test]
fn a_megabyte_goes_both_ways() {
    let trust = TlsClient::new("127.0.0.1", &Trust::Anybody, &[]).expect("a good name");
    let (mut one, mut other) = (Rig::serve(), Rig::new(trust.connect()));
    // Each holds one end of a pair; the other ends are swapped by hand.
    let carry = |from: &mut Rig, to: &mut Rig| {
        let mut bytes = [0; 40_000];
        while let Ok(len @ 1..) = from.peer.read(&mut bytes) {
            to.peer.write_all(&bytes[..len]).expect("there is room");
        }
    };
    let mut got = [Vec::new(), Vec::new()];
    other.with(|link, _, io| link.start(TOKEN, io)).expect("it begins");
    let message: Vec<u8> = (0..1 << 20).map(|n: u32| (n ^ (n >> 8)) as u8).collect();
    let mut said = false;
    for _ in 0..10_000 {
        carry(&mut one, &mut other);
        got[1].extend(other.feed(b"").expect("no fault"));
        carry(&mut other, &mut one);
        got[0].extend(one.feed(b"").expect("no fault"));
        let shaking = |rig: &Rig| rig.link.tls().is_some_and(Tls::is_handshaking);
        if !said && !shaking(&one) && !shaking(&other) {
            // The socket holds less: the rest waits in the backlog.
            one.pool = Pool::new(4 << 20);
            other.pool = Pool::new(4 << 20);
            assert_eq!(one.send(&message), Ok(Sent::Queued));
            assert_eq!(other.send(&message), Ok(Sent::Queued));
            said = true;
        }
        for rig in [&mut one, &mut other] {
            rig.with(|link, _, io| link.flush(io.pool)).expect("the socket is there");
        }
        if got.iter().all(|got| got.len() == message.len()) {
            break;
        }
    }
    assert!(got[0] == message && got[1] == message, "{} and {}", got[0].len(), got[1].len());
}

#[test]
fn a_peer_may_end_first_and_go_on_reading() {
    let (mut rig, mut client) = open();
    client.writer().write_all(b"the last").expect("into memory");
    client.send_close_notify();
    let bytes = take(&mut client);
    rig.peer.write_all(&bytes).expect("there is room");
    // The end is told behind the data, and no event would tell it.
    assert_eq!(rig.receive(), Ok(Received::Filled(8)));
    assert_eq!(&rig.plain[..8], b"the last");
    assert_eq!(rig.receive(), Ok(Received::Eof));
    assert_eq!(rig.link.fault_of_end(), None);
    assert_eq!(rig.send(b"and ours"), Ok(Sent::All));
    assert_eq!(give(&mut client, &rig.sent()), b"and ours");
}

#[test]
fn our_end_is_said_once() {
    let (mut rig, mut client) = open();
    rig.with(|link, _, io| link.end(TOKEN, io)).expect("the socket is there");
    let bytes = rig.sent();
    assert!(!bytes.is_empty());
    let mut reader = &bytes[..];
    client.read_tls(&mut reader).expect("from memory");
    assert!(client.process_new_packets().expect("TLS").peer_has_closed());
    rig.with(|link, _, io| link.end(TOKEN, io)).expect("the socket is there");
    assert_eq!(rig.sent(), b"");
}

#[test]
fn an_end_without_a_word_is_none() {
    let mut rig = Rig::serve();
    assert_eq!(rig.link.fault_of_end(), None, "nobody has begun");
    let hello = take(&mut client());
    rig.feed(&hello[..20]).expect("no fault yet");
    assert_eq!(rig.link.fault_of_end(), Some(ReceiveError::Tls(TlsFault::Unfinished)));
    let (rig, _client) = open();
    assert_eq!(rig.link.fault_of_end(), Some(ReceiveError::Truncated));
}

#[test]
fn nonsense_gets_an_alert_and_text_gets_text() {
    let (mut rig, alert) = (Rig::serve(), 21);
    assert_eq!(rig.feed(b"\x01\x02\x03\x04\x05"), Err(ReceiveError::Tls(TlsFault::Malformed)));
    assert_eq!(rig.sent()[0], alert);
    assert_eq!(rig.send(b"no"), Err(SendError::Unsealed), "nothing goes out in the clear");
    assert_eq!(rig.sent(), b"");

    let (mut rig, mut client) = open();
    let mut bytes = sealed(&mut client, b"hello");
    *bytes.last_mut().expect("not empty") ^= 1;
    assert_eq!(rig.feed(&bytes), Err(ReceiveError::Tls(TlsFault::Undecipherable)));
    assert!(!rig.sent().is_empty(), "an alert");

    let mut rig = Rig::serve();
    assert_eq!(rig.feed(b"GET / HTTP/1.1\r\n\r\n"), Err(ReceiveError::PlainOnTls));
    assert!(rig.link.tls().is_none());
    assert_eq!(rig.send(b"use https"), Ok(Sent::All));
    assert_eq!(rig.sent(), b"use https");
}

/// A peer may send anything: it must end in a fault or go on, and never in a panic.
#[test]
fn no_flipped_byte_is_too_much() {
    let server = server();
    for flight in 0..3 {
        let mut at = 0;
        loop {
            let (mut rig, mut client) = (Rig::new(server.accept()), client());
            for _ in 0..flight {
                let bytes = take(&mut client);
                rig.feed(&bytes).expect("no fault yet");
                give(&mut client, &rig.sent());
            }
            let mut bytes = match flight {
                2 => sealed(&mut client, b"hello"),
                _ => take(&mut client),
            };
            let Some(byte) = bytes.get_mut(at) else { break };
            *byte ^= if at % 2 == 0 { 0xff } else { 1 };
            let outcome = rig.feed(&bytes);
            // The version in a record's header is to be ignored (RFC 8446 5.1).
            let is_ignored = (1..3).contains(&at);
            assert!(is_ignored || outcome != Ok(b"hello".to_vec()), "{flight}: {at}");
            let again = rig.feed(&bytes);
            assert!(outcome.is_ok() || again.is_err(), "a fault stays one");
            at += 1;
        }
    }
}

#[test]
fn nothing_is_sent_before_the_handshake() {
    let mut rig = Rig::serve();
    assert_eq!(rig.send(b"early"), Err(SendError::Unsealed));
    rig.with(|link, _, io| link.end(TOKEN, io)).expect("nothing is to be said");
    assert_eq!(rig.sent(), b"");
}

/// What does not fit 32 KiB is no message of a handshake that anybody needs.
#[test]
fn an_endless_hello_is_refused() {
    let record =
        |piece: &[u8]| [&[22, 3, 1, (piece.len() >> 8) as u8, piece.len() as u8], piece].concat();
    // A ClientHello of 60,000 bytes, in records of 1,000; or with a long one in the end, of which
    // one byte is missing.
    let mut message = vec![1, 0, 0xea, 0x60];
    message.resize(60_004, 0);
    for (short, long) in [(61, 0), (30, 16_000)] {
        let mut pieces: Vec<Vec<u8>> = message.chunks(1_000).take(short).map(record).collect();
        if long > 0 {
            pieces.push(record(&vec![0; long])[..long + 4].to_vec());
        }
        let mut rig = Rig::serve();
        let outcome = pieces.iter().try_for_each(|piece| rig.feed(piece).map(|_| ()));
        assert_eq!(outcome, Err(ReceiveError::Tls(TlsFault::Malformed)), "{short}");
    }
}

/// A message of the handshake may come in pieces later, too; rustls then remembers places in what
/// is held here, and looks at them even when it only writes.
#[test]
fn half_a_key_update_does_not_hinder_sending() {
    let (mut rig, client) = open();
    let secrets = client.dangerous_extract_secrets().expect("it is allowed");
    let (seq, ConnectionTrafficSecrets::Aes256Gcm { key, iv }) = secrets.tx else {
        panic!("rustls prefers AES-256")
    };
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_256_GCM_SHA384;
    let aead = suite.tls13().expect("it is one").aead_alg;
    let mut encrypter = aead.encrypter(key, iv);
    // KeyUpdate (24), 1 byte long: the byte is still to come.
    let half = record(&mut *encrypter, ContentType::Handshake, &[24, 0, 0, 1], seq);
    assert_eq!(rig.feed(&half), Ok(vec![]));
    assert_eq!(rig.send(b"meanwhile"), Ok(Sent::All));
    let rest = record(&mut *encrypter, ContentType::Handshake, &[0], seq + 1);
    assert_eq!(rig.feed(&rest), Ok(vec![]));
    assert_eq!(rig.send(b"afterwards"), Ok(Sent::All));
}

fn record(
    encrypter: &mut dyn MessageEncrypter,
    typ: ContentType,
    payload: &[u8],
    seq: u64,
) -> Vec<u8> {
    let version = ProtocolVersion::TLSv1_2;
    let message = OutboundPlainMessage { typ, version, payload: payload.into() };
    encrypter.encrypt(message, seq).expect("it fits").encode()
}
