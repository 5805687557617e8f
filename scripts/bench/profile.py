"""
profile.py ONELOOP OUT [--flame FILE] CASE...: where the time of a message goes (`ws 64 x16`; see
scripts/profile.sh).

Two trees for each case: of the CPU, by `perf`, which shows how little of it is ours; and of our
instructions, by callgrind, a long run less a short one, source file by source file, which shows
where that little is. Or a flame graph of the CPU of one case.
"""
import collections
import os
import re
import subprocess
import sys
import time

import flame
import machine
import servers

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "instructions"))
import count  # noqa: E402

CONNECTIONS = 100
SAMPLES_PER_S = 999
# Below this share a branch is not shown.
SHARE_MIN = 0.02
DEPTH_MAX = 11
# How a system call begins is the same for all of them.
GATE = re.compile(r"entry_SYSCALL_64|do_syscall_64|__x64_sys_|x64_sys_call|el0|invoke_syscall")
# What libc's functions are called; none of ours is.
LIBC = re.compile(r"__(?!rust)(libc_)?|(?=epoll_wait|clock_gettime)")
# From here on the kernel does the other end's work: loopback has no wire.
SOFTIRQ = re.compile(r"__local_bh_enable_ip|do_softirq|__do_softirq|irq_exit")


def cpu(program, kind, size, depth):
    """Stacks of the server under load, as a tree."""
    oneloop = servers.known({"oneloop": program, "floor": "", "peers": ""}, [])[0][0]
    with oneloop.start(kind) as running:
        data = os.path.join(running.dir.name, "perf")
        load = [program, "load", running.url, "-c", str(CONNECTIONS), "--size", str(size or 64),
                "--depth", str(depth), "-d", "9s", "-q"]
        with machine.Process(load, machine.CLIENT_CPU):
            time.sleep(0.7)  # until all are connected
            subprocess.run(["perf", "record", "-e", "cpu-clock", "-F", str(SAMPLES_PER_S),
                            "--call-graph", "dwarf,32768", "-o", data, "-p", str(running.pid),
                            "--", "sleep", "8"], check=True, capture_output=True)
        script = subprocess.run(["perf", "script", "-i", data, "--inline", "-F", "ip,sym"],
                                check=True, capture_output=True, text=True).stdout
    root = flame.Node()
    for sample in script.split("\n\n"):
        stack = frames(sample)
        if stack:
            root.add(stack)
    return root


def frames(sample):
    """Names and kinds of the functions of a sample, from what `main` calls inwards."""
    stack, before, was_inlined = [], "", False
    for line in sample.strip().splitlines():
        address, _, name = line.strip().partition(" ")
        is_inlined = name.endswith(" (inlined)")
        if is_inlined and address == before and not was_inlined:
            # perf has put the outermost name of an address first, and says it again at the end.
            stack.pop()
        before, was_inlined = address, is_inlined
        if name and not name.startswith("["):
            stack.append((name.removesuffix(" (inlined)"), address.startswith("ffff")))
    named, is_softirq = [], False
    for name, is_kernel in reversed(stack):
        is_softirq |= is_kernel and bool(SOFTIRQ.match(name))
        if GATE.match(name):
            frame = ("system call", "call")
        elif is_kernel:
            frame = (plain(name), "softirq" if is_softirq else "call")
        elif LIBC.match(name):
            frame = (plain(LIBC.sub("", name, count=1)), "libc")
        else:
            frame = (plain(name), "own")
        if frame == ("main", "own"):
            named.clear()
        elif frame not in named[-1:]:
            named.append(frame)
    return named


def plain(name):
    """The last part of a symbol, without generics: of an inlined one perf knows no more."""
    name = re.sub(r"::h[0-9a-f]{16}$|\.(part|isra|constprop)\.\d+|@@.*", "", name)
    while re.search(r"<[^<>]*>", name):
        name = re.sub(r"<[^<>]*>", "", name)
    return name.rsplit("::", 1)[-1]


def tree(node, all_samples, indent=0):
    """Lines of the branches worth showing; a chain of single children is one line."""
    for name, child in node.by_size():
        if child.samples / all_samples < SHARE_MIN or indent > DEPTH_MAX:
            continue
        while len(child.children) == 1 and child.by_size()[0][1].samples == child.samples:
            name, child = child.by_size()[0]
        yield "%5.1f %%  %s%s" % (100 * child.samples / all_samples, "  " * indent, name)
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
    if chosen[0] == "--flame":
        kind, size, depth = chosen[2].split()
        samples = cpu(program, kind, int(size), int(depth.lstrip("x")))
        title = "CPU of the server: %s, %d connections, %d samples"
        title %= (chosen[2], CONNECTIONS, samples.samples)
        with open(chosen[1], "w", encoding="utf-8") as file:
            file.write(flame.draw(title, samples))
        return 0
    for name in chosen:
        kind, size, depth = name.split()
        case = (kind, int(size), int(depth.lstrip("x")))
        print("\n## %s, %d connections: CPU\n" % (name, CONNECTIONS))
        samples = cpu(program, *case)
        print("\n".join(tree(samples, samples.samples)))
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
