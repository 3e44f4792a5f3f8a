#!/usr/bin/env bash
# Checks the format of the hand-written Swift files and, where shellcheck is installed, the scripts.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

mapfile -t files < <(bash Scripts/swift-files.sh)
step swift-format swift format lint --strict --parallel "${files[@]}"

if command -v shellcheck >/dev/null; then
    step shellcheck shellcheck Scripts/*.sh .ci/run
fi
