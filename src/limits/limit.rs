//! **What.** One limit: its value, what is taken from it already, what a connection takes, and so
//! how many connections it allows. The list of them all is here.
//!
//! **Why this way.** Almost every limit is the same sum, `allows = (now - taken) / each`, and its
//! inverse, `needs = taken + n * each`; so a limit is three numbers and not a function of its own.
//! The two that are not (the port cliff, the SYN queue) say so where they are built.
//!
//! **Costs.** Arithmetic; it saturates, as `--for` takes any number.
//!
//! **Read next.** `src/limits/doctor.rs`: which limit binds first.

use super::facts::{Fact, Facts, PortRange, Table};
use super::words::bytes;
use serde::Serialize;

/// Kernel memory of one end of a loopback connection, epoll entry included. Measured: a pair
/// costs about 9.5 KB. Source: `tests/kernel_facts.rs`.
pub const KERNEL_BYTES_PER_END: u64 = 5_000;
/// User memory of one idle connection of the server: its own ceiling, kept by a test.
pub const USER_BYTES_PER_CONNECTION: u64 = 200;
/// Connects from one source address to one destination port that stay fast, at most. Beyond half
/// the port range the kernel searches for free ports and slows down some 20 times.
pub const CLIENT_PORTS_MAX: u64 = 12_000;
/// From here up a value means "no limit": LONG_MAX and its neighbours, RLIM_INFINITY. Docker's
/// 1073741816 is a large limit, not this.
pub const UNLIMITED_FROM: u64 = 1 << 62;

/// The limits by name. The names in JSON are these in snake case, and stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is described where `all` builds it")]
pub enum Id {
    NofileSoft,
    NofileHard,
    NrOpen,
    FileMax,
    EpollWatches,
    Conntrack,
    MemoryAvailable,
    CgroupMemory,
    TcpMem,
    Somaxconn,
    SynBacklog,
    PortRange,
}

/// What a limit is a limit of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Caps the sockets held. Only these decide whether N fits.
    Count,
    /// Caps the sockets that hold unread or unsent bytes at one moment.
    Data,
    /// Caps how many connects may wait to be accepted.
    Burst,
    /// Caps what one client address can open to one destination port.
    Client,
}

impl Kind {
    /// In the order of the table.
    pub const ALL: [Self; 4] = [Self::Count, Self::Data, Self::Burst, Self::Client];
}

/// The value of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants say what their fields are")]
pub enum Now {
    /// The value, in the limit's unit.
    Known { value: u64 },
    /// The kernel's way of saying "no limit".
    Unlimited,
    /// The machine has no such limit.
    Absent { reason: String },
    /// There may be one, but this process cannot read it.
    Unreadable { reason: String },
}

/// The doctor's word on one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// N fits under it.
    Ok,
    /// N does not fit under it.
    Binds,
    /// It does not stop N, but something is worth knowing.
    Warn,
}

/// One limit between a server and N connections.
#[derive(Debug, Clone, Serialize)]
pub struct Limit {
    /// Stable name for programs.
    pub id: Id,
    /// Name for people, as the system spells it.
    pub name: &'static str,
    /// What it caps.
    pub kind: Kind,
    /// The unit of `now`, `taken` and `each`.
    pub unit: &'static str,
    /// Its value.
    pub now: Now,
    /// Taken before the first connection: the reserve, or what others use.
    pub taken: u64,
    /// Taken by each connection. Never 0.
    pub each: u64,
    /// Connections it allows; `None` is "any number" or "not known", as `now` and `note` say.
    pub allows: Option<u64>,
    /// Whether N past `allows` is refused for certain. Always false for kinds other than Count.
    pub firm: bool,
    /// For the N of the report.
    pub verdict: Verdict,
    /// What lifts it far enough, where the verdict is not ok.
    pub lift: Option<String>,
    /// What else is worth knowing.
    pub note: Option<String>,
}

