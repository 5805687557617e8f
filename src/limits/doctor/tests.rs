use super::super::cgroup::CgroupMemory;
use super::super::facts::{Cpus, PortRange, Table};
use super::super::render;
use super::*;
use crate::sys::rlimit::Rlimit;
use proptest::prelude::*;
use std::path::PathBuf;

/// What a server keeps for itself, in these examples.
const RESERVE_FDS: u64 = 32;

const HUGE: u64 = 4_000_000_000;

/// A machine on which nothing binds below some 10^9, for a user without privileges.
fn roomy() -> Facts {
    Facts {
        nofile: Ok(Rlimit { soft: HUGE / 4, hard: HUGE / 4 }),
        may_raise_hard: Ok(false),
        may_write_sysctl: false,
        nr_open: Ok(HUGE / 4),
        files: Ok(Table { max: HUGE, used: 0 }),
        epoll_watches: Ok(HUGE),
        conntrack: Ok(None),
        memory_available_bytes: Ok(1 << 60),
        cgroup_memory: Ok(None),
        tcp_mem_pages: Ok(Table { max: HUGE, used: 0 }),
        somaxconn: Ok(HUGE),
        syn_backlog: Ok(2048),
        syncookies: Ok(true),
        ports: Ok(PortRange { low: 32_768, high: 60_999 }),
        cpus: Ok(Cpus { allowed: 2, quota: None }),
    }
}

fn nothing_readable() -> Facts {
    fn no<T>() -> Result<T, String> {
        Err("hidden".into())
    }
    Facts {
        nofile: no(),
        may_raise_hard: no(),
        may_write_sysctl: false,
        nr_open: no(),
        files: no(),
        epoll_watches: no(),
        conntrack: no(),
        memory_available_bytes: no(),
        cgroup_memory: no(),
        tcp_mem_pages: no(),
        somaxconn: no(),
        syn_backlog: no(),
        syncookies: no(),
        ports: no(),
        cpus: no(),
    }
}

fn nofile(soft: u64, hard: u64) -> Facts {
    Facts { nofile: Ok(Rlimit { soft, hard }), ..roomy() }
}

fn cgroup(max: u64, used: u64) -> Facts {
    let file = PathBuf::from("/sys/fs/cgroup/g/memory.max");
    let bytes = Table { max, used };
    Facts { cgroup_memory: Ok(Some(CgroupMemory { bytes, file })), ..roomy() }
}

fn ask(facts: &Facts, n: u64) -> Report {
    examine(facts, Some(n), RESERVE_FDS)
}

fn verdict_of(report: &Report, id: Id) -> Verdict {
    report.limit(id).expect("every report has every limit").verdict
}

fn commands(report: &Report) -> Vec<&str> {
    let plan = report.plan.as_ref().expect("an N was asked about");
    plan.steps.iter().map(|step| step.command.as_str()).collect()
}

#[test]
fn each_limit_binds_first_in_turn_at_the_limit_and_one_past_it() {
    let cases = [
        (vec![Id::NofileSoft], 100, nofile(132, 9_000)),
        (vec![Id::NofileSoft, Id::NofileHard], 100, nofile(132, 132)),
        (vec![Id::NrOpen], 100, Facts { nr_open: Ok(132), ..roomy() }),
        (vec![Id::FileMax], 868, Facts { files: Ok(Table { max: 1000, used: 100 }), ..roomy() }),
        (vec![Id::EpollWatches], 500, Facts { epoll_watches: Ok(500), ..roomy() }),
        (
            vec![Id::Conntrack],
            990,
            Facts { conntrack: Ok(Some(Table { max: 1000, used: 10 })), ..roomy() },
        ),
        (
            vec![Id::MemoryAvailable],
            10,
            Facts { memory_available_bytes: Ok(10 * 5_200 + 5_199), ..roomy() },
        ),
        (vec![Id::CgroupMemory], 10, cgroup(12 * 5_200, 2 * 5_200)),
    ];
    for (ids, allows, facts) in cases {
        let report = ask(&facts, allows);
        assert_eq!(report.held.connections, Some(allows), "{ids:?}");
        assert_eq!(report.held.binds_first, ids);
        assert!(report.held.next_connections > Some(allows), "{ids:?}");
        assert!(report.fits() && commands(&report).is_empty(), "{ids:?} at the limit");
        assert!(report.conclusion.starts_with("Yes"), "{}", report.conclusion);

        let report = ask(&facts, allows + 1);
        assert!(!report.fits() && !commands(&report).is_empty(), "{ids:?} one past it");
        assert!(report.conclusion.starts_with("No"), "{}", report.conclusion);
        for limit in &report.limits {
            let binds = limit.verdict == Verdict::Binds;
            assert_eq!(binds, ids.contains(&limit.id), "{:?} when {ids:?} bind", limit.id);
            assert!(!binds || limit.lift.is_some(), "{:?} has no way out", limit.id);
        }
        let report = examine(&facts, None, RESERVE_FDS);
        assert!(ids.iter().all(|id| verdict_of(&report, *id) == Verdict::Binds), "{ids:?}");
        assert!(report.fits() && report.plan.is_none());
    }
}

