"""The servers side by side: see scripts/bench.sh."""
import argparse
import fnmatch
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import cases
import machine
import measure
import servers
import tables

CLIENTS = ["oneloop load", "wrk", "oha"]
QUICK_SERVERS = ["oneloop", "floor", "fastwebsockets", "tungstenite", "tokio", "nginx"]


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench.sh", description="Runs the servers that are installed side by side.",
        epilog="A report of all is in OUT: report.md, report.json, and a page for each case.")
    parser.add_argument("--quick", action="store_true",
                        help="about a minute: few cases, nothing is counted")
    parser.add_argument("--only", metavar="PATTERN", action="append",
                        help="only cases that are called so: 'ws', '*-c100-*', ... (repeatable)")
    parser.add_argument("--servers", metavar="NAMES", help="only these: oneloop,floor,...")
    parser.add_argument("--server", metavar="NAME=KINDS=COMMAND", action="append", default=[],
                        help="one more: 'uws=ws,http,broadcast=./uws {port}' (repeatable)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each case (5)")
    parser.add_argument("--seconds", type=float, metavar="S", help="of each run (1; quick: 0.3)")
    parser.add_argument("--out", default="target/bench", metavar="DIR")
    parser.add_argument("--no-counts", action="store_true", help="without strace and callgrind")
    parser.add_argument("--list", action="store_true", help="the cases and servers, and no run")
    for name in ["oneloop", "floor", "peers"]:
        parser.add_argument("--bin-" + name, default="", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (3 if chosen.quick else 5)
    chosen.seconds = chosen.seconds or (0.3 if chosen.quick else 1)
    chosen.no_counts |= chosen.quick
    return chosen


class Bench:
    """What is to be measured, what was, and how far it is."""

    def __init__(self, chosen):
        self.chosen = chosen
        self.built = {"oneloop": chosen.bin_oneloop, "floor": chosen.bin_floor,
                      "peers": chosen.bin_peers}
        self.servers, missing = servers.known(self.built, chosen.server)
        if chosen.servers:
            wanted = chosen.servers.split(",")
            self.servers = [server for server in self.servers if server.name in wanted]
        elif chosen.quick:
            self.servers = [s for s in self.servers if s.name in QUICK_SERVERS or
                            s.name in [other.split("=")[0] for other in chosen.server]]
        self.report = {"machine": machine.describe(), "rounds": chosen.rounds,
                       "seconds": chosen.seconds, "cases": {}, "references": {}, "skipped": missing}
        self.cases = [case for case in cases.every() if self.is_wanted(case)]
        self.begun, self.done, self.all = time.monotonic(), 0.0, 0.0

    def is_wanted(self, case):
        if self.chosen.only:
            return any(fnmatch.fnmatch(case.name, pattern) or case.name.startswith(pattern + "-")
                       for pattern in self.chosen.only)
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
        counts = 0 if self.chosen.no_counts else 8 * is_counted(case) + 10 * is_instructed(case)
        return count * (each * self.chosen.rounds + counts)

    def run(self):
        offers = subprocess.run([self.built["oneloop"], "load", "--help"], capture_output=True,
                                text=True, check=True).stdout.split()
        self.all = sum(map(self.weight, self.cases))
        os.makedirs(self.chosen.out + "/runs", exist_ok=True)
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
        try:
            return what()
        except (measure.Skipped, RuntimeError, OSError, AssertionError) as error:
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
                if running:
                    up[server] = running
            for number in range(self.chosen.rounds):
                for server, running in up.items():
                    out = self.file(case.name, server.name, number)
                    got = self.attempt(lambda: measure.load(
                        self.built, running, case, self.chosen.seconds, out), server.name, case)
                    found.setdefault(server.name, []).append(got or {})
                    self.progress("%s, %s, round %d" % (case.name, server.name, number + 1), share)
            self.counts(case, up, found)
        self.compare(case, found)

    def counts(self, case, up, found):
        """What does not depend on how fast the machine is; it is the same in each round."""
        if self.chosen.no_counts:
            return
        for server, running in up.items():
            if is_counted(case) and shutil.which("strace"):
                out = self.file(case.name, server.name, "counted")
                got = self.attempt(lambda: measure.syscalls(self.built, running, case, out),
                                   server.name, case)
                found[server.name][0].update(got or {})
            if is_instructed(case) and shutil.which("valgrind"):
                got = self.attempt(lambda: measure.instructions(server, case), server.name, case)
                found[server.name][0].update(got or {})

    def compare(self, case, found):
        """The page of `oneloop compare`."""
        files = ["%s=%s" % (name, row["file"])
                 for name, rounds in found.items() for row in rounds if "file" in row]
        if len(found) > 1 and files:
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
            if got:
                found[server.name] = [got]
            self.progress("%s, %s" % (case.name, server.name), 2.0)

    def clients(self, case):
        """Several generators on one server; on a core of its own, and on one it has to share."""
        clients = [name for name in CLIENTS if shutil.which(name.split()[0]) or name == CLIENTS[0]]
        for name in set(CLIENTS) - set(clients):
            self.skip("%s: as root, apt-get install wrk; cargo install --locked oha" % name)
        variants = ["", "busy"] if case.kind == "http" else [""]
        for server in self.who(case):
            for variant in variants:
                name = "-".join(filter(None, [case.name, server.name, variant]))
                self.report["references"][name] = CLIENTS[0]
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
                            found.setdefault(client, []).append(got or {})
            self.progress("%s, %s" % (case.name, server.name),
                          self.weight(case) / len(self.who(case)))


def is_counted(case):
    return case.kind in ("tcp", "ws", "http", "wss") and case.load[1] == 100


def is_instructed(case):
    return case.kind in ("tcp", "ws", "http") and case.load[1] == 1


def main():
    chosen = arguments()
    bench = Bench(chosen)
    if chosen.list:
        for case in bench.cases:
            print("%-24s %s" % (case.name, " ".join(server.name for server in bench.who(case))))
        for line in bench.report["skipped"]:
            print(line)
        return 0
    if not bench.cases:
        print("error: no case is called so; --list names them", file=sys.stderr)
        return 2
    if len(machine.CPUS) < 2:
        print("one core: server and generator share it, and the rates are worth little",
              file=sys.stderr)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
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
    return status


if __name__ == "__main__":
    sys.exit(main())
