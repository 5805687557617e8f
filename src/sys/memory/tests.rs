use super::*;
use std::sync::atomic::Ordering;

#[test]
fn two_mappings_show_the_same_words() {
    let one = Shared::create(1024).unwrap();
    let other = Shared::open(one.fd.try_clone().unwrap(), 1024).unwrap();
    one.words()[1023].store(7, Ordering::Relaxed);
    assert_eq!(other.words()[1023].load(Ordering::Relaxed), 7);
    drop(one);
    assert_eq!(other.words()[1023].load(Ordering::Relaxed), 7);
}

#[test]
fn what_is_too_short_or_could_shrink_is_refused() {
    let one = Shared::create(512).unwrap();
    assert!(Shared::open(one.fd.try_clone().unwrap(), 513).is_err());
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(Shared::open(file.into(), 1).is_err());
}

#[test]
fn bytes_come_out_of_a_file_as_they_went_in_however_often() {
    let file = file_of(b"handed over").unwrap();
    for _ in 0..2 {
        assert_eq!(bytes_of(file.try_clone().unwrap(), 11).unwrap(), b"handed over");
    }
    assert!(bytes_of(file, 10).is_err(), "one byte more than is allowed");
}
