use super::*;

fn price(has_tls: bool, takeovers_max: usize) -> Price {
    let limits = Limits { deflate_takeover_max: takeovers_max, ..Limits::default() };
    Price::of(&limits, has_tls)
}

#[test]
fn as_many_fit_as_can_be_paid_and_not_one_more() {
    for has_tls in [false, true] {
        for takeovers_max in [0, 1, 10, 1_000, usize::MAX] {
            let price = price(has_tls, takeovers_max);
            for connections in [0, 1, 9, 10, 11, 999, 1_000, 1_001, 100_000] {
                let bytes = price.bytes(connections);
                assert_eq!(price.fit(bytes), connections, "{price:?}");
                let fewer = connections.saturating_sub(1);
                assert_eq!(price.fit(bytes.saturating_sub(1)), fewer, "{price:?}");
            }
        }
    }
}

#[test]
fn a_context_has_its_price_where_there_may_be_one() {
    let bytes = |takeovers_max| price(false, takeovers_max).bytes(100);
    assert_eq!(bytes(0), 100 * BYTES_PER_CONNECTION);
    assert_eq!(bytes(7), bytes(0) + 7 * TAKEOVER_BYTES);
    assert_eq!(bytes(100), bytes(0) + 100 * TAKEOVER_BYTES);
    assert_eq!(bytes(101), bytes(100), "there are no more of them than connections");
    let limits = Limits { deflate: false, deflate_takeover_max: 7, ..Limits::default() };
    assert_eq!(Price::of(&limits, false).bytes(100), bytes(0));
    assert_eq!(price(true, 0).bytes(100), bytes(0) + 100 * BYTES_PER_TLS);
    assert_eq!(price(true, usize::MAX).bytes(u64::MAX), u64::MAX, "and not over it");
}
