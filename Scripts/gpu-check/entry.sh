#!/usr/bin/env bash
# Unpacks the archive beside it and checks Roost on this machine's GPU. Needs a driver and Python 3.8, and nothing of
# Swift; `gpu-check.sh --help` lists the options, the result file's name is told at the end.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
archive=$here/gpu-check.tar.gz
python=${PYTHON:-$(command -v python3 || command -v python || true)}

[ -n "$python" ] || { echo "gpu-check: needs Python 3; set PYTHON to it" >&2; exit 2; }
[ -f "$archive" ] || { echo "gpu-check: $archive is missing; bring it too" >&2; exit 2; }

folder=$(mktemp -d "${TMPDIR:-/tmp}/gpu-check.XXXXXX")
trap 'rm -rf "$folder"' EXIT
tar -xzf "$archive" -C "$folder"
GPU_CHECK_RESULTS=${GPU_CHECK_RESULTS:-$PWD} "$python" "$folder/gpu-check/gpu_check.py" "$@"
