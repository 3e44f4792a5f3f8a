#!/usr/bin/env bash
# Installs nvcc and the runtime libraries of CUDA 13 and 11.8 from PyPI under .build/cuda-toolkits, for the programs of
# IntegrationTests/CUDA. A second run does nothing.
set -euo pipefail
. "$(dirname "$0")/progress.sh"

toolkits=$BUILD/cuda-toolkits
python=$BUILD/venv/bin/python
[ -x "$python" ] || die "there is no Python environment: run Scripts/setup-python.sh"

# install NAME REQUIREMENTS
install() {
    local target=$toolkits/$1 stamp=$toolkits/$1/.roost-stamp wanted
    wanted=$(sha256sum <"$2")
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        say "CUDA $1 toolkit: up to date"
        return
    fi
    rm -rf "$target"
    step "cuda-$1" "$python" -m pip install --disable-pip-version-check --no-deps --target "$target" -r "$2"
    printf '%s\n' "$wanted" >"$stamp"
}

# About 130 MB and 8 MB to download.
install 13 "$ROOT/Scripts/requirements-cuda.txt"
install 11 "$ROOT/Scripts/requirements-cuda11.txt"
