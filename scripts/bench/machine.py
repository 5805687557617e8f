"""What the machine tells of processes: CPU, memory, system calls; and children that end with us."""
import os
import platform
import re
import resource
import signal
import subprocess
import tempfile
import time

CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, CLIENT_CPU = CPUS[0], CPUS[-1]


class Process:
    """A child on a CPU of its own. Ended by its id, and only if it is still ours."""

    def __init__(self, command, cpu, **options):
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        options.setdefault("stdin", subprocess.DEVNULL)
        self.child = subprocess.Popen(command, preexec_fn=lambda: begin(cpu), **options)
        self.pid = self.child.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self, how=signal.SIGTERM):
        """Asks it to end, then makes it. Its exit status."""
        if self.child.poll() is None:
            self.child.send_signal(how)
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
        return self.child.wait()


def begin(cpu):
    """In the child: its CPU, all the files it may have, and no Ctrl-C: that is for us to deal with."""
    os.sched_setaffinity(0, {cpu})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def read(path, default=""):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return default


def cpu_ns(pid):
    """Nanoseconds that all threads of a process have had, and have waited for, a CPU."""
    had = waited = 0
    for task in os.listdir("/proc/%d/task" % pid):
        fields = read("/proc/%d/task/%s/schedstat" % (pid, task)).split()
        if fields:
            had, waited = had + int(fields[0]), waited + int(fields[1])
    return had, waited


class Log:
    """CPU and memory of a process over time, read often, to be asked about a part of that time."""

    def __init__(self, pid):
        self.pid, self.rows, self.own_bytes = pid, [], []
        self.note()

    def note(self):
        self.rows.append((time.time(),) + cpu_ns(self.pid))
        self.own_bytes.append(own_bytes(self.pid))

    def grown_bytes(self):
        """The most that its own memory has grown by."""
        return max(self.own_bytes) - self.own_bytes[0]

    def between(self, start, end):
        """CPU had and waited for, as shares of the time between two calendar times."""
        (t0, had0, waited0), (t1, had1, waited1) = self.at(start), self.at(end)
        length_ns = (t1 - t0) * 1e9
        return (had1 - had0) / length_ns, (waited1 - waited0) / length_ns

    def at(self, when):
        return min(self.rows, key=lambda row: abs(row[0] - when))


def own_bytes(pid):
    """Memory that is the process's own (RssAnon), in bytes."""
    own = re.search(r"RssAnon:\s+(\d+)", read("/proc/%d/status" % pid))
    if not own:
        raise RuntimeError("the server has ended")
    return int(own.group(1)) * 1024


def slab_bytes():
    """What the kernel keeps in slabs: sockets among other things."""
    return int(re.search(r"Slab:\s+(\d+)", read("/proc/meminfo")).group(1)) * 1024


class Strace:
    """Counts the system calls of a running process, which is much slower meanwhile."""

    def __init__(self, pid, cpu):
        self.file = tempfile.NamedTemporaryFile("r", suffix=".strace")
        self.process = Process(
            ["strace", "-f", "-c", "-q", "-o", self.file.name, "-p", str(pid)], cpu)
        while self.process.child.poll() is None and is_untraced(pid):
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.end(signal.SIGINT)

    def counts(self):
        """Ends it. Calls by name."""
        self.process.end(signal.SIGINT)
        rows = [line.split() for line in self.file.read().splitlines()]
        self.file.close()
        return {row[-1]: int(row[3]) for row in rows
                if len(row) > 4 and row[3].isdigit() and row[-1] != "total"}


def is_untraced(pid):
    return "TracerPid:\t0" in read("/proc/%d/status" % pid)


def describe():
    """The machine, in words that go into a report."""
    model = re.search(r"model name\s*: (.*)", read("/proc/cpuinfo"))
    return {
        "kernel": platform.release(),
        "cpu": model.group(1) if model else platform.machine(),
        "cores": len(CPUS),
        "server_cpu": SERVER_CPU,
        "client_cpu": CLIENT_CPU,
        "load_average_at_start": os.getloadavg()[0],
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None,
    }
