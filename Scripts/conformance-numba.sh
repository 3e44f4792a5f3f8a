#!/usr/bin/env bash
# Runs numba-cuda's own driver tests on a vGPU and compares the outcome of each with Tests/Conformance/numba-cuda.tsv.
# With --update it writes the table anew and keeps the reasons in it.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

[ -x "$BUILD/roost/bin/roost" ] || die "there is no release build: run make release"
begin=$SECONDS
work=$(mktemp -d "${TMPDIR:-/tmp}/roost-conformance.XXXXXX")
export ROOST_STATE_DIR=$work/state

# shellcheck disable=SC2317 # the trap calls it
clean_up() {
    "$BUILD/roost/bin/roost" down >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT

"$BUILD/roost/bin/roost" up >"$work/up.log" 2>&1 || { cat "$work/up.log"; die "roost up failed"; }
results=$BUILD/conformance-numba.tsv
"$BUILD/venv/bin/python" Scripts/run-conformance.py --roost "$BUILD/roost/bin/roost" --output "$results"
say "the tests took $((SECONDS - begin)) s; their messages are in $results"
"$BUILD/venv/bin/python" Scripts/compare-conformance.py "$@" "$results" Tests/Conformance/numba-cuda.tsv
