#!/usr/bin/env bash
# Everything that CI runs, and in the same way. The first step that fails ends it.
# `scripts/test.sh --help` names the steps.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

STEPS=(tools fmt clippy lean doc test instructions bench clients ssh fuzz autobahn deny)
skipped=()
now=start
began=$SECONDS

usage() {
    cat <<'END'
usage: scripts/test.sh [STEP...]     no STEP: all of them, in this order

  tools    install what the steps below need, where that is missing and allowed
  fmt      the layout of the code is rustfmt's
  clippy   no warnings, in any target
  lean     no warnings in the library and the examples without the default features
  doc      the documentation builds without warnings
  test     unit, integration and documentation tests
  instructions  no message, and no part, costs more instructions than it did
  bench    what is in benches/ builds without warnings, and scripts/bench.sh runs
  clients  curl, Python, node and a browser talk to the server
  ssh      a load from two hosts of ssh's is added up (scripts/load-ssh.sh)
  fuzz     a minute of libFuzzer for each decoder
  autobahn the original WebSocket testsuite against the server and the client of the load
  deny     licences, bans and sources of the dependencies; advisories where they are in reach

With CI=true in the environment a skipped check is an error (except the advisories).
END
}

say() { printf '\n== %s\n' "$*"; }

# skip WHAT: notes what could not be checked.
skip() {
    skipped+=("$1")
    echo "skipped: $1" >&2
}

# skip_here WHAT: the same, but CI may not skip it.
skip_here() {
    skip "$1"
    if [[ ${CI:-} == true ]]; then
        echo "error: CI=true, and there nothing may be skipped" >&2
        return 1
    fi
}

have() { command -v "$1" >/dev/null; }

# apt_install PACKAGE...: as root, or by a sudo that asks for no password; else it fails.
apt_install() {
    local as_root=()
    have apt-get || return 1
    if ((EUID != 0)); then
        as_root=(sudo -n)
        sudo -n true 2>/dev/null || return 1
    fi
    echo "installing $* with apt-get"
    "${as_root[@]}" apt-get install -y -qq "$@" >/dev/null 2>&1 && return
    # Perhaps the package lists are old, or were never read.
    "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq "$@" >/dev/null
}

step_tools() {
    if ! have cargo; then
        echo "error: cargo is not installed; get Rust from https://rustup.rs" >&2
        return 1
    fi
    if ! have cc && ! apt_install gcc libc6-dev; then
        echo "error: no C compiler, and so no linker: as root, apt-get install gcc libc6-dev" >&2
        return 1
    fi
    if ! have cargo-fmt || ! have cargo-clippy; then
        rustup component add rustfmt clippy
    fi
    have strace || apt_install strace ||
        skip_here "the tests that count system calls: strace is not installed (as root: apt-get install strace)"
    if ! have cargo-deny; then
        echo "installing cargo-deny; it is built here, which takes some minutes"
        cargo install --locked cargo-deny || echo "cargo-deny could not be installed" >&2
    fi
    local runner
    runner=$(cargo pkgid --locked --manifest-path benches/parts/Cargo.toml gungraun)
    if [[ $(gungraun-runner --version 2>/dev/null) != "gungraun-runner ${runner##*@}" ]]; then
        echo "installing gungraun-runner; it is built here, which takes some minutes"
        cargo install --locked --version "${runner##*@}" gungraun-runner ||
            echo "gungraun-runner could not be installed" >&2
    fi
}

step_fmt() {
    cargo fmt --check
    local package
    for package in fuzz benches/floor benches/peers benches/parts; do
        cargo fmt --check --manifest-path "$package/Cargo.toml"
    done
}

step_clippy() { cargo clippy --locked --all-targets -- -D warnings; }

step_lean() { cargo clippy --locked --no-default-features --lib --examples -- -D warnings; }

step_doc() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps; }

# Without --all-targets, which would leave out the tests in the documentation and run the benches.
step_test() { cargo test --locked --no-fail-fast; }

# Exit status 2: they cannot be counted here; 1: they have become more.
step_instructions() {
    local status=0
    have valgrind || apt_install valgrind || true
    have python3 || apt_install python3 || true
    scripts/instructions.sh || status=$?
    ((status != 2)) || skip_here "the count of instructions: valgrind, python3 or gungraun-runner is not installed"
    return $((status == 2 ? 0 : status))
}

