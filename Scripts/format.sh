#!/usr/bin/env bash
# Formats the hand-written Swift files in place.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

mapfile -t files < <(bash Scripts/swift-files.sh)
step swift-format swift format --in-place --parallel "${files[@]}"
