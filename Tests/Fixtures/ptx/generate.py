#!/usr/bin/env python3
"""Compiles src/*.cu to PTX with NVRTC, one file per kernel source and target.

Needs the wheels nvidia-cuda-nvrtc-cu12, nvidia-cuda-runtime-cu12, nvidia-cuda-cccl-cu12 and nvidia-cuda-nvcc-cu12 in
the running interpreter.
"""
import ctypes
import pathlib
import site
import sys

HERE = pathlib.Path(__file__).resolve().parent
WHEELS = pathlib.Path(next(p for p in site.getsitepackages() if (pathlib.Path(p) / "nvidia").is_dir())) / "nvidia"
# Every source for the software GPU's own target; some also for other targets, with debug lines or separate compilation.
VARIANTS = {
    "saxpy": ["compute_75", "compute_90", "compute_80 -lineinfo", "compute_80 -G"],
    "reduce": ["compute_90"],
    "calls": ["compute_80 -rdc=true"],
    "nested_scopes": ["compute_80 -G"],
    "spin_lock": ["compute_70"],
}


def build(nvrtc, source, options):
    program = ctypes.c_void_p()
    text = source.read_text().encode()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, b"/" + source.name.encode(), 0, None, None)
    includes = ["-I" + str(WHEELS / name / "include") for name in ("cuda_runtime", "cuda_cccl", "cuda_nvcc")]
    words = [w.encode() for w in ["--std=c++17", "--device-int128", *includes, *options]]
    status = nvrtc.nvrtcCompileProgram(program, len(words), (ctypes.c_char_p * len(words))(*words))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    if status != 0:
        raise SystemExit(f"{source.name}: {log.value.decode()}")
    nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size))
    ptx = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetPTX(program, ptx)
    return ptx.value


def main():
    nvrtc = ctypes.CDLL(str(next((WHEELS / "cuda_nvrtc" / "lib").glob("libnvrtc.so.1*"))))
    for source in sorted((HERE / "src").glob("*.cu")):
        for variant in ["compute_80", *VARIANTS.get(source.stem, [])]:
            target, *rest = variant.split()
            name = ".".join([source.stem, target.replace("compute", "sm"), *(o.strip("-").split("=")[0] for o in rest)])
            ptx = build(nvrtc, source, ["--gpu-architecture=" + target, *rest])
            (HERE / (name + ".ptx")).write_bytes(ptx)
            print(name, len(ptx))


if __name__ == "__main__":
    sys.exit(main())
