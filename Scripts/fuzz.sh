#!/usr/bin/env bash
# Fuzzes each target for FUZZ_SECONDS (60). A finding is written under Fuzzing/FailCases and fails the run.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

seconds=${FUZZ_SECONDS:-60}
step build-fuzzers swift build --package-path Fuzzing --scratch-path "$BUILD/fuzzing"
for target in FuzzFrames FuzzPTX; do
    mkdir -p "Fuzzing/FailCases/$target" "$BUILD/corpus/$target"
    step "fuzz-$target" "$BUILD/fuzzing/debug/$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
        -artifact_prefix="Fuzzing/FailCases/$target/" "$BUILD/corpus/$target"
    tail -n 2 "$LOGS/fuzz-$target.log"
done
