#!/usr/bin/env python3
"""Compiles the kernels below to PTX with numba-cuda, whose names and idioms differ from those of NVRTC. Needs no GPU."""
import math
import pathlib

from numba import cuda, float32, float64, int32

HERE = pathlib.Path(__file__).resolve().parent


def saxpy(a, x, y, n):
    i = cuda.grid(1)
    if i < n:
        y[i] = a * x[i] + y[i]


def shared(x, y):
    block = cuda.shared.array(128, float32)
    t = cuda.threadIdx.x
    block[t] = x[t]
    cuda.syncthreads()
    y[t] = block[127 - t] + math.sin(x[t])


def histogram(x, y):
    cuda.atomic.add(y, x[cuda.threadIdx.x] % 8, 1)
    cuda.atomic.max(y, 0, x[0])


def divide(x, y):
    i = cuda.grid(1)
    y[i] = y[i] // x[i]
    print(i, y[i])


SIGNATURES = {
    saxpy: (float32, float32[:], float32[:], int32),
    shared: (float32[:], float32[:]),
    histogram: (int32[:], int32[:]),
    divide: (float64[:], float64[:]),
}

for function, signature in SIGNATURES.items():
    ptx, _ = cuda.compile(function, signature, cc=(8, 0), output="ptx", abi="numba", device=False)
    (HERE / f"numba_{function.__name__}.sm_80.ptx").write_text(ptx)
