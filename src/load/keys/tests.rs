use super::*;
use std::collections::HashSet;

#[test]
fn no_key_is_given_twice_even_where_the_buffer_is_drawn_anew() {
    let mut keys = Keys::new();
    let mut seen = HashSet::new();
    for _ in 0..DRAW_BYTES {
        let Continue(key) = keys.take::<16>() else { panic!("the kernel has bytes") };
        assert!(key != [0; 16] && seen.insert(key), "{key:?}");
    }
}
