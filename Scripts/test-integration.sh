#!/usr/bin/env bash
# Runs the integration tests against .build/roost; arguments go to pytest.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

[ -x "$BUILD/roost/bin/roost" ] || die "there is no release build: run make release"
say "integration tests ..."
exec "$BUILD/venv/bin/python" -m pytest -c IntegrationTests/pytest.ini IntegrationTests "$@"
