#!/usr/bin/env bash
# Is our WebSocket what RFC 6455 and 7692 say? The Autobahn testsuite plays 517 clients, most of
# them bad, against the server's /echo, and as many servers against the client of `oneloop load`.
#
#   scripts/autobahn.sh [server|client|server-wss|client-wss|all] [CASE...]
#
# Without CASE all are played; over wss a sample, because what a case is about does not depend on TLS.
# Cases are numbers or patterns: '1.*' 7.7.1. Reports: target/autobahn/ROLE/*/index.html. Needs
# python3 and, the first time, PyPI: the suite was made for Python 2, and is ported here as it is
# installed. It fails if a case is neither OK nor INFORMATIONAL.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${CARGO_TARGET_DIR:-target}
home=$target/autobahn
venv=$home/venv
work=
server=
fuzzer=
cleanup() {
    local pid
    for pid in $fuzzer $server; do
        { kill "$pid" && wait "$pid"; } 2>/dev/null || true
    done
    [[ -z $work ]] || rm -rf "$work"
}
trap cleanup EXIT

# Over wss: frames, pings, fragments and closing, something large, something compressed.
SAMPLE=('1.*' '2.*' '5.*' '7.*' 9.1.1 12.1.1)

# The suite sends up to 16 MiB at once, and cuts it in pieces of 64 bytes.
LIMITS=(--frame-bytes-max 16MiB --message-bytes-max 16MiB --fragments-max 300000)

fail() {
    echo "error: $*" >&2
    exit 2
}

# install: the testsuite in a virtual environment, unless this very one is there.
install() {
    local stamp pip site
    stamp=$({ declare -f install; cat scripts/autobahn/{port.py,*.txt}; } | sha256sum)
    [[ $(cat "$venv/stamp" 2>/dev/null) != "$stamp" ]] || return 0
    echo "installing the testsuite in $venv"
    python3 -m venv --clear "$venv" || fail "no python3 that makes environments: as root," \
        "apt-get install python3-venv"
    work=$(mktemp -d)
    pip=("$venv/bin/python" -m pip --quiet --disable-pip-version-check)
    # The tools first: what is built from source needs them.
    "${pip[@]}" install -r <(grep -E '^(setuptools|wheel)=' scripts/autobahn/requirements.txt)
    "${pip[@]}" install -r scripts/autobahn/requirements.txt || fail "cannot install what the" \
        "testsuite needs: is PyPI in reach, and a C compiler there (apt-get install gcc python3-dev)?"
    "${pip[@]}" download --no-deps --no-binary :all: --no-build-isolation --require-hashes \
        -r scripts/autobahn/sources.txt -d "$work"
    for sdist in "$work"/*.tar.gz; do tar -xzf "$sdist" -C "$work"; done
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
    "$venv/bin/python" scripts/autobahn/port.py "$work" "$site"
    echo "$stamp" >"$venv/stamp"
}

# serve SCHEME: starts the server and waits until it is ready; the system chooses the port.
serve() {
    local word rest
    exec {says}< <(exec "$target/release/oneloop" serve --listen "$1://127.0.0.1:0" \
        --tls-self-signed --log "${ONELOOP_LOG:-warn}" "${LIMITS[@]}")
    server+=" $!"
    while read -r word rest <&"$says" && [[ $word != ready ]]; do
        [[ $word != listening ]] || url=$rest
    done
    [[ -n ${url:-} ]] || exit 2
}

# as ROLE CASE...: the fuzzing clients against our server, or the fuzzing servers against our client,
# one connection a case.
as() {
    local role=$1
    shift
    case $role in
        server) serve http ;;
        server-wss) serve https ;;
        client*)
            fuzz "$role" "$target/release/oneloop" "$home/$role" "$@"
            return
            ;;
    esac
    # https becomes wss.
    fuzz server "ws${url#http}/echo" "$home/$role" "$@"
}

# In the background, so that a signal to this script ends it too.
fuzz() {
    "$venv/bin/python" scripts/autobahn/fuzz.py "$@" &
    fuzzer=$!
    wait "$fuzzer"
}

# run ROLE CASE...: prints the summary of a role; its status if it is the worst so far.
run() {
    local role=$1 worse=0
    shift
    [[ $role != *-wss ]] || (($#)) || set -- "${SAMPLE[@]}"
    rm -rf "${home:?}/$role"
    mkdir -p "$home/$role"
    echo "== as $role"
    as "$role" "$@" || worse=$?
    ((worse <= status)) || status=$worse
}

roles=(server client server-wss client-wss)
case ${1:-} in
    server | client | server-wss | client-wss) roles=("$1") && shift ;;
    all) shift ;;
esac
cargo build --release --quiet
mkdir -p "$home"
install
status=0
for role in "${roles[@]}"; do run "$role" "$@"; done
exit "$status"