# A smoke test, for which a debug build will do. The load compares every byte that the floor sends.
step_bench() {
    local target=${CARGO_TARGET_DIR:-target} package
    for package in floor peers parts; do
        cargo clippy --locked --quiet --all-targets --manifest-path "benches/$package/Cargo.toml" \
            --target-dir "$target/benches" -- -D warnings
    done
    if ! have python3 && ! apt_install python3; then
        skip_here "scripts/bench.sh: python3 is not installed"
        return
    fi
    cargo build --locked --quiet --bin oneloop
    cargo build --locked --quiet --manifest-path benches/floor/Cargo.toml --target-dir "$target/benches"
    local runs
    runs=$(python3 scripts/bench/main.py --bin-oneloop "$target/debug/oneloop" --out "$target/bench-smoke" \
        --bin-floor "$target/benches/debug/floor" --servers oneloop,floor --quick --rounds 1 --seconds 0.1)
    # Two echoes and HTTP, alone and 16 deep, by each of the two.
    [[ $(grep -cE '^\| (oneloop|floor) \| [0-9]' <<<"$runs") -ge 16 ]] || {
        echo "$runs"
        return 1
    }
}

# Exit status 2: not all clients could be had; 1: one of them got something wrong.
step_clients() {
    local status=0
    have curl || apt_install curl || true
    if ! have python3 || ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        apt_install python3 python3-venv || true
    fi
    { have node && have npm; } || apt_install nodejs npm || true
    have chromium || have chromium-browser || have google-chrome || apt_install chromium || true
    scripts/clients.sh || status=$?
    ((status != 2)) || skip_here "some clients: they could not be installed"
    return $((status == 2 ? 0 : status))
}

# Exit status 2: there is no sshd; 1: the results are not what they should be.
step_ssh() {
    local status=0
    { have sshd || [[ -x /usr/sbin/sshd ]]; } && have ssh || apt_install openssh-server || true
    scripts/load-ssh/check.sh || status=$?
    ((status != 2)) || skip_here "the load by ssh: openssh-server or python3 is not installed"
    return $((status == 2 ? 0 : status))
}

step_fuzz() {
    have c++ || apt_install g++ || true
    scripts/fuzz.sh
}

# Exit status 2: the suite could not be installed; 1: a case has failed.
step_autobahn() {
    local status=0
    if ! have python3 || ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        apt_install python3 python3-venv python3-dev || true
    fi
    scripts/autobahn.sh || status=$?
    ((status != 2)) || skip_here "the Autobahn testsuite: it could not be installed"
    return $((status == 2 ? 0 : status))
}

step_deny() {
    if ! have cargo-deny; then
        skip_here "licences, bans and sources of the dependencies: no cargo-deny (scripts/test.sh tools)"
        return
    fi
    cargo deny --locked check licenses bans sources
    if timeout 120 cargo deny --locked fetch db; then
        cargo deny --locked --offline check advisories
    else
        skip "the advisories: their database is out of reach from here"
    fi
}

run() {
    now=$1
    local start=$SECONDS
    say "$now"
    "step_$now"
    echo "-- $now: ok, $((SECONDS - start)) s"
}

# Runs however the script ends, so that the last line always tells how it went.
finish() {
    local status=$?
    local took=$((SECONDS - began))
    if ((${#skipped[@]})); then printf 'skipped: %s\n' "${skipped[@]}"; fi
    if ((status)); then
        echo "scripts/test.sh: FAILED in $now after $took s" >&2
    else
        echo "scripts/test.sh: all passed in $took s, ${#skipped[@]} skipped"
    fi
}

chosen=()
for argument in "$@"; do
    case " ${STEPS[*]} " in
        *" $argument "*) chosen+=("$argument") ;;
        *)
            [[ $argument == --help || $argument == -h ]] && usage && exit
            echo "error: no step is called '$argument'; there are: ${STEPS[*]}" >&2
            exit 2
            ;;
    esac
done
((${#chosen[@]})) || chosen=("${STEPS[@]}")

trap finish EXIT
for step in "${chosen[@]}"; do run "$step"; done
