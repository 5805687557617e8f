//! **What.** A report as a table for people and as JSON for programs.
//!
//! **Why this way.** The answer comes first, in one sentence; the table is the evidence; the plan
//! is last because it is what one types next. The JSON is the report itself, so the two cannot
//! disagree. Rejected: colours (the verdict is a word, and survives a pipe).
//!
//! **Costs.** A few kilobytes of text.
//!
//! **Read next.** `src/limits/doctor.rs`: where the report comes from.

use super::doctor::Report;
use super::limit::{CLIENT_PORTS_MAX, Id, Kind, Limit, Now, Verdict};
use super::plan::{Plan, Who};
use super::words::{bytes, grouped, wrapped};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use std::io::{self, Write};

/// Columns of a terminal that nobody has to widen.
const WIDTH: usize = 100;

/// Writes the report as one JSON object, indented. Keys are stable.
///
/// # Errors
/// Those of `out`.
pub fn json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

/// Writes the report as text, 100 columns wide.
///
/// # Errors
/// Those of `out`.
pub fn text(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n", wrapped(&report.conclusion, WIDTH))?;
    writeln!(out, "{}\n", table(report).trim_fmt())?;
    if let Some(plan) = &report.plan {
        write_plan(report, plan, out)?;
    }
    writeln!(out, "{}", wrapped(&assumptions(report), WIDTH))
}

fn table(report: &Report) -> Table {
    let lifts = match report.for_n {
        None => format!("what lifts it to {}", grouped(report.lifts_to)),
        Some(_) => "what lifts it".into(),
    };
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH as u16)
        .set_header(["limit", "now", "allows", "verdict", &lifts]);
    for kind in Kind::ALL {
        table.add_row([heading(kind)]);
        for limit in report.limits.iter().filter(|limit| limit.kind == kind) {
            table.add_row(row(limit));
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding(if column.index == 4 { (0, 0) } else { (0, 2) });
        if [1, 2].contains(&column.index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Count => "SOCKETS HELD",
        Kind::Data => "DATA QUEUED",
        Kind::Burst => "CONNECTS WAITING",
        Kind::Client => "ONE CLIENT ADDRESS",
    }
}

fn row(limit: &Limit) -> [Cell; 5] {
    let verdict = match limit.verdict {
        Verdict::Ok => "ok",
        Verdict::Binds => "BINDS",
        Verdict::Warn => "warn",
    };
    let allows = match (&limit.now, limit.allows) {
        (_, Some(allows)) => grouped(allows),
        (Now::Unreadable { .. }, None) => "?".into(),
        _ => "any".into(),
    };
    [
        Cell::new(format!("  {}", limit.name)),
        Cell::new(now(limit)),
        Cell::new(allows),
        Cell::new(verdict),
        Cell::new(remark(limit)),
    ]
}

/// Value and what is taken from it already, so that the reader can do the sum.
fn now(limit: &Limit) -> String {
    let amount = |n| if limit.unit == "bytes" { bytes(n) } else { grouped(n) };
    match limit.now {
        Now::Known { value } if limit.taken > 0 => {
            format!("{} - {}", amount(value), amount(limit.taken))
        }
        Now::Known { value } => amount(value),
        Now::Unlimited => "unlimited".into(),
        Now::Absent { .. } => "none".into(),
        Now::Unreadable { .. } => "unknown".into(),
    }
}

/// What lifts it; else why there is no number; else what is worth knowing.
fn remark(limit: &Limit) -> String {
    let why = match &limit.now {
        Now::Absent { reason } | Now::Unreadable { reason } => Some(reason.clone()),
        _ => None,
    };
    let parts = [limit.lift.clone(), why.or_else(|| limit.note.clone())];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn write_plan(report: &Report, plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let n = grouped(plan.n);
    if !plan.steps.is_empty() {
        writeln!(out, "To hold {n} connections, in this order:")?;
    }
    for (i, step) in plan.steps.iter().enumerate() {
        let who = match step.who {
            Who::You => "",
            Who::Root => "   (as root)",
            Who::Hardware => "   (not here)",
        };
        writeln!(out, "  {}. {}{who}", i + 1, step.text())?;
    }
    writeln!(out, "{n} connections take:")?;
    let server = match plan.processes.workers {
        None => "no number of processes: the hard limit is below the reserve".into(),
        Some(1) => format!("1 process with RLIMIT_NOFILE {}", plan.processes.nofile_each),
        Some(workers) => format!(
            "{} processes with RLIMIT_NOFILE {} or more (the spread is uneven)",
            grouped(workers),
            plan.processes.nofile_each
        ),
    };
    writeln!(out, "  server   {server}")?;
    let each = report.limit(Id::PortRange).and_then(|limit| limit.allows);
    let each = grouped(each.unwrap_or(CLIENT_PORTS_MAX));
    let addresses = plan.client_addresses;
    let noun = if addresses == 1 { "address" } else { "addresses" };
    let addresses = grouped(addresses);
    writeln!(out, "  clients  {addresses} source {noun}, at most {each} connections from each")?;
    let (one, both) = (plan.memory_bytes, plan.memory_bytes_with_clients_here);
    writeln!(out, "  memory   {}, or {} with the clients here too\n", bytes(one), bytes(both))
}

fn assumptions(report: &Report) -> String {
    let assumed = &report.assumed;
    let (kernel, user) = (assumed.kernel_bytes_per_end, assumed.user_bytes_per_connection);
    let here = report.held_with_clients_here.connections.map_or("unknown".into(), grouped);
    let quota = report.cpus.quota.map_or("no quota".into(), |cpus| format!("quota {cpus:.2}"));
    let cpus = report.cpus.allowed.map_or("unknown".into(), |cpus| format!("{cpus}, {quota}"));
    format!(
        "Assumed: clients on other machines (with them here too, one process holds {here} now), \
         {} fds kept for the server itself, {} of kernel memory an end and {} of user memory a \
         connection. CPUs allowed: {cpus}; one loop uses one.",
        assumed.reserve_fds,
        bytes(kernel),
        bytes(user),
    )
}
