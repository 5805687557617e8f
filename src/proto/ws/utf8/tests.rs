use super::*;
use proptest::prelude::*;

/// Table 3-7 of the Unicode standard: what may follow a first byte. `None` if nothing may begin so.
fn tail_of(first: u8) -> Option<&'static [(u8, u8)]> {
    const ANY: (u8, u8) = (0x80, 0xbf);
    Some(match first {
        0x00..=0x7f => &[],
        0xc2..=0xdf => &[ANY],
        0xe0 => &[(0xa0, 0xbf), ANY],
        0xe1..=0xec | 0xee..=0xef => &[ANY, ANY],
        0xed => &[(0x80, 0x9f), ANY],
        0xf0 => &[(0x90, 0xbf), ANY, ANY],
        0xf1..=0xf3 => &[ANY, ANY, ANY],
        0xf4 => &[(0x80, 0x8f), ANY, ANY],
        _ => return None,
    })
}

/// The naive twin: byte by byte along the table.
fn naive(bytes: &[u8]) -> Result<usize, WsError> {
    let mut valid = 0;
    while let Some(first) = bytes.get(valid) {
        let tail = tail_of(*first).ok_or(WsError::InvalidUtf8)?;
        for (index, (low, high)) in tail.iter().enumerate() {
            match bytes.get(valid + 1 + index) {
                None => return Ok(valid),
                Some(byte) if (low..=high).contains(&byte) => {}
                Some(_) => return Err(WsError::InvalidUtf8),
            }
        }
        valid += 1 + tail.len();
    }
    Ok(valid)
}

fn compare(bytes: &[u8]) {
    let twin = naive(bytes);
    assert_eq!(valid_up_to(bytes), twin, "{bytes:02x?}");
    let is_whole = twin == Ok(bytes.len());
    assert_eq!(is_valid(bytes), is_whole, "{bytes:02x?}");
    assert_eq!(to_str(bytes).is_ok(), is_whole, "{bytes:02x?}");
}

#[test]
fn every_sequence_of_up_to_three_bytes() {
    for a in 0..=255u8 {
        compare(&[a]);
        for b in 0..=255 {
            compare(&[a, b]);
        }
    }
    // Past a first byte of ASCII the three are two.
    for a in 0x80..=255u8 {
        for b in 0..=255 {
            for c in 0..=255 {
                compare(&[a, b, c]);
            }
        }
    }
}

#[test]
fn every_sequence_of_four_bytes_that_is_not_shorter_ones() {
    // At each border of the table, one below and one above.
    const EDGES: [u8; 14] =
        [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xf4, 0xff];
    for a in 0xe0..=255u8 {
        for b in 0..=255 {
            for c in EDGES {
                for d in EDGES {
                    compare(&[a, b, c, d]);
                }
            }
        }
    }
    for a in 0xf0..=0xf4u8 {
        for b in 0x80..=0xbf {
            for c in 0x80..=0xbf {
                for d in 0x80..=0xbf {
                    compare(&[a, b, c, d]);
                }
            }
        }
    }
}

#[test]
fn what_no_continuation_can_mend_fails_at_once() {
    for bad in [&b"\x80"[..], b"\xc0", b"\xc1", b"\xe0\x9f", b"\xed\xa0", b"\xf0\x8f", b"\xf4\x90"]
    {
        let (last, before) = bad.split_last().expect("not empty");
        assert_eq!(valid_up_to(before), Ok(0), "{before:02x?} may go on");
        assert_eq!(valid_up_to(bad), Err(WsError::InvalidUtf8), "{last:02x} may not");
        let long = [&[b'a'; 100][..], bad].concat();
        assert_eq!(valid_up_to(&long), Err(WsError::InvalidUtf8));
    }
}

proptest! {
    #[test]
    fn long_texts_are_judged_as_the_naive_twin_does(
        text in "(?s:.{0,300})",
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = text.into_bytes();
        if let Some((at, byte)) = damage && !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        compare(&bytes);
        compare(&bytes[..cut.index(bytes.len() + 1)]);
    }
}
