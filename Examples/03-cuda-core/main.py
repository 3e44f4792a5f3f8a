"""cuda.core and cuda.bindings: compile with NVRTC to PTX, launch, and move data, checked against NumPy."""

import ctypes
import sys

import numpy as np
from cuda.bindings import driver
from cuda.core import Device, LaunchConfig, LegacyPinnedMemoryResource, Program, ProgramOptions, launch

SOURCE = r"""
template <typename T>
__global__ void scale_and_add(T factor, const T* x, const T* y, T* out, unsigned int n)
{
    for (unsigned int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        out[i] = factor * x[i] + y[i];
}

extern "C" __global__ void histogram(const unsigned char* values, unsigned int n, unsigned int* bins)
{
    __shared__ unsigned int local[16];
    if (threadIdx.x < 16) local[threadIdx.x] = 0;
    __syncthreads();
    for (unsigned int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&local[values[i] & 15], 1u);
    __syncthreads();
    if (threadIdx.x < 16) atomicAdd(&bins[threadIdx.x], local[threadIdx.x]);
}
"""


def check(result):
    if result[0] != driver.CUresult.CUDA_SUCCESS:
        raise RuntimeError(f"driver call failed with {result[0].name}")
    return result[1:]


def upload(device, stream, array):
    buffer = device.allocate(array.nbytes, stream=stream)
    check(driver.cuMemcpyHtoDAsync(int(buffer.handle), array.ctypes.data, array.nbytes, stream.handle))
    return buffer


def main():
    device = Device()
    device.set_current()
    stream = device.create_stream()
    print(f"cuda.core: running on {device.name}")

    options = ProgramOptions(std="c++17", arch=f"sm_{device.arch}")
    module = Program(SOURCE, code_type="c++", options=options).compile(
        "ptx", name_expressions=("scale_and_add<float>", "scale_and_add<double>")
    )
    random = np.random.default_rng(3)

    for kind in (np.float32, np.float64):
        kernel = module.get_kernel("scale_and_add<float>" if kind is np.float32 else "scale_and_add<double>")
        x = random.random(50_000, dtype=kind)
        y = random.random(50_000, dtype=kind)
        inputs = [upload(device, stream, x), upload(device, stream, y)]
        out = device.allocate(x.nbytes, stream=stream)
        launch(
            stream, LaunchConfig(grid=64, block=256), kernel,
            kind(2.5), inputs[0].handle, inputs[1].handle, out.handle, np.uint32(x.size),
        )
        pinned = LegacyPinnedMemoryResource().allocate(x.nbytes)
        out.copy_to(pinned, stream=stream)
        stream.sync()
        np.testing.assert_allclose(np.from_dlpack(pinned).view(kind), kind(2.5) * x + y, rtol=1e-6)
        for buffer in (*inputs, out):
            buffer.close(stream)
        print(f"cuda.core: scale and add of {np.dtype(kind).name} equals NumPy's")

    values = random.integers(0, 16, 60_000, dtype=np.uint8)
    gpu_values = upload(device, stream, values)
    bins = upload(device, stream, np.zeros(16, np.uint32))
    launch(
        stream, LaunchConfig(grid=32, block=128), module.get_kernel("histogram"),
        gpu_values.handle, np.uint32(values.size), bins.handle,
    )
    result = np.empty(16, np.uint32)
    check(driver.cuMemcpyDtoHAsync(result.ctypes.data_as(ctypes.c_void_p).value, int(bins.handle), 64, stream.handle))
    stream.sync()
    np.testing.assert_array_equal(result, np.bincount(values, minlength=16))
    print("cuda.core: histogram in shared memory equals NumPy's")


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        print(f"cuda.core: FAIL {type(error).__name__}: {error}")
        sys.exit(1)
    print("cuda.core: PASS")
