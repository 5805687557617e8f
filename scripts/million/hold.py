"""Holds N WebSockets between a server of several workers and several generators; see million.sh.

Exit status 0: all were held and answered their pings; 1: some were not; 2: it does not fit.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

# Both ends: kernel and user, as docs/kernel-facts.md has measured it, and some to spare.
BYTES_EACH = 12 * 1024
# One source address to one port: beyond it connects become slow (the port cliff).
GENERATOR_MAX = 12_000
# Descriptors that a worker of many needs for other things than connections.
RESERVE = 400


def meminfo(name):
    for line in open("/proc/meminfo"):
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024


def rss(pid):
    return int(open(f"/proc/{pid}/statm").read().split()[1]) * resource.getpagesize()


def cpu_s(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def refuse(reason):
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(2)


def number(text):
    if not text.isdigit() or int(text) == 0:
        refuse(f"`{text}` is no number: scripts/million.sh [N [SECONDS]]")
    return int(text)


def check(program, n, per_process):
    """Asks the doctor for one process's share, and the memory for all of it."""
    doctor = subprocess.run(
        [program, "limits", "--for", str(per_process)], capture_output=True, text=True
    )
    if doctor.returncode != 0:
        print(doctor.stdout, file=sys.stderr)
        refuse(f"{per_process} connections in one process do not fit")
    need, have = n * BYTES_EACH, meminfo("MemAvailable")
    if need > have:
        most = have // BYTES_EACH
        refuse(f"{n} need {need >> 20} MiB of memory, {have >> 20} are free: {most} would fit")


class Server:
    def __init__(self, program, workers, file):
        self.file = file
        command = [program, "serve", "--listen", "http://127.0.0.1:0", "--workers", str(workers)]
        command += ["--ping-interval", "20s", "--metrics-file", file, "--log", "warn"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.at = None
        for line in self.process.stdout:
            if line.startswith("listening "):
                self.at = line.split("//")[1].strip()
            if line == "ready\n":
                return
        sys.exit(1)

    def books(self):
        before = len(self.lines())
        self.process.send_signal(signal.SIGUSR1)
        while len(self.lines()) == before:
            time.sleep(0.01)
        return json.loads(self.lines()[before])

    def lines(self):
        return [line for line in open(self.file).read().splitlines(True) if line.endswith("\n")]

    def pids(self):
        # A single worker is the server itself.
        workers = self.books().get("workers") or [{"pid": self.process.pid}]
        return [worker["pid"] for worker in workers]


def generator(program, at, clients, nth):
    source = f"127.0.{1 + nth // 250}.{1 + nth % 250}"
    command = [program, "load", f"ws://{at}/echo", "--hold", "--quiet", "--json", "-"]
    command += ["--duration", "1day", "--connections", str(clients), "--source", source]
    command += ["--connect-timeout", "120s", "--answer-timeout", "120s"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def settled(process):
    """How many of a generator's clients were served."""
    for line in process.stdout:
        if line.startswith("settled "):
            return json.loads(line.removeprefix("settled "))["connections"]["connected"]
    sys.exit("error: a generator ended; it has said why")


def let_go(generators):
    """Ends them all; they take leave at the same time."""
    for process in generators:
        process.stdin.close()
    for process in generators:
        process.stdout.read()
        process.wait()


def main(program, n="1000000", hold_s="60"):
    n, hold_s = number(n), number(hold_s)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # Of several, none is to be quite full: the generators' clients come all at once.
    room = hard - RESERVE
    workers = 1 if n <= room else -(-n // (room - room // 20))
    crowd = min(GENERATOR_MAX, hard - 64)
    crowds = [min(crowd, n - at) for at in range(0, n, crowd)]
    check(program, n, min(n, room))
    print(f"{n} WebSockets: {workers} workers, {len(crowds)} generators")
    slab = meminfo("Slab")
    with tempfile.TemporaryDirectory() as directory:
        server = Server(program, workers, os.path.join(directory, "books"))
        generators = []
        try:
            open(server.file, "a").close()
            pids = server.pids()
            before = sum(map(rss, pids))
            start = time.monotonic()
            generators += [generator(program, server.at, c, i) for i, c in enumerate(crowds)]
            served = sum(map(settled, generators))
            took = time.monotonic() - start
            print(f"connected    {served} in {took:.1f} s, {served / took:.0f}/s")
            user = sum(map(rss, pids)) - before
            kernel = meminfo("Slab") - slab
            print(f"memory       {user / n:.0f} bytes each in the server,", end=" ")
            print(f"{kernel / n:.0f} in the kernel for both ends")
            spent = sum(map(cpu_s, pids))
            time.sleep(hold_s)
            spent = sum(map(cpu_s, pids)) - spent
            print(f"idle CPU     {100 * spent / hold_s:.1f} % of one, pings included")
            books = server.books()
        finally:
            let_go(generators)
            server.process.terminate()
            server.process.wait()
    held, lost = books["connections"], books["closed_pong_missing"]
    print(f"held         {held} for {hold_s} s; {lost} did not answer a ping")
    return 0 if (served, held, lost) == (n, n, 0) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
