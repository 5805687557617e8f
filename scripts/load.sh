#!/usr/bin/env bash
# Starts the server on a free port, puts load on it, stops it: one table.
# Arguments go to `oneloop load` (scripts/load.sh -c 10000 --depth 4 -d 5s; --help tells all of them).
# The server is set by its variables (ONELOOP_NOFILE=256 ONELOOP_AT_LIMIT=refuse scripts/load.sh -c 500).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release --quiet
oneloop=${CARGO_TARGET_DIR:-target}/release/oneloop

exec {says}< <(exec "$oneloop" serve --listen tcp://127.0.0.1:0/echo --log "${ONELOOP_LOG:-warn}")
server=$!
trap 'kill "$server" 2>/dev/null && wait "$server" || true' EXIT

# It says where it listens, then that it is ready; if it fails it has said why, and says no more.
url=
while read -r word rest <&"$says" && [[ $word != ready ]]; do
    [[ $word != listening ]] || url=$rest
done
[[ -n $url ]] || exit 1

"$oneloop" load "$url" "$@"