impl Limit {
    fn new(id: Id, kind: Kind, now: Now, taken: u64, each: u64) -> Self {
        let (name, unit) = id.name_and_unit();
        let allows = match now {
            Now::Known { value } => Some(value.saturating_sub(taken) / each),
            _ => None,
        };
        let firm = kind == Kind::Count;
        Self {
            id,
            name,
            kind,
            unit,
            now,
            taken,
            each,
            allows,
            firm,
            verdict: Verdict::Ok,
            lift: None,
            note: None,
        }
    }

    fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The value that lets `n` connections pass.
    #[must_use]
    pub fn needs(&self, n: u64) -> u64 {
        n.saturating_mul(self.each).saturating_add(self.taken)
    }

    /// Whether `n` connections do not fit under it.
    #[must_use]
    pub fn is_below(&self, n: u64) -> bool {
        self.allows.is_some_and(|allows| allows < n)
    }
}

impl Id {
    fn name_and_unit(self) -> (&'static str, &'static str) {
        match self {
            Self::NofileSoft => ("RLIMIT_NOFILE soft", "fds"),
            Self::NofileHard => ("RLIMIT_NOFILE hard", "fds"),
            Self::NrOpen => ("fs.nr_open", "fds"),
            Self::FileMax => ("fs.file-max", "files"),
            Self::EpollWatches => ("max_user_watches", "watches"),
            Self::Conntrack => ("nf_conntrack_max", "flows"),
            Self::MemoryAvailable => ("memory available", "bytes"),
            Self::CgroupMemory => ("cgroup memory", "bytes"),
            Self::TcpMem => ("tcp_mem", "pages"),
            Self::Somaxconn => ("somaxconn", "connections"),
            Self::SynBacklog => ("tcp_max_syn_backlog", "connections"),
            Self::PortRange => ("ip_local_port_range", "ports"),
        }
    }
}

impl Now {
    fn of(fact: Fact<u64>) -> Self {
        match fact {
            Ok(value) if value >= UNLIMITED_FROM => Self::Unlimited,
            Ok(value) => Self::Known { value },
            Err(reason) => Self::Unreadable { reason },
        }
    }

    /// `None` is a limit that this machine does not have, for the reason `absent`.
    fn of_optional(fact: Fact<Option<u64>>, absent: &str) -> Self {
        match fact {
            Ok(None) => Self::Absent { reason: absent.into() },
            Ok(Some(value)) => Self::of(Ok(value)),
            Err(reason) => Self::of(Err(reason)),
        }
    }
}

/// Every limit, in the order of the path from one process to the whole machine. `ends` is how
/// many ends of a connection are on this machine: 1, or 2 with the clients here too.
pub(super) fn all(facts: &Facts, ends: u64, reserve_fds: u64) -> Vec<Limit> {
    let mut limits = Vec::from(per_process(facts, reserve_fds));
    limits.extend(per_machine(facts, ends, reserve_fds));
    limits.extend([tcp_mem(facts, ends), somaxconn(facts), syn_backlog(facts), ports(facts)]);
    limits
}

/// Caps of one process, so more processes multiply them.
fn per_process(facts: &Facts, reserve: u64) -> [Limit; 3] {
    let nofile = |id, fact| Limit::new(id, Kind::Count, Now::of(fact), reserve, 1);
    let raisable = facts.nofile.as_ref().is_ok_and(|limit| limit.soft < limit.hard);
    let soft = nofile(Id::NofileSoft, facts.nofile.clone().map(|limit| limit.soft));
    let soft = if raisable { soft.noted("`oneloop serve` raises it to hard") } else { soft };
    [
        soft,
        nofile(Id::NofileHard, facts.nofile.clone().map(|limit| limit.hard)),
        nofile(Id::NrOpen, facts.nr_open.clone()),
    ]
}

