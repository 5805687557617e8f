use super::*;

const TEXT: &[u8] = &[b'x'; 1000];

fn params(takeover: bool, bits: u8) -> Params {
    Params {
        server_no_context_takeover: !takeover,
        client_no_context_takeover: !takeover,
        server_max_window_bits: WindowBits::new(bits),
        client_max_window_bits: None,
    }
}

/// Sends `text` from one end to the other; returns how many bytes it took.
fn send(text: &[u8], from: &mut Codec, to: &mut Codec, shared: &mut Shared) -> usize {
    let Some(payload) = from.compress(text, &mut shared.compressing) else { return text.len() };
    let payload = payload.to_vec();
    assert_eq!(to.inflate(&payload, 2000, &mut shared.inflating), Ok(text));
    payload.len()
}

#[test]
fn two_ends_back_to_back() {
    for takeover in [false, true] {
        for bits in 8..=15 {
            let params = params(takeover, bits);
            let mut shared = Shared::new(params, 2);
            let mut server = Codec::new(params, Role::Server, &mut shared);
            let mut client = Codec::new(params, Role::Client, &mut shared);
            let first = send(TEXT, &mut server, &mut client, &mut shared);
            let again = send(TEXT, &mut server, &mut client, &mut shared);
            assert_eq!(again < first, takeover, "{takeover} {bits}");
            assert!(send(TEXT, &mut client, &mut server, &mut shared) < 100);
            assert_eq!(send(b"short", &mut client, &mut server, &mut shared), 5);
            assert_eq!(send(b"", &mut client, &mut server, &mut shared), 0);
            assert_eq!(server.own.is_some(), takeover);
            assert_eq!(shared.inflating.inflater.is_some(), !takeover);
            assert_eq!(
                shared.compressing.compressors.iter().flatten().count(),
                match (takeover, bits) {
                    (true, _) => 0,
                    (false, 15) => 1,
                    (false, _) => 2,
                }
            );
            assert_eq!(client.outgoing(), server.incoming());
        }
    }
}

#[test]
fn takeovers_are_counted_and_limited() {
    let wish = params(true, 15);
    let mut shared = Shared::new(wish, 2);
    let open =
        |shared: &mut Shared| Codec::new(shared.wish().expect("it is on"), Role::Server, shared);
    let first = open(&mut shared);
    assert_eq!(shared.wish(), Some(wish));
    let second = open(&mut shared);
    assert_eq!(shared.wish(), Some(params(false, 15)), "no more of them");
    let third = open(&mut shared);
    assert!(!third.outgoing().takeover && second.outgoing().takeover);
    third.clear(&mut shared);
    assert_eq!(shared.wish(), Some(params(false, 15)));
    first.clear(&mut shared);
    assert_eq!(shared.wish(), Some(wish));
    assert_eq!(Shared::new(wish, 0).wish(), Some(params(false, 15)));
}

#[test]
fn only_messages_that_are_long_enough_are_compressed() {
    for (takeover, bytes_min, least) in
        [(false, 256, 256_usize), (true, 256, 32), (false, 1, 1), (true, 1, 0), (false, 5000, 5000)]
    {
        let mut shared = Shared::serving(true, 1, bytes_min);
        let mut server = Codec::new(params(takeover, 15), Role::Server, &mut shared);
        let text = [b'a'; 5000];
        if least > 0 {
            let short = &text[..least - 1];
            assert!(server.compress(short, &mut shared.compressing).is_none(), "{least}");
            assert!(shared.compressing.compressors.iter().all(Option::is_none), "nor made ready");
        }
        // Alone, what is as short as that would grow.
        let is_compressed = server.compress(&text[..least], &mut shared.compressing).is_some();
        assert_eq!(is_compressed, takeover || least > 1, "{least}");
    }
}

#[test]
fn a_server_that_does_not_compress_declines() {
    let offer = || [&b"permessage-deflate; client_max_window_bits"[..]].into_iter();
    assert_eq!(Shared::serving(false, 9, 256).accept(offer()), None);
    assert_eq!(Shared::serving(true, 0, 256).accept(offer()), Some(Params::default()));
    let taken_over = Shared::serving(true, 1, 256).accept(offer());
    assert!(taken_over.is_some_and(|it| it.flow(Role::Server).takeover));
    assert_eq!(Shared::serving(true, 1, 256).accept([&b"x-other"[..]].into_iter()), None);
}

#[test]
fn buffers_that_have_grown_are_given_back() {
    let mut shared = Shared::new(Params::default(), 0);
    let mut server = Codec::new(Params::default(), Role::Server, &mut shared);
    let noise: Vec<u8> = (0..300_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    let Shared { compressing, inflating, .. } = &mut shared;
    let short = server.compress(TEXT, compressing).expect("it gains").to_vec();
    assert_eq!(server.inflate(&short, 1000, inflating), Ok(TEXT));
    assert!(!shared.is_grown(), "what was never written to costs nothing");
    let Shared { compressing, inflating, .. } = &mut shared;
    let payload = server.compress(&noise, compressing).expect("it gains").to_vec();
    assert_eq!(server.inflate(&payload, noise.len(), inflating), Ok(&noise[..]));
    assert!(shared.is_grown());
    shared.trim();
    assert!(!shared.is_grown());
    let too_long = server.inflate(&payload, 100_000, &mut shared.inflating);
    assert_eq!(too_long, Err(WsError::MessageTooLong));
    assert!(shared.is_grown(), "also by what was refused");
    let again = server.inflate(&payload, noise.len(), &mut shared.inflating);
    assert_eq!(again, Ok(&noise[..]));
    let counts = shared.counts();
    assert_eq!((counts.inflated, counts.compressed), (3, 2));
    let saved = noise.len() - payload.len() + TEXT.len() - short.len();
    assert_eq!(counts.bytes_saved, saved as u64);
}

#[test]
fn what_is_no_compressed_data_closes_with_1007() {
    let mut shared = Shared::new(Params::default(), 0);
    let mut server = Codec::new(Params::default(), Role::Server, &mut shared);
    let error = server.inflate(b"\xff\xff", 100, &mut shared.inflating).expect_err("garbage");
    assert_eq!((error, error.close_code().get()), (WsError::Deflate, 1007));
}

#[test]
fn a_text_is_checked_after_it_was_inflated() {
    let mut shared = Shared::new(Params::default(), 0);
    let mut server = Codec::new(Params::default(), Role::Server, &mut shared);
    let payload = miniz_oxide::deflate::compress_to_vec(b"a\xff", 9);
    let inflating = &mut shared.inflating;
    assert_eq!(server.decode(Kind::Binary, &payload, 2, inflating), Ok(&b"a\xff"[..]));
    assert_eq!(server.decode(Kind::Text, &payload, 2, inflating), Err(WsError::InvalidUtf8));
}
