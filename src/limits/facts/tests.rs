use super::*;
use std::process::Command;

#[test]
fn file_nr_is_used_then_nothing_then_max() {
    let table = file_table("413\t0\t9223372036854775807\n");
    assert_eq!(table, Ok(Table { max: i64::MAX.unsigned_abs(), used: 413 }));
    assert!(file_table("413 0").is_err_and(|why| why.contains("fewer than 3")));
    assert!(file_table("413 0 many").is_err_and(|why| why.contains("'many'")));
}

#[test]
fn port_range_is_two_ports_in_order() {
    assert_eq!(port_range("32768\t60999\n"), Ok(PortRange { low: 32_768, high: 60_999 }));
    assert_eq!(port_range("9 9"), Ok(PortRange { low: 9, high: 9 }));
    for bad in ["60999 32768", "1 65536", "1", ""] {
        assert!(port_range(bad).is_err(), "{bad}");
    }
}

#[test]
fn tcp_memory_is_the_third_number_and_the_use_of_tcp_alone() {
    let sockstat =
        "sockets: used 12\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 430\nUDP: inuse 0 mem 7\n";
    let table = tcp_table("287901\t383868\t575802\n", sockstat);
    assert_eq!(table, Ok(Table { max: 575_802, used: 430 }));
    assert!(tcp_table("1 2 3", "UDP: inuse 0 mem 7\n").is_err_and(|why| why.contains("sockstat")));
}

#[test]
fn numbers_do_not_wrap() {
    assert_eq!(number("18446744073709551615\n"), Ok(u64::MAX));
    assert!(number("18446744073709551616").is_err());
    assert!(number("-1").is_err());
}

#[test]
fn cpus_are_the_bits_of_the_mask() {
    assert_eq!(cpus_in(&[0b11, 0, 0x8000_0000]), Ok(3));
    assert!(cpus_in(&[0, 0]).is_err());
}

#[test]
fn raising_hard_takes_the_capability_in_the_first_namespace() {
    let first = "         0          0 4294967295\n";
    let all_caps = 0x1ff_ffff_ffff;
    assert!(may_raise(all_caps, first));
    assert!(!may_raise(all_caps & !(1 << 24), first), "user 0 without the capability");
    assert!(!may_raise(all_caps, "0 1000 1\n"), "a user namespace");
    assert!(!may_raise(all_caps, ""));
}

#[test]
fn a_missing_file_is_named() {
    let why = sysctl("no/such").expect_err("there is none");
    assert!(why.starts_with("/proc/sys/no/such: "), "{why}");
}

#[test]
fn this_machine_is_what_the_shell_says() {
    let script = "ulimit -Sn; ulimit -Hn; cat /proc/sys/fs/nr_open";
    let output = Command::new("sh").args(["-c", script]).output().expect("sh runs");
    let text = String::from_utf8(output.stdout).expect("digits");
    let number = |word: &str| match word {
        "unlimited" => u64::MAX,
        digits => digits.parse().expect("a number"),
    };
    let [soft, hard, nr_open] = text.split_whitespace().map(number).collect::<Vec<_>>()[..] else {
        panic!("three numbers, not {text:?}");
    };
    let facts = Facts::read();
    assert_eq!(facts.nofile, Ok(Rlimit { soft, hard }));
    assert_eq!(facts.nr_open, Ok(nr_open));
    assert!(facts.files.is_ok_and(|files| files.used > 0 && files.used < files.max));
    assert!(facts.memory_available_bytes.is_ok_and(|bytes| bytes > 1_000_000));
}

#[test]
fn memory_room_is_the_machine_s_or_what_the_group_leaves() {
    let group = |max, used| {
        Ok(Some(CgroupMemory { bytes: Table { max, used }, file: Path::new("/").into() }))
    };
    let room = |available, cgroup_memory| {
        Facts { memory_available_bytes: available, cgroup_memory, ..Facts::read() }
            .memory_room_bytes()
    };
    assert_eq!(room(Ok(100), group(90, 30)), Some(60));
    assert_eq!(room(Ok(50), group(90, 30)), Some(50));
    assert_eq!(room(Ok(50), group(30, 90)), Some(0));
    assert_eq!(room(Ok(50), Err("hidden".into())), Some(50));
    assert_eq!(room(Err("hidden".into()), Ok(None)), None);
}