fn per_machine(facts: &Facts, ends: u64, reserve: u64) -> [Limit; 5] {
    let used = |table: Option<Table>| table.map_or(0, |table| table.used);
    let count = |id, now, taken, each| Limit::new(id, Kind::Count, now, taken, each);

    let files = facts.files.clone();
    let files_taken = files.as_ref().map_or(0, |files| files.used).saturating_add(reserve);
    let files = count(Id::FileMax, Now::of(files.map(|t| t.max)), files_taken, ends);
    let watches = count(Id::EpollWatches, Now::of(facts.epoll_watches.clone()), 0, ends);

    let user = USER_BYTES_PER_CONNECTION;
    let each_bytes = KERNEL_BYTES_PER_END.saturating_mul(ends).saturating_add(user);
    let available = Now::of(facts.memory_available_bytes.clone());
    let memory = count(Id::MemoryAvailable, available, 0, each_bytes);
    let memory = memory.noted(format!("about {} a connection", bytes(each_bytes)));

    let group = facts.cgroup_memory.clone().map(|group| group.map(|group| group.bytes));
    let taken = used(group.clone().ok().flatten());
    let now = Now::of_optional(group.map(|g| g.map(|t| t.max)), "no cgroup above sets one");
    let cgroup = count(Id::CgroupMemory, now, taken, each_bytes);

    [files, watches, conntrack(facts), memory, cgroup]
}

/// A connection over loopback is one flow, as both ends see the same addresses.
fn conntrack(facts: &Facts) -> Limit {
    let table = facts.conntrack.clone();
    let used = table.clone().ok().flatten().map_or(0, |table| table.used);
    let now = match table.map(|table| table.map(|table| table.max)) {
        Ok(Some(0)) => Now::Unlimited, // the kernel skips the check when the maximum is 0
        max => Now::of_optional(max, "the module is not loaded"),
    };
    let limit = Limit::new(Id::Conntrack, Kind::Count, now, used, 1);
    // Loaded is not in use: without a rule that asks for it, no flow is ever counted.
    let idle = used == 0 && limit.allows.is_some();
    match idle {
        true => Limit { firm: false, ..limit }.noted("binds only if a firewall rule tracks flows"),
        false => limit,
    }
}

/// Counts queued bytes in pages, at least one for each end that has any; an idle socket has none.
fn tcp_mem(facts: &Facts, ends: u64) -> Limit {
    let used = facts.tcp_mem_pages.as_ref().map_or(0, |pages| pages.used);
    let now = Now::of(facts.tcp_mem_pages.clone().map(|pages| pages.max));
    Limit::new(Id::TcpMem, Kind::Data, now, used, ends).noted("idle sockets use none of it")
}

fn somaxconn(facts: &Facts) -> Limit {
    Limit::new(Id::Somaxconn, Kind::Burst, Now::of(facts.somaxconn.clone()), 0, 1)
}

/// Not read while cookies are on. When off, the last quarter is kept for peers known to be alive.
/// Source: `tcp_conn_request` in net/ipv4/tcp_input.c.
fn syn_backlog(facts: &Facts) -> Limit {
    let limit = Limit::new(Id::SynBacklog, Kind::Burst, Now::of(facts.syn_backlog.clone()), 0, 1);
    match facts.syncookies {
        Ok(false) => {
            let allows = limit.allows.map(|backlog| backlog - backlog / 4);
            Limit { allows, ..limit }.noted("a quarter is kept for peers already known")
        }
        _ => Limit { allows: None, ..limit }.noted("unused while tcp_syncookies is on"),
    }
}

fn ports(facts: &Facts) -> Limit {
    let size = |range: PortRange| u64::from(range.high.saturating_sub(range.low)) + 1;
    let now = Now::of(facts.ports.clone().map(size));
    let limit = Limit::new(Id::PortRange, Kind::Client, now, 0, 2);
    let allows = limit.allows.map(|half| half.clamp(1, CLIENT_PORTS_MAX));
    let range = facts.ports.as_ref().map(|range| format!("{}-{}", range.low, range.high));
    let note = range.map_or_else(|_| String::new(), |r| format!("{r}; slow beyond half"));
    Limit { allows, ..limit }.noted(note)
}
