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
        assert!(tried.len() < 30, "{tried:?}");
        assert_eq!(tried[tried.len() - CONFIRMATIONS..], [found; CONFIRMATIONS], "again and again");
    }
}

#[test]
fn below_the_start_it_goes_down_as_far_as_it_can_tell() {
    let (end, tried) = searched(1_000, 100, |rate, _| rate <= 130);
    assert!(matches!(end, Next::Found(126..=130)), "{end:?}, {tried:?}");
    let (end, tried) = searched(1_000, 100, |_, _| false);
    assert_eq!((end, &tried[..]), (Next::Never, &[1_000, 500, 250, 125, 100][..]));
    let (end, tried) = searched(10, 100, |_, _| false);
    assert_eq!((end, &tried[..]), (Next::Never, &[100][..]), "it begins where it can tell");
}

#[test]
fn it_ends_at_the_highest_rate_there_is() {
    let (end, tried) = searched(1_000_000, 1, |_, _| true);
    assert_eq!(end, Next::Found(RATE_MAX));
    assert_eq!(tried.len(), 5 + CONFIRMATIONS, "{tried:?}");
}

#[test]
fn a_rate_that_is_missed_once_is_not_the_one() {
    let flaw = |rate: u64, run: usize| rate <= 10_000 && !(run == 12 && rate > 9_000);
    let (end, tried) = searched(1_000, 1, flaw);
    let Next::Found(found) = end else { panic!("{end:?}") };
    assert!(tried[12] > 9_000 && found < tried[12], "{found}, {tried:?}");
}
