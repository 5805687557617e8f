"""
fuzz.py server URL OUTDIR [PATTERN...]: the Autobahn fuzzing client against the echo server at URL.
fuzz.py client PROGRAM OUTDIR [PATTERN...]: the fuzzing server against `PROGRAM load URL --mirror
    --deflate`; client-wss: the same under TLS, with a certificate that PROGRAM is told to trust.

The cases are dealt out to some fuzzers that run at once, each with its reports in a directory of
its own, OUTDIR/1 and so on. Prints a summary by group. Exit status 0: every case is OK or
INFORMATIONAL, in how it went and in how the connection was closed (some faults show only there);
1: some are not; 2: there is no complete run.
"""
import collections
import datetime
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings

# It wants to verify names, and nothing here has one.
warnings.filterwarnings("ignore", ".*service_identity")

# A fuzzer waits as much as it works, so that two cores have work for three.
FUZZERS = 3
# What our side is called in the reports. Else a server is called what it calls itself.
AGENT = "oneloop"

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
        for case, result in load(outdir, "index.json").get(AGENT, {}).items():
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


def certificate(outdir):
    """A fuzzing server's certificate for today, behind its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(),
                                      now - day, now + day).add_extension(host, True)
    pem, path = serialization.Encoding.PEM, os.path.join(outdir, "certificate.pem")
    with open(path, "wb") as file:
        file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
        file.write(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    return path


def play(role, url, outdir):
    """One fuzzer: plays the cases that stand in OUTDIR/cases."""
    from twisted.internet import epollreactor
    epollreactor.install()
    from twisted.internet import reactor
    from autobahntestsuite import fuzzing

    cases = load(outdir, "cases")
    if role == "server":
        servers = [{"url": url, "agent": AGENT}]
        fuzzing.startClient({"outdir": outdir, "cases": cases, "servers": servers})
    else:
        spec = {"url": url, "outdir": outdir, "cases": cases}
        if role == "client-wss":
            spec["key"] = spec["cert"] = certificate(outdir)
        # 0: no page for browsers beside it.
        fuzzing.startServer(spec, 0)
        print("listening", flush=True)
    reactor.run()


def start(role, url, outdir, cases):
    os.mkdir(outdir)
    with open(os.path.join(outdir, "cases"), "w", encoding="utf-8") as file:
        json.dump(cases, file)
    with open(os.path.join(outdir, "run.log"), "w", encoding="utf-8") as log:
        command = [sys.executable, __file__, "--play", role, url, outdir]
        return subprocess.Popen(command, stdout=log)


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def answer_all(program, url, outdir, count, fuzzer):
    """Our client, one connection a case, once the fuzzing server of OUTDIR listens."""
    while fuzzer.poll() is None:
        with open(os.path.join(outdir, "run.log"), encoding="utf-8") as log:
            if "listening\n" in log:
                break
        time.sleep(0.05)
    trust = ["--tls-ca", os.path.join(outdir, "certificate.pem")] if "wss" in url else []
    for path in ["/runCase?case=%d" % (nth + 1) for nth in range(count)] + ["/updateReports?"]:
        last = "&shutdownOnComplete=true" if path.startswith("/update") else ""
        # How a case ended is the fuzzing server's to say.
        subprocess.run([program, "load", url + path + "&agent=" + AGENT + last, "-c", "1",
                        "--mirror", "--deflate", "-d", "2m", "-q", *trust],
                       stdout=subprocess.DEVNULL, check=False)


def main(role, whom, outdir, *patterns):
    from autobahntestsuite import fuzzing

    cases = chosen(fuzzing, patterns or ["*"])
    began = time.monotonic()
    outdirs, fuzzers, clients = [], [], []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        # Neighbours are alike: dealt out in turn, all fuzzers have as much to do.
        for nth in range(min(FUZZERS, len(cases))):
            outdirs.append(os.path.join(outdir, str(nth + 1)))
            scheme = "wss" if role == "client-wss" else "ws"
            url = whom if role == "server" else "%s://127.0.0.1:%d" % (scheme, free_port())
            portion = cases[nth::FUZZERS]
            fuzzers.append(start(role, url, outdirs[nth], portion))
            if role != "server":
                arguments = (whom, url, outdirs[nth], len(portion), fuzzers[nth])
                clients.append(threading.Thread(target=answer_all, args=arguments, daemon=True))
                clients[nth].start()
        for waited in clients + fuzzers:
            waited.join() if isinstance(waited, threading.Thread) else waited.wait()
    finally:
        for fuzzer in fuzzers:
            fuzzer.kill()
    print("%d cases in %.0f s; %s/*/index.html" % (len(cases), time.monotonic() - began, outdir))
    return judge(outdirs, cases)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--play"]:
        sys.exit(play(*sys.argv[2:]))
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
