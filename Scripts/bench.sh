#!/usr/bin/env bash
# Builds the release and the measured programs, and runs them; arguments go to `bench`.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

bash Scripts/setup-debian.sh
bash Scripts/build-release.sh
step build-benchmarks swift build -c release --package-path Benchmarks --scratch-path "$BUILD/benchmarks"
"$BUILD/benchmarks/release/bench" "$@"
bash Scripts/setup-python.sh >&2
# How often clients wait: needs no GPU, and no quiet machine.
python3 Scripts/waits.py
