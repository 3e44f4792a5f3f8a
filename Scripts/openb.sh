#!/usr/bin/env bash
# Builds the scheduler's experiments and runs them: `openb` prints the published table beside ours, `scale` and `million`
# the figures of large fleets. Arguments after the verb go to the program (--seeds N, --json FILE).
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

verb=${1:-openb}
[ $# -gt 0 ] && shift
step build-scheduling-bench swift build -c release --static-swift-stdlib --scratch-path "$BUILD/release-tools" \
    --product scheduling-bench
"$BUILD/release-tools/release/scheduling-bench" "$verb" Tests/Fixtures/openb "$@"
