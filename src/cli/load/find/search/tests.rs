use super::*;

/// Searches a server that keeps every rate below its knee; the rates it was asked for.
fn searched(start: u64, floor: u64, keeps: impl Fn(u64, usize) -> bool) -> (Next, Vec<u64>) {
    let mut search = Search::new(start, floor);
    let mut tried = Vec::new();
    loop {
        match search.next() {
            Next::Probe(rate) | Next::Confirm(rate) => {
                search.note(rate, keeps(rate, tried.len()));
                tried.push(rate);
            }
            end => return (end, tried),
        }
        assert!(tried.len() < 64, "{tried:?}");
    }
}

#[test]
fn the_knee_is_found_wherever_it_is() {
    for knee in [1_000, 1_001, 17_000, 99_999, 123_456, 9_000_000] {
        let (end, tried) = searched(1_000, 100, |rate, _| rate <= knee);
        let Next::Found(found) = end else { panic!("{knee}: {end:?}, {tried:?}") };
        assert!(found <= knee && knee - found <= found / NEAR + 1, "{knee}: {found}");
        assert!(tried.len() < 40, "{tried:?}");
        assert_eq!(tried[tried.len() - CONFIRMATIONS..], [found; CONFIRMATIONS], "again and again");
    }
}

#[test]
fn below_the_start_it_goes_down_as_far_as_it_can_tell() {
    let (end, tried) = searched(1_000, 100, |rate, _| rate <= 130);
    assert!(matches!(end, Next::Found(126..=130)), "{end:?}, {tried:?}");
    let (end, tried) = searched(1_000, 100, |_, _| false);
    assert_eq!(
        (end, &tried[..]),
        (Next::Never, &[1_000, 1_000, 500, 500, 250, 250, 125, 125, 100, 100][..])
    );
    let (end, tried) = searched(10, 100, |_, _| false);
    assert_eq!((end, &tried[..]), (Next::Never, &[100, 100][..]), "it begins where it can tell");
}

#[test]
fn it_ends_at_the_highest_rate_there_is() {
    let (end, tried) = searched(1_000_000, 1, |_, _| true);
    assert_eq!(end, Next::Found(RATE_MAX));
    assert_eq!(tried.len(), 5 + CONFIRMATIONS, "{tried:?}");
}

#[test]
fn a_run_that_misses_by_chance_bounds_nothing() {
    for unlucky in [0, 2, 4] {
        let (end, tried) = searched(1_000, 1, |rate, run| rate <= 10_000 && run != unlucky);
        let Next::Found(found) = end else { panic!("{end:?}") };
        assert!((9_600..=10_000).contains(&found), "{unlucky}: {found}, {tried:?}");
        assert_eq!(tried[unlucky], tried[unlucky + 1], "it is tried again");
    }
}

#[test]
fn a_rate_that_is_missed_while_it_is_confirmed_is_not_the_one() {
    let (_, whole) = searched(1_000, 1, |rate, _| rate <= 10_000);
    let last = whole.len() - 1;
    let (end, tried) = searched(1_000, 1, |rate, run| rate <= 10_000 && run != last);
    let Next::Found(found) = end else { panic!("{end:?}") };
    assert!(tried[last] <= 10_000 && found < tried[last], "{found}, {tried:?}");
}
