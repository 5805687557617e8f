use super::*;
use crate::net::Endpoint;
use crate::proto::ws::deflate::TAKEOVER_BYTES;
use crate::server::BYTES_PER_CONNECTION;
use crate::service::Builtin;

const NOFILE: Rlimit = Rlimit { soft: 1_024, hard: 4_096 };

fn config(url: &str, kind: WorkerKind, max_connections: usize) -> Config {
    let endpoint = Endpoint::parse(url).expect("a good URL");
    let mut config = Config { worker_kind: kind, ..Config::default() };
    config.listen = vec![(endpoint, vec![Builtin::Echo])];
    config.limits.max_connections = max_connections;
    config
}

/// So much memory is enough for these workers, and any less is not.
#[track_caller]
fn assert_needs(config: &Config, workers: usize, bytes: u64) {
    let room = bytes / 3 * 4 + 4;
    assert_eq!(check_memory(config, workers, NOFILE, room), Ok(()));
    let error = check_memory(config, workers, NOFILE, room - 8).expect_err("one byte less");
    assert!(error.starts_with(&format!("workers: {workers} of them with")), "{error}");
    assert!(error.contains("--max-connections"), "{error}");
}

#[test]
fn memory_is_counted_for_the_connections_that_were_asked_for() {
    let process = |max| config("tcp://127.0.0.1:0", WorkerKind::Process, max);
    assert_needs(&process(1_000), 6, 6 * (BYTES_EACH + 1_000 * BYTES_PER_CONNECTION));
    // Not for more than open files allow: of each process, or of all threads together.
    assert_needs(&process(1_000_000), 6, 6 * (BYTES_EACH + 4_096 * BYTES_PER_CONNECTION));
    let threads = config("tcp://127.0.0.1:0", WorkerKind::Thread, 1_000_000);
    assert_needs(&threads, 4, 4 * (BYTES_EACH + 1_024 * BYTES_PER_CONNECTION));
    let mut keeping = process(1_000_000);
    keeping.limits.nofile = Nofile::Keep;
    assert_needs(&keeping, 6, 6 * (BYTES_EACH + 1_024 * BYTES_PER_CONNECTION));
    let mut packing = process(1_000);
    packing.limits.deflate_takeover_max = 100;
    let contexts = 100 * TAKEOVER_BYTES;
    assert_needs(&packing, 6, 6 * (BYTES_EACH + 1_000 * BYTES_PER_CONNECTION + contexts));
    // If nobody asked, the cap follows the memory.
    assert_needs(&process(0), 6, 6 * (BYTES_EACH + BYTES_PER_CONNECTION));
}

#[test]
fn memory_does_not_overflow() {
    let mut all = config("tcp://127.0.0.1:0", WorkerKind::Process, usize::MAX);
    all.limits.nofile = Nofile::Set(u64::MAX);
    assert!(check_memory(&all, 256, NOFILE, u64::MAX).is_err());
}

#[test]
fn descriptors_are_enough_or_one_too_few() {
    let config = config("tcp://127.0.0.1:0", WorkerKind::Process, 0);
    // 4 workers: their sockets twice, 6 each, 16, and what is open.
    let need = 10 + 2 * 4 + 6 * 4 + 16;
    assert_eq!(check_descriptors(&config, 4, 10, need), Ok(()));
    let error = check_descriptors(&config, 4, 10, need - 1).expect_err("one too few");
    assert!(error.contains("need 58 descriptors") && error.contains("57 are allowed"), "{error}");
}
