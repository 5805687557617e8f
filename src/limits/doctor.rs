//! **What.** The doctor: facts in, report out. Says how many connections one server process
//! holds as things are, which limit binds first and which is next, and judges each for N.
//!
//! **Why this way.** Pure, so each limit can be made to bind in a test. Only limits that cap the
//! number of sockets decide whether N fits: a short accept queue slows a burst of connects, and
//! the port range is the client's, so those warn. Rejected: one score for the machine.
//!
//! **Costs.** Arithmetic on a dozen limits, twice: with the clients elsewhere and with them here.
//!
//! **Read next.** `src/limits/plan.rs`: what to lift for N, in which order.

use super::facts::Facts;
use super::limit::Verdict;
use super::limit::{self, Id, KERNEL_BYTES_PER_END, Limit, Now, USER_BYTES_PER_CONNECTION};
use super::plan::{self, Plan, Processes, Who};
use super::words::{grouped, listed, plural};
use serde::Serialize;

/// How many connections are held, and why not more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// One server process holds this many; `None` when no limit could be read.
    pub connections: Option<u64>,
    /// The limits that allow exactly this many.
    pub binds_first: Vec<Id>,
    /// What it would be with those lifted.
    pub next_connections: Option<u64>,
    /// The limits that would bind then.
    pub binds_next: Vec<Id>,
}

/// What the sums take for granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assumed {
    /// Where the clients are: `elsewhere`. `held_with_clients_here` has the other answer.
    pub clients: &'static str,
    /// Fds the server keeps for itself.
    pub reserve_fds: u64,
    /// Kernel memory of one end of a connection.
    pub kernel_bytes_per_end: u64,
    /// User memory of one idle connection of the server.
    pub user_bytes_per_connection: u64,
}

/// CPUs as information: one loop uses one. `None` where unreadable, or no quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CpuInfo {
    /// CPUs this process may run on.
    pub allowed: Option<u64>,
    /// The tightest cgroup quota, in CPUs.
    pub quota: Option<f64>,
}

/// The doctor's answer. Serialised as it stands: its names are the keys of `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The whole answer in one sentence.
    pub conclusion: String,
    /// The N that was asked about.
    #[serde(rename = "for")]
    pub for_n: Option<u64>,
    /// What the limits' `lift` is enough for: N, else where the next limit binds, else twice what
    /// is held now.
    pub lifts_to: u64,
    fits: bool,
    /// With the clients on other machines.
    pub held: Held,
    /// With the clients on this machine too, as under `oneloop load`.
    pub held_with_clients_here: Held,
    /// What to do for N; `None` when no N was asked about.
    pub plan: Option<Plan>,
    /// What the sums take for granted.
    pub assumed: Assumed,
    /// Every limit, per-process ones first.
    pub limits: Vec<Limit>,
    /// CPUs, as information.
    pub cpus: CpuInfo,
}

impl Report {
    /// Whether N fits as things are, with nothing lifted. True when no N was asked about, false
    /// when no limit could be read.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.fits
    }

    /// The limit called `id`; every report has all of them.
    #[must_use]
    pub fn limit(&self, id: Id) -> Option<&Limit> {
        self.limits.iter().find(|limit| limit.id == id)
    }
}

/// Judges `facts` for `for_n` connections, or for what is held now when that is `None`.
#[must_use]
pub fn examine(facts: &Facts, for_n: Option<u64>, reserve_fds: u64) -> Report {
    let mut limits = limit::all(facts, 1, reserve_fds);
    let held = held(&limits);
    let held_here = self::held(&limit::all(facts, 2, reserve_fds));
    let twice = held.connections.map(|held| held.saturating_mul(2));
    let goal = for_n.or(held.next_connections).or(twice).unwrap_or(0);
    let processes = Processes::for_goal(facts, goal, reserve_fds);
    for limit in &mut limits {
        limit.verdict = verdict(limit, for_n, &held);
        if limit.verdict != Verdict::Ok {
            limit.lift = plan::lift(limit, goal, &processes, facts).map(|step| step.text());
        }
    }
    let binds = limits.iter().any(|limit| limit.verdict == Verdict::Binds);
    let fits = for_n.is_none() || (held.connections.is_some() && !binds);
    let plan = for_n.map(|n| plan::for_n(facts, n, &limits, processes));
    Report {
        conclusion: conclusion(&limits, &held, plan.as_ref()),
        for_n,
        lifts_to: goal,
        fits,
        held,
        held_with_clients_here: held_here,
        plan,
        assumed: Assumed {
            clients: "elsewhere",
            reserve_fds,
            kernel_bytes_per_end: KERNEL_BYTES_PER_END,
            user_bytes_per_connection: USER_BYTES_PER_CONNECTION,
        },
        limits,
        cpus: CpuInfo {
            allowed: facts.cpus.as_ref().ok().map(|cpus| cpus.allowed),
            quota: facts.cpus.as_ref().ok().and_then(|cpus| cpus.quota),
        },
    }
}

