"""Steps of typical client programs, for counting: `python steps.py CLIENT` runs each step warm, then REPEATS times between the marks
by which ROOST_STATS cuts its counts, and prints the steps' names in order.
"""

import ctypes
import sys
import time

REPEATS = 10
CUDA = ctypes.CDLL("libcuda.so.1")


def count(name, step):
    for _ in range(3):
        step()
    # The second mark would be refused where the first found no context.
    assert CUDA.cuProfilerStart() == 0
    for _ in range(REPEATS):
        step()
    assert CUDA.cuProfilerStop() == 0
    print("step", name, flush=True)


def first_kernel():
    print("first", time.time(), flush=True)


def numba():
    import numpy
    from numba import cuda

    @cuda.jit("void(float32[:], float32[:], float32[:])")
    def add(x, y, out):
        i = cuda.grid(1)
        if i < out.size:
            out[i] = x[i] + y[i]

    host = numpy.arange(1000, dtype=numpy.float32)
    x, y, out = cuda.to_device(host), cuda.to_device(host), cuda.device_array(1000, numpy.float32)
    add[8, 128](x, y, out)
    cuda.synchronize()
    first_kernel()
    count("launch", lambda: add[8, 128](x, y, out))
    count("launch-and-wait", lambda: (add[8, 128](x, y, out), cuda.synchronize()))
    count("to-device", lambda: cuda.to_device(host, to=x))
    count("copy-back", lambda: out.copy_to_host(host))
    count("host-arguments", lambda: add[8, 128](host, host, host))


def cupy():
    import cupy
    import numpy

    host = numpy.arange(1000, dtype=numpy.float32)
    a, b = cupy.asarray(host), cupy.asarray(host)
    raw = cupy.RawKernel('extern "C" __global__ void twice(float *p) { p[threadIdx.x] *= 2; }', "twice")
    raw((1,), (100,), (a,))
    cupy.cuda.Device().synchronize()
    first_kernel()
    count("raw-kernel", lambda: raw((1,), (100,), (a,)))
    count("add", lambda: a + b)
    count("sum", lambda: a.sum())
    count("sum-to-host", lambda: float(a.sum()))
    count("fused-step", lambda: cupy.tanh(a * 2 + b).sum())
    count("asarray", lambda: cupy.asarray(host))
    count("asnumpy", lambda: cupy.asnumpy(a))
    count("allocate-and-free", lambda: (cupy.empty(1 << 20), cupy.get_default_memory_pool().free_all_blocks()))


def cuda_core():
    from cuda.core import Device, LaunchConfig, Program, ProgramOptions, launch

    device = Device()
    device.set_current()
    stream = device.create_stream()
    source = 'extern "C" __global__ void twice(float *p) { p[threadIdx.x] *= 2; }'
    kernel = Program(source, "c++", ProgramOptions(std="c++17", arch="sm_80")).compile("ptx").get_kernel("twice")
    buffer = device.memory_resource.allocate(4096, stream=stream)
    config = LaunchConfig(grid=1, block=128)
    launch(stream, config, kernel, buffer)
    stream.sync()
    first_kernel()
    count("launch", lambda: launch(stream, config, kernel, buffer))
    count("launch-and-wait", lambda: (launch(stream, config, kernel, buffer), stream.sync()))
    count("event", lambda: stream.wait(stream.record()))
    count("allocate-and-free", lambda: device.memory_resource.allocate(4096, stream=stream).close(stream))


def torch():
    import torch
    import triton
    import triton.language as tl

    @triton.jit
    def add_kernel(x, y, out, n, BLOCK: tl.constexpr):
        place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        tl.store(out + place, tl.load(x + place, mask=place < n) + tl.load(y + place, mask=place < n), mask=place < n)

    host = torch.arange(1000.0)
    x, y, out = host.cuda(), host.cuda(), torch.empty(1000, device="cuda")
    pinned = host.pin_memory()

    def add():
        add_kernel[(8,)](x, y, out, 1000, BLOCK=128)

    add()
    torch.cuda.synchronize()
    first_kernel()

    @torch.compile
    def mlp_like(a, b):
        return torch.tanh(a * 2 + b).sum()

    count("triton-add", add)
    count("empty", lambda: torch.empty(1000, device="cuda"))
    count("zeros", lambda: torch.zeros(1000, device="cuda"))
    count("item", lambda: (add(), out[0].item()))
    count("cpu", lambda: out.cpu())
    count("cuda", lambda: host.cuda())
    count("pinned-non-blocking", lambda: x.copy_(pinned, non_blocking=True))
    count("clone", lambda: x.clone())
    count("compiled-step", lambda: mlp_like(x, y))
    count("compiled-step-to-host", lambda: mlp_like(x, y).item())
    torch_streams(torch, add)
    torch_training(torch)


