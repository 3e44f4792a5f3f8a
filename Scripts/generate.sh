#!/usr/bin/env bash
# Writes the generated files from API/*.json; with --check it only says whether they are what would be written.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

step build-generator swift build --package-path Tools --scratch-path "$BUILD/tools" --product generate
step generate "$BUILD/tools/debug/generate" "$@"
tail -n 3 "$LOGS/generate.log"
