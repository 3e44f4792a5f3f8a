#!/usr/bin/env bash
# Creates .build/venv with the pinned client packages of Scripts/requirements.txt. A second run does nothing.
set -euo pipefail
. "$(dirname "$0")/progress.sh"

requirements=$ROOT/Scripts/requirements.txt
venv=$BUILD/venv
stamp=$venv/.roost-stamp

usable() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

python=
for candidate in "$(command -v python3 || true)" /usr/bin/python3; do
    if [ -n "$candidate" ] && usable "$candidate"; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || die "needs Python 3.11 or newer with venv: run Scripts/setup-debian.sh"

wanted="$("$python" --version) $(sha256sum <"$requirements")"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    say "Python environment: up to date"
    exit 0
fi

rm -rf "$venv"
step python-venv "$python" -m venv "$venv"
# About 390 MB to download and 1 GB on disk; gpustat is the only source package.
step python-packages "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps -r "$requirements"
printf '%s\n' "$wanted" >"$stamp"
