"""Busy connections beside idle ones, and connects a second: see scripts/scale.sh."""
import argparse
import os
import resource
import statistics
import sys
import tempfile
from contextlib import ExitStack, contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "bench"), os.path.join(HERE, "..", "million")]
import arguments  # noqa: E402
import hold  # noqa: E402  idle ones, as scripts/million.sh holds them
import machine  # noqa: E402
import measure  # noqa: E402
import servers  # noqa: E402
import tables  # noqa: E402
from cases import Case  # noqa: E402

# Half of the CPUs are the servers', in one piece.
HALF = max(1, len(machine.CPUS) // 2)
SERVER_CPUS, CLIENT_CPUS = machine.CPUS[:HALF], machine.CPUS[-HALF:]
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

BUSY = Case("busy", "ws", ["-c", 100, "--size", 64])
CHURN = Case("churn", "ws", ["-c", 100, "--churn", 1])


def read_arguments():
    parser = arguments.Parser(
        prog="scripts/scale.sh",
        description="100 busy connections beside idle ones, and connects a second by workers.")
    parser.add_argument("--oneloop", help=argparse.SUPPRESS)
    parser.add_argument("--floor", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=arguments.rounds, default=9, metavar="N", help="(9)")
    parser.add_argument("--seconds", type=arguments.seconds, default=1, metavar="S",
                        help="of each run (1)")
    parser.add_argument("--idle", type=arguments.numbers, default=[10_000, 100_000],
                        metavar="N,N", help="idle connections (10000,100000)")
    parser.add_argument("--workers", type=arguments.numbers, default=[2, 4], metavar="N,N",
                        help="of the servers that are connected to (2,4)")
    return parser.parse_args()


def on(cpus):
    return ["taskset", "-c", ",".join(map(str, cpus))]


def oneloop(program, workers):
    # Nobody pings: the idle ones are to be idle.
    command = lambda _kind, port, _place: [
        program, "serve", "--log", "error", "--workers", str(workers), "--ping-interval", "off",
        "--listen", "http://127.0.0.1:%d" % port]
    return servers.Server("oneloop", ["ws"], command)


def floor(program):
    return servers.Server("floor", ["ws"], lambda kind, port, _: [program, kind, str(port)])


@contextmanager
def crowd(program, port, count):
    """So many idle WebSockets, from generators that sleep."""
    most = min(hold.GENERATOR_MAX, FILES - 64)
    sizes = [min(most, count - at) for at in range(0, count, most)]
    held = [hold.generator(program, "127.0.0.1:%d" % port, size, nth)
            for nth, size in enumerate(sizes)]
    try:
        served = sum(map(hold.settled, held))
        if served != count:
            raise measure.Skipped("only %d of %d connected" % (served, count))
        yield
    finally:
        hold.let_go(held)


def rates(chosen, up, case, extra):
    """By name: the rates of all rounds. `up` are running servers by name, who take turns."""
    found = {name: [] for name in up}
    with tempfile.TemporaryDirectory() as directory:
        for number in range(chosen.rounds):
            for name, running in up.items():
                built = {"oneloop": chosen.oneloop}
                result, _ = measure.oneloop_load(built, running, case, chosen.seconds,
                                                 directory + "/out", extra)
                found[name].append(result["rate_per_s"])
                if sys.stderr.isatty():
                    told = "\r\033[K%s, %s, round %d\r" % (case.name, name, number + 1)
                    print(told, end="", file=sys.stderr, flush=True)
    return found


def tell(found, reference, bounds):
    """A line for each; true if all are within their bounds, (least, most) to the reference."""
    is_met = True
    for name, values in found.items():
        ratio = tables.Ratio(values, found[reference])
        least, most = bounds.get(name, (0, None))
        middle = statistics.median(ratio.rounds)
        met = least <= middle <= (most or middle)
        is_met &= met
        figure = "" if name not in bounds else "met" if met else "MISSED"
        print("%-14s %9.0f /s   %-14s %s" % (name, statistics.median(values), ratio.text(), figure))
    return is_met


def busy_beside_idle(chosen):
    """The same server, as often as there are crowds; each has its own."""
    most = max(chosen.idle) + 200
    room = FILES - hold.RESERVE
    workers = 1 if most <= room else -(-most // (room - room // 20))
    print("100 busy WebSockets, 64 bytes, beside idle ones; %d worker(s)" % workers)
    with ExitStack() as stack:
        up = {}
        for count in [0, *chosen.idle]:
            server = oneloop(chosen.oneloop, workers)
            running = stack.enter_context(servers.Running(server, "ws", on(SERVER_CPUS)))
            stack.enter_context(crowd(chosen.oneloop, running.port, count))
            up["%d idle" % count] = running
        found = rates(chosen, up, BUSY, [])
    return tell(found, "0 idle", {"%d idle" % count: (0.9, 1.1) for count in chosen.idle})


def connects(chosen):
    print("connect, upgrade, echo, close; %d CPU(s) for each side" % HALF)
    with ExitStack() as stack:
        start = lambda server: stack.enter_context(servers.Running(server, "ws", on(SERVER_CPUS)))
        up = {"floor": start(floor(chosen.floor)), "1 worker": start(oneloop(chosen.oneloop, 1))}
        for workers in chosen.workers:
            up["%d workers" % workers] = start(oneloop(chosen.oneloop, workers))
        found = rates(chosen, up, CHURN, ["--procs", HALF] if HALF > 1 else [])
    bounds = {"1 worker": (0.95, None)}
    # Where there is one CPU for all workers, there is nothing to grow into.
    bounds.update({"%d workers" % n: (1.1, None) for n in chosen.workers if n <= HALF})
    return tell(found, "floor", bounds)


def main():
    chosen = read_arguments()
    if not chosen.oneloop:
        return 0
    os.sched_setaffinity(0, set(CLIENT_CPUS))
    met = [busy_beside_idle(chosen), connects(chosen)]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
