#!/usr/bin/env bash
# Counts the connections that each way of replacing a server loses, with tcp_migrate_req 0 and 1:
# closing one of several SO_REUSEPORT listeners, the same with its queue emptied first, and
# oneloop's own hand-over of the listening descriptors.
#
#   scripts/restart-lab.sh [UPGRADES]     upgrades under load, in each setting (20)
#
# Runs in a network namespace of its own, so no sysctl of this machine changes. Needs python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

private=
for flags in -n -rn; do
    refusal=$(unshare "$flags" true 2>&1) && private=$flags && break
done
if [[ -z $private ]]; then
    echo "skipped: no private network namespace here: $refusal" >&2
    exit 0
fi
cargo build --release --quiet --bin oneloop
exec unshare "$private" python3 scripts/restart-lab/lab.py \
    "${CARGO_TARGET_DIR:-target}/release/oneloop" "$@"
