#!/usr/bin/env bash
# Where does the time of a message go? The CPU by perf (100 connections, kernel and all), and our
# own instructions by callgrind, source file by source file.
#
#   scripts/profile.sh                          a WebSocket echo of 64 bytes
#   scripts/profile.sh 'tcp 64 x16' 'http 0 x1' 'ws 65536 x1'      kind, bytes, how many at once
#   scripts/profile.sh --flame docs/flame.svg 'ws 64 x1'           the CPU of one as a flame graph
#
# Needs perf (as root: apt-get install linux-perf), valgrind and python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ $* != --help && $* != -h ]] || {
    sed -n '2,/^set /s/^# \{0,1\}//p' "$PWD/scripts/profile.sh"
    exit 0
}
for tool in perf valgrind python3; do
    command -v "$tool" >/dev/null || {
        echo "error: $tool is not installed: as root, apt-get install ${tool/perf/linux-perf}" >&2
        exit 2
    }
done
(($#)) || set -- 'ws 64 x1'
[[ $1 != --flame || $# -eq 3 ]] || {
    echo "error: --flame takes a file and one case: --flame docs/flame.svg 'ws 64 x1'" >&2
    exit 2
}
cases=("$@")
[[ $1 != --flame ]] || cases=("$3")
for case in "${cases[@]}"; do
    [[ $case =~ ^(tcp|ws|http)\ [0-9]+\ x[1-9][0-9]*$ ]] || {
        echo "error: '$case' is no case; one is kind (tcp, ws, http), bytes and depth: 'ws 64 x1'" >&2
        exit 2
    }
done
cargo build --locked --release --quiet --bin oneloop
target=${CARGO_TARGET_DIR:-target}
exec python3 scripts/bench/profile.py "$target/release/oneloop" "$target/profile" "$@"
