use super::*;

/// A rung on which all went well: 40 fit and 16 more came.
fn rung(at_limit: AtLimit) -> Rung {
    let mut extra = Connections { attempted: 16, ..Connections::default() };
    match at_limit {
        AtLimit::Shed => extra.told_why = 16,
        AtLimit::Pause => extra.hung = 16,
        AtLimit::EvictIdle => extra.connected = 16,
        AtLimit::Refuse => (extra.refused, extra.reset) = (10, 6),
    }
    Rung {
        nofile: 60,
        at_limit: at_limit.name(),
        predicted: 40,
        measured: 40,
        evicted: extra.connected,
        extra,
        accept_failures: 0,
        cpu_full_percent: 0.1,
        left: 16,
        replaced: 16,
        replaced_after_ms: 3,
        books_faults: 0,
    }
}

#[test]
fn all_is_well_when_every_policy_keeps_its_promise() {
    for (_, policy) in AtLimit::NAMES {
        assert_eq!(rung(policy).faults(), Vec::<String>::new());
    }
}

#[test]
fn a_cap_that_is_not_as_predicted_is_a_fault_either_way() {
    for measured in [39, 41] {
        let faults = Rung { measured, ..rung(AtLimit::Shed) }.faults();
        assert_eq!(faults, [format!("nofile 60, shed: measured cap is {measured}, not 40")]);
    }
}

#[test]
fn one_client_that_is_not_told_why_is_a_fault() {
    let mut shed = rung(AtLimit::Shed);
    (shed.extra.told_why, shed.extra.reset) = (15, 1);
    assert_eq!(shed.faults(), ["nofile 60, shed: extra clients told why: 15, not 16"]);
}

#[test]
fn each_policy_is_held_to_its_own_promise() {
    for (name, policy) in AtLimit::NAMES {
        for (other, fates) in AtLimit::NAMES.map(|(name, policy)| (name, rung(policy).extra)) {
            let faults = Rung { extra: fates, ..rung(policy) }.faults();
            assert_eq!(faults.is_empty(), name == other, "{name} that acts like {other}");
        }
    }
}

#[test]
fn places_left_empty_and_books_that_do_not_balance_are_faults() {
    let faults = Rung { replaced: 2, books_faults: 1, ..rung(AtLimit::Pause) }.faults();
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn evict_idle_need_not_serve_more_than_there_are_places() {
    let mut evict = rung(AtLimit::EvictIdle);
    (evict.extra.attempted, evict.extra.connected, evict.extra.told_why) = (50, 40, 10);
    evict.evicted = 40;
    assert_eq!(evict.faults(), Vec::<String>::new());
    (evict.extra.told_why, evict.extra.hung) = (9, 1);
    assert_eq!(evict.faults().len(), 1);
}

#[test]
fn extra_clients_are_a_tenth_within_bounds() {
    assert_eq!([9, 40, 200, 4_000, 20_000].map(default_extra), [9, 16, 20, 400, 1_000]);
}
