#!/usr/bin/env bash
# Measures the control plane's HTTP API on loopback: GET and PUT under wrk, and 1,000 watchers. Prints
# `name value unit` and writes .build/bench-api.json. BENCH_SECONDS (10) for each load, BENCH_STORE (sqlite).
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

server=${BENCH_SERVER:-$BUILD/roost/bin/roost-server}
[ -x "$server" ] || die "there is no $server: run make release"
command -v wrk >/dev/null || die "there is no wrk: run Scripts/setup-debian.sh"
exec python3 Benchmarks/api/bench_api.py --server "$server" --seconds "${BENCH_SECONDS:-10}" \
    --store "${BENCH_STORE:-sqlite}" --output "$BUILD/bench-api.json" "$@"
