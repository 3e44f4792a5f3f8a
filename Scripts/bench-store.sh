#!/usr/bin/env bash
# Measures the control plane's store: SQLite, and etcd where it is installed. Prints `name value unit`, writes .build/bench-store.json.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
. "$ROOT/Scripts/etcd.sh"
cd "$ROOT"

bash Scripts/setup-debian.sh
tools=$BUILD/release-tools
step build-bench-store swift build -c release --static-swift-stdlib --scratch-path "$tools" --product bench-store

# Not under /tmp, which is often memory: a commit costs what the disk takes to keep it.
folder=$(mktemp -d "$BUILD/bench-store.XXXXXX")
finish() {
    stop_etcd
    rm -rf "$folder"
}
trap finish EXIT

if command -v etcd >/dev/null; then
    start_etcd "$folder"
else
    say "etcd is not installed: SQLite alone is measured"
fi
"$tools/release/bench-store" "$folder" "$etcd_url" "$BUILD/bench-store.json"
