//! **What.** The way to N: how many worker processes, which commands in which order, and who may
//! run them; how many client addresses and how much memory.
//!
//! **Why this way.** The order is the order in which the commands succeed: `ulimit` fails while
//! `fs.nr_open` is too low. Where the hard limit cannot be raised without privilege the plan
//! does without: the limit is per process, so more processes are the way round it. Rejected:
//! running the commands; the doctor does not operate.
//!
//! **Costs.** Arithmetic.
//!
//! **Read next.** `src/limits/render.rs`: how a person and a program get to see it.

use super::facts::Facts;
use super::limit::{CLIENT_PORTS_MAX, Id, KERNEL_BYTES_PER_END, Limit, USER_BYTES_PER_CONNECTION};
use super::limit::{Now, Verdict};
use super::words::{bytes, grouped};
use serde::Serialize;

/// The highest value `fs.nr_open` takes: INT_MAX rounded down to a word of bits. Source: fs/file.c.
const NR_OPEN_MAX: u64 = 0x7fff_ffc0;
/// Deep enough for any burst that a loop accepting 30,000 a second meets within a second or two.
const BACKLOG_ENOUGH: u64 = 65_535;

/// Who can take a step. In rising order of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// This user, with this process' privileges.
    You,
    /// An administrator.
    Root,
    /// Nobody here: it takes a larger machine, or several.
    Hardware,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The limit it lifts.
    pub id: Id,
    /// What to type, or to start.
    pub command: String,
    /// Another way to the same end, for those who can.
    pub or: Option<String>,
    /// Who can.
    pub who: Who,
}

impl Step {
    /// The command, and the other way where there is one.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.or {
            Some(or) => format!("{}, or {or}", self.command),
            None => self.command.clone(),
        }
    }
}

/// How N is shared among worker processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Processes {
    /// Processes needed, at least 1; `None` when even one fd each is not to be had.
    pub workers: Option<u64>,
    /// The RLIMIT_NOFILE that each of them needs, in fds.
    pub nofile_each: u64,
    /// Connections of one process at the highest limit within reach.
    pub connections_each_max: u64,
}

/// The way from things as they are to N connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The connections wanted.
    pub n: u64,
    /// What must be lifted, in the order that works. Empty when N fits as things are.
    pub steps: Vec<Step>,
    /// Server processes and their limit.
    #[serde(flatten)]
    pub processes: Processes,
    /// Source addresses the clients need for one destination port.
    pub client_addresses: u64,
    /// Memory of the server's ends.
    pub memory_bytes: u64,
    /// Memory with the clients' ends on this machine too.
    pub memory_bytes_with_clients_here: u64,
}

impl Plan {
    /// Who it takes for the whole of it. No steps take nobody but you.
    #[must_use]
    pub fn who(&self) -> Who {
        self.steps.iter().map(|step| step.who).max().unwrap_or(Who::You)
    }
}

impl Processes {
    /// The fewest processes that hold `goal`, each within the highest nofile this user can get.
    pub(super) fn for_goal(facts: &Facts, goal: u64, reserve_fds: u64) -> Self {
        let connections_each_max = nofile_within_reach(facts).saturating_sub(reserve_fds);
        let workers = match connections_each_max {
            0 if goal > 0 => None,
            each => Some(goal.div_ceil(each.max(1)).max(1)),
        };
        let share = goal.div_ceil(workers.unwrap_or(1));
        Self { workers, nofile_each: share.saturating_add(reserve_fds), connections_each_max }
    }

    fn several(&self) -> bool {
        self.workers != Some(1)
    }
}

/// Facts that cannot be read are taken as the stricter case.
fn nofile_within_reach(facts: &Facts) -> u64 {
    let hard = facts.nofile.as_ref().map_or(0, |limit| limit.hard);
    let nr_open = facts.nr_open.clone().unwrap_or(hard);
    match (may_raise_hard(facts), facts.may_write_sysctl) {
        (true, true) => NR_OPEN_MAX,
        (true, false) => nr_open,
        (false, _) => hard.min(nr_open),
    }
}

fn may_raise_hard(facts: &Facts) -> bool {
    facts.may_raise_hard == Ok(true)
}

pub(super) fn for_n(facts: &Facts, n: u64, limits: &[Limit], processes: Processes) -> Plan {
    let allowed = limits.iter().find(|limit| limit.id == Id::PortRange).and_then(|l| l.allows);
    let ends =
        |ends: u64| n.saturating_mul(KERNEL_BYTES_PER_END * ends + USER_BYTES_PER_CONNECTION);
    Plan {
        n,
        steps: steps(facts, n, limits, &processes),
        client_addresses: n.div_ceil(allowed.unwrap_or(CLIENT_PORTS_MAX)),
        memory_bytes: ends(1),
        memory_bytes_with_clients_here: ends(2),
        processes,
    }
}

