#!/usr/bin/env bash
# Do clients that others have written get their bytes back? Starts the server on a free port and lets
# curl, Python's websockets, node's ws, websocat and Chromium talk to it; a line each, and one more
# for those that do so under TLS as well. Fails if any
# of them sees something else than it should, or the server's books do not balance. Installs what it
# takes from PyPI and npm in target/clients; curl, python3, node and a browser have to be there.
# Exit status 2: one of those is not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

home=${CARGO_TARGET_DIR:-target}/clients
venv=$home/venv
missing=0
server=
client=
work=
cleanup() {
    local pid
    for pid in $client $server; do
        { kill "$pid" && wait "$pid"; } 2>/dev/null || true
    done
    [[ -z $work ]] || rm -rf "$work"
}
trap cleanup EXIT

have() { command -v "$1" >/dev/null; }

fail() {
    echo "error: $*" >&2
    exit 1
}

# lacks WHAT: a client that ought to be tried and cannot be.
lacks() {
    echo "--  $1" >&2
    missing=1
}

# client COMMAND...: runs it in the background, so that a signal to this script ends it too.
client() {
    local status=0
    timeout 120 "$@" &
    client=$!
    wait "$client" || status=$?
    client=
    return "$status"
}

# same WHAT IS SHOULD
same() { [[ $2 == "$3" ]] || fail "$1 is '${2:0:200}', should be '${3:0:200}'"; }

# serve: starts the server and waits until it is ready; the system chooses the port.
serve() {
    local word rest
    exec {says}< <(exec "${CARGO_TARGET_DIR:-target}/debug/oneloop" serve \
        --listen http://127.0.0.1:0 --listen https://127.0.0.1:0 --tls-self-signed --log warn \
        --metrics-file "$work/books.json")
    server=$!
    while read -r word rest <&"$says" && [[ $word != ready ]]; do
        case $word=$rest in
            listening=http:*) http=${rest%/} ;;
            listening=https:*) https=${rest%/} ;;
        esac
    done
    [[ -n ${http:-} && -n ${https:-} ]] || fail "the server did not start"
    ws=ws${http#http} wss=ws${https#http}
}

# Ends the server, and looks at what it says of itself.
finish() {
    local books
    kill "$server"
    wait "$server" || fail "the server ended with status $?"
    server=
    books=$(tail -n 1 "$work/books.json")
    for count in connections closed_bad_frame closed_bad_message closed_bad_request faults; do
        [[ $books == *"\"$count\":0"[,}]* ]] || fail "$count is not 0 in the books: $books"
    done
    echo "OK  the server's books"
}

with_curl() {
    have curl || { lacks "curl is not installed"; return; }
    local curl=(curl --silent --show-error --max-time 30) noise=$work/noise
    head -c 100000 /dev/urandom >"$noise"
    same "GET /" "$("${curl[@]}" "$http/" | head -n 1)" oneloop
    same "HEAD /healthz" "$("${curl[@]}" --head "$http/healthz" | head -n 1)" $'HTTP/1.1 200 OK\r'
    same "two on a connection" "$("${curl[@]}" -w '%{num_connects} ' "$http"/{healthz,healthz} |
        tr '\n' ' ')" "ok 1 ok 0 "
    same "GET /nope" "$("${curl[@]}" -o "$work/back" -w '%{http_code}' "$http/nope")" 404
    same "PUT /echo" "$("${curl[@]}" -X PUT -d x -o "$work/back" -w '%{http_code}' "$http/echo")" 405
    for framing in Content-Type:text/plain Transfer-Encoding:chunked Expect:100-continue; do
        "${curl[@]}" -H "$framing" --data-binary "@$noise" -o "$work/back" "$http/echo"
        cmp "$noise" "$work/back" || fail "POST /echo with $framing differs"
    done
    "${curl[@]}" --http1.0 --data-binary "@$noise" -o "$work/back" "$http/echo"
    cmp "$noise" "$work/back" || fail "POST /echo by HTTP/1.0 differs"
    same "GET /healthz under TLS" "$("${curl[@]}" --insecure "$https/healthz")" ok
    # Many builds have no WebSocket, and none sends a message: it is the handshake that is looked at.
    local handshake=
    if curl --version | grep -q '^Protocols:.* ws\b'; then
        handshake=$("${curl[@]}" --max-time 2 -o "$work/back" -w '%{http_code}' "$ws/echo" 2>&1) || true
        same "the handshake of curl" "${handshake##*$'\n'}" 101
        handshake=", the handshake of ws"
    fi
    echo "OK  $(curl --version | cut -d' ' -f1-2 | head -n 1): GET, HEAD, keep-alive, 404, 405, POST by" \
        "length, in chunks, with 100-continue, by HTTP/1.0, under TLS$handshake"
}

with_python() {
    if ! "$venv/bin/python" -c 'import websockets' 2>/dev/null || [[ $pins -nt $venv/stamp ]]; then
        python3 -m venv --clear "$venv" &&
            "$venv/bin/python" -m pip --quiet --disable-pip-version-check install -r "$pins" ||
            { lacks "Python's websockets could not be installed: as root, apt-get install python3-venv"; return; }
        touch "$venv/stamp"
    fi
    client "$venv/bin/python" scripts/clients/python.py "$ws/echo"
    client "$venv/bin/python" scripts/clients/python.py "$wss/echo"
}

with_node() {
    have node && have npm || { lacks "node and npm are not installed: as root, apt-get install nodejs npm"; return; }
    cp scripts/clients/*.json scripts/clients/*.cjs "$home"
    (cd "$home" && npm ci --silent --no-audit --no-fund) || { lacks "npm could not install ws"; return; }
    client node "$home/node.cjs" "$ws/echo"
    client node "$home/node.cjs" "$wss/echo"
    local browser
    browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
        { lacks "no browser: as root, apt-get install chromium"; return; }
    client node "$home/browser.cjs" "$browser" "$http"
}

# Not in Debian, and it takes minutes to build: tried where it happens to be.
with_websocat() {
    have websocat || { echo "--  websocat is not installed (cargo install websocat)"; return; }
    same websocat "$(echo "héllo" | timeout 30 websocat -1 "$ws/echo")" "héllo"
    head -c 100000 /dev/urandom >"$work/noise"
    timeout 30 websocat -1 -b -B 200000 "$ws/echo" <"$work/noise" >"$work/back"
    cmp "$work/noise" "$work/back" || fail "websocat's 100 KB differ"
    echo "OK  $(websocat --version): text, binary, 100 KB"
}

pins=scripts/clients/requirements.txt
mkdir -p "$home"
work=$(mktemp -d)
cargo build --locked --quiet
serve
with_curl
with_python
with_node
with_websocat
finish
((!missing)) || exit 2
