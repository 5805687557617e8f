use super::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn three_ways_to_say_when() {
    let noon = Start::At(at(1_767_268_800));
    for text in ["2026-01-01T12:00:00Z", "2026-01-01 12:00:00", "1767268800", "1767268800.0"] {
        assert_eq!(Start::parse(text), Ok(noon), "{text}");
    }
    let after = |ms| Ok(Start::After(Duration::from_millis(ms)));
    assert_eq!((Start::parse("+10s"), Start::parse("+1500ms")), (after(10_000), after(1_500)));
    for text in ["", "soon", "+", "+soon", "-5", "1e300", "NaN", "12:00"] {
        assert!(Start::parse(text).is_err_and(|error| error.contains("+10s")), "{text}");
    }
}

#[test]
fn what_is_over_is_refused_with_the_difference() {
    let now = at(1_000) + Duration::from_millis(250);
    let error = Start::At(at(998)).resolve(now).expect_err("over");
    assert!(error.contains("1970-01-01T00:16:38.000Z: is over since 2s 250ms"), "{error}");
    assert_eq!(Start::At(at(1_001)).resolve(now), Ok(at(1_001)));
    assert_eq!(Start::At(now).resolve(now), Ok(now));
    assert_eq!(Start::After(SECOND).resolve(now), Ok(now + SECOND));
    assert!(Start::After(Duration::MAX).resolve(now).is_err_and(|it| it.contains("calendar")));
}
