#!/usr/bin/env bash
# Simulates whole fleets under seeded clocks, networks and crashes; arguments go to simulate.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

tools=$BUILD/release-tools
step build-simulate swift build -c release --static-swift-stdlib --scratch-path "$tools" --product simulate
say "simulation ..."
"$tools/release/simulate" "$@"
