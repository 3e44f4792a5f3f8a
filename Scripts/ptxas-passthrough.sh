#!/bin/sh
# Stands where a compiler expects NVIDIA's ptxas and hands the PTX over as it is, for a device that runs PTX.
# Triton finds it by TRITON_PTXAS_PATH (and TRITON_PTXAS_BLACKWELL_PATH).
input=
output=
while [ $# -gt 0 ]; do
    case $1 in
    --version | -V)
        echo "ptxas: NVIDIA (R) Ptx optimizing assembler"
        echo "Cuda compilation tools, release 12.9, V12.9.86"
        exit 0
        ;;
    -o | --output-file)
        output=$2
        shift
        ;;
    -o?*) output=${1#-o} ;;
    --output-file=*) output=${1#--output-file=} ;;
    # Options whose value is a word of its own.
    -arch | --gpu-name | -O | --opt-level | -m | --machine | -maxrregcount | --maxrregcount | --warning-as-error)
        shift
        ;;
    -*) ;;
    *) input=$1 ;;
    esac
    shift
done
if [ -z "$input" ] || [ -z "$output" ]; then
    echo "ptxas (pass-through): needs an input file and -o OUTPUT" >&2
    exit 1
fi
# XLA hands the file's bytes to the driver as they are, and text that a driver is given ends with a zero.
cp "$input" "$output" && printf '\0' >>"$output"