/// The machine first, then the ceiling of a process, its limit, and last how many processes. Limits
/// lifted by one and the same command are one step.
fn steps(facts: &Facts, n: u64, limits: &[Limit], processes: &Processes) -> Vec<Step> {
    let per_process = match processes.several() {
        false => [Id::NrOpen, Id::NofileHard, Id::NofileSoft],
        true => [Id::NofileSoft, Id::NofileHard, Id::NrOpen],
    };
    let binding = || limits.iter().filter(|limit| limit.verdict == Verdict::Binds);
    let machine = binding().filter(|limit| !per_process.contains(&limit.id));
    let process = per_process.iter().filter_map(|id| binding().find(|limit| limit.id == *id));
    let mut steps: Vec<Step> = Vec::new();
    for step in machine.chain(process).filter_map(|limit| lift(limit, n, processes, facts)) {
        if steps.iter().all(|earlier| earlier.command != step.command) {
            steps.push(step);
        }
    }
    steps
}

/// What lifts `limit` far enough for `goal`; `None` where it cannot even be read.
pub(super) fn lift(limit: &Limit, goal: u64, workers: &Processes, facts: &Facts) -> Option<Step> {
    let Now::Known { value } = limit.now else { return None };
    let needs = limit.needs(goal);
    // Others use these tables too, and the reading is of one moment.
    let roomy = needs.saturating_add(needs / 10);
    let sysctl = |name: &str, value: u64, max: u64| match value <= max {
        true => (format!("sysctl -w {name}={value}"), sysctl_by(facts)),
        false => (format!("more machines: {name} ends at {}", grouped(max)), Who::Hardware),
    };
    let long_max = i64::MAX.unsigned_abs();
    let (command, who) = match limit.id {
        Id::NrOpen | Id::NofileHard | Id::NofileSoft => {
            return Some(lift_nofile(limit, value, needs, workers, facts));
        }
        Id::FileMax => sysctl("fs.file-max", roomy, long_max),
        Id::EpollWatches => sysctl("fs.epoll.max_user_watches", roomy, long_max),
        Id::Conntrack => {
            sysctl("net.netfilter.nf_conntrack_max", roomy, i32::MAX.unsigned_abs().into())
        }
        Id::MemoryAvailable => (format!("{} of free memory", bytes(needs)), Who::Hardware),
        Id::CgroupMemory => {
            let file = facts.cgroup_memory.as_ref().ok()?.as_ref()?.file.display();
            (format!("echo {roomy} > {file}"), Who::Root)
        }
        Id::TcpMem => {
            // The kernel's own proportions: low is half, pressure two thirds of the maximum.
            let three = format!("{} {} {roomy}", roomy / 2, roomy / 3 * 2);
            (format!("sysctl -w net.ipv4.tcp_mem='{three}'"), sysctl_by(facts))
        }
        Id::Somaxconn if value >= BACKLOG_ENOUGH => ("ramp the connects".into(), Who::You),
        Id::Somaxconn => {
            let (command, who) =
                sysctl("net.core.somaxconn", goal.min(BACKLOG_ENOUGH), BACKLOG_ENOUGH);
            (command + ", or ramp the connects", who)
        }
        Id::SynBacklog => sysctl("net.ipv4.tcp_syncookies", 1, 1),
        Id::PortRange => {
            let addresses = goal.div_ceil(limit.allows?);
            (format!("use {} source addresses", grouped(addresses)), Who::You)
        }
    };
    Some(Step { id: limit.id, command, or: None, who })
}

/// Raise it as far as each process needs, where this user can; start more processes, where not.
fn lift_nofile(limit: &Limit, now: u64, needs: u64, workers: &Processes, facts: &Facts) -> Step {
    let target = workers.nofile_each;
    let hard = facts.nofile.as_ref().map_or(0, |nofile| nofile.hard);
    let by_root = || format!("LimitNOFILE={needs} by root");
    let step = |command, or, who| Step { id: limit.id, command, or, who };
    match (limit.id, workers.workers) {
        (_, None) => step(by_root(), None, Who::Root),
        (Id::NrOpen, _) if now < target => {
            step(format!("sysctl -w fs.nr_open={target}"), None, sysctl_by(facts))
        }
        (_, _) if now < target && target <= hard => {
            step(format!("ulimit -Sn {target}"), None, Who::You)
        }
        (_, _) if now < target => step(format!("ulimit -n {target}"), None, Who::You),
        (id, Some(count)) => {
            let or = match id {
                _ if needs > NR_OPEN_MAX => None,
                Id::NrOpen => Some(format!("sysctl -w fs.nr_open={needs} by root")),
                Id::NofileHard => Some(by_root()),
                _ => None,
            };
            step(format!("start {} worker processes", grouped(count)), or, Who::You)
        }
    }
}

fn sysctl_by(facts: &Facts) -> Who {
    if facts.may_write_sysctl { Who::You } else { Who::Root }
}
