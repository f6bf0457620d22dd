#!/bin/bash
# Set up what is missing, then start the app or run a verb. Nothing is written here except .venv.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
VENV=$ROOT/.venv
PYTHON=$VENV/bin/python
DISK_GB=10  # the environment takes about 7.5, pip needs room to unpack
MEMORY_GB=4

usage() {
    cat <<'TEXT'
./launch.sh [--port N] [--share] [--no-browser] [--takeover]    start the app on this machine
./launch.sh layers PHOTO --out DIR       take a photo apart into layers and a clean plate, without a screen
./launch.sh gaze PORTRAIT --out DIR      make a portrait that follows the cursor, as a page of its own
./launch.sh edit --model ID --prompt TEXT [--image FILE] --out DIR    edit a picture, or make one from words
./launch.sh convert FILE --to png|jpeg|webp    another format, with the recipe that is in the picture
./launch.sh jobs list|show|status|clean|export|import|verify    stored work
./launch.sh models list|pull|verify      weights of local models
./launch.sh doctor                       is this machine fit, and if not, what cures it
./launch.sh test [pytest arguments]      lint, types, import contracts, tests
Every one takes --data DIR (default ~/.scenehf) and -h.
TEXT
}

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

main() {
    local verb=app
    case "${1:-}" in
        -h | --help | help) usage; return ;;
        test | layers | edit | convert | gaze | jobs | models | doctor) verb=$1; shift ;;
        -* | "") ;;
        *) usage >&2; die "There is no verb \`$1\`." ;;
    esac
    if [ "$verb" = test ]; then
        run_tests "$@"
        return
    fi
    install requirements.txt
    case "$verb" in
        app) starter_weights "$@"; exec "$PYTHON" "$ROOT/app.py" "$@" ;;
        layers | gaze) starter_weights "$@" ;;
    esac
    exec "$PYTHON" -m scenehf "$verb" "$@"
}

# --- the environment ---------------------------------------------------------------------------------------

# A stamp per file says what .venv was filled with: unchanged, there is nothing to do.
install() { # requirement files
    local file stale="" arguments
    for file in "$@"; do
        [ "$(cat "$VENV/.stamp-$file" 2>/dev/null)" = "$(requirements_hash "$file")" ] || stale=yes
    done
    if [ -n "$stale" ] || ! has_python; then
        check_machine
        has_python || make_venv
        keep_bytecode
        arguments=()
        for file in "$@"; do
            arguments+=(-r "$ROOT/$file")
        done
        say "Installing packages into $VENV (about 3 GB to fetch the first time, some minutes) ..."
        fetch "${arguments[@]}" -c "$ROOT/requirements.lock" ||
            die "The packages could not be installed; the lines above say why. The same command goes on from there."
        for file in "$@"; do
            requirements_hash "$file" >"$VENV/.stamp-$file"
        done
    fi
    keep_bytecode
    export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" # our packages, from whatever folder we are called
    export PYTHONSAFEPATH=1                              # and never the caller's
}

# uv fetches and unpacks many packages at a time: under a minute instead of four. It does not read pip's settings
# (mirrors, certificates): where it gets nowhere, pip goes on.
fetch() { # requirements, as pip takes them
    local pip=("$PYTHON" -m pip install --disable-pip-version-check)
    if "${pip[@]}" --quiet uv -c "$ROOT/requirements.lock"; then
        "$PYTHON" -m uv pip install --no-cache --python "$PYTHON" "$@" && return
        say "uv could not install them; trying pip, which takes longer ..."
    fi
    # --no-compile: most of these files are never imported; the rest compile once, when they are.
    "${pip[@]}" --no-compile "$@"
}

requirements_hash() {
    (cd "$ROOT" && cat "$1" requirements.lock | cksum)
}

has_python() {
    [ -x "$PYTHON" ] && "$PYTHON" -c '' 2>/dev/null
}

keep_bytecode() { # in .venv, not beside our files; without it every start compiles for ten seconds
    unset PYTHONDONTWRITEBYTECODE
    export PYTHONPYCACHEPREFIX="$VENV/.cache/python"
}

