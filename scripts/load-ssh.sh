#!/usr/bin/env bash
# One load from several machines: the same command on each, begun together, added up.
# `scripts/load-ssh.sh --help` says how.
set -euo pipefail

usage() {
    cat <<'END'
usage: scripts/load-ssh.sh HOST... -- URL [FLAG...]

  scripts/load-ssh.sh a b -- tcp://10.0.0.1:7000 -c 10000 --procs 2 --rate 20k -d 30s

Runs `oneloop load URL FLAG... --start-at T -q --json -` on each HOST (a name of ssh's; one may come
twice), where T is some seconds ahead, and adds up what they found: connections and rates are those
of one machine times the number of machines. Ctrl-C ends them all, and prints what they found so far.
Their clocks must agree (NTP); the sum says how much of the time they had in common.

  ONELOOP=oneloop    the program, on the hosts
  SSH=ssh            how to get there ('ssh -p 2222 -i key'); it must not ask for anything
  START_IN=5         seconds until they begin: enough for the slowest login
  OUT=               keep the files HOST.json, and the sum as sum.json, in this directory
END
}

hosts=()
while (($#)) && [[ $1 != -- ]]; do
    [[ $1 != --help && $1 != -h ]] || { usage; exit; }
    hosts+=("$1")
    shift
done
if ((${#hosts[@]} == 0 || $# < 2)); then
    usage >&2
    exit 2
fi
shift

oneloop=${ONELOOP:-oneloop}
read -ra ssh <<<"${SSH:-ssh}"
here=$(command -v "$oneloop" || command -v oneloop || true)
[[ -n $here ]] || { echo "error: ONELOOP $oneloop: not found here, and it adds the results up" >&2; exit 2; }
place=${OUT:-$(mktemp -d)}
mkdir -p "$place"

# Each host reads from this pipe, in vain. When we close it, or end however we do, theirs end too.
pipe=$(mktemp -u)
mkfifo -m 600 "$pipe"
exec {held}<>"$pipe"
finish() {
    rm -f "$pipe"
    [[ -n ${OUT:-} ]] || rm -rf "$place"
}
trap finish EXIT
release() { exec {held}>&-; }
trap release INT TERM

at=$(($(date +%s) + ${START_IN:-5}))
# The load ends with a signal when the pipe does. Its own input stays empty: --hold would watch it.
printf -v load '%q ' "$oneloop" load "$@" --start-at "$at" -q --json -
remote="exec 3<&0; $load </dev/null 3<&- & load=\$!
    { cat <&3 >/dev/null; kill -TERM \$load; } 2>/dev/null & watch=\$!
    wait \$load; status=\$?; kill \$watch 2>/dev/null; exit \$status"

jobs=() files=() errors=()
for n in "${!hosts[@]}"; do
    name=$place/$((n + 1))-${hosts[n]//\//_}
    files+=("$name.json") errors+=("$name.err")
    # A descriptor for reading alone: a host that held the pipe open would never see its end.
    "${ssh[@]}" "${hosts[n]}" "sh -c $(printf %q "$remote")" \
        <"$pipe" {held}>&- >"$name.json" 2>"$name.err" &
    jobs+=($!)
done
echo "${#hosts[@]} hosts begin at $(date -d "@$at" +%T)" >&2

failed=0
for n in "${!hosts[@]}"; do
    status=0
    # A signal ends the wait and not the job.
    while wait "${jobs[n]}" || status=$?; kill -0 "${jobs[n]}" 2>/dev/null; do status=0; done
    # 3: its figures may be its own doing. The sum says so too.
    if ((status != 0 && status != 3)); then
        echo "error: ${hosts[n]}: status $status: $(tail -n 1 "${errors[n]}")" >&2
        failed=1
    fi
done
((failed == 0)) || exit 1
"$here" merge "${files[@]}" ${OUT:+--json "$place/sum.json"}
