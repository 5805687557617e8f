use super::*;

#[test]
fn latencies_have_three_digits_and_a_unit() {
    let cases = [
        (0.5, "0.50 us"),
        (31.24, "31.2 us"),
        (999.4, "999 us"),
        (1_250.0, "1.25 ms"),
        (45_600.0, "45.6 ms"),
        (2_000_000.0, "2.00 s"),
    ];
    for (us, text) in cases {
        assert_eq!(latency(us), text);
    }
}
