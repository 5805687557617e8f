use super::*;
use std::io::Read;
use std::process::Stdio;

#[test]
fn a_child_finds_the_limit_and_an_empty_signal_mask() {
    let _blocked = signals::SignalFd::block(&[Signal::User1]).expect("signalfd");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn; ulimit -Hn; grep SigBlk /proc/self/status"]);
    prepare(&mut command, Some(40));
    let output = command.output().expect("sh runs");
    let hard = rlimit::nofile().expect("readable").hard;
    let hard = if hard == u64::MAX { "unlimited".to_owned() } else { hard.to_string() };
    let expected = format!("40\n{hard}\nSigBlk:\t0000000000000000\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn a_child_ends_with_the_thread_that_started_it() {
    let mut stdout = std::thread::spawn(|| {
        let mut command = Command::new("sleep");
        command.arg("60").stdout(Stdio::piped());
        prepare(&mut command, None);
        // Not waited for: it outlives nobody.
        command.spawn().expect("sleep starts").stdout.take().expect("piped")
    })
    .join()
    .expect("the thread ends");
    // Comes back when the last writer is gone, long before a minute is over.
    assert_eq!(stdout.read(&mut [0; 1]).expect("readable"), 0);
}

#[test]
fn a_limit_that_cannot_be_had_fails_the_start() {
    let hard = rlimit::nofile().expect("readable").hard;
    let Some(above) = hard.checked_add(1) else { return };
    let mut command = Command::new("true");
    prepare(&mut command, Some(above));
    let error = command.spawn().expect_err("soft above hard");
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
}
