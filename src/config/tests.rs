use super::*;
use proptest::prelude::*;

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url).expect("a URL")
}

#[test]
fn the_default_is_three_listeners_and_holds() {
    let loaded = merge(&[]).expect("nothing is wrong with nothing");
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.config.listen.len(), 3);
    assert_eq!(loaded.check(), Ok(()));
}

#[test]
fn names_are_unique_and_policies_are_complete() {
    for (at, setting) in SETTINGS.iter().enumerate() {
        assert!(SETTINGS[..at].iter().all(|other| other.name != setting.name), "{setting:?}");
    }
    let policies: Vec<&str> = Setting::find("at_limit").expect("a setting").words().collect();
    assert_eq!(policies, crate::server::AtLimit::NAMES.map(|(name, _)| name));
}

#[test]
fn listeners_collide_if_the_second_would_find_its_address_in_use() {
    let collide = |one, other| collide(&endpoint(one), &endpoint(other));
    assert!(collide("tcp://127.0.0.1:7/echo", "tcp://127.0.0.1:7/discard"));
    assert!(collide("unix:///a", "unix:///a?backlog=7"));
    assert!(collide("udp://127.0.0.1:7?reuse_port=true", "udp://127.0.0.1:7"));
    assert!(!collide("udp://127.0.0.1:7?reuse_port=true", "udp://127.0.0.1:7?reuse_port=true"));
    assert!(!collide("tcp://127.0.0.1:7", "udp://127.0.0.1:7"));
    assert!(!collide("tcp://127.0.0.1:7", "tcp://127.0.0.2:7"));
    assert!(!collide("tcp://127.0.0.1:0", "tcp://127.0.0.1:0"), "two ports of the system's choice");
}

#[test]
fn the_hard_limit_is_possible_and_more_than_the_kernel_allows_is_not() {
    let before = rlimit::nofile().expect("readable");
    assert_eq!(check_nofile(before.hard), Ok(()));
    // `fs.nr_open` is a 32-bit number, so nobody may have this, root included.
    let reason = check_nofile(1 << 40).expect_err("above fs.nr_open");
    assert!(reason.contains(&before.hard.to_string()), "{reason}");
    assert_eq!(rlimit::nofile().expect("readable"), before, "put back");
}

#[test]
fn a_misspelt_variable_is_found_and_foreign_ones_are_not() {
    let names = ["PATH", "ONELOOP_NOFILE", "ONELOOP_CONFIG", "ONELOOP_NOFLIE"];
    let found = unknown_variables(names.iter().map(|name| (*name).to_owned()));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("did you mean `ONELOOP_NOFILE`?"), "{found:?}");
}

#[test]
fn one_line_stays_one_line() {
    assert_eq!(one_line("a\nb\u{1b}[31m\r ü"), "a\\nb\\u{1b}[31m\\r ü");
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(number: u64) {
        let text = |value: toml::Value| value.as_str().map(str::to_owned);
        let bytes = text(value::show_bytes(number)).expect("text");
        prop_assert_eq!(value::bytes::<u64>(&bytes), Ok(number));
        for ms in [number % 100_000, number / 1_000_000] {
            let time = text(value::show_duration(ms)).expect("text");
            prop_assert_eq!(value::duration_ms(&time, 0), Ok(ms), "{}", time);
        }
    }
}
