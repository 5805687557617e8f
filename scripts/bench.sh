#!/usr/bin/env bash
# The servers side by side: oneloop, the floor (benches/floor), Rust peers (benches/peers), and
# nginx, haproxy and redis where they are installed. Each is pinned to a core and loaded from
# another; they take turns, so that a bad second of the machine meets all of them.
#
#   scripts/bench.sh --quick                 a minute
#   scripts/bench.sh                         everything, which takes more than an hour
#   scripts/bench.sh --only 'ws-c100-*'      what --list names
#   scripts/bench.sh --server 'uws=ws,http=./uws {port}'      one more, of your own
#
# PEERS_FEATURES=uwebsockets brings in the C++ core of uWebSockets (benches/peers/Cargo.toml).
# Needs python3; strace and valgrind for what is counted. Nothing is installed; what is missing is said.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v python3 >/dev/null || {
    echo "error: python3 is not installed: as root, apt-get install python3" >&2
    exit 2
}
target=${CARGO_TARGET_DIR:-target}
built=()
case " $* " in
    *" --help "* | *" -h "*) ;;
    *" --list "*) built=(--bin-peers "$target/benches/release/peers") ;;
    *)
        cargo build --locked --release --quiet --bin oneloop
        built=(--bin-oneloop "$target/release/oneloop" --bin-floor "$target/benches/release/floor")
        cargo build --locked --release --quiet --manifest-path benches/floor/Cargo.toml --target-dir "$target/benches"
        if cargo build --locked --release --quiet --manifest-path benches/peers/Cargo.toml \
            --target-dir "$target/benches" ${PEERS_FEATURES:+--features "$PEERS_FEATURES"}; then
            built+=(--bin-peers "$target/benches/release/peers")
        fi
        ;;
esac
exec python3 scripts/bench/main.py "${built[@]}" "$@"
