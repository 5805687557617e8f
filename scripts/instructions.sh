#!/usr/bin/env bash
# How many instructions does it take? Counted by callgrind, in user code only: of the whole server a
# message, as the difference between a short and a long run, so that what happens once is not in it;
# and of each part that does no I/O, by gungraun (benches/parts).
#
#   scripts/instructions.sh            fails if a case costs 2 % more than scripts/instructions/expected.txt says
#   scripts/instructions.sh --expect   writes that file anew: a change that is meant
#
# The counts belong to one compiler and one libc: with others they are shown and nothing is judged.
# They are for x86-64-v3, which is what callgrind knows. Needs valgrind, python3 and gungraun-runner.
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
parts=benches/parts/Cargo.toml
version=$(cargo pkgid --locked --manifest-path "$parts" gungraun)
version=${version##*@}
[[ $(gungraun-runner --version 2>/dev/null) == "gungraun-runner $version" ]] || {
    echo "error: gungraun-runner $version is missing: cargo install --locked --version $version gungraun-runner" >&2
    exit 2
}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/instructions
flags=()
[[ $(uname -m) != x86_64 ]] || flags=(-C target-cpu=x86-64-v3)
export RUSTFLAGS=${flags[*]} CARGO_TARGET_DIR=$target
cargo build --locked --release --quiet --bin oneloop
cargo bench --locked --quiet --manifest-path "$parts" -- --home="$target/gungraun" --parallel=auto \
    --allow-aslr --output-format=json >"$target/parts.json" || { # ASLR: containers may not turn it off
    echo "error: a part could not be counted" >&2
    exit 1
}
exec python3 scripts/instructions/count.py "$target/release/oneloop" "$target" scripts/instructions/expected.txt "$@"
