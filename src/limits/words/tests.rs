use super::*;

#[test]
fn groups_of_three() {
    let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_048_576, "1,048,576")];
    for (n, text) in cases {
        assert_eq!(grouped(n), text);
    }
    assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
}

#[test]
fn bytes_keep_one_decimal_and_round_down() {
    let cases = [(0, "0 B"), (999, "999 B"), (5_200, "5.2 kB"), (999_999, "999.9 kB")];
    for (n, text) in cases {
        assert_eq!(bytes(n), text);
    }
    assert_eq!(bytes(24_321_748_000), "24.3 GB");
    assert_eq!(bytes(u64::MAX), "18.4 EB");
}

#[test]
fn wraps_at_the_width_and_not_before() {
    assert_eq!(wrapped("aa bb cc", 5), "aa bb\ncc");
    assert_eq!(wrapped("aa bb cc", 4), "aa\nbb\ncc");
    assert_eq!(wrapped("a toolong b", 3), "a\ntoolong\nb");
}

#[test]
fn lists_and_plurals() {
    assert_eq!(listed(&[]), "");
    assert_eq!(listed(&["a"]), "a");
    assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    assert_eq!((plural(1, "step"), plural(0, "step")), ("1 step".into(), "0 steps".into()));
}
