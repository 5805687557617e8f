use super::*;
use proptest::prelude::*;
use proptest::sample::select;

/// What a decoder makes of all bytes that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// The body, and how many bytes are behind it.
    Whole(Vec<u8>, usize),
    Unfinished,
    Malformed,
}

fn decode(input: &[u8], sizes: &[usize]) -> Fate {
    let mut body = Body::new(Extent::Chunked, &Limits::default()).expect("not its length");
    let (mut data, mut given) = (Vec::new(), 0);
    for size in sizes.iter().chain([&usize::MAX]) {
        let mut rest = &input[given..];
        rest = &rest[..rest.len().min(*size)];
        given += rest.len();
        loop {
            match body.decode(&mut rest) {
                Ok(Part::Data(part)) => {
                    assert!(!part.is_empty());
                    data.extend_from_slice(part);
                }
                Ok(Part::More) => {
                    assert!(rest.is_empty());
                    break;
                }
                Ok(Part::End) => return Fate::Whole(data, input.len() - given + rest.len()),
                Err(_) => return Fate::Malformed,
            }
        }
    }
    Fate::Unfinished
}

/// The plain twin: needs all bytes at once, and cuts them into lines.
fn decode_naively(input: &[u8]) -> Fate {
    let (mut data, mut rest) = (Vec::new(), input);
    loop {
        let Some((line, behind)) = split_line(rest) else { return Fate::Unfinished };
        let Ok(line) = str::from_utf8(line) else { return Fate::Malformed };
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let is_size = (1..=16).contains(&size.len()) && size.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_size || !extension.bytes().all(|b| is(b, TEXT)) {
            return Fate::Malformed;
        }
        let size = u64::from_str_radix(size, 16).expect("16 digits fit");
        if size > Limits::default().body_bytes_max {
            return Fate::Malformed;
        }
        rest = behind;
        if size == 0 {
            break;
        }
        let Some((chunk, behind)) = rest.split_at_checked(size as usize) else {
            return Fate::Unfinished;
        };
        match behind {
            [b'\r', b'\n', behind @ ..] => rest = behind,
            [] | [b'\r'] => return Fate::Unfinished,
            _ => return Fate::Malformed,
        }
        data.extend_from_slice(chunk);
    }
    loop {
        let Some((line, behind)) = split_line(rest) else { return Fate::Unfinished };
        rest = behind;
        if line.is_empty() {
            return Fate::Whole(data, rest.len());
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
        let (name, value) = line.split_at(colon);
        if colon == 0 || !name.iter().all(|b| is(*b, TOKEN)) || !value.iter().all(|b| is(*b, TEXT))
        {
            return Fate::Malformed;
        }
    }
}

/// At the first CRLF.
fn split_line(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = input.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&input[..end], &input[end + 2..]))
}

const WORDS: [&str; 20] = [
    "5\r\nhello\r\n",
    "0\r\n",
    "\r\n",
    "\r",
    "\n",
    "a\r\n0123456789\r\n",
    "1;x\r\n!\r\n",
    "1",
    ";",
    " ",
    "X: y\r\n",
    ":",
    "1\r\n\r\r\n",
    "2\r\n\r\n\r\n",
    "00000000000000001\r\n",
    "0000000000000001\r\nz\r\n",
    "fffffff\r\n",
    "0;a=\"b\"\r\n",
    "\0",
    "GET",
];

proptest! {
    #[test]
    fn the_decoder_agrees_with_its_plain_twin(
        words in prop::collection::vec(select(&WORDS[..]), 0..8),
        ending in any::<bool>(),
        sizes in prop::collection::vec(1usize..12, 0..30),
    ) {
        let ending = if ending { "0\r\n\r\n" } else { "" };
        let input = [&words.concat()[..], ending].concat().into_bytes();
        let (ours, twin) = (decode(&input, &sizes), decode_naively(&input));
        // The twin needs a whole line to find it malformed.
        prop_assert!(ours == twin || (ours, twin) == (Fate::Malformed, Fate::Unfinished));
    }

    #[test]
    fn what_is_encoded_in_chunks_is_decoded(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10),
        sizes in prop::collection::vec(1usize..40, 0..30),
        tail in 0usize..5,
    ) {
        let mut input = Vec::new();
        for chunk in &chunks {
            super::super::encode_chunk(chunk, &mut input);
        }
        super::super::encode_last_chunk(&mut input);
        input.resize(input.len() + tail, b'x');
        let whole = Fate::Whole(chunks.concat(), tail);
        prop_assert_eq!(decode(&input, &sizes), whole.clone());
        prop_assert_eq!(decode_naively(&input), whole);
    }
}

#[test]
fn a_body_by_length_ends_where_it_says() {
    let mut body = Body::new(Extent::Length(5), &Limits::default()).expect("short");
    let mut rest = &b"he"[..];
    assert_eq!(body.decode(&mut rest), Ok(Part::Data(b"he")));
    assert_eq!(body.decode(&mut rest), Ok(Part::More));
    let mut rest = &b"lloGET"[..];
    assert_eq!(body.decode(&mut rest), Ok(Part::Data(b"llo")));
    assert_eq!(body.decode(&mut rest), Ok(Part::End));
    assert_eq!(rest, b"GET");
}

#[test]
fn no_body_is_over_at_once() {
    for extent in [Extent::None, Extent::Length(0)] {
        let mut body = Body::new(extent, &Limits::default()).expect("empty");
        let mut rest = &b"GET"[..];
        assert_eq!((body.decode(&mut rest), rest), (Ok(Part::End), &b"GET"[..]));
    }
}

#[test]
fn data_is_borrowed_where_it_lies() {
    let mut body = Body::new(Extent::Chunked, &Limits::default()).expect("not its length");
    let input = b"5\r\nhello\r\n";
    let mut rest = &input[..];
    let Ok(Part::Data(data)) = body.decode(&mut rest) else { panic!("there is data") };
    assert_eq!(data.as_ptr_range(), input[3..8].as_ptr_range());
}
