"""
fuzz.py URL OUTDIR [PATTERN...]: the Autobahn fuzzing client against the echo server at URL.
fuzz.py listen OUTDIR [PATTERN...]: the fuzzing server, for a client. It says `listening URL CASES`
and ends when the client, called CLIENT below, asks it to /updateReports.

Leaves its reports in OUTDIR and prints a summary by group. Exit status 0: every case is OK or
INFORMATIONAL, in how it went and in how the connection was closed (some faults show only there);
1: some are not; 2: there is no complete run.
"""
import collections
import json
import os
import socket
import sys
import time

COLUMNS = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED"]
GOOD = {"OK", "INFORMATIONAL"}
# The groups of permessage-deflate, which a server may do without.
OPTIONAL = {"12", "13"}
# And those that our client does without.
CLIENT_OPTIONAL = {"12", "13"}
CLIENT = "oneloop"


def group(case):
    return case.split(".")[0]


def order(case):
    return [int(part) for part in case.split(".")]


def is_good(case, behavior, optional):
    return behavior in GOOD or (behavior == "UNIMPLEMENTED" and group(case) in optional)


def details(outdir, result):
    with open(os.path.join(outdir, result["reportfile"]), encoding="utf-8") as file:
        return json.load(file)


def table(results):
    counts = collections.defaultdict(collections.Counter)
    for case, result in results.items():
        for row in (group(case), "all"):
            counts[row][result["behavior"]] += 1
            counts[row]["ms"] += result["duration"]
    print("%-5s" % "group", *("%14s" % column for column in COLUMNS), "%9s" % "seconds")
    for row in sorted(counts, key=lambda row: (row == "all", row.zfill(3))):
        cells = ("%14d" % counts[row][column] for column in COLUMNS)
        print("%-5s" % row, *cells, "%9.1f" % (counts[row]["ms"] / 1000))


def judge(outdir, cases, agent, optional):
    with open(os.path.join(outdir, "index.json"), encoding="utf-8") as file:
        results = json.load(file).get(agent, {})
    table(results)
    status = 0
    for case in sorted(results, key=order):
        result = results[case]
        if is_good(case, result["behavior"], optional) and result["behaviorClose"] in GOOD:
            continue
        told = details(outdir, result)
        print("%s: %s: %s" % (case, result["behavior"], told["result"]))
        print("    closing: %s: %s" % (result["behaviorClose"], told["resultClose"]))
        status = 1
    missing = sorted(set(cases) - set(results), key=order)
    if missing:
        print("without a result: %s" % " ".join(missing))
        status = 2
    return status


def chosen(fuzzing, patterns):
    from autobahntestsuite.caseset import CaseSet

    every = CaseSet(fuzzing.CaseSetname, fuzzing.CaseBasename, fuzzing.Cases,
                    fuzzing.CaseCategories, fuzzing.CaseSubCategories)
    for pattern in patterns:
        if not every.resolveCasePatternList([pattern]) or (
                "*" not in pattern and pattern not in every.CasesById):
            print("error: no case is called %s; there are 1.1.1 to 13.7.18, and 6.*" % pattern)
            sys.exit(2)
    return every.parseSpecCases({"cases": patterns})


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def main(url, outdir, *patterns):
    from twisted.internet import epollreactor
    epollreactor.install()
    from twisted.internet import reactor
    from autobahntestsuite import fuzzing

    cases = chosen(fuzzing, patterns or ["*"])
    began = time.monotonic()
    with open(os.path.join(outdir, "run.log"), "w", encoding="utf-8") as log:
        terminal, sys.stdout = sys.stdout, log
        if url == "listen":
            url, agent, optional = "ws://127.0.0.1:%d" % free_port(), CLIENT, CLIENT_OPTIONAL
            # 0: no page for browsers beside it.
            fuzzing.startServer({"url": url, "outdir": outdir, "cases": cases}, 0)
            print("listening %s %d" % (url, len(cases)), file=terminal, flush=True)
        else:
            # A name is given, because else a server is called what it calls itself.
            agent, optional = "server", OPTIONAL
            servers = [{"url": url, "agent": agent}]
            fuzzing.startClient({"outdir": outdir, "cases": cases, "servers": servers})
        reactor.run()
        sys.stdout = terminal
    print("%d cases in %.0f s; %s/index.html" % (len(cases), time.monotonic() - began, outdir))
    if not os.path.exists(os.path.join(outdir, "index.json")):
        print("error: no report was written; see %s" % log.name)
        return 2
    return judge(outdir, cases, agent, optional)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
