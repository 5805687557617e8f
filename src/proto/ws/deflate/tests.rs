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
    let Some(payload) = from.compress(text, shared) else { return text.len() };
    let payload = payload.to_vec();
    assert_eq!(to.inflate(&payload, 2000, shared), Ok(text));
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
            assert_eq!(again < first, takeover && bits > 8, "{takeover} {bits}");
            assert!(send(TEXT, &mut client, &mut server, &mut shared) < 100);
            assert_eq!(send(b"short", &mut client, &mut server, &mut shared), 5);
            assert_eq!(send(b"", &mut client, &mut server, &mut shared), 0);
            assert_eq!(server.own.is_some(), takeover);
            assert_eq!(shared.inflater.is_some(), !takeover);
            assert_eq!(
                shared.compressors.iter().flatten().count(),
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
    let open = |shared: &mut Shared| Codec::new(shared.wish(), Role::Server, shared);
    let first = open(&mut shared);
    assert_eq!(shared.wish(), wish);
    let second = open(&mut shared);
    assert_eq!(shared.wish(), params(false, 15), "no more of them");
    let third = open(&mut shared);
    assert!(!third.outgoing().takeover && second.outgoing().takeover);
    third.clear(&mut shared);
    assert_eq!(shared.wish(), params(false, 15));
    first.clear(&mut shared);
    assert_eq!(shared.wish(), wish);
    assert_eq!(Shared::new(wish, 0).wish(), params(false, 15));
}

#[test]
fn buffers_that_have_grown_are_given_back() {
    let mut shared = Shared::new(Params::default(), 0);
    let mut server = Codec::new(Params::default(), Role::Server, &mut shared);
    let noise: Vec<u8> = (0..300_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    let payload = server.compress(&noise, &mut shared).expect("it gains").to_vec();
    assert_eq!(server.inflate(&payload, noise.len(), &mut shared), Ok(&noise[..]));
    shared.trim();
    assert!(shared.inflated.capacity() + shared.compressed.capacity() <= 2 * SPARE_BYTES_MAX);
    assert_eq!(server.inflate(&payload, 9, &mut shared), Err(WsError::MessageTooLong));
    assert_eq!(server.inflate(&payload, noise.len(), &mut shared), Ok(&noise[..]));
}

#[test]
fn what_is_no_compressed_data_closes_with_1007() {
    let mut shared = Shared::new(Params::default(), 0);
    let mut server = Codec::new(Params::default(), Role::Server, &mut shared);
    let error = server.inflate(b"\xff\xff", 100, &mut shared).expect_err("garbage");
    assert_eq!((error, error.close_code().get()), (WsError::Deflate, 1007));
}
