use super::*;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn reads_the_limit_of_another_process() {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -S -n 40 && echo set && read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let theirs = nofile_of(i32::try_from(child.id()).expect("a pid"));
    drop(child.stdin.take()); // ends its `read`
    child.wait().expect("sh ends");
    assert_eq!(line, "set\n");
    let theirs = theirs.expect("our own child may be read");
    assert_eq!(theirs, Rlimit { soft: 40, hard: nofile().expect("readable").hard });
}

#[test]
fn setting_what_is_set_works_and_soft_above_hard_does_not() {
    let limit = nofile().expect("readable");
    set_nofile(limit).expect("no change is allowed");
    assert_eq!(nofile().expect("readable"), limit);
    let upside_down = Rlimit { soft: 41, hard: 40 };
    let error = set_nofile(upside_down).expect_err("soft above hard");
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    assert_eq!(nofile().expect("readable"), limit);
}

#[test]
fn a_process_that_is_not_there_is_an_error() {
    let error = nofile_of(i32::MAX).expect_err("pid_max is 2^22");
    assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
}
