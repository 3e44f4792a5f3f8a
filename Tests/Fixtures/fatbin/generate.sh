#!/bin/sh
# Packs two PTX files of ../ptx as fatbinary does, once for each way of compression. Needs fatbinary 13 or newer in PATH.
set -eu
cd "$(dirname "$0")"
pack() {
    name=$1
    shift
    fatbinary -64 "$@" --create "$name.fatbin" --image3=kind=ptx,sm=80,file=../ptx/reduce.sm_80.ptx \
        --image3=kind=ptx,sm=75,file=../ptx/saxpy.sm_75.ptx
}
pack none --compress-mode=none
pack lz4 --compress-mode=speed
pack zstd --compress-mode=size
pack group --compress-mode=default --concat
