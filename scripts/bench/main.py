"""The servers side by side: see scripts/bench.sh."""
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import arguments
import cases
import machine
import measure
import servers
import tables

CLIENTS = {"oneloop load": "", "wrk": "as root, apt-get install wrk",
           "oha": "cargo install --locked oha"}
COUNTERS = ["strace", "valgrind"]
# A row, or a round of it, of which nothing came.
UNMEASURED = {"reasons": ["not measured in each round: see the end"]}
# More connections than this cannot be made in time while a tool slows the server down.
COUNTED_CONNECTIONS_MAX = 1000
INTERRUPTS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
QUICK_SERVERS = ["oneloop", "floor", "fastwebsockets", "tungstenite", "tokio", "nginx"]


class Bench:
    """What is to be measured, what was, and how far it is."""

    def __init__(self, chosen):
        self.chosen = chosen
        self.built = {"oneloop": chosen.bin_oneloop, "floor": chosen.bin_floor,
                      "peers": chosen.bin_peers}
        self.servers, missing = servers.known(self.built, chosen.server)
        if chosen.servers and not chosen.check:
            self.servers = arguments.pick(chosen.servers, self.servers)
        elif chosen.quick:
            wanted = QUICK_SERVERS + [name for name, _, _ in chosen.server]
            self.servers = [server for server in self.servers if server.name in wanted]
        if not chosen.no_counts:
            missing += ["%s is not installed, so what it counts is missing: as root, "
                        "apt-get install %s" % (tool, tool)
                        for tool in COUNTERS if not shutil.which(tool)]
        self.report = {"machine": machine.describe(), "rounds": chosen.rounds,
                       "seconds": chosen.seconds, "cases": {}, "references": {}, "skipped": missing}
        self.cases = [case for case in cases.every()
                      if self.is_wanted(case) and (chosen.check or self.who(case))]
        self.begun, self.done, self.all = time.monotonic(), 0.0, 0.0

    def is_wanted(self, case):
        if self.chosen.only:
            return any(arguments.is_called(case, pattern) for pattern in self.chosen.only)
        return case.is_quick or not self.chosen.quick

    def who(self, case):
        return [server for server in self.servers if case.kind in server.kinds]

    def skip(self, what):
        if what not in self.report["skipped"]:
            self.report["skipped"].append(what)
            self.say("skipped: " + what)

    def say(self, text):
        print("\r\033[K" + text if sys.stderr.isatty() else text, file=sys.stderr, flush=True)

    def progress(self, text, weight=0.0):
        """`weight` is how long it should take; the rest is put in proportion to it."""
        self.done += weight
        left = ""
        if self.done > 0:
            seconds = (time.monotonic() - self.begun) / self.done * max(0, self.all - self.done)
            left = ", %d:%02d left" % divmod(seconds, 60)
        line = "%3.0f %%%s  %s" % (100 * self.done / max(self.all, 1e-9), left, text)
        if sys.stderr.isatty():
            print("\r\033[K" + line[:110], end="", file=sys.stderr, flush=True)
        elif weight == 0:
            print(line, file=sys.stderr, flush=True)

    def file(self, case, who, what):
        return "%s/runs/%s.%s.%s.json" % (self.chosen.out, case, who, what)

    def weight(self, case):
        """About how many seconds a case takes."""
        count = len(self.who(case))
        if case.measure == "idle":
            return 2.0 * count
        if case.measure == "clients":
            return count * 3 * self.chosen.rounds * (max(1, self.chosen.seconds) + 0.3)
        each = self.chosen.seconds + 0.2 + case.load[1] / 8000
        counts = 0 if self.chosen.no_counts else 13 * is_counted(case)
        return count * (each * self.chosen.rounds + counts)

    def run(self):
        offers = subprocess.run([self.built["oneloop"], "load", "--help"], capture_output=True,
                                text=True, check=True).stdout.split()
        self.all = sum(map(self.weight, self.cases))
        for case in self.cases:
            if case.needs and case.needs not in offers:
                self.skip("%s: this oneloop load has no %s" % (case.name, case.needs))
                self.done += self.weight(case)
                continue
            self.progress(case.name)
            how = {"load": self.echo, "idle": self.idle, "clients": self.clients}[case.measure]
            how(case)
            tables.write(self.report, self.chosen.out)

    def attempt(self, what, name, case):
        """What came of it, if anything. Whatever a server does, the others are measured."""
        try:
            return what()
        except (measure.Skipped, RuntimeError, OSError, AssertionError, ValueError,
                subprocess.SubprocessError) as error:
            self.skip("%s, %s: %s" % (case.name, name, error))
            return None

    def echo(self, case):
        """All servers are up at once, and take turns: an idle one costs nothing."""
        found = self.report["cases"].setdefault(case.name, {})
        share = self.weight(case) / max(1, len(self.who(case)) * self.chosen.rounds)
        with ExitStack() as stack:
            up = {}
            for server in self.who(case):
                running = self.attempt(lambda: stack.enter_context(server.start(case.kind)),
                                       server.name, case)
                found[server.name] = [] if running else [dict(UNMEASURED)]
                if running:
                    up[server] = running
            for number in range(self.chosen.rounds):
                for server, running in up.items():
                    out = self.file(case.name, server.name, number)
                    got = self.attempt(lambda: measure.load(
                        self.built, running, case, self.chosen.seconds, out), server.name, case)
                    if got and number > 0:
                        del got["grown_bytes"]  # only before the first load it was as it began
                    found[server.name].append(got or dict(UNMEASURED))
                    self.progress("%s, %s, round %d" % (case.name, server.name, number + 1), share)
            self.counts(case, up, found)
        self.compare(case, found)

    def counts(self, case, up, found):
        """What does not depend on how fast the machine is; it is the same in each round."""
        if self.chosen.no_counts:
            return
        for server, running in up.items():
            out = self.file(case.name, server.name, "counted")
            counters = {
                "strace": lambda: measure.syscalls(self.built, running, case, out),
                "valgrind": lambda: measure.instructions(self.built, server, case, out),
            }
            for tool, count in counters.items():
                if is_counted(case) and shutil.which(tool):
                    got = self.attempt(count, server.name, case)
                    found[server.name][0].update(got or {})

    def compare(self, case, found):
        """The page of `oneloop compare`."""
        files = ["%s=%s" % (name, row["file"])
                 for name, rounds in found.items() for row in rounds if "file" in row]
        if len({file.partition("=")[0] for file in files}) > 1:
            command = [self.built["oneloop"], "compare", *files, "-o",
                       "%s/%s.html" % (self.chosen.out, case.name)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode not in (0, 3):
                self.skip("%s: no page: %s" % (case.name, done.stderr.strip()))

    def idle(self, case):
        found = self.report["cases"].setdefault(case.name, {})
        for server in self.who(case):
            def hold():
                with server.start(case.kind) as running:
                    return measure.idle(self.built, running, case, self.chosen.out)
            got = self.attempt(hold, server.name, case)
            found[server.name] = [got or dict(UNMEASURED)]
            self.progress("%s, %s" % (case.name, server.name), 2.0)

    def clients(self, case):
        """Several generators on one server; on a core of its own, and on one it has to share."""
        clients = [name for name, how in CLIENTS.items() if not how or shutil.which(name)]
        for name in CLIENTS.keys() - clients:
            self.skip("%s is not installed: %s" % (name, CLIENTS[name]))
        variants = ["", "busy"] if case.kind == "http" else [""]
        for server in self.who(case):
            for variant in variants:
                name = "-".join(filter(None, [case.name, server.name, variant]))
                self.report["references"][name] = clients[0]
                found = self.report["cases"].setdefault(name, {})
                with ExitStack() as stack:
                    running = self.attempt(lambda: stack.enter_context(server.start(case.kind)),
                                           server.name, case)
                    if not running:
                        break
                    if variant:
                        burn = ["sh", "-c", "while :; do :; done"]
                        stack.enter_context(machine.Process(burn, machine.SERVER_CPU))
                    for number in range(self.chosen.rounds):
                        for client in clients:
                            out = self.file(name, "load", number)
                            got = self.attempt(lambda: measure.client(
                                self.built, client, running, case, max(1, self.chosen.seconds),
                                out), client, case)
                            found.setdefault(client, []).append(got or dict(UNMEASURED))
            self.progress("%s, %s" % (case.name, server.name),
                          self.weight(case) / len(self.who(case)))


def is_counted(case):
    return case.load[1] <= COUNTED_CONNECTIONS_MAX


def interrupt(*_):
    """Once: what is running is then ended in order, and not interrupted in that."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    chosen = arguments.read()
    bench = Bench(chosen)
    if chosen.check:
        return 0
    if chosen.list:
        for case in bench.cases:
            print("%-24s %s" % (case.name, " ".join(server.name for server in bench.who(case))))
        for line in bench.report["skipped"]:
            print(line)
        return 0
    if not bench.cases:
        arguments.refuse("none of these servers does what these cases ask; --list shows who does")
    arguments.make_place(chosen.out)
    if len(machine.CPUS) < 2:
        print("one core: server and generator share it, and the rates are worth little",
              file=sys.stderr)
    for number in INTERRUPTS:
        signal.signal(number, interrupt)
    os.sched_setaffinity(0, {machine.CLIENT_CPU})
    status = 0
    try:
        bench.run()
    except KeyboardInterrupt:
        bench.say("interrupted: what was measured so far is in the report")
        status = 130
    tables.write(bench.report, chosen.out)
    print(tables.markdown(bench.report))
    print("%s/report.md, report.json, and a page for each case; %d s"
          % (chosen.out, time.monotonic() - bench.begun))
    rows = [row for found in bench.report["cases"].values() for rounds in found.values()
            for row in rounds]
    return status or int(all(row == UNMEASURED for row in rows))


if __name__ == "__main__":
    sys.exit(main())
