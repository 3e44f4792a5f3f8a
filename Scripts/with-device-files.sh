#!/bin/sh
# Runs a program where /dev/nvidia0 and /dev/nvidiactl exist: in a mount namespace of its own, so that nobody else sees them and they end
# with it. JAX looks for these files before it tries CUDA. They are empty; nothing opens them. For a device that runs PTX, the ptxas of
# NVIDIA's wheels beside the program is covered by ours there too, since XLA lets nobody choose another.
set -eu

fail() {
    echo "roost: $*" >&2
    exit 125
}

if [ "${ROOST_DEVICE_FILES_STAGE:-}" != inside ]; then
    command -v unshare >/dev/null || fail "--device-files needs the program unshare (package util-linux)"
    export ROOST_DEVICE_FILES_STAGE=inside
    if [ "$(id -u)" = 0 ]; then
        unshare -m true 2>/dev/null && exec unshare -m -- "$0" "$@"
    fi
    unshare -U --map-current-user --keep-caps -m true 2>/dev/null ||
        fail "--device-files needs user namespaces, which this system forbids; create an empty file /dev/nvidia0 as root instead"
    exec unshare -U --map-current-user --keep-caps -m -- "$0" "$@"
fi
unset ROOST_DEVICE_FILES_STAGE

# A new /dev with everything that the old one has, since files can't be made in the old one without the machine noticing.
made=$(mktemp -d)
mount -n -t tmpfs -o mode=755 roost "$made" || fail "--device-files can't mount a file system here"
for entry in /dev/* /dev/.[!.]*; do
    target=$made/${entry##*/}
    if [ -L "$entry" ]; then
        cp -P "$entry" "$target"
    elif [ -d "$entry" ]; then
        mkdir "$target" && mount -n --rbind "$entry" "$target"
    elif [ -e "$entry" ]; then
        : >"$target" && mount -n --bind "$entry" "$target"
    fi
done
for name in nvidia0 nvidiactl; do
    [ -e "$made/$name" ] || : >"$made/$name"
done
mount -n --move "$made" /dev || fail "--device-files can't mount over /dev here"
rmdir "$made"

if [ -n "${TRITON_PTXAS_PATH:-}" ]; then
    program=$(command -v "$1" || true)
    for wheel in "${program%/*/*}"/lib/python3*/site-packages/nvidia/*/bin/ptxas; do
        [ ! -f "$wheel" ] || mount -n --bind "$TRITON_PTXAS_PATH" "$wheel"
    done
    # XLA compiles with the library instead of ptxas otherwise, and times candidates by kernels of its own that are machine code.
    XLA_FLAGS="${XLA_FLAGS:-} --xla_gpu_enable_libnvptxcompiler=false --xla_gpu_autotune_level=0"
    export XLA_FLAGS
fi
exec "$@"
