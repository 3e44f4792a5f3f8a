#!/usr/bin/env bash
# Packs what checks Roost on a machine with a GPU into .build/gpu-check.tar.gz and .build/gpu-check.sh, and runs it
# where this machine has one; with --software, on the software GPU. Arguments go to the check.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

bash Scripts/setup-debian.sh
bash Scripts/build-release.sh

prefix=$BUILD/roost
pack=$BUILD/gpu-check/gpu-check
rm -rf "$BUILD/gpu-check"
mkdir -p "$pack/bin" "$pack/lib/worker"

static=$BUILD/release-tools/release
for program in roost roost-worker conformance; do
    strip -o "$pack/bin/$program" "$static/$program"
    if ldd "$pack/bin/$program" | grep -q libswift; then
        die "$program needs Swift's libraries, which the other machine lacks"
    fi
done
for library in libcuda.so.1 libnvidia-ml.so.1; do cp "$prefix/lib/$library" "$pack/lib/$library"; done
# The other machine may lack these two, which the worker unpacks device code with.
ldd "$pack/bin/roost-worker" | awk '/libzstd|liblz4/ {print $3}' | xargs -r -I{} cp -L {} "$pack/lib/worker"
cp -r Scripts/gpu-check/*.py Scripts/gpu-check/workloads "$pack"
find "$pack" -name __pycache__ -prune -exec rm -rf {} +
git describe --always --dirty >"$pack/VERSION" 2>/dev/null || echo unknown >"$pack/VERSION"

step pack-gpu-check tar -C "$BUILD/gpu-check" --owner=0 --group=0 -czf "$BUILD/gpu-check.tar.gz" gpu-check
install -m 755 Scripts/gpu-check/entry.sh "$BUILD/gpu-check.sh"
byte_count=$(stat -c %s "$BUILD/gpu-check.tar.gz")
[ "$byte_count" -lt $((60 << 20)) ] || die "the archive has $byte_count bytes, more than 60 MiB"
say "packed $BUILD/gpu-check.tar.gz ($((byte_count >> 20)) MiB) and $BUILD/gpu-check.sh"

export GPU_CHECK_RESULTS=$ROOT/Benchmarks/results
if [ -e /dev/nvidiactl ] || [ "${1:-}" = --software ] || [ "${1:-}" = --dry-run ]; then
    exec "$BUILD/gpu-check.sh" "$@"
fi
say "this machine has no GPU. Copy both files into one folder of a machine that has a driver and Python, and run there:"
say "    ./gpu-check.sh            # under 8 minutes; --quick for a short look, --help for the rest"
say "then put the result file into Benchmarks/results"