def torch_streams(torch, add):
    """A side stream, and a graph of five kernels."""
    side, event = torch.cuda.Stream(), torch.cuda.Event()

    def aside():
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            add()
            event.record()
        torch.cuda.current_stream().wait_event(event)

    count("side-stream", aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(5):
            add()
    count("graph-replay", graph.replay)
    count("graph-replay-and-wait", lambda: (graph.replay(), torch.cuda.synchronize()))


def torch_training(torch):
    """Forward, backward and update, all compiled; the inputs come from the host, as from a loader."""

    def parameter(*shape):
        return torch.randn(*shape).cuda().requires_grad_()

    weight, bias, one = parameter(8, 4), parameter(4), torch.tensor(1.0).cuda()
    x, y = torch.randn(16, 8).pin_memory(), torch.randn(16, 4).pin_memory()

    @torch.compile
    def loss_of(weight, bias, x, y):
        return ((torch.tanh((x[:, :, None] * weight[None]).sum(1) + bias) - y) ** 2).mean()

    @torch.compile
    def update(weight, bias, weight_gradient, bias_gradient):
        weight -= 0.01 * weight_gradient
        bias -= 0.01 * bias_gradient

    def step():
        loss = loss_of(weight, bias, x.cuda(non_blocking=True), y.cuda(non_blocking=True))
        loss.backward(one)
        with torch.no_grad():
            update(weight, bias, weight.grad, bias.grad)
        weight.grad = bias.grad = None
        return loss

    losses = [step().item() for _ in range(5)]
    assert losses[-1] < losses[0], losses
    count("training-step", step)
    count("training-step-to-host", lambda: step().item())


def jax():
    import jax
    import jax.numpy as jnp
    import numpy

    host = numpy.arange(1000, dtype=numpy.float32)
    a = jax.device_put(host)
    fused = jax.jit(lambda v: jnp.tanh(v * 2 + 1).sum())
    fused(a).block_until_ready()
    first_kernel()
    # XLA runs in threads of its own; a context of this thread is for the marks alone.
    context = ctypes.c_void_p()
    assert CUDA.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0 and CUDA.cuCtxSetCurrent(context) == 0
    # What the device has not done yet would be counted in the next step, so that steps end where XLA says that they are done;
    # it hears so from the device, by a call of a host function, which is no wait for the worker.
    doubled = jax.jit(lambda v: v * 2)
    gradient = jax.jit(jax.value_and_grad(lambda w, x, y: ((jnp.tanh((x[:, :, None] * w[None]).sum(1)) - y) ** 2).mean()))
    w, x, y = (jax.random.normal(jax.random.key(n), shape) for n, shape in enumerate([(8, 4), (16, 8), (16, 4)]))

    def train():
        nonlocal w
        loss, slope = gradient(w, x, y)
        w = w - 0.1 * slope
        return loss

    count("fused-step", lambda: fused(a).block_until_ready())
    count("fused-step-to-host", lambda: float(fused(a)))
    count("add", lambda: (a + a).block_until_ready())
    count("device-put", lambda: jax.device_put(host).block_until_ready())
    # An array keeps what was fetched once, so each step fetches another.
    count("device-get", lambda: jax.device_get(doubled(a)))
    count("training-step", lambda: (train(), w.block_until_ready()))
    count("training-step-to-host", lambda: float(train()))


if __name__ == "__main__":
    {"numba": numba, "cupy": cupy, "cuda.core": cuda_core, "torch": torch, "jax": jax}[sys.argv[1]]()
