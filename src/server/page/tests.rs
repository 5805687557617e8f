use super::*;

#[test]
fn jain_is_one_for_equals_and_a_share_for_one_alone() {
    assert_eq!(jain(&[7, 7, 7]), 1.0);
    assert_eq!(jain(&[9, 0, 0]), 1.0 / 3.0);
    assert_eq!(jain(&[]), 1.0);
    assert_eq!(jain(&[0, 0]), 1.0);
    assert_eq!(jain(&[1, 3]), 0.8);
}

#[test]
fn what_is_written_is_read_by_name_and_adds_up() {
    let pages = Shared::create(words_of(2)).unwrap();
    let metrics = Metrics { accepted: 5, turns: 9, ..Metrics::default() };
    write(page(&pages, 1), [3, 100, 0, 0, 0], &metrics);
    assert_eq!(Account::read(&pages, 0).get("accepted"), 0);
    let mut sum = Account::read(&pages, 1);
    assert_eq!((sum.get("connections"), sum.get("accepted"), sum.get("turns")), (3, 5, 9));
    sum.add(&Account::read(&pages, 1).retire());
    assert_eq!((sum.get("connections"), sum.get("cap"), sum.get("accepted")), (3, 100, 10));
    clear(&pages, 1);
    assert_eq!(Account::read(&pages, 1), Account::read(&pages, 0));
}

#[test]
fn a_page_holds_all_counters() {
    assert!(GAUGES.len() + Metrics::default().values().count() <= TAKES_PART);
}
