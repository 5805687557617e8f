"""What each way of replacing a server loses; see restart-lab.sh.

Exit status 0: the hand-over lost nothing; 1: it did, or did not take place; 2: bad arguments.
"""

import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

SYSCTL = "/proc/sys/net/ipv4/tcp_migrate_req"
PATIENCE_S = 30
# The load ends when the upgrades are done; this only bounds it.
LOADED_S = 600


def skip(reason):
    print(f"skipped: {reason}", file=sys.stderr)
    sys.exit(0)


def until(what, condition):
    """Waits for a condition, and gives what it comes to."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > end:
            sys.exit(f"error: waited {PATIENCE_S} s until {what}")
        time.sleep(0.01)
    return found


def raise_loopback():
    """A new network namespace starts with its loopback down (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def listeners(count, defer=False):
    made = []
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if defer:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
        one.bind(made[0].getsockname() if made else ("127.0.0.1", 0))
        one.listen(1024)
        one.setblocking(False)
        made.append(one)
    return made


def accept_all(listener):
    taken = []
    while True:
        try:
            taken.append(listener.accept()[0])
        except BlockingIOError:
            return taken


def fates(clients, heir):
    """How many clients were reset, of how many. The others are accepted by who goes on."""
    resets, accepted = set(), []

    def all_known():
        poll = select.poll()
        for client in clients:
            poll.register(client, 0)
        broken = select.POLLERR | select.POLLHUP
        resets.update(fd for fd, events in poll.poll(0) if events & broken)
        accepted.extend(accept_all(heir))
        return len(resets) + len(accepted) == len(clients)

    until("the fate of all is known", all_known)
    return len(resets), len(clients)


def close_one_of_two():
    old, new = listeners(2)
    clients = [socket.create_connection(old.getsockname()) for _ in range(200)]
    old.close()
    return fates(clients, new)


def empty_and_close_one_of_two():
    """A listener with TCP_DEFER_ACCEPT holds a handshake half open until its client sends."""
    old, new = listeners(2, defer=True)
    clients = [socket.create_connection(old.getsockname()) for _ in range(200)]
    assert not accept_all(old)
    old.close()
    for client in clients:
        client.send(b"x")
    return fates(clients, new)


def hand_over(program, upgrades, directory):
    """Upgrades under a load of which each message has a connection of its own."""
    log = open(os.path.join(directory, "log"), "w+")
    serve = [program, "serve", "--workers", "2", "--listen", "tcp://127.0.0.1:0/echo"]
    server = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=log, text=True)
    url = server.stdout.readline().split()[1]
    until("the server is ready", lambda: server.stdout.readline() == "ready\n")
    report = os.path.join(directory, "load.json")
    command = [program, "load", url, "--churn", "1", "-c", "50", "-d", f"{LOADED_S}s", "--quiet"]
    load = subprocess.Popen(command + ["--json", report], stdout=subprocess.DEVNULL)
    pid = server.pid
    try:
        for nth in range(upgrades):
            os.kill(pid, signal.SIGUSR2)
            served = r"the successor serves pid=(\d+)"
            found = lambda: re.findall(served, open(log.name).read())[nth:]
            new = int(until("the successor serves", found)[0])
            if nth == 0:
                server.wait(PATIENCE_S)
            until("the old one has gone", lambda: not os.path.exists(f"/proc/{pid}"))
            pid = new
        load.send_signal(signal.SIGINT)
        load.wait(PATIENCE_S)
    finally:
        load.kill()
        os.kill(pid, signal.SIGTERM)
    found = json.load(open(report))
    lost = found["messages"]["sent"] - found["messages"]["received"]
    connections = found["connections"]
    lost += connections["attempted"] - connections["connected"]
    return lost, connections["attempted"] + connections["reopened"]


def main():
    program = os.path.abspath(sys.argv[1])
    upgrades = sys.argv[2] if len(sys.argv) > 2 else "20"
    if not upgrades.isdigit() or int(upgrades) == 0:
        usage = "scripts/restart-lab.sh [UPGRADES]"
        print(f"error: `{upgrades}` is no number: {usage}", file=sys.stderr)
        sys.exit(2)
    raise_loopback()
    with tempfile.TemporaryDirectory() as directory:
        ways = [
            ("close one of two listeners", close_one_of_two),
            ("the same, its queue empty, handshakes half open", empty_and_close_one_of_two),
            (
                f"{upgrades} upgrades of oneloop by hand-over",
                lambda: hand_over(program, int(upgrades), directory),
            ),
        ]
        print(f"{'connections lost, of all':50} {'tcp_migrate_req 0':>18} {'1':>14}", flush=True)
        for name, way in ways:
            cells = []
            for value in "01":
                try:
                    open(SYSCTL, "w").write(value)
                except OSError as error:
                    skip(f"cannot set {SYSCTL}: {error}")
                cells.append(way())
            texts = [f"{lost:,} of {of:,}" for lost, of in cells]
            print(f"{name:50} {texts[0]:>18} {texts[1]:>14}", flush=True)
        sys.exit(1 if any(lost for lost, _ in cells) else 0)


main()