#[test]
fn what_is_next_is_what_binds_once_the_first_is_lifted() {
    let facts = Facts { nr_open: Ok(1_032), ..nofile(132, 532) };
    let held = examine(&facts, None, RESERVE_FDS).held;
    assert_eq!((held.connections, held.binds_first), (Some(100), vec![Id::NofileSoft]));
    assert_eq!((held.next_connections, held.binds_next), (Some(500), vec![Id::NofileHard]));
    let lifted = examine(&nofile(532, 532), None, RESERVE_FDS);
    assert_eq!(lifted.held.connections, Some(500));
    let report = examine(&facts, None, RESERVE_FDS);
    let lift = report.limit(Id::NofileSoft).and_then(|limit| limit.lift.clone());
    assert_eq!(lift.as_deref(), Some("ulimit -Sn 532"), "as far as the next one");

    let alone = Facts { nofile: Ok(Rlimit { soft: 132, hard: 132 }), ..nothing_readable() };
    let report = examine(&alone, None, RESERVE_FDS);
    assert_eq!((report.held.next_connections, report.lifts_to), (None, 200), "no next: twice");
    let lift = report.limit(Id::NofileSoft).and_then(|limit| limit.lift.clone());
    assert_eq!(lift.as_deref(), Some("start 2 worker processes"));
}

#[test]
fn limits_that_do_not_cap_the_sockets_held_only_warn() {
    let cases = [
        (Id::TcpMem, 90, Facts { tcp_mem_pages: Ok(Table { max: 100, used: 10 }), ..roomy() }),
        (Id::Somaxconn, 128, Facts { somaxconn: Ok(128), ..roomy() }),
        (Id::SynBacklog, 96, Facts { syn_backlog: Ok(128), syncookies: Ok(false), ..roomy() }),
        (Id::PortRange, 12_000, roomy()),
        (Id::PortRange, 50, Facts { ports: Ok(PortRange { low: 1, high: 100 }), ..roomy() }),
        (Id::Conntrack, 100, Facts { conntrack: Ok(Some(Table { max: 100, used: 0 })), ..roomy() }),
    ];
    for (id, allows, facts) in cases {
        assert_eq!(verdict_of(&ask(&facts, allows), id), Verdict::Ok, "{id:?} at the limit");
        let past = ask(&facts, allows + 1);
        assert_eq!(verdict_of(&past, id), Verdict::Warn, "{id:?} one past it");
        assert!(past.limit(id).is_some_and(|limit| limit.lift.is_some()), "{id:?}");
        assert!(past.fits() && commands(&past).is_empty(), "{id:?} decides nothing");
    }
    let cookies = ask(&Facts { syn_backlog: Ok(1), ..roomy() }, 1_000);
    assert_eq!(verdict_of(&cookies, Id::SynBacklog), Verdict::Ok, "not read while cookies are on");
}

#[test]
fn clients_on_this_machine_take_twice_the_shared_limits() {
    let facts = Facts { epoll_watches: Ok(1_000), ..roomy() };
    let report = examine(&facts, None, RESERVE_FDS);
    assert_eq!(report.held.connections, Some(1_000));
    assert_eq!(report.held_with_clients_here.connections, Some(500));
    let report = examine(&nofile(132, 132), None, RESERVE_FDS);
    assert_eq!(report.held_with_clients_here.connections, Some(100), "nofile is per process");
}

