#!/usr/bin/env bash
# How many instructions does a message cost the server? Counted by callgrind, in user code only, as
# the difference between a short and a long run, so that what happens once is not in it.
#
#   scripts/instructions.sh            fails if a case costs 2 % more than scripts/instructions/expected.txt says
#   scripts/instructions.sh --expect   writes that file anew: a change that is meant
#
# The counts belong to one compiler: with another one they are shown and nothing is judged. They
# are for x86-64-v3, which is what callgrind knows. Needs valgrind and python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ $# -eq 0 || $* == --expect ]] || {
    echo "error: '$*' is no argument; there is --expect" >&2
    exit 2
}
for tool in valgrind python3; do
    command -v "$tool" >/dev/null || {
        echo "error: $tool is not installed: as root, apt-get install $tool" >&2
        exit 2
    }
done
target=${CARGO_TARGET_DIR:-target}/instructions
flags=()
[[ $(uname -m) != x86_64 ]] || flags=(-C target-cpu=x86-64-v3)
RUSTFLAGS=${flags[*]} cargo build --locked --release --quiet --bin oneloop --target-dir "$target"
exec python3 scripts/instructions/count.py "$target/release/oneloop" "$target" \
    scripts/instructions/expected.txt "$@"
