#!/usr/bin/env bash
# Holds N WebSockets open (default: a million), over as many worker and generator processes as the
# limit of open files asks for, and tells what that takes: time to connect, memory, CPU while idle.
#
#   scripts/million.sh [N [SECONDS]]     SECONDS to hold them (60); each is pinged every 20 s
#
# Refuses, with the reason, what does not fit into memory. Needs python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release --quiet --bin oneloop
exec python3 scripts/million/hold.py "${CARGO_TARGET_DIR:-target}/release/oneloop" "$@"
