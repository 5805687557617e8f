use super::*;

#[test]
fn a_stretch_is_the_same_from_wherever_it_is_reached() {
    for pattern in [Pattern::new(false), Pattern::new(true)] {
        for position in [0, 1, 65_000, 65_520, 65_521, 1 << 40] {
            let here = pattern.at(7, position);
            let earlier = pattern.at(7, position.saturating_sub(100));
            let shift = position.min(100) as usize;
            assert_eq!(here[..SPAN_BYTES - shift], earlier[shift..]);
        }
    }
}

#[test]
fn nothing_in_it_begins_a_refusal() {
    for is_compressible in [false, true] {
        assert!(!Pattern::new(is_compressible).bytes.contains(&b'-'));
    }
}

#[test]
fn another_connection_or_position_has_other_bytes() {
    let pattern = Pattern::new(false);
    for connection in 1..100 {
        assert_ne!(pattern.at(0, 0)[..16], pattern.at(connection, 0)[..16]);
    }
    for shift in 1..1_000 {
        assert_ne!(pattern.at(0, 0)[..16], pattern.at(0, shift)[..16]);
    }
}
