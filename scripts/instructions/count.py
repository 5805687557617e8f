"""
count.py PROGRAM OUTDIR EXPECTED [--expect]: instructions of `PROGRAM serve` a message.

Exit status 0: no case costs more than it may; 1: some do; 2: nothing could be counted.
"""
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


def compiler():
    version = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    return "# %s, %s" % (version.stdout.strip(), platform.machine())


def main(program, outdir, path, *arguments):
    with open(path, encoding="utf-8") as file:
        expected = dict(line.rsplit(" ", 1) for line in file.read().splitlines())
    is_known = compiler().rsplit(" ", 1)[0] in expected
    lines, status = [compiler()], 0
    for case in CASES:
        name = "%s %d x%d" % case
        counted = count(program, outdir, case)
        if name not in AT_MOST:
            lines.append("%s %.1f" % (name, counted))
        verdict = ""
        if name in AT_MOST:
            verdict = ", at most %d" % AT_MOST[name]
            status |= counted > AT_MOST[name]
        elif is_known and name in expected:
            change = counted / float(expected[name]) - 1
            verdict = ", expected %s: %+.1f %%" % (expected[name], 100 * change)
            if change > TOLERANCE and not arguments:
                verdict += ", which is more than a change may cost"
                status = 1
        print("%-13s %7.0f instructions a message%s" % (name, counted, verdict), flush=True)
    if arguments:
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    elif not is_known:
        print("not judged: what is expected was counted with another compiler")
    return int(status)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
