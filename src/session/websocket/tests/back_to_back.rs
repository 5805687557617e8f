//! A client of our own and a session, with two wires between them that deliver as they like: any
//! number of bytes, or none for a while.

use super::*;
use crate::buf::Pool;
use crate::proto::ws::Assembly;
use proptest::prelude::*;

/// The session does not read while so much of its output waits, as in the server. So little that
/// it comes about twice in each case: at 3,000 it never did.
const BACKLOG_BYTES: usize = 500;

/// What the client has to say.
#[derive(Clone, Debug)]
enum Saying {
    /// A message, in frames of these lengths and one of what is left.
    Message(Kind, Vec<u8>, Vec<usize>),
    Ping(Vec<u8>),
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The client says the next thing.
    Say,
    /// The session pings, as after a silence.
    Ping,
    /// So many bytes reach the session.
    ToSession(usize),
    /// So many bytes reach the client.
    ToClient(usize),
}

fn sayings() -> impl Strategy<Value = Vec<Saying>> {
    let cuts = || prop::collection::vec(0usize..400, 0..3);
    let bytes = |max| prop::collection::vec(any::<u8>(), 0..max);
    let saying = prop_oneof![
        ("(?s:.{0,100})", cuts()).prop_map(|(it, cuts)| Saying::Message(
            Kind::Text,
            it.into(),
            cuts
        )),
        (bytes(900), cuts()).prop_map(|(it, cuts)| Saying::Message(Kind::Binary, it, cuts)),
        bytes(126).prop_map(Saying::Ping),
    ];
    prop::collection::vec(saying, 0..24)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let len = || prop_oneof![1usize..8, 1usize..2_000];
    let step = prop_oneof![
        3 => Just(Step::Say),
        1 => Just(Step::Ping),
        4 => len().prop_map(Step::ToSession),
        4 => len().prop_map(Step::ToClient),
    ];
    prop::collection::vec(step, 0..80)
}

/// What the client has heard, its pings' answers aside.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    messages: Vec<(Kind, Vec<u8>)>,
    pongs: Vec<Vec<u8>>,
    closed: Option<CloseCode>,
}

struct Client {
    /// Bytes of the handshake's answer that are still to come.
    head: Vec<u8>,
    decoder: Decoder,
    assembly: Assembly,
    pool: Pool,
    heard: Heard,
}

impl Client {
    /// Hears `fresh`, and answers to `wire`.
    fn receive(&mut self, fresh: &mut [u8], wire: &mut Vec<u8>) {
        let of_head = fresh.len().min(SWITCHED.len() - self.head.len());
        let (head, mut rest) = fresh.split_at_mut(of_head);
        self.head.extend_from_slice(head);
        assert!(SWITCHED.as_bytes().starts_with(&self.head), "{:?}", self.head);
        while let Some(event) = self
            .decoder
            .next(&mut rest, &mut self.assembly, &mut self.pool)
            .expect("a session keeps the rules")
        {
            match event {
                Event::Message(kind, it) => self.heard.messages.push((kind, it.to_vec())),
                Event::Ping(it) => encode::pong(it, KEY, wire),
                Event::Pong(it) => self.heard.pongs.push(it.to_vec()),
                Event::Close(code, _) => self.heard.closed = code,
                Event::Compressed(..) => panic!("that was not agreed on"),
            }
        }
    }

    fn say(saying: &Saying, wire: &mut Vec<u8>) {
        let (kind, payload, cuts) = match saying {
            Saying::Ping(payload) => return encode::ping(payload, KEY, wire),
            Saying::Message(kind, payload, cuts) => (*kind, payload, cuts),
        };
        let mut opcode = if kind == Kind::Text { OpCode::Text } else { OpCode::Binary };
        let mut rest = &payload[..];
        for cut in cuts {
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            wire.extend(fragment(false, opcode, piece));
            (rest, opcode) = (behind, OpCode::Continuation);
        }
        wire.extend(fragment(true, opcode, rest));
    }
}

struct Ends {
    bench: Bench,
    session: Session<()>,
    outcome: Result<(), End>,
    to_session: Vec<u8>,
    client: Client,
}

impl Ends {
    fn new() -> Ends {
        let mut bench = Bench::new(limits());
        bench.desk.limits.control_frames_per_s_max = 0;
        let client = Client {
            head: Vec::new(),
            decoder: Decoder::new(Role::Client),
            assembly: Assembly::new(limits().ws),
            pool: Pool::new(u64::MAX),
            heard: Heard::default(),
        };
        let session = Session::http(bench.desk.now);
        let to_session = opening("/echo", "h", "").into_bytes();
        Ends { bench, session, outcome: Ok(()), to_session, client }
    }

    fn session_reads(&mut self, len: usize) {
        let stalls = self.bench.desk.write.len() > BACKLOG_BYTES;
        if self.outcome.is_ok() && !stalls && !self.to_session.is_empty() {
            let bytes: Vec<u8> = self.to_session.drain(..len.min(self.to_session.len())).collect();
            self.outcome = self.bench.receive(&mut self.session, &bytes);
            let is_in_order = matches!(self.outcome, Ok(()) | Err(End::Closes | End::Parted));
            assert!(is_in_order, "{:?}", self.outcome);
        }
    }

    fn client_reads(&mut self, len: usize) {
        let said = &mut self.bench.desk.write;
        let mut bytes: Vec<u8> = said.drain(..len.min(said.len())).collect();
        self.client.receive(&mut bytes, &mut self.to_session);
    }

    /// Nothing is on its way to anybody who still listens.
    fn is_quiet(&self) -> bool {
        let is_heard = self.to_session.is_empty() || self.outcome.is_err();
        is_heard && self.bench.desk.write.is_empty()
    }

    fn step(&mut self, step: Step, sayings: &mut std::slice::Iter<'_, Saying>) {
        match step {
            Step::Say => {
                if let Some(saying) = sayings.next() {
                    Client::say(saying, &mut self.to_session);
                }
            }
            Step::Ping if self.outcome.is_ok() => {
                self.session.ping(self.bench.desk.now, &mut self.bench.desk.write);
            }
            Step::Ping => {}
            Step::ToSession(len) => self.session_reads(len),
            Step::ToClient(len) => self.client_reads(len),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// However the bytes travel, each message comes back once, whole and in order, each ping is
    /// answered, and both sides end in agreement with nothing left.
    #[test]
    fn a_client_and_a_session_agree(sayings in sayings(), steps in steps()) {
        let mut ends = Ends::new();
        let mut unsaid = sayings.iter();
        for step in steps {
            ends.step(step, &mut unsaid);
        }
        for saying in unsaid {
            Client::say(saying, &mut ends.to_session);
        }
        let code = CloseCode::new(4_000);
        encode::close(code, "bye", KEY, &mut ends.to_session);
        while !ends.is_quiet() {
            ends.session_reads(700);
            ends.client_reads(500);
        }

        let mut expected = Heard { closed: code, ..Heard::default() };
        for saying in sayings {
            match saying {
                Saying::Message(kind, payload, _) => expected.messages.push((kind, payload)),
                Saying::Ping(payload) => expected.pongs.push(payload),
            }
        }
        let Ends { mut bench, session, outcome, mut client, .. } = ends;
        prop_assert!(outcome.is_err());
        prop_assert_eq!(client.heard, expected);
        bench.end(session);
        client.decoder.clear(&mut client.assembly, &mut client.pool);
        prop_assert!(client.assembly.is_empty() && client.pool.blocks_out() == 0);
    }
}
