#!/usr/bin/env bash
# Measures the control plane's HTTP API on loopback: GET and PUT under wrk, and 1,000 watchers. Prints
# `name value unit` and writes .build/bench-api.json. BENCH_SECONDS (10) for each load, BENCH_STORE (sqlite): etcd is
# started for the measurement.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
. "$ROOT/Scripts/etcd.sh"
cd "$ROOT"

server=${BENCH_SERVER:-$BUILD/roost/bin/roost-server}
store=${BENCH_STORE:-sqlite}
[ -x "$server" ] || die "there is no $server: run make release"
command -v wrk >/dev/null || die "there is no wrk: run Scripts/setup-debian.sh"

# Not under /tmp, which is often memory: a commit costs what the disk takes to keep it.
folder=$(mktemp -d "$BUILD/bench-api.XXXXXX")
finish() {
    stop_etcd
    rm -rf "$folder"
}
trap finish EXIT

[ "$store" != etcd ] || start_etcd "$folder"
python3 Benchmarks/api/bench_api.py --server "$server" --seconds "${BENCH_SECONDS:-10}" --folder "$folder/state" \
    --store "$store" ${etcd_url:+--etcd "$etcd_url"} --output "$BUILD/bench-api.json" "$@"
