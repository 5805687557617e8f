"""From rounds to a report: medians, what of a difference is noise, and Markdown."""
import json
import statistics

# Columns of a figure: its key, its title, and how it is written.
COLUMNS = [
    ("rate_per_s", "rate /s", lambda value: "{:,.0f}".format(value)),
    ("p50_us", "p50 us", lambda value: "{:,.0f}".format(value)),
    ("p99_us", "p99 us", lambda value: "{:,.0f}".format(value)),
    ("cpu_us", "CPU us a message", lambda value: "{:.3g}".format(value)),
    ("syscalls", "syscalls a message", lambda value: "{:.2f}".format(value)),
    ("instructions", "instructions a message", lambda value: "{:,.0f}".format(value)),
    ("own_bytes", "own bytes a connection", lambda value: "{:,.0f}".format(value)),
    ("grown_bytes", "bytes grown a connection", lambda value: "{:,.0f}".format(value)),
    ("kernel_bytes_both_ends", "kernel bytes, both ends", lambda value: "{:,.0f}".format(value)),
    ("server_share", "server's CPU", lambda value: "{:.0%}".format(value)),
    ("client_share", "client's CPU", lambda value: "{:.0%}".format(value)),
]


def median(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def deviation(values):
    """The median absolute deviation, as a share of the median."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    middle = statistics.median(known)
    return statistics.median(abs(value - middle) for value in known) / middle if middle else None


class Ratio:
    """Ours to another's, round by round: what slowed a whole round down is in both."""

    def __init__(self, ours, other):
        pairs = [(a, b) for a, b in zip(ours, other) if a is not None and b]
        self.rounds = [a / b for a, b in pairs]

    def text(self):
        if not self.rounds:
            return "-"
        middle = statistics.median(self.rounds)
        text = "%.2f" % middle
        if len(self.rounds) > 1:
            text += " ± %.2f" % (deviation(self.rounds) * middle)
            if min(self.rounds) < 1 < max(self.rounds):
                text += " ≈"
        return text


def figures(rounds, key):
    return [row.get(key) for row in rounds]


def table(case, servers, reference):
    """The Markdown of one case: a row for each server, and how `reference` compares with it."""
    rows = [row for rounds in servers.values() for row in rounds]
    columns = [column for column in COLUMNS if any(column[0] in row for row in rows)]
    by = next((key for key in ["cpu_us", "own_bytes", "rate_per_s"]
               if any(key in row for row in rows)), None)
    if reference not in servers:
        reference = next(iter(servers), None)
    title = {"cpu_us": "CPU of %s to its", "own_bytes": "%s to it",
             "rate_per_s": "rate of %s to its"}.get(by, "%s") % reference
    lines = ["", "### " + case, ""]
    head = ["client" if case.startswith("clients") else "server"]
    head += [title for _, title, _ in columns] + ([title] if by else []) + ["noise", "doubts"]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    ours = servers.get(reference, [])
    for name, rounds in servers.items():
        cells = [name]
        for key, _, written in columns:
            value = median(figures(rounds, key))
            cells.append("-" if value is None else written(value))
        if by:
            ratio = Ratio(figures(ours, by), figures(rounds, by)).text()
            cells.append("" if name == reference else ratio)
        noise = deviation(figures(rounds, by)) if by else None
        cells.append("-" if noise is None else "{:.1%}".format(noise))
        cells.append(doubts(rounds))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def overview(cases):
    """A line for each case that has CPU: ours, and how it compares with the floor and the best."""
    lines = ["", "| case | rate /s | p50 us | p99 us | CPU us a message | to the floor's | "
             "to the best other's | doubts |", "|---|---|---|---|---|---|---|---|"]
    for name, servers in cases.items():
        ours = servers.get("oneloop", [])
        cpu = median(figures(ours, "cpu_us"))
        if cpu is None:
            continue
        cells = [name]
        for key, _, written in COLUMNS[:4]:
            value = median(figures(ours, key))
            cells.append("-" if value is None else written(value))
        floor = Ratio(figures(ours, "cpu_us"), figures(servers.get("floor", []), "cpu_us"))
        others = {other: median(figures(rounds, "cpu_us")) for other, rounds in servers.items()
                  if other not in ("oneloop", "floor")}
        others = {other: cpu for other, cpu in others.items() if cpu}
        compared = ["oneloop", "floor"]
        cells.append(floor.text())
        if others:
            best = min(others, key=others.get)
            ratio = Ratio(figures(ours, "cpu_us"), figures(servers[best], "cpu_us"))
            cells.append("%s (%s)" % (ratio.text(), best))
            compared.append(best)
        else:
            cells.append("-")
        cells.append(", ".join(who for who in compared if doubts(servers.get(who, []))))
        lines.append("| " + " | ".join(cells) + " |")
    return lines if len(lines) > 3 else []


def doubts(rounds):
    """Why a row may be somebody else's figure."""
    said = {"the generator was at its limit" if "generator used" in reason else reason
            for row in rounds for reason in row.get("reasons", [])}
    waited = median(figures(rounds, "server_waited_share"))
    if waited and waited > 0.02:
        said.add("the server waited for its CPU for {:.0%} of the time".format(waited))
    return "; ".join(sorted(said))


LEGEND = """
Medians of {rounds} interleaved rounds. *Noise* is the median absolute deviation, as a share of the
median, of the figure that is compared. A ratio is taken round by round; `± ` is the deviation of
these ratios, and `≈` says that the rounds do not agree who is ahead: **within noise**. CPU is the
server's, in user mode and kernel, from `schedstat`; system calls are counted by strace, user
instructions by callgrind, each in runs of their own and for up to 1,000 connections (callgrind
counts one for each byte of a `rep movsb`). *Bytes grown* is what the server's own memory grew by
in the first round, buffers and all, shared out; what an idle connection costs say the idle cases.
*Doubts* are reasons why a row may be somebody else's figure, such as the generator's."""


def markdown(report):
    machine = report["machine"]
    lines = ["# Measured by scripts/bench.sh", ""]
    lines.append("%s, Linux %s, %d cores: servers on core %d, generators on core %d; load average "
                 "at the start %.2f." % (machine["cpu"], machine["kernel"], machine["cores"],
                                         machine["server_cpu"], machine["client_cpu"],
                                         machine["load_average_at_start"]))
    lines += LEGEND.format(rounds=report["rounds"]).splitlines()
    lines += overview(report["cases"])
    for name, servers in report["cases"].items():
        lines += table(name, servers, report["references"].get(name, "oneloop"))
    if report["skipped"]:
        lines += ["", "## Not measured", ""] + ["- " + line for line in report["skipped"]]
    return "\n".join(lines) + "\n"


def write(report, out):
    with open(out + "/report.json", "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
    with open(out + "/report.md", "w", encoding="utf-8") as file:
        file.write(markdown(report))
