#!/usr/bin/env bash
# Installs the Debian packages that a build and the tests need. Only what is missing is installed.
set -euo pipefail
. "$(dirname "$0")/progress.sh"

PACKAGES=(
    binutils          # nm, readelf and strip for the ABI tests
    ca-certificates   # PyPI over TLS
    chromium          # the dashboard's tests
    g++ gcc libc6-dev # the C and CUDA integration tests
    etcd-server       # the store's contract is tested on it
    liblz4-dev libzstd-dev  # compressed device images
    libsqlite3-dev    # the embedded store
    make
    openssl           # certificates for the tests of TLS
    pkg-config
    prometheus prometheus-alertmanager  # scrape our page and load our rules in a test
    python3 python3-venv    # the client programs
    wrk               # load for the control plane's API
)

command -v dpkg-query >/dev/null || die "this is not a Debian system: install ${PACKAGES[*]} by other means"

missing=()
for package in "${PACKAGES[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done

if [ "${#missing[@]}" -eq 0 ]; then
    say "Debian packages: nothing missing"
else
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "needs root to install ${missing[*]}"
        as_root=(sudo)
    fi
    export DEBIAN_FRONTEND=noninteractive
    install=("${as_root[@]}" apt-get install -y --no-install-recommends "${missing[@]}")
    say "Debian packages missing: ${missing[*]}"
    if ! compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; then
        step apt-update "${as_root[@]}" apt-get update
        step apt-install "${install[@]}"
    elif ! "${install[@]}" >"$LOGS/apt-install.log" 2>&1; then
        say "apt-get install failed with the lists that are here: refreshing them"
        step apt-update "${as_root[@]}" apt-get update
        step apt-install "${install[@]}"
    fi
fi

command -v swift >/dev/null || die "the Swift toolchain is not on PATH: install Swift 6.3 from https://swift.org/install"
