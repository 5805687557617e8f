"""The cases: what is asked, how much of it at once, and who is asked."""
import itertools

# More bytes in flight than this measure the machine's memory.
IN_FLIGHT_BYTES_MAX = 700 << 20
UNITS = {64: "64", 1 << 10: "1k", 4 << 10: "4k", 1 << 16: "64k"}


class Case:
    """One row of the report. `load` are arguments of `oneloop load`."""

    def __init__(self, name, kind, load=(), measure="load", needs=None, is_quick=False):
        self.name, self.kind, self.load, self.measure = name, kind, list(load), measure
        self.needs, self.is_quick = needs, is_quick


def echo(kind, connections, size, depth, extra=(), prefix=None):
    name = "%s-c%d-%s-d%d" % (prefix or kind, connections, UNITS[size], depth)
    load = ["-c", connections, "--size", size, "--depth", depth, *extra]
    quick = (connections, size, depth) in [(100, 64, 1), (100, 64, 16), (1, 64, 1)]
    return Case(name, kind, load, is_quick=quick)


def every():
    """All cases, in the order of the report."""
    cases = []
    for kind in ["ws", "tcp"]:
        for size, depth, connections in itertools.product(
                [64, 1 << 10, 1 << 16], [1, 16], [1, 100, 1000, 10_000]):
            if connections * size * depth <= IN_FLIGHT_BYTES_MAX:
                cases.append(echo(kind, connections, size, depth))
    for depth, connections in itertools.product([1, 16], [1, 100, 1000]):
        quick = connections == 100
        cases.append(Case("http-c%d-d%d" % (connections, depth), "http",
                          ["-c", connections, "--depth", depth], is_quick=quick))
    cases.append(Case("https-c100-d1", "https", ["-c", 100, "--tls-insecure"]))
    cases.append(echo("wss", 100, 64, 1, ["--tls-insecure"]))
    cases.append(echo("wss", 100, 1 << 16, 1, ["--tls-insecure"]))
    cases.append(echo("deflate", 100, 1 << 10, 1, ["--deflate"]))
    cases.append(echo("deflate", 100, 1 << 16, 1, ["--deflate"]))
    cases.append(Case("churn-ws-c100", "ws", ["-c", 100, "--churn", 1], needs="--churn"))
    for receivers, depth in itertools.product([1000, 10_000], [1, 8]):
        load = ["-c", receivers, "--depth", depth, "--fan"]
        name = "broadcast-c%d-d%d" % (receivers, depth)
        cases.append(Case(name, "broadcast", load, needs="--fan"))
    load = ["-c", 1000, "--size", 1024, "--fan", "--deflate"]
    cases.append(Case("broadcast-deflate-c1000", "deflate-broadcast", load, needs="--fan"))
    holds = {"ws": [], "tcp": [], "http": [], "wss": ["--tls-insecure"],
             "redis": ["--ask", "PING\\r\\n"]}
    for kind, load in holds.items():
        cases.append(Case("idle-" + kind, kind, load, measure="idle", is_quick=kind == "ws"))
    for kind in ["http", "slow"]:
        cases.append(Case("clients-" + kind, kind, ["-c", 100], measure="clients"))
    return cases
