#!/usr/bin/env bash
# Everything that CI runs, cheap first.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

begin=$SECONDS
bash Scripts/setup-debian.sh
bash Scripts/lint.sh
bash Scripts/generate.sh --check
step unit-build swift build --build-tests
step unit-tests swift test --skip-build
tail -n 2 "$LOGS/unit-tests.log"
bash Scripts/build-release.sh
bash Scripts/simulate.sh --seeds 1000
bash Scripts/setup-python.sh
bash Scripts/setup-cuda.sh
bash Scripts/test-integration.sh
say "all tests passed in $((SECONDS - begin)) s"
