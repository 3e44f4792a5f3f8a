#!/usr/bin/env bash
# Runs frameworks from PyPI on software vGPUs, compares each test with Tests/Conformance/<suite>.tsv, and with --update writes the tables and
# Documentation/conformance-frameworks.md anew. SUITES="torch jax" chooses; all take about 10 GB of downloads and an hour.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

[ -x "$BUILD/roost/bin/roost" ] || die "there is no release build: run make release"
suites=${SUITES:-torch torch-operators jax onnxruntime cupy waits}
environments=$BUILD/frameworks
work=$(mktemp -d "${TMPDIR:-/tmp}/roost-frameworks.XXXXXX")
export ROOST_STATE_DIR=$work/state

# shellcheck disable=SC2317 # the trap calls it
clean_up() {
    "$BUILD/roost/bin/roost" down >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT

# environment NAME: makes .build/frameworks/NAME with the packages of Scripts/frameworks/NAME.txt.
environment() {
    local folder=$environments/$1 requirements=$ROOT/Scripts/frameworks/$1.txt
    if [ -f "$folder/.roost-stamp" ] && cmp -s "$requirements" "$folder/.roost-stamp"; then return; fi
    rm -rf "$folder"
    mkdir -p "$environments"
    step "venv-$1" python3 -m venv "$folder"
    step "packages-$1" "$folder/bin/python" -m pip install --disable-pip-version-check --no-deps --no-cache-dir \
        -r "$requirements"
    cp "$requirements" "$folder/.roost-stamp"
}

# modules SUITE ENVIRONMENT SECONDS RUN-OPTIONS MODULE...: runs test modules of IntegrationTests/frameworks.
modules() {
    local suite=$1 python=$environments/$2/bin/python seconds=$3 options=$4
    shift 4
    environment "$(basename "$(dirname "$(dirname "$python")")")"
    PATH=$(dirname "$python"):$PATH "$python" Scripts/run-conformance.py --roost "$BUILD/roost/bin/roost" --jobs 1 \
        --output "$BUILD/conformance-$suite.tsv" --path "$ROOT/IntegrationTests/frameworks" \
        --run-options "$options" --seconds "$seconds" --modules "$@"
}

"$BUILD/roost/bin/roost" up --device-memory 6GiB >"$work/up.log" 2>&1 || { cat "$work/up.log"; die "roost up failed"; }
status=0
for suite in $suites; do
    say "$suite ..."
    case $suite in
    torch) modules torch torch 1200 "--vram 2GiB" torch_runtime torch_compiled ;;
    torch-operators) modules "$suite" torch 1800 "--vram 4GiB --compute-capability 13.0" torch_operators ;;
    jax) modules jax jax 600 "--vram 2GiB --device-files" jax_programs ;;
    onnxruntime) modules "$suite" onnxruntime 300 "--vram 2GiB --compute-capability 13.0" onnx_sessions ;;
    cupy)
        environment cupy
        "$environments/cupy/bin/python" Scripts/cupy-tests.py --roost "$BUILD/roost/bin/roost" --build "$BUILD" \
            --output "$BUILD/conformance-cupy.tsv"
        ;;
    waits)
        environment torch
        environment jax
        # --update records instead of comparing.
        python3 Scripts/waits.py --clients torch jax --check "$@" || status=1
        continue
        ;;
    *) die "there is no suite $suite" ;;
    esac
    python3 Scripts/compare-conformance.py "$@" --minimum 0 "$BUILD/conformance-$suite.tsv" \
        "Tests/Conformance/$suite.tsv" || status=1
done
python3 Scripts/conformance-page.py "$@"
exit $status
