"""
count.py PROGRAM OUTDIR EXPECTED [--expect]: instructions of `PROGRAM serve` a message, and those
of the parts, which gungraun has counted and written to OUTDIR/parts.json.

Exit status 0: no case costs more than it may; 1: some do; 2: nothing could be counted.
"""
import json
import os
import platform
import re
import socket
import subprocess
import sys

# What is asked of the server, in which size, and how often in one write.
CASES = [
    ("tcp", 64, 1),
    ("tcp", 64, 16),
    ("ws", 50, 1),
    ("ws", 64, 1),
    ("ws", 64, 16),
    ("ws", 1024, 1),
    ("ws", 65536, 1),
    ("http", 0, 1),
    ("http", 0, 16),
]
# A change that costs more than this fails.
TOLERANCE = 0.02
# A large message comes in one read or two, as the kernel likes it: not more than so many.
AT_MOST = {"ws 65536 x1": 15_000}
UPGRADE = (
    b"GET /echo HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Server:
    """The server under callgrind, on a port that the system chose."""

    def __init__(self, program, outdir, kind):
        listen = "tcp://127.0.0.1:0/echo" if kind == "tcp" else "http://127.0.0.1:0"
        self.process = subprocess.Popen(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + os.path.join(outdir, "out"),
             program, "serve", "--listen", listen, "--log", "warn"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.port = None
        for line in self.process.stdout:
            found = re.match(r"listening \w+://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found.group(1))
            if line.startswith("ready"):
                return
        sys.exit("error: the server does not start: " + self.process.stderr.read())

    def end(self):
        """Returns how many instructions it was in all."""
        self.process.terminate()
        told = self.process.communicate()[1]
        return int(re.search(r"Collected : (\d+)", told).group(1))


def receive(stream, length):
    while length > 0:
        got = stream.recv(1 << 20)
        assert got, "the server has hung up"
        length -= len(got)


def head(stream):
    """Reads a response; returns how long it is. Its body is in the same segment."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += stream.recv(1 << 16)
    return len(got)


def frame(size, is_masked):
    mask = 0x80 if is_masked else 0
    if size < 126:
        header = bytes([0x82, mask | size])
    elif size < 1 << 16:
        header = bytes([0x82, mask | 126]) + size.to_bytes(2, "big")
    else:
        header = bytes([0x82, mask | 127]) + size.to_bytes(8, "big")
    return header + (b"mask" if is_masked else b"") + b"x" * size


def run(program, outdir, case, turns):
    kind, size, depth = case
    server = Server(program, outdir, kind)
    with socket.create_connection(("127.0.0.1", server.port)) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if kind == "tcp":
            ask, answer = b"x" * size, size
        elif kind == "ws":
            stream.sendall(UPGRADE)
            head(stream)
            ask, answer = frame(size, True), len(frame(size, False))
        else:
            ask = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
            stream.sendall(ask)
            answer = head(stream)
        for _ in range(turns):
            stream.sendall(ask * depth)
            receive(stream, answer * depth)
    return server.end()


def count(program, outdir, case):
    few, many = (50, 250) if case[1] > 10_000 else (500, 2500)
    spent = run(program, outdir, case, many) - run(program, outdir, case, few)
    return spent / (many - few) / case[2]


def messages(program, outdir):
    """Case and instructions a message, of the whole server."""
    for case in CASES:
        yield "%s %d x%d" % case, count(program, outdir, case)


def parts(path):
    """Case and instructions, of what gungraun has counted: a line of JSON for each."""
    with open(path, encoding="utf-8") as file:
        for case in map(json.loads, file):
            name = "::".join([case["group"], case["function_name"], case["id"]])
            spent = case["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"]
            yield name, float(spent)


def counted_with():
    """What the counts belong to: the compiler, the machine's kind and libc, which copies."""
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    libc = "-".join(platform.libc_ver())
    return "# %s, %s, %s" % (rustc.stdout.strip(), platform.machine(), libc)


def against(expected, counted):
    if expected is None:
        return ""
    return ", expected %.1f: %+.1f %%" % (expected, 100 * (counted / expected - 1))


def failures(counted, expected):
    """What is wrong with the numbers; nothing is expected of other tools than ours."""
    for name, most in AT_MOST.items():
        if counted[name] > most:
            yield "%s: %.1f, at most %d" % (name, counted[name], most)
    for name, before in expected.items():
        now = counted.get(name)
        if now is None:
            yield name + ": expected, and not counted any more"
        elif now > before * (1 + TOLERANCE):
            change = 100 * (now / before - 1)
            yield "%s: %.1f instructions, before %.1f (%+.1f %%)" % (name, now, before, change)
    for name in counted:
        if expected and name not in expected and name not in AT_MOST:
            yield name + ": counted, and no number is expected of it"


def main(program, outdir, path, *arguments):
    with open(path, encoding="utf-8") as file:
        tools, *lines = file.read().splitlines()
    expected = {name: float(number) for name, number in (line.rsplit(" ", 1) for line in lines)}
    is_known = tools == counted_with()
    if not is_known:
        expected = {}
        print("no number is expected: they were counted with" + tools.lstrip("#"))
    counted = {}
    of_parts = parts(os.path.join(outdir, "parts.json"))
    for what, cases in [("a message", messages(program, outdir)), ("of the parts", of_parts)]:
        print("instructions %s:" % what)
        for name, number in cases:
            counted[name] = number
            verdict = against(expected.get(name), number)
            print("  %-42s %9.1f%s" % (name, number, verdict), flush=True)
    if arguments:
        kept = ["%s %.1f" % case for case in counted.items() if case[0] not in AT_MOST]
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([counted_with(), *kept]) + "\n")
        return 0
    failed = list(failures(counted, expected))
    if failed:
        most = 100 * TOLERANCE
        print("\nerror: over %d %% dearer than before, or not counted as before:" % most)
        print("\n".join("  " + line for line in failed))
        print("If that is meant: scripts/instructions.sh --expect, and say in the commit what for.")
    return int(bool(failed))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
