# Sourced by scripts that measure a store: an etcd of their own on loopback.
# shellcheck shell=bash

etcd_url=
etcd_pid=

# start_etcd FOLDER: starts etcd with its files in FOLDER and waits until it answers; sets etcd_url and etcd_pid.
start_etcd() {
    local folder=$1 client peer
    command -v etcd >/dev/null || die "there is no etcd: run Scripts/setup-debian.sh"
    read -r client peer < <(python3 -c 'import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])')
    etcd_url=http://127.0.0.1:$client
    etcd --name one --data-dir "$folder/etcd" --listen-client-urls "$etcd_url" --advertise-client-urls "$etcd_url" \
        --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
        --initial-cluster "one=http://127.0.0.1:$peer" --log-level error >"$folder/etcd.log" 2>&1 &
    etcd_pid=$!
    for _ in $(seq 100); do
        if python3 -c "import urllib.request; urllib.request.urlopen('$etcd_url/health', timeout=1)" 2>/dev/null; then
            return
        fi
        sleep 0.1
    done
    tail -n 20 "$folder/etcd.log" >&2
    die "etcd did not answer within ten seconds"
}

# stop_etcd: ends it, if it was started.
stop_etcd() {
    [ -n "$etcd_pid" ] || return 0
    { kill -9 "$etcd_pid" && wait "$etcd_pid"; } 2>/dev/null || true
}
