#!/usr/bin/env bash
# Measures the control plane's store: SQLite, and etcd where it is installed. Prints `name value unit`, writes .build/bench-store.json.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

bash Scripts/setup-debian.sh
tools=$BUILD/release-tools
step build-bench-store swift build -c release --static-swift-stdlib --scratch-path "$tools" --product bench-store

# Not under /tmp, which is often memory: a commit costs what the disk takes to keep it.
folder=$(mktemp -d "$BUILD/bench-store.XXXXXX")
etcd_pid=
finish() {
    if [ -n "$etcd_pid" ]; then kill -9 "$etcd_pid" 2>/dev/null || true; fi
    rm -rf "$folder"
}
trap finish EXIT

url=
if command -v etcd >/dev/null; then
    read -r client peer < <(python3 -c 'import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])')
    url=http://127.0.0.1:$client
    etcd --name one --data-dir "$folder/etcd" --listen-client-urls "$url" --advertise-client-urls "$url" \
        --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
        --initial-cluster "one=http://127.0.0.1:$peer" --log-level error >"$folder/etcd.log" 2>&1 &
    etcd_pid=$!
    for _ in $(seq 100); do
        if python3 -c "import urllib.request; urllib.request.urlopen('$url/health', timeout=1)" 2>/dev/null; then break; fi
        sleep 0.1
    done
else
    say "etcd is not installed: SQLite alone is measured"
fi
"$tools/release/bench-store" "$folder" "$url" "$BUILD/bench-store.json"
