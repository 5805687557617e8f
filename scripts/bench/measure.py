"""One figure or several of one server in one case."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

from machine import (CLIENT_CPU, SERVER_CPU, Log, Process, Strace, cpu_ns, own_bytes,
                     slab_bytes)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "instructions"))
import count  # noqa: E402  the same frames and requests as those of scripts/instructions.sh

IDLE_CONNECTIONS = 10_000


class Skipped(Exception):
    """This cannot be measured here, and why."""


def oneloop_load(built, running, case, seconds, out, extra=()):
    """Runs `oneloop load`; its JSON, and what the server took of the machine meanwhile."""
    command = [built["oneloop"], "load", running.url, *map(str, case.load), *extra,
               "-d", "%dms" % (seconds * 1000), "-q", "--json", out]
    log = Log(running.pid)
    with Process(command, CLIENT_CPU, stderr=subprocess.PIPE, text=True) as load:
        while load.child.poll() is None:
            time.sleep(0.02)
            log.note()
        told = load.child.stderr.read().strip()
    # 3: good, but INVALID. A server at its limit is what this is for; the report says the reasons.
    if load.child.returncode not in (0, 3):
        why = told.splitlines() or ["exit status %d: nobody was served" % load.child.returncode]
        raise Skipped("oneloop load: " + why[-1])
    with open(out, encoding="utf-8") as file:
        return json.load(file), log


def load(built, running, case, seconds, out):
    """Rate, latency and CPU of both sides, in the time that was measured."""
    told, log = oneloop_load(built, running, case, seconds, out)
    start = told["measured_from_unix_s"]
    had, waited = log.between(start, start + told["duration_s"])
    rate = told["rate_per_s"]
    fates = told["connections"]
    lost = told["messages"]["wrong"] + fates["attempted"] - fates["connected"]
    if rate <= 0:
        raise Skipped("no answer in %s s" % told["duration_s"])
    return {
        "rate_per_s": rate,
        "p50_us": told["latency_us"]["p50"],
        "p99_us": told["latency_us"]["p99"],
        "cpu_us": had * 1e6 / rate,
        "grown_bytes": log.grown_bytes() / case.load[1],
        "client_cpu_us": told["cpu_share"] * 1e6 / rate,
        "server_share": had,
        "server_waited_share": waited,
        "client_share": told["cpu_share"],
        "valid": told["valid"] and lost == 0,
        "reasons": told["reasons"] + (["%d connections or messages failed" % lost] if lost else []),
        "file": out,
    }


def syscalls(built, running, case, out):
    """System calls a message: the difference of a longer and a shorter run, under strace."""
    seen = []
    for seconds in [0.3, 1.2]:
        with Strace(running.pid, SERVER_CPU) as trace:
            told, _ = oneloop_load(built, running, case, seconds, out)
            seen.append((sum(trace.counts().values()), told["messages"]["received"]))
    (calls0, messages0), (calls1, messages1) = seen
    if messages1 <= messages0:
        raise Skipped("too few messages under strace")
    return {"syscalls": (calls1 - calls0) / (messages1 - messages0)}


def idle(built, running, case, out):
    """Bytes that a connection costs while nothing happens: its server's own, and the kernel's."""
    command = [built["oneloop"], "load", running.url, "--hold", "-q", "-c", str(IDLE_CONNECTIONS),
               *case.load]
    own0, slab0 = own_bytes(running.pid), slab_bytes()
    with Process(command, CLIENT_CPU, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 text=True) as holder:
        for line in holder.child.stdout:
            if line.startswith("settled "):
                break
        else:
            raise Skipped("the connections could not be held")
        connected = json.loads(line.split(" ", 1)[1])["connections"]["connected"]
        own1, slab1 = own_bytes(running.pid), slab_bytes()
        holder.child.stdin.close()
        holder.child.stdout.read()
        holder.child.wait(30)
    if connected < IDLE_CONNECTIONS * 0.9:
        raise Skipped("only %d of %d connected" % (connected, IDLE_CONNECTIONS))
    return {"connections": connected, "own_bytes": (own1 - own0) / connected,
            "kernel_bytes_both_ends": (slab1 - slab0) / connected}


def instructions(built, server, case, out):
    """User instructions a message, by callgrind: a long run less a short one."""
    if case.kind not in ("tcp", "ws", "http") or case.load[1] > 1:
        return under_load(built, server, case, out)
    options = dict(zip(case.load[::2], case.load[1::2]))
    size, depth = options.get("--size", 0), options.get("--depth", 1)
    few, many = (50, 250) if size > 10_000 else (500, 2500)
    long, short = (in_turns(server, case.kind, size, depth, n) for n in [many, few])
    return {"instructions": (long - short) / (many - few) / depth}


def under_load(built, server, case, out):
    """As many as come in a time; how many of them are ready at once is as it happens."""
    seen = []
    for seconds in [0.4, 1.6]:
        with Callgrind() as callgrind, server.start(case.kind, callgrind.prefix) as running:
            told, _ = oneloop_load(built, running, case, seconds, out)
            running.process.end()
            seen.append((callgrind.collected(), told["messages"]["received"]))
    (spent0, messages0), (spent1, messages1) = seen
    if messages1 <= messages0:
        raise Skipped("too slow under callgrind")
    return {"instructions": (spent1 - spent0) / (messages1 - messages0)}


class Callgrind:
    """What to put before a command, and what is told when that has ended."""

    def __init__(self):
        self.log = tempfile.NamedTemporaryFile("r", suffix=".callgrind")
        self.prefix = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                       "--log-file=" + self.log.name]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.log.close()

    def collected(self):
        told = re.search(r"Collected : (\d+)", self.log.read())
        if not told:
            raise Skipped("callgrind says nothing")
        return int(told.group(1))


def in_turns(server, kind, size, depth, turns):
    """All instructions of the server in a run of `turns` writes of `depth` messages."""
    with Callgrind() as callgrind, server.start(kind, callgrind.prefix) as running:
        with socket.create_connection(("127.0.0.1", running.port), 20) as stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if kind == "tcp":
                ask, answer = b"x" * size, size
            elif kind == "ws":
                stream.sendall(count.UPGRADE)
                count.head(stream)
                ask, answer = count.frame(size, True), len(count.frame(size, False))
            else:
                ask = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
                stream.sendall(ask)
                answer = count.head(stream)
            for _ in range(turns):
                stream.sendall(ask * depth)
                count.receive(stream, answer * depth)
        running.process.end()
        return callgrind.collected()


def client(built, name, running, case, seconds, out):
    """The rate that one of several load generators sees, and how busy both sides were."""
    if name == "oneloop load":
        figures = load(built, running, case, seconds, out)
        return {key: figures[key] for key in ["rate_per_s", "server_share", "client_share"]}
    connections = case.load[1]
    if name == "wrk":
        duration = "-d%ds" % max(1, round(seconds))
        command = ["wrk", "-t1", "-c%d" % connections, duration, running.url]
    else:
        command = ["oha", "-z", "%dms" % (seconds * 1000), "-c", str(connections), "--no-tui",
                   running.url]
    begun, (had0, _) = time.monotonic(), cpu_ns(running.pid)
    with Process(command, CLIENT_CPU, stdout=subprocess.PIPE, text=True) as process:
        told = process.child.stdout.read()
        usage = os.wait4(process.pid, 0)[2]
        process.child.returncode = 0
    length = time.monotonic() - begun
    had1, _ = cpu_ns(running.pid)
    found = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if not found:
        raise Skipped("%s says no rate" % name)
    return {"rate_per_s": float(found.group(1)), "server_share": (had1 - had0) / 1e9 / length,
            "client_share": (usage.ru_utime + usage.ru_stime) / length}

