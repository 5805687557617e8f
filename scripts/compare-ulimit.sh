#!/usr/bin/env bash
# What a limit of open files does to a server: first oneloop's own ladder, then oneloop beside
# redis-server, nginx and haproxy, each as far as it is installed. Every server is started under
# `ulimit -n N` and met by three times as many clients, who ask one question each and then hold on.
# Arguments go to `oneloop ladder` (scripts/compare-ulimit.sh --at-limit shed,pause --svg ladder.svg).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

LIMITS=(64 256)
HANGS_AFTER=2s

cargo build --release --quiet
oneloop=${CARGO_TARGET_DIR:-target}/release/oneloop

dir=$(mktemp -d)
server=
stop() {
    [[ -z $server ]] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    server=
}
trap 'stop; rm -rf "$dir"' EXIT

answers() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    port=$((10000 + RANDOM % 20000))
    while answers "$port"; do port=$((10000 + RANDOM % 20000)); done
}

# start LIMIT COMMAND...: runs a server under a limit, soft and hard, and waits until it listens.
start() {
    (ulimit -n "$1" && exec "${@:2}" {open}>&-) >"$dir/log" 2>&1 &
    server=$!
    for _ in {1..100}; do
        answers "$port" && return
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    echo "error: $2 does not start: $(tail -n 1 "$dir/log")" >&2
    exit 1
}

# met NAME LIMIT [ASK]: sends clients to the server and prints a row of what became of them.
met() {
    local clients=$((3 * $2)) settled fate row
    settled=$("$oneloop" load "tcp://127.0.0.1:$port" --hold ${3:+--ask "$3"} --connections "$clients" \
        --answer-timeout "$HANGS_AFTER" --duration 1ms --quiet <&"$open" | grep '^settled ')
    row=$(printf '%-10s %8s %8s' "$1" "$2" "$clients")
    for fate in connected told_why refused reset closed timed_out hung; do
        row+=$(printf ' %9s' "$(sed -E "s/.*\"$fate\":([0-9]+).*/\1/" <<<"$settled")")
    done
    echo "$row"
    stop
}

oneloop_under() {
    start "$1" "$oneloop" serve --listen "tcp://127.0.0.1:$port/echo"
    met oneloop "$1"
}

redis_under() {
    start "$1" redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$dir"
    met redis "$1" 'PING\r\n'
}

# Its own limit of connections is set out of reach, so that the one on files is met.
nginx_under() {
    cat >"$dir/nginx.conf" <<CONF
daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events { worker_connections 10000; }
http { access_log off; server { listen 127.0.0.1:$port; location / { return 200 pong; } } }
CONF
    start "$1" nginx -p "$dir" -c "$dir/nginx.conf" -e stderr
    met nginx "$1" 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
}

# It computes its own limit of connections, and starts beyond that of files only if told to.
haproxy_under() {
    cat >"$dir/haproxy.cfg" <<CONF
global
    nbthread 1
    no strict-limits
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
frontend pong
    bind 127.0.0.1:$port
    http-request return status 200 content-type text/plain string pong
CONF
    start "$1" haproxy -db -f "$dir/haproxy.cfg"
    met haproxy "$1" 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
}

"$oneloop" ladder "$@"

# A standard input that never ends, for clients that leave when theirs does.
mkfifo "$dir/open"
exec {open}<>"$dir/open"

printf '\n%-10s %8s %8s %9s %9s %9s %9s %9s %9s %9s\n' \
    server nofile clients served 'told why' refused reset closed 'timed out' hung
for limit in "${LIMITS[@]}"; do
    for name in oneloop redis-server nginx haproxy; do
        if [[ $name != oneloop ]] && ! command -v "$name" >/dev/null; then
            echo "$name: not installed"
            continue
        fi
        free_port
        "${name%-server}_under" "$limit"
    done
done
echo "served: had an answer, and holds on. hung: connected, and without an answer for $HANGS_AFTER."
