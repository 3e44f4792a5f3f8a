#!/usr/bin/env bash
# Lists the hand-written Swift files: what the generator writes has its own golden tests.
set -euo pipefail
cd "$(dirname "$0")/.."
find Package.swift Sources Tests Tools Benchmarks Fuzzing \
    \( -name .build -o -name Generated -o -name Fixtures \) -prune -o -name '*.swift' -print | sort
