use super::*;

/// The sentence of 5.3 as it stands.
fn naive(key: [u8; 4], phase: usize, bytes: &mut [u8]) {
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte ^= key[(index + phase) % 4];
    }
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[test]
fn every_length_alignment_and_phase_is_as_the_naive_twin_has_it() {
    let plain: Vec<u8> = (0..600u32).map(|i| (i * 31 + 7) as u8).collect();
    for len in (0..200).chain([255, 256, 257, 511, 512, 513]) {
        for alignment in 0..16 {
            for phase in 0..4 {
                let mut fast = plain.clone();
                let mut twin = plain.clone();
                let place = alignment..alignment + len;
                let mut mask = Mask::new(KEY);
                mask.apply(&mut [0; 3][..phase]);
                mask.apply(&mut fast[place.clone()]);
                naive(KEY, phase, &mut twin[place]);
                assert_eq!(fast, twin, "{len} bytes from {alignment}, phase {phase}");
                let mut next = KEY;
                next.rotate_left((phase + len) % 4);
                assert_eq!(mask, Mask::new(next), "turned by {len} from {phase}");
            }
        }
    }
}

#[test]
fn a_payload_is_the_same_if_it_is_masked_while_it_is_copied() {
    let plain: Vec<u8> = (0..600u32).map(|i| (i * 31 + 7) as u8).collect();
    for len in 0..=plain.len() {
        let mut out = vec![0xee; len % 17];
        Mask::new(KEY).append(&plain[..len], &mut out);
        let mut twin = plain[..len].to_vec();
        naive(KEY, 0, &mut twin);
        assert_eq!(out[len % 17..], twin, "{len} bytes");
        assert_eq!(out[..len % 17], vec![0xee; len % 17], "what was there before");
    }
}

#[test]
fn a_payload_is_the_same_wherever_it_is_moved() {
    let masked: Vec<u8> = (0..126u8).collect();
    for len in 0..=masked.len() {
        let mut plain = masked[..len].to_vec();
        naive(KEY, 0, &mut plain);
        for gap in 0..200 {
            let mut window = [&vec![0xee; gap][..], &masked[..len]].concat();
            Mask::new(KEY).apply_moving(&mut window, gap);
            assert_eq!(window[..len], plain, "{len} bytes moved by {gap}");
        }
    }
}

#[test]
fn pieces_are_masked_as_the_whole() {
    let plain: Vec<u8> = (0..150u8).collect();
    let mut whole = plain.clone();
    Mask::new(KEY).apply(&mut whole);
    for first in 0..=plain.len() {
        for second in first..=plain.len() {
            let (mut pieces, mut mask) = (plain.clone(), Mask::new(KEY));
            for place in [0..first, first..second, second..plain.len()] {
                mask.apply(&mut pieces[place]);
            }
            assert_eq!(pieces, whole, "cut at {first} and {second}");
        }
    }
}

#[test]
fn the_example_of_the_rfc() {
    let mut hello = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
    Mask::new(KEY).apply(&mut hello);
    assert_eq!(&hello, b"Hello", "section 5.7");
}
