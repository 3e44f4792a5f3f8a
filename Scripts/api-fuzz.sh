#!/usr/bin/env bash
# Starts a control plane of its own on loopback, sends it requests that schemathesis makes from its OpenAPI document
# for API_FUZZ_SECONDS (60), and fails on any finding. API_FUZZ_SEED makes a run happen again.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

seconds=${API_FUZZ_SECONDS:-60}
seed=${API_FUZZ_SEED:-1}
server=${API_FUZZ_SERVER:-$BUILD/roost/bin/roost-server}
schemathesis=${API_FUZZ_PROGRAM:-$BUILD/venv/bin/st}
[ -x "$server" ] || die "there is no $server: run make release"
[ -x "$schemathesis" ] || die "there is no $schemathesis: run Scripts/setup-python.sh"

folder=$(mktemp -d)
pid=
finish() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

"$server" serve --listen 127.0.0.1:0 --state-dir "$folder/state" --store memory --rate-limit 100000 \
    >"$folder/server.log" 2>&1 &
pid=$!
address=
for _ in $(seq 600); do
    address=$(sed -n 's/.*address=\(http:[^ ]*\).*/\1/p' "$folder/server.log" | head -n 1)
    [ -n "$address" ] && break
    kill -0 "$pid" 2>/dev/null || { cat "$folder/server.log" >&2; die "the server ended"; }
    sleep 0.1
done
[ -n "$address" ] || die "the server did not listen within a minute"

status=0
"$schemathesis" --config-file Scripts/schemathesis.toml run "$address/openapi.json" \
    --header "Authorization: Bearer $(cat "$folder/state/admin.token")" \
    --max-time "$seconds" --seed "$seed" --no-color --generation-database none "$@" || status=$?
kill -0 "$pid" 2>/dev/null || { tail -n 50 "$folder/server.log" >&2; die "the server did not live through it"; }
if grep -q ' error roost-server' "$folder/server.log"; then
    grep ' error roost-server' "$folder/server.log" | tail -n 20 >&2
    die "the server logged errors"
fi
exit "$status"
