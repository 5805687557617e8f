"""
fuzz.py URL OUTDIR [PATTERN...]: the Autobahn fuzzing client against the echo server at URL.

The cases are dealt out to some clients that run at once, each with its reports in a directory of
its own, OUTDIR/1 and so on. Prints a summary by group. Exit status 0: every case is OK or
INFORMATIONAL, in how it went and in how the connection was closed (some faults show only there);
1: some are not; 2: there is no complete run.
"""
import collections
import json
import os
import signal
import subprocess
import sys
import time

# A client waits as much as it works, so that two cores have work for three.
CLIENTS = 3

COLUMNS = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED"]
GOOD = {"OK", "INFORMATIONAL"}


def group(case):
    return case.split(".")[0]


def order(case):
    return [int(part) for part in case.split(".")]


def load(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
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


def judge(outdirs, cases):
    results = {}
    for outdir in outdirs:
        if not os.path.exists(os.path.join(outdir, "index.json")):
            print("error: no report was written; see %s/run.log" % outdir)
            continue
        for case, result in load(outdir, "index.json").get("server", {}).items():
            results[case] = dict(result, outdir=outdir)
    table(results)
    status = 0
    for case in sorted(results, key=order):
        result = results[case]
        if result["behavior"] in GOOD and result["behaviorClose"] in GOOD:
            continue
        told = load(result["outdir"], result["reportfile"])
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


def play(url, outdir):
    """One client: plays the cases that stand in OUTDIR/cases."""
    from twisted.internet import epollreactor
    epollreactor.install()
    from twisted.internet import reactor
    from autobahntestsuite import fuzzing

    # A name is given, because else a server is called what it calls itself.
    servers = [{"url": url, "agent": "server"}]
    cases = load(outdir, "cases")
    fuzzing.startClient({"outdir": outdir, "cases": cases, "servers": servers})
    reactor.run()


def start(url, outdir, cases):
    os.mkdir(outdir)
    with open(os.path.join(outdir, "cases"), "w", encoding="utf-8") as file:
        json.dump(cases, file)
    with open(os.path.join(outdir, "run.log"), "w", encoding="utf-8") as log:
        return subprocess.Popen([sys.executable, __file__, "--play", url, outdir], stdout=log)


def main(url, outdir, *patterns):
    from autobahntestsuite import fuzzing

    cases = chosen(fuzzing, patterns or ["*"])
    began = time.monotonic()
    outdirs, clients = [], []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        # Neighbours are alike: dealt out in turn, all clients have as much to do.
        for nth in range(min(CLIENTS, len(cases))):
            outdirs.append(os.path.join(outdir, str(nth + 1)))
            clients.append(start(url, outdirs[nth], cases[nth::CLIENTS]))
        for client in clients:
            client.wait()
    finally:
        for client in clients:
            client.kill()
    print("%d cases in %.0f s; %s/*/index.html" % (len(cases), time.monotonic() - began, outdir))
    return judge(outdirs, cases)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(play(*sys.argv[2:]) if sys.argv[1] == "--play" else main(*sys.argv[1:]))
