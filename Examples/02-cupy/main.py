"""CuPy as its users write it: array expressions, a RawKernel and reductions, checked against NumPy."""

import sys

import cupy as cp
import numpy as np

SAXPY = r"""
extern "C" __global__ void saxpy(float a, const float* x, const float* y, float* out, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = a * x[i] + y[i];
}
"""


def main():
    random = np.random.default_rng(2)
    name = cp.cuda.runtime.getDeviceProperties(0)["name"].decode()
    print(f"cupy: running on {name}")

    x = random.random(100_000, dtype=np.float32)
    y = random.random(100_000, dtype=np.float32)
    gx, gy = cp.asarray(x), cp.asarray(y)

    np.testing.assert_allclose(cp.asnumpy(gx * 2 + cp.sqrt(gy)), x * 2 + np.sqrt(y), rtol=1e-6)
    print("cupy: elementwise expression equals NumPy's")

    saxpy = cp.RawKernel(SAXPY, "saxpy")
    out = cp.empty_like(gx)
    saxpy(((x.size + 255) // 256,), (256,), (np.float32(3), gx, gy, out, np.int32(x.size)))
    np.testing.assert_allclose(cp.asnumpy(out), np.float32(3) * x + y, rtol=1e-6)
    print("cupy: RawKernel equals NumPy's")

    np.testing.assert_allclose(float(gx.sum()), x.sum(dtype=np.float64), rtol=1e-5)
    assert float(gx.max()) == x.max()
    rows = gx[:90_000].reshape(300, 300)
    np.testing.assert_allclose(cp.asnumpy(rows.sum(axis=1)), x[:90_000].reshape(300, 300).sum(axis=1), rtol=1e-5)
    assert int(cp.asarray([4, 1, 3]).argmin()) == 1
    print("cupy: sum, max and argmin equal NumPy's")


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        print(f"cupy: FAIL {type(error).__name__}: {error}")
        sys.exit(1)
    print("cupy: PASS")
