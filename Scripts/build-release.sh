#!/usr/bin/env bash
# Builds everything that a user runs and lays it out under .build/roost: bin, lib, libexec and share.
# Swift's own incremental build decides what there is to do, so a second run takes seconds.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

prefix=$BUILD/roost
embedded=$BUILD/embedded
native=$BUILD/release-tools

build_embedded() { ROOST_EMBEDDED=1 swift build -c release --scratch-path "$embedded" --product "$1"; }
# With the Swift libraries inside, the programs run where no Swift is installed.
build_native() { swift build -c release --static-swift-stdlib --scratch-path "$native" --product "$1"; }

# install_if_changed SOURCE TARGET: keeps the time stamp of what did not change, and replaces a file by rename so that
# a process which has the old one mapped keeps it.
install_if_changed() {
    cmp -s "$1" "$2" && return 0
    install -m 755 "$1" "$2.new"
    mv -f "$2.new" "$2"
}

# The two manifests resolve to different package graphs in one directory, so the builds come one after the other.
step build-libcuda build_embedded cuda
step build-libnvidia-ml build_embedded nvidia-ml
step build-roost build_native roost
step build-roost-worker build_native roost-worker
step build-roost-server build_native roost-server
step build-conformance build_native conformance

mkdir -p "$prefix/bin" "$prefix/lib/standin" "$prefix/libexec"

for library in cuda nvidia-ml; do
    strip --strip-unneeded -o "$BUILD/lib$library.stripped" "$embedded/release/lib$library.so"
    install_if_changed "$BUILD/lib$library.stripped" "$prefix/lib/lib$library.so.1"
    ln -sfn "lib$library.so.1" "$prefix/lib/lib$library.so"
done

for program in roost roost-worker roost-server; do
    install_if_changed "$native/release/$program" "$prefix/bin/$program"
done
strip -o "$BUILD/conformance.stripped" "$native/release/conformance"
install_if_changed "$BUILD/conformance.stripped" "$prefix/bin/conformance"

for major in 12 13; do
    soname=libnvJitLink.so.$major
    gcc -std=c11 -O2 -Wall -Wextra -Werror -fPIC -shared -s -DNVJITLINK_MAJOR="$major" \
        -Wl,-soname,"$soname" -Wl,--version-script=<(printf '%s { global: *; };\n' "$soname") \
        -o "$BUILD/$soname" Shims/nvjitlink-standin.c
    install_if_changed "$BUILD/$soname" "$prefix/lib/standin/$soname"
done
install_if_changed Scripts/ptxas-passthrough.sh "$prefix/libexec/ptxas"
install_if_changed Scripts/with-device-files.sh "$prefix/libexec/with-device-files"

# The dashboard is copied whole, so that a file which is gone from the sources is gone here too.
rm -rf "$prefix/share/roost/dashboard.new"
mkdir -p "$prefix/share/roost"
cp -R Dashboard "$prefix/share/roost/dashboard.new"
rm -rf "$prefix/share/roost/dashboard"
mv "$prefix/share/roost/dashboard.new" "$prefix/share/roost/dashboard"

say "installed in $prefix"
