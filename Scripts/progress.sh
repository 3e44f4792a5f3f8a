# Sourced by the other scripts: says what is going on, so that nobody waits in front of a silent terminal.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/.build
LOGS=$BUILD/logs
mkdir -p "$LOGS"

say() { printf '[%s] %s\n' "$(date +%H:%M:%S)" "$*"; }

die() {
    printf '[%s] error: %s\n' "$(date +%H:%M:%S)" "$*" >&2
    exit 1
}

# step NAME COMMAND...: runs the command with its output in .build/logs/NAME.log, prints a line every ten seconds
# while it works, and shows the end of the log if it fails.
step() {
    local name=$1
    shift
    local log=$LOGS/$name.log start=$SECONDS ticker status=0
    say "$name ..."
    : >"$log"
    (
        while sleep 10 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
            say "$name: $((SECONDS - start)) s, $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-100)"
        done
    ) &
    ticker=$!
    "$@" >"$log" 2>&1 || status=$?
    { kill "$ticker" && wait "$ticker"; } 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
        tail -n 60 "$log"
        die "$name failed with status $status after $((SECONDS - start)) s; the whole log is $log"
    fi
    say "$name: done in $((SECONDS - start)) s"
}
