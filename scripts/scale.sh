#!/usr/bin/env bash
# What a crowd costs: whether 100 busy WebSockets are as fast with 10,000 and 100,000 idle ones
# beside them as alone, and how many connections (upgrade, echo, close) are taken in a second, by
# one worker beside the floor (benches/floor), and by several.
#
#   scripts/scale.sh [--rounds N] [--seconds S] [--idle N,N] [--workers N,N]
#
# Server and generators are pinned to CPUs of their own and take turns; medians of ratios that are
# taken round by round. Exit status 1 if a figure is missed. Needs python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python3 scripts/scale/scale.py "$@" # only looks at the arguments
[[ " $* " != *" --help "* && " $* " != *" -h "* ]] || exit 0
target=${CARGO_TARGET_DIR:-target}
cargo build --locked --release --quiet --bin oneloop
cargo build --locked --release --quiet --manifest-path benches/floor/Cargo.toml --target-dir "$target/benches"
exec python3 scripts/scale/scale.py --oneloop "$target/release/oneloop" --floor "$target/benches/release/floor" "$@"
