"""Three numba-cuda kernels, checked against NumPy: vector addition, a block reduction and a tiled matrix product."""

import sys

import numpy as np
from numba import cuda, float32

TILE = 16
BLOCK = 128


@cuda.jit
def add(a, b, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = a[i] + b[i]


@cuda.jit
def sum_blocks(values, total):
    partial = cuda.shared.array(BLOCK, float32)
    lane = cuda.threadIdx.x
    i = cuda.grid(1)
    partial[lane] = values[i] if i < values.size else 0.0
    cuda.syncthreads()
    width = BLOCK // 2
    while width > 0:
        if lane < width:
            partial[lane] += partial[lane + width]
        cuda.syncthreads()
        width //= 2
    if lane == 0:
        cuda.atomic.add(total, 0, partial[0])


@cuda.jit
def multiply(a, b, out):
    left = cuda.shared.array((TILE, TILE), float32)
    right = cuda.shared.array((TILE, TILE), float32)
    row, column = cuda.grid(2)
    y, x = cuda.threadIdx.x, cuda.threadIdx.y
    total = float32(0.0)
    for step in range(a.shape[1] // TILE):
        left[y, x] = a[row, step * TILE + x]
        right[y, x] = b[step * TILE + y, column]
        cuda.syncthreads()
        for k in range(TILE):
            total += left[y, k] * right[k, x]
        cuda.syncthreads()
    out[row, column] = total


def main():
    random = np.random.default_rng(1)
    device = cuda.get_current_device()
    print(f"numba: running on {device.name}")

    a = random.random(100_000, dtype=np.float32)
    b = random.random(100_000, dtype=np.float32)
    blocks = (a.size + BLOCK - 1) // BLOCK
    out = cuda.device_array_like(a)
    add[blocks, BLOCK](cuda.to_device(a), cuda.to_device(b), out)
    np.testing.assert_array_equal(out.copy_to_host(), a + b)
    print("numba: vector addition equals NumPy's")

    total = cuda.to_device(np.zeros(1, np.float32))
    sum_blocks[blocks, BLOCK](cuda.to_device(a), total)
    np.testing.assert_allclose(total.copy_to_host()[0], a.sum(dtype=np.float64), rtol=1e-4)
    print("numba: reduction equals NumPy's")

    n = 128
    m1 = random.random((n, n), dtype=np.float32)
    m2 = random.random((n, n), dtype=np.float32)
    product = cuda.device_array((n, n), np.float32)
    multiply[(n // TILE, n // TILE), (TILE, TILE)](cuda.to_device(m1), cuda.to_device(m2), product)
    np.testing.assert_allclose(product.copy_to_host(), m1 @ m2, rtol=1e-4)
    print("numba: matrix product equals NumPy's")


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        print(f"numba: FAIL {type(error).__name__}: {error}")
        sys.exit(1)
    print("numba: PASS")
