"""PyTorch with kernels that Triton makes: they arrive as PTX, so whole models run on the software GPU."""

import unittest

import torch
import torch._inductor.config
import triton
import triton.language as tl

torch._inductor.config.compile_threads = 1
torch.manual_seed(1)


@triton.jit
def add_kernel(x, y, out, count, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = place < count
    tl.store(out + place, tl.load(x + place, mask=inside) + tl.load(y + place, mask=inside), mask=inside)


@triton.jit
def softmax_kernel(x, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    place = tl.arange(0, BLOCK)
    values = tl.load(x + row * columns + place, mask=place < columns, other=-float("inf"))
    powers = tl.exp(values - tl.max(values, 0))
    tl.store(out + row * columns + place, powers / tl.sum(powers, 0), mask=place < columns)


@triton.jit
def product_kernel(a, b, out, SIZE: tl.constexpr):
    i, j = tl.arange(0, SIZE)[:, None], tl.arange(0, SIZE)[None, :]
    tl.store(out + i * SIZE + j, tl.dot(tl.load(a + i * SIZE + j), tl.load(b + i * SIZE + j), input_precision="ieee"))


def compiled(function, *inputs, **options):
    """Runs a function compiled on the vGPU and plain on the CPU, and compares."""
    want = function(*inputs)
    got = torch.compile(function, **options)(*(value.cuda() for value in inputs))
    torch.testing.assert_close(got.cpu(), want, rtol=1e-4, atol=1e-4)


class Triton(unittest.TestCase):
    def test_add(self):
        x, y = torch.randn(1000), torch.randn(1000)
        out = torch.empty(1000, device="cuda")
        add_kernel[(4,)](x.cuda(), y.cuda(), out, 1000, BLOCK=256)
        torch.testing.assert_close(out.cpu(), x + y)

    def test_softmax(self):
        x = torch.randn(8, 100)
        out = torch.empty(8, 100, device="cuda")
        softmax_kernel[(8,)](x.cuda(), out, 100, BLOCK=128)
        torch.testing.assert_close(out.cpu(), x.softmax(1))

    def test_matrix_product(self):
        a, b = torch.randn(32, 32), torch.randn(32, 32)
        out = torch.empty(32, 32, device="cuda")
        product_kernel[(1,)](a.cuda(), b.cuda(), out, SIZE=32)
        torch.testing.assert_close(out.cpu(), a @ b, rtol=1e-4, atol=1e-4)

    def test_on_a_stream(self):
        x = torch.randn(1000).cuda()
        out = torch.empty(1000, device="cuda")
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            add_kernel[(4,)](x, x, out, 1000, BLOCK=256)
        stream.synchronize()
        torch.testing.assert_close(out.cpu(), x.cpu() * 2)

    def test_in_a_graph(self):
        x, y = torch.arange(1000.0).cuda(), torch.arange(1000.0).cuda()
        out = torch.zeros(1000, device="cuda")
        add_kernel[(4,)](x, y, out, 1000, BLOCK=256)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            add_kernel[(4,)](x, y, out, 1000, BLOCK=256)
        x.copy_(torch.ones(1000))
        graph.replay()
        torch.testing.assert_close(out.cpu(), torch.arange(1000.0) + 1)


class Compiled(unittest.TestCase):
    def test_elementwise(self):
        compiled(lambda a, b: torch.nn.functional.gelu(a * 2 + b), torch.randn(32, 64), torch.randn(32, 64))

    def test_reduction(self):
        compiled(lambda a: a.sum(-1) + a.amax(-1), torch.randn(32, 64))

    def test_softmax(self):
        compiled(lambda a: a.softmax(-1), torch.randn(16, 200))

    def test_layer_norm(self):
        compiled(lambda a: torch.nn.functional.layer_norm(a, (64,)), torch.randn(16, 64))

    def test_gather(self):
        compiled(lambda a, i: a[i], torch.randn(50, 8), torch.randint(0, 50, (20,)))

    def test_scan(self):
        compiled(lambda a: a.cumsum(0), torch.randn(128))

    def test_two_outputs_of_one_graph(self):
        compiled(lambda a: torch.stack([a.sin(), a.cos()]), torch.randn(64))

    def test_training_step(self):
        def loss_of(weight, bias, x, y):
            return ((torch.tanh((x[:, :, None] * weight[None]).sum(1) + bias) - y) ** 2).mean()

        host = [torch.randn(8, 4), torch.randn(4), torch.randn(16, 8), torch.randn(16, 4)]
        device = [value.cuda() for value in host]
        for values in (host, device):
            for value in values[:2]:
                value.requires_grad_()
        loss_of(*host).backward()
        step = torch.compile(loss_of)
        result = step(*device)
        result.backward(torch.tensor(1.0).cuda())
        for one, other in zip(host[:2], device[:2]):
            torch.testing.assert_close(other.grad.cpu(), one.grad, rtol=1e-4, atol=1e-4)