/// The lowest firm limit decides; limits that allow the same number bind together.
fn held(limits: &[Limit]) -> Held {
    let firm = || limits.iter().filter(|limit| limit.firm);
    let at = |n: Option<u64>| match n {
        Some(_) => firm().filter(|limit| limit.allows == n).map(|limit| limit.id).collect(),
        None => Vec::new(),
    };
    let connections = firm().filter_map(|limit| limit.allows).min();
    let above = firm().filter_map(|limit| limit.allows).filter(|n| Some(*n) > connections);
    let next_connections = above.min();
    let (binds_first, binds_next) = (at(connections), at(next_connections));
    Held { connections, binds_first, next_connections, binds_next }
}

/// Without an N, the question is what binds now; the rest is judged for what is held now.
fn verdict(limit: &Limit, for_n: Option<u64>, held: &Held) -> Verdict {
    let n = for_n.or(held.connections).unwrap_or(0);
    let binds = match for_n {
        Some(n) => limit.is_below(n),
        None => held.binds_first.contains(&limit.id),
    };
    match limit.now {
        _ if limit.firm && binds => Verdict::Binds,
        Now::Unreadable { .. } => Verdict::Warn,
        _ if !limit.firm && limit.is_below(n) => Verdict::Warn,
        _ => Verdict::Ok,
    }
}

fn conclusion(limits: &[Limit], held: &Held, plan: Option<&Plan>) -> String {
    let Some(connections) = held.connections else {
        return "No limit could be read, so how many connections fit is not known.".into();
    };
    let first = bind(limits, &held.binds_first);
    let count = grouped(connections);
    let Some(plan) = plan else {
        let next = held.next_connections.map_or_else(String::new, |next| {
            format!(", next {} at {}", bind(limits, &held.binds_next), grouped(next))
        });
        let count = plural(connections, "connection");
        return format!(
            "One server process holds {count} now: {first} first{next}{}.",
            blind(limits)
        );
    };
    let n = grouped(plan.n);
    if plan.steps.is_empty() {
        let blind = blind(limits);
        return format!(
            "Yes, {n} fit in one process as things are: {first} first, at {count}{blind}."
        );
    }
    let now = format!("No, one process holds {count} now as {first} first");
    let steps = plural(plan.steps.len() as u64, "step");
    match plan.who() {
        Who::You => format!("{now}; {n} fit after {steps} that you may take."),
        Who::Root => format!("{now}; {n} fit after {steps}, and root is needed."),
        Who::Hardware => format!("{now}; {n} are more than this machine can hold."),
    }
}

/// The limits' names and the verb. Soft and hard together are just the limit.
fn bind(limits: &[Limit], ids: &[Id]) -> String {
    let both = [Id::NofileSoft, Id::NofileHard].iter().all(|id| ids.contains(id));
    let named =
        limits.iter().filter(|limit| ids.contains(&limit.id)).filter_map(|limit| match limit.id {
            Id::NofileSoft if both => Some("RLIMIT_NOFILE"),
            Id::NofileHard if both => None,
            _ => Some(limit.name),
        });
    let names: Vec<&str> = named.collect();
    format!("{} {}", listed(&names), if names.len() == 1 { "binds" } else { "bind" })
}

/// What the answer does not know.
fn blind(limits: &[Limit]) -> String {
    let unread = |limit: &&Limit| limit.firm && matches!(limit.now, Now::Unreadable { .. });
    match limits.iter().filter(unread).count() as u64 {
        0 => String::new(),
        count => format!(" ({} could not be read)", plural(count, "limit")),
    }
}

#[cfg(test)]
mod tests;
