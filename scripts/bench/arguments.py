"""What scripts/bench.sh is told, and what of it cannot be."""
import argparse
import fnmatch
import math
import os
import re
import shlex
import shutil
import sys

import cases
import servers

SECONDS_MIN, SECONDS_MAX = 0.05, 3600


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, without the usage that hides it."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def error(self, message):
        refuse(message, self.prog)


def refuse(message, program="scripts/bench.sh"):
    print("error: %s (%s --help)" % (message, program), file=sys.stderr)
    sys.exit(2)


def rounds(text):
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError("'%s' is no whole number from 1 to 1000" % text)
    return int(text)


def seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not SECONDS_MIN <= value <= SECONDS_MAX:
        raise argparse.ArgumentTypeError("'%s' is no number of seconds from %s to %s, such as 0.5"
                                         % (text, SECONDS_MIN, SECONDS_MAX))
    return value


def numbers(text):
    if not re.fullmatch(r"[1-9]\d{0,6}(,[1-9]\d{0,6})*", text):
        raise argparse.ArgumentTypeError("'%s' is no list of whole numbers, such as 2,4" % text)
    return [int(number) for number in text.split(",")]


def pattern(text):
    if not any(is_called(case, text) for case in cases.every()):
        raise argparse.ArgumentTypeError("no case is called '%s'; --list names them all" % text)
    return text


def is_called(case, text):
    return fnmatch.fnmatch(case.name, text) or case.name.startswith(text + "-")


def server(text):
    """NAME=KINDS=COMMAND, in its parts."""
    name, kinds, command = (text.split("=", 2) + ["", ""])[:3]
    if not (name and kinds and command):
        raise argparse.ArgumentTypeError(
            "'%s' is not NAME=KINDS=COMMAND, such as 'uws=ws,http=./uws {port}'" % text)
    unknown = set(kinds.split(",")) - set(servers.URLS)
    if unknown:
        raise argparse.ArgumentTypeError("'%s' is no kind; there are %s"
                                         % (min(unknown), ",".join(servers.URLS)))
    if "{port}" not in command:
        raise argparse.ArgumentTypeError("'%s' has no {port}: where is it to listen?" % command)
    program = shlex.split(command)[0]
    if not shutil.which(program):
        raise argparse.ArgumentTypeError("'%s' is no program that can be run" % program)
    return name, kinds.split(","), command


def read():
    parser = Parser(
        prog="scripts/bench.sh", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs the servers that are installed side by side: a core for the server, one "
        "for the load.", epilog="""\
Shown for each case and server: rate, p50 and p99; CPU, system calls and user instructions a
message; memory a connection; our CPU to that of the floor and of each other, and the noise.
Nothing is installed: what is missing is named at the end, with the command that installs it.
Ctrl-C ends it; what was measured until then is reported.

A report of all is in DIR: report.md, report.json, and a page for each case.
PEERS_FEATURES=uwebsockets brings in uWebSockets. KINDS are of: """ + ", ".join(servers.URLS) + """.
Exit status: 0 measured, 1 nothing could be, 2 wrong arguments, 130 interrupted.""")
    parser.add_argument("--quick", action="store_true",
                        help="about a minute: few cases, nothing is counted")
    parser.add_argument("--only", metavar="PATTERN", action="append", type=pattern,
                        help="only cases that are called so: ws, 'ws-c100-*', ... (repeatable)")
    parser.add_argument("--servers", metavar="NAMES", help="only these: oneloop,floor,...")
    parser.add_argument("--server", metavar="NAME=KINDS=COMMAND", action="append", default=[],
                        type=server, help="one more: 'uws=ws,http,broadcast=./uws {port}' "
                        "(repeatable)")
    parser.add_argument("--rounds", type=rounds, metavar="N",
                        help="rounds of each case (5; quick: 3)")
    parser.add_argument("--seconds", type=seconds, metavar="S", help="of each run (1; quick: 0.3)")
    parser.add_argument("--out", default="target/bench", metavar="DIR", help="(target/bench)")
    parser.add_argument("--no-counts", action="store_true", help="without strace and callgrind")
    parser.add_argument("--list", action="store_true", help="the cases and servers, and no run")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    for name in ["oneloop", "floor", "peers"]:
        parser.add_argument("--bin-" + name, default="", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (3 if chosen.quick else 5)
    chosen.seconds = chosen.seconds or (0.3 if chosen.quick else 1)
    chosen.no_counts |= chosen.quick
    return chosen


def pick(names, known):
    """The servers of these names, all of which must be known."""
    wanted = names.split(",")
    unknown = [name for name in wanted if name not in [server.name for server in known]]
    if unknown:
        refuse("argument --servers: '%s' is no server here; there are %s"
               % (unknown[0], ",".join(server.name for server in known)))
    return [server for server in known if server.name in wanted]


def make_place(out):
    try:
        os.makedirs(out + "/runs", exist_ok=True)
    except OSError as error:
        refuse("argument --out: '%s': %s" % (out, error.strerror))
