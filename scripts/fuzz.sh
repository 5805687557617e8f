#!/usr/bin/env bash
# Lets libFuzzer look for input that the decoders cannot take: scripts/fuzz.sh [SECONDS [TARGET...]],
# 60 seconds for each of fuzz/fuzz_targets/ if nothing is said. What it learns is kept in
# target/fuzz/corpus/ for the next time; what fails is left in target/fuzz/failed/.
# Needs cargo-fuzz, which it installs, and a C++ compiler. Rust need not be a nightly.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-60}
shift || true
targets=("$@")
((${#targets[@]})) || targets=(head frames deflate session)
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
home=$target/fuzz
fuzzer=
trap '[[ -z $fuzzer ]] || { kill "$fuzzer" && wait "$fuzzer"; } 2>/dev/null || true' EXIT

fail() {
    echo "error: $*" >&2
    exit 1
}

[[ $seconds =~ ^[1-9][0-9]*$ ]] || fail "'$seconds' is no number of seconds"
if ! command -v cargo-fuzz >/dev/null; then
    echo "installing cargo-fuzz; it is built here, which takes a minute"
    cargo install --locked --quiet cargo-fuzz || fail "cargo-fuzz could not be installed"
fi
command -v "${CXX:-c++}" >/dev/null || fail "no C++ compiler, which libFuzzer is built with: as root," \
    "apt-get install g++"
# The sanitizer needs flags that only a nightly takes, or who asks for them by this variable.
triple=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "$home/failed"
if ! RUSTC_BOOTSTRAP=1 cargo fuzz build --target-dir "$home/build" >"$home/build.log" 2>&1; then
    tail -n 40 "$home/build.log" >&2
    fail "the fuzz targets, their sanitizer or libFuzzer could not be built; see above"
fi

for name in "${targets[@]}"; do
    log=$home/$name.log
    mkdir -p "$home/corpus/$name"
    # In the background, so that a signal to this script ends it too.
    "$home/build/$triple/release/$name" "$home/corpus/$name" "fuzz/seeds/$name" \
        -max_total_time="$seconds" -max_len=2048 -timeout=10 -rss_limit_mb=1024 \
        -dict=fuzz/words.dict -artifact_prefix="$home/failed/$name-" -print_final_stats=1 \
        >"$log" 2>&1 &
    fuzzer=$!
    status=0
    wait "$fuzzer" || status=$?
    fuzzer=
    inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if ((status)) || [[ -z $inputs ]]; then
        grep -m1 -A3 -E "panicked at|ERROR: |No such file" "$log" >&2 || tail -n 5 "$log" >&2
        fail "$name failed after ${inputs:-no} inputs: $(sed -n 's/.*Test unit written to //p' "$log")"
    fi
    echo "fuzz $name: $inputs inputs in $seconds s, none of them bad"
done
