#!/usr/bin/env bash
# Shows that scripts/load-ssh.sh works: an sshd of our own on the loopback, with keys made for it.
# Exit status 2: there is no sshd; 1: something went wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

sshd=$(command -v sshd || echo /usr/sbin/sshd)
if [[ ! -x $sshd ]] || ! command -v ssh >/dev/null || ! command -v python3 >/dev/null; then
    echo "no sshd, ssh or python3 (as root: apt-get install openssh-server python3)" >&2
    exit 2
fi
cargo build --quiet
oneloop=$(realpath "${CARGO_TARGET_DIR:-target}")/debug/oneloop

place=$(mktemp -d)
sshd_pid='' server=''
finish() {
    [[ -z $server ]] || { kill "$server"; wait "$server" || true; }
    [[ -z $sshd_pid ]] || { kill "$sshd_pid"; wait "$sshd_pid" || true; }
    rm -rf "$place"
} 2>/dev/null
trap finish EXIT

ssh-keygen -q -t ed25519 -N '' -f "$place/host"
ssh-keygen -q -t ed25519 -N '' -f "$place/me"
# A free port: the system's choice, given back.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$place/sshd_config" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $place/host
PidFile $place/sshd.pid
AuthorizedKeysFile $place/me.pub
PasswordAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
END
((EUID != 0)) || mkdir -p /run/sshd
"$sshd" -D -e -f "$place/sshd_config" 2>"$place/sshd.log" &
sshd_pid=$!
for ((n = 0; n < 100; n++)); do
    ! grep -q 'Server listening' "$place/sshd.log" || break
    kill -0 "$sshd_pid" || { cat "$place/sshd.log" >&2; exit 1; }
    sleep 0.1
done

exec {says}< <(exec "$oneloop" serve --listen tcp://127.0.0.1:0/echo --log warn)
server=$!
url=''
while read -r word rest <&"$says" && [[ $word != ready ]]; do
    [[ $word != listening ]] || url=$rest
done

known="-o StrictHostKeyChecking=no -o UserKnownHostsFile=$place/known -o LogLevel=ERROR"
export ONELOOP=$oneloop OUT=$place/out START_IN=3
export SSH="ssh -p $port -i $place/me -o BatchMode=yes -o IdentitiesOnly=yes $known"
say() { echo "-- $*"; }

say "two hosts, one result"
scripts/load-ssh.sh 127.0.0.1 127.0.0.1 -- "$url" -c 20 --rate 500 -d 2s --procs 2 |
    tee "$place/text" || (($? == 3)) # INVALID: on a busy machine
grep -q 'messages a second on 40 connections' "$place/text"
python3 - "$OUT/sum.json" <<'END'
import json, sys
run = json.load(open(sys.argv[1]))
begins = [it["measured_from_unix_s"] for it in run["generators"]]
assert len(begins) == 4 and max(begins) - min(begins) < 1.0, begins
assert run["rate_asked_per_s"] == 1000, run["rate_asked_per_s"]
assert run["messages"]["sent"] == 2040 and run["unsent"] == 0, run["messages"]
END

say "Ctrl-C prints what was found so far, and leaves nothing"
setsid scripts/load-ssh.sh 127.0.0.1 127.0.0.1 -- "$url" -c 10 -d 10m >"$place/text" 2>"$place/err" &
script=$!
url=${url%/echo} port=${url##*:}
# Established connections of the server (proc_net_tcp: local address, state 01).
served() { awk -v p="$(printf ':%04X' "$port")" '$2 ~ p "$" && $4 == "01"' /proc/net/tcp | wc -l; }
for ((n = 0; n < 200; n++)); do (($(served) < 20)) || break; sleep 0.1; done
(($(served) == 20))
kill -TERM "$script"
wait "$script"
grep -q 'a second on 20 connections' "$place/text"
for ((n = 0; n < 100; n++)); do (($(served) > 0)) || break; sleep 0.1; done
(($(served) == 0))

say "a host that fails is named"
status=0
scripts/load-ssh.sh 127.0.0.1 -- "$url" --size many 2>"$place/err" || status=$?
((status == 1))
grep -q "error: 127.0.0.1: status 2: error: invalid value 'many'" "$place/err"
say "ok"