make_venv() {
    local found
    found=$(find_python) || die "$(missing_python)"
    say "Making $VENV with $("$found" --version) ..."
    rm -rf "$VENV"
    "$found" -m venv "$VENV" ||
        die "Python cannot make an environment here. On Debian or Ubuntu: apt-get install python3-venv"
}

find_python() {
    local name
    for name in python3.12 python3.11 python3.13 python3 python; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

missing_python() {
    case "$(uname -s)" in
        Darwin) echo "Python 3.11, 3.12 or 3.13 is needed and none was found. Get it with: brew install python@3.12" ;;
        *) echo "Python 3.11, 3.12 or 3.13 is needed and none was found. On Debian or Ubuntu: apt-get install python3 python3-venv" ;;
    esac
}

check_machine() {
    local free memory
    free=$(df -Pk "$ROOT" | awk 'NR == 2 { print int($4 / 1048576) }')
    [ "$free" -ge "$DISK_GB" ] || [ -d "$VENV" ] ||
        die "Setting up needs about $DISK_GB GB and $ROOT has $free GB free. Free some space and run it again."
    memory=$(memory_gb)
    [ "$memory" -ge "$MEMORY_GB" ] ||
        say "This machine has $memory GB of memory; large pictures need $MEMORY_GB. Smaller ones will do."
}

memory_gb() {
    if [ -r /proc/meminfo ]; then
        awk '/^MemTotal:/ { print int($2 / 1000000) }' /proc/meminfo
    else
        sysctl -n hw.memsize | awk '{ print int($1 / 1000000000) }'
    fi
}

# --- weights -----------------------------------------------------------------------------------------------

# Offline and quick when they are here. A failed download stops nothing: the app says what is missing.
starter_weights() {
    local data
    data=$(data_flag "$@")
    "$PYTHON" -m scenehf models pull starter --quiet ${data:+--data "$data"} ||
        say "Going on without the starter weights: people and faces will not be found."
}

data_flag() { # the value of --data among the arguments, if any
    while [ $# -gt 0 ]; do
        case "$1" in
            --data) printf '%s' "${2:-}"; return ;;
            --data=*) printf '%s' "${1#--data=}"; return ;;
        esac
        shift
    done
}

# --- tests -------------------------------------------------------------------------------------------------

run_tests() {
    cd "$ROOT"
    system_packages
    install requirements.txt requirements-dev.txt
    local bin=$VENV/bin
    export SCENEHF_HOME="${SCENEHF_HOME:-$HOME/.cache/scenehf-tests}" # holds the weights between two runs
    "$PYTHON" -m scenehf models pull starter
    # Compiles and mattes for a minute, once, on a core that is idle meanwhile.
    "$PYTHON" -c "from benchmarks.composites import singles; singles()" &
    step "$bin/ruff" check .
    step "$bin/ruff" format --check .
    step "$bin/mypy"
    step "$bin/lint-imports" --no-logo --cache-dir "$VENV/.cache/import_linter"
    step "$PYTHON" -m pytest -n 3 --dist loadfile "$@"
    wait
    [ -z "$FAILED" ] || die "Failed:$FAILED"
}

# Every step runs, also after a failed one: one look at the output shows all there is to do.
FAILED=""
step() {
    say "== ${*#"$VENV"/bin/}"
    "$@" || FAILED="$FAILED
    ${*#"$VENV"/bin/}"
}

# The browser tests drive a Chromium, the power-loss test reads strace (Linux only).
system_packages() {
    local missing=""
    has_browser || missing="chromium"
    [ "$(uname -s)" != Linux ] || command -v strace >/dev/null || missing="$missing strace"
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing for the tests: $missing"
        # shellcheck disable=SC2086  # a list of names
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null ||
            die "apt-get could not install: $missing"
        has_browser || die "apt-get installed no Chromium that runs; please install one."
    else
        die "The tests need these programs, please install them: $missing"
    fi
}

has_browser() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
        [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]
}

main "$@"