#[test]
fn a_hard_limit_out_of_reach_means_more_processes() {
    let facts = Facts { nr_open: Ok(1_048_576), ..nofile(20_000, 20_000) };
    let report = ask(&facts, 1_000_000);
    let plan = report.plan.as_ref().expect("asked");
    assert_eq!((plan.processes.workers, plan.processes.nofile_each), (Some(51), 19_640));
    assert_eq!((plan.client_addresses, plan.memory_bytes), (84, 5_200_000_000));
    assert_eq!(plan.memory_bytes_with_clients_here, 10_200_000_000);
    assert_eq!(commands(&report), ["start 51 worker processes"]);
    let lift = report.limit(Id::NofileHard).and_then(|limit| limit.lift.clone());
    let both = "start 51 worker processes, or LimitNOFILE=1000032 by root";
    assert_eq!(lift.as_deref(), Some(both));
}

#[test]
fn steps_come_in_the_order_in_which_they_work() {
    let low = Facts { nr_open: Ok(1_048_576), ..nofile(1_024, 20_000) };
    assert_eq!(commands(&ask(&low, 10_000)), ["ulimit -Sn 10032"], "below hard: no privilege");
    let spread = ["ulimit -Sn 15032", "start 2 worker processes"];
    assert_eq!(commands(&ask(&low, 30_000)), spread);

    let raise = Facts { may_raise_hard: Ok(true), ..low.clone() };
    assert_eq!(commands(&ask(&raise, 30_000)), ["ulimit -n 30032"]);
    let halves = ["ulimit -n 1000032", "start 2 worker processes"];
    assert_eq!(commands(&ask(&raise, 2_000_000)), halves, "nr_open may not be written");

    let files = Ok(Table { max: 1_000_000, used: 68 });
    let all = Facts { may_write_sysctl: true, files, ..raise };
    let steps =
        ["sysctl -w fs.file-max=2200110", "sysctl -w fs.nr_open=2000032", "ulimit -n 2000032"];
    assert_eq!(commands(&ask(&all, 2_000_000)), steps);
    assert_eq!(ask(&all, 2_000_000).plan.map(|plan| plan.who()), Some(Who::You));
}

#[test]
fn what_it_takes_is_said() {
    let who = |facts: &Facts, n| ask(facts, n).plan.map(|plan| plan.who());
    let files = Facts { files: Ok(Table { max: 100, used: 0 }), ..roomy() };
    assert_eq!(who(&files, 1_000), Some(Who::Root));
    assert_eq!(who(&Facts { may_write_sysctl: true, ..files }, 1_000), Some(Who::You));
    assert_eq!(who(&cgroup(1_000_000, 0), 1_000), Some(Who::Root));
    let memory = Facts { memory_available_bytes: Ok(1_000_000), ..roomy() };
    assert_eq!(who(&memory, 1_000), Some(Who::Hardware));
    assert!(ask(&memory, 1_000).conclusion.contains("more than this machine can hold"));
    let below_reserve = ask(&nofile(20, 20), 1);
    assert_eq!(below_reserve.plan.map(|plan| plan.processes.workers), Some(None));
    assert_eq!(who(&nofile(20, 20), 1), Some(Who::Root));
}

#[test]
fn missing_facts_are_said_and_not_guessed() {
    let report = ask(&nothing_readable(), 10);
    assert_eq!(report.held.connections, None);
    assert!(!report.fits(), "nothing is known");
    for limit in &report.limits {
        assert_eq!(limit.verdict, Verdict::Warn, "{:?}", limit.id);
        assert_eq!(limit.now, Now::Unreadable { reason: "hidden".into() });
        assert_eq!(limit.allows, None);
    }
    let one_missing = ask(&Facts { epoll_watches: Err("hidden".into()), ..roomy() }, 10);
    assert!(one_missing.fits());
    assert!(one_missing.conclusion.contains("(1 limit could not be read)"));
}

