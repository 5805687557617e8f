"""
profile.py ONELOOP OUT CASE...: where the time of a message goes (`ws 64 x16`; see --help of
scripts/profile.sh).

Two trees for each case: of the CPU, by `perf`, which shows how little of it is ours; and of our
instructions, by callgrind, a long run less a short one, source file by source file, which shows
where that little is.
"""
import collections
import os
import re
import subprocess
import sys
import time

import machine
import servers

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "instructions"))
import count  # noqa: E402

CONNECTIONS = 100
SAMPLES_PER_S = 1999
# Below this share a branch is not shown.
SHARE_MIN = 0.02
DEPTH_MAX = 7


def cpu(program, kind, size, depth):
    """Stacks of the server under load, as a tree of [samples, children]."""
    oneloop = servers.known({"oneloop": program, "floor": "", "peers": ""}, [])[0][0]
    with oneloop.start(kind) as running:
        data = os.path.join(running.dir.name, "perf")
        load = [program, "load", running.url, "-c", str(CONNECTIONS), "--size", str(size or 64),
                "--depth", str(depth), "-d", "3s", "-q"]
        with machine.Process(load, machine.CLIENT_CPU):
            time.sleep(0.7)  # until all are connected
            subprocess.run(["perf", "record", "-e", "cpu-clock", "-F", str(SAMPLES_PER_S), "-g",
                            "-o", data, "-p", str(running.pid), "--", "sleep", "2"],
                           check=True, capture_output=True)
        script = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym"], check=True,
                                capture_output=True, text=True).stdout
    root = [0, {}]
    for sample in script.split("\n\n"):
        names = [plain(line) for line in sample.strip().splitlines()][::-1]
        names = [name for name in names if name and not name.startswith("[")]
        if not names:
            continue
        root[0] += 1
        at = root
        for name in names:
            at = at[1].setdefault(name, [0, {}])
            at[0] += 1
    return root


def plain(line):
    """A symbol as a reader knows it: without address, hash and generics."""
    name = line.strip().split(" ", 1)[-1]
    name = re.sub(r"::h[0-9a-f]{16}$", "", name)
    while re.search(r"<[^<>]*>", name):
        name = re.sub(r"<([^<>]*) as [^<>]*>|<[^<>]*>", r"\1", name)
    return name


def tree(node, all_samples, indent=0):
    """Lines of the branches worth showing; a chain of single children is one line."""
    for name, child in sorted(node[1].items(), key=lambda item: -item[1][0]):
        if child[0] / all_samples < SHARE_MIN or indent > DEPTH_MAX:
            continue
        while len(child[1]) == 1 and next(iter(child[1].values()))[0] == child[0]:
            name, child = next(iter(child[1].items()))
        yield "%5.1f %%  %s%s" % (100 * child[0] / all_samples, "  " * indent, name)
        yield from tree(child, all_samples, indent + 1)


def lines_of(path):
    """Instructions by source file, from what callgrind wrote. A name is spelled once."""
    names, spent = {}, collections.Counter()
    place, is_call = "", False
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            found = re.match(r"(fl|fi|fe)=\((\d+)\)(?: (.*))?", line)
            if found:
                if found.group(3):
                    names[found.group(2)] = found.group(3)
                place = names[found.group(2)]
            elif re.match(r"c(fl|fi|ob|fn)=\((\d+)\) (.*)", line):
                part, number, name = re.match(r"c(fl|fi|ob|fn)=\((\d+)\) (.*)", line).groups()
                if part in ("fl", "fi"):
                    names[number] = name.rstrip()
            elif line.startswith("calls="):
                is_call = True
            elif line[:1].isdigit() or line[:1] in "+-*":
                if not is_call:
                    spent[short(place)] += int(line.split()[1])
                is_call = False
    return spent


def short(path):
    """A path from the top of the repository, or what is left of a library's."""
    for top in ["library/", "malloc/", "sysdeps/", "src/"]:
        if "/registry/" not in path and "/" + top in path:
            return top + path.rsplit("/" + top, 1)[1]
    return "/".join(path.split("/")[-3:])


def instructions(program, outdir, case):
    few, many = (50, 250) if case[1] > 10_000 else (500, 2500)
    spent = collections.Counter()
    for turns, sign in [(many, 1), (few, -1)]:
        count.run(program, outdir, case, turns)
        for place, number in lines_of(os.path.join(outdir, "out")).items():
            spent[place] += sign * number
    return {place: number / (many - few) / case[2] for place, number in spent.items()}


def main(program, outdir, *chosen):
    os.makedirs(outdir, exist_ok=True)
    for name in chosen:
        kind, size, depth = name.split()
        case = (kind, int(size), int(depth.lstrip("x")))
        print("\n## %s, %d connections: CPU\n" % (name, CONNECTIONS))
        samples = cpu(program, *case)
        print("\n".join(tree(samples, samples[0])))
        print("\n## %s, alone: user instructions a message\n" % name)
        spent = instructions(program, outdir, case)
        total = sum(spent.values())
        for place, number in sorted(spent.items(), key=lambda item: -item[1]):
            if number >= total * SHARE_MIN:
                print("%9.0f  %s" % (number, place))
        print("%9.0f  in all" % total, flush=True)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
