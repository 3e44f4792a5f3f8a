"""CuPy: its own kernels, a kernel from source, and the libraries that it loads."""

from measure import digest, finish, since_start, skip, steps

try:
    import cupy
except ImportError as error:
    skip(f"no CuPy: {error}")

source = """
extern "C" __global__ void scale(const float *in, float *out, float factor, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = in[i] * factor + i;
}
"""
count = 1 << 16
values = cupy.arange(count, dtype=cupy.float32)
out = cupy.empty_like(values)
scale = cupy.RawKernel(source, "scale")
calls = {
    "raw-kernel": lambda: (scale((count // 256,), (256,), (values, out, cupy.float32(3), count)), out)[1],
    "elementwise": lambda: values * 2 + 1,
    "reduction": lambda: values.reshape(256, 256).sum(axis=1),
    "sort": lambda: cupy.sort(values[::-1]),
    "matmul": lambda: values.reshape(256, 256) @ values.reshape(256, 256),
    "fft": lambda: cupy.fft.fft(values[:1024]),
}
found, failed = {}, {}
for name, call in calls.items():
    try:
        found[name] = digest(cupy.asnumpy(call()))
    except Exception as error:  # One feature must not hide the others.
        failed[name] = f"{type(error).__name__}: {error}"[:300]
started = since_start()
profiler = cupy.cuda.runtime
measured = steps(
    calls["elementwise"], cupy.cuda.Device().synchronize, 3, 100, profiler.profilerStart, profiler.profilerStop)
finish(**measured, startSeconds=started, digest=found, failed=failed)