#[test]
fn unlimited_is_not_a_number_and_dockers_number_is_not_unlimited() {
    let docker = ask(&nofile(1_073_741_816, 1_073_741_816), 1_000);
    let soft = docker.limit(Id::NofileSoft).expect("listed");
    assert_eq!(soft.allows, Some(1_073_741_784));
    let none = Facts {
        files: Ok(Table { max: i64::MAX.unsigned_abs(), used: 5 }),
        conntrack: Ok(Some(Table { max: 0, used: 5 })),
        ..nofile(u64::MAX, u64::MAX)
    };
    let report = ask(&none, 1_000);
    for id in [Id::NofileSoft, Id::NofileHard, Id::FileMax, Id::Conntrack] {
        let limit = report.limit(id).expect("listed");
        assert_eq!((&limit.now, limit.allows), (&Now::Unlimited, None), "{id:?}");
        assert_eq!(limit.verdict, Verdict::Ok, "{id:?}");
    }
}

#[test]
fn zero_and_the_largest_number_are_answered() {
    for facts in [roomy(), nofile(0, 0), nothing_readable()] {
        let report = ask(&facts, 0);
        let plan = report.plan.as_ref().expect("asked");
        assert_eq!((plan.client_addresses, plan.memory_bytes), (0, 0));
        assert!(plan.steps.is_empty());
        assert_eq!(report.fits(), report.held.connections.is_some());
    }
    for facts in [roomy(), nofile(0, 0), nofile(u64::MAX, u64::MAX)] {
        for facts in [Facts { may_raise_hard: Ok(true), ..facts.clone() }, facts] {
            let report = ask(&facts, u64::MAX);
            assert!(!report.fits());
            assert!(report.conclusion.contains("more than this machine"), "{}", report.conclusion);
        }
    }
}

#[test]
fn text_fits_the_terminal_and_json_keeps_its_keys() {
    let facts = [roomy(), nothing_readable(), nofile(20, 20), cgroup(1_000_000, 0)];
    for (facts, n) in facts.iter().flat_map(|f| [(f, None), (f, Some(7)), (f, Some(u64::MAX))]) {
        let report = examine(facts, n, RESERVE_FDS);
        let mut text = Vec::new();
        render::text(&report, &mut text).expect("a Vec takes all");
        let text = String::from_utf8(text).expect("UTF-8");
        let answer = text.split("\n\n").next().expect("a first paragraph");
        assert_eq!(answer.replace('\n', " "), report.conclusion);
        for line in text.lines() {
            assert!(line.chars().count() <= 100 && line == line.trim_end(), "{line:?}");
        }
        let mut json = Vec::new();
        render::json(&report, &mut json).expect("a Vec takes all");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("valid JSON");
        for key in
            ["conclusion", "for", "lifts_to", "fits", "held", "plan", "assumed", "limits", "cpus"]
        {
            assert!(json.get(key).is_some(), "{key}");
        }
        let limits = json["limits"].as_array().expect("a list");
        assert_eq!(limits.len(), 12);
        assert_eq!(
            (&limits[0]["id"], &limits[0]["kind"]),
            (&"nofile_soft".into(), &"count".into())
        );
        assert_eq!(json["fits"], report.fits());
        assert_eq!(json["plan"]["n"].as_u64(), n);
    }
}

proptest! {
    /// The two questions agree on every machine: N fits exactly when it is not above what is held,
    /// and the processes of the plan hold N, and one fewer would not.
    #[test]
    fn fits_is_exactly_up_to_what_is_held(
        soft in 0..3_000_u64, more in 0..3_000_u64, nr_open in 0..6_000_u64, used in 0..500_u64,
        watches in 0..9_000_u64, memory in 0..50_000_000_u64, n in 0..9_000_u64,
    ) {
        let facts = Facts {
            nr_open: Ok(nr_open),
            files: Ok(Table { max: 5_000, used }),
            epoll_watches: Ok(watches),
            memory_available_bytes: Ok(memory),
            ..nofile(soft, soft + more)
        };
        let report = ask(&facts, n);
        prop_assert_eq!(report.fits(), Some(n) <= report.held.connections);
        prop_assert_eq!(report.fits(), commands(&report).is_empty());
        let processes = report.plan.expect("asked").processes;
        let each = processes.connections_each_max;
        if let Some(workers) = processes.workers {
            prop_assert!(workers * each >= n);
            prop_assert!(workers == 1 || (workers - 1) * each < n);
            prop_assert!(n == 0 || processes.nofile_each <= nr_open.min(soft + more));
        } else {
            prop_assert_eq!(each, 0);
        }
    }
}
