"""PyTorch from PyPI on a vGPU: what needs no kernel of PyTorch's own, whose wheel holds machine code only."""

import ctypes
import os
import unittest

import torch
from torch.utils.data import DataLoader, TensorDataset


def numbers(count=1000):
    return torch.arange(count, dtype=torch.float32)


class Discovery(unittest.TestCase):
    def test_cuda_is_available(self):
        self.assertTrue(torch.cuda.is_available())
        self.assertEqual(torch.cuda.device_count(), 1)

    def test_properties_are_the_vgpus(self):
        properties = torch.cuda.get_device_properties(0)
        self.assertIn("Roost", properties.name)
        self.assertIn(os.environ["ROOST_VGPU"], properties.name)
        self.assertEqual(properties.total_memory, 2 << 30)
        self.assertEqual(torch.cuda.get_device_capability(), (properties.major, properties.minor))
        self.assertEqual(properties.warp_size, 32)

    def test_memory_info_is_the_vgpus(self):
        free, total = torch.cuda.mem_get_info()
        self.assertEqual(total, 2 << 30)
        self.assertTrue(0 < free <= total)

    def test_no_peer_and_no_second_device(self):
        with self.assertRaises((RuntimeError, AssertionError)):
            torch.empty(1, device="cuda:1")


class Memory(unittest.TestCase):
    def setUp(self):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def test_allocator_counts(self):
        before = torch.cuda.memory_allocated()
        tensor = torch.empty(1 << 20, device="cuda")
        self.assertEqual(torch.cuda.memory_allocated() - before, 4 << 20)
        self.assertGreaterEqual(torch.cuda.memory_reserved(), 4 << 20)
        del tensor
        self.assertEqual(torch.cuda.memory_allocated(), before)
        self.assertGreaterEqual(torch.cuda.max_memory_allocated(), 4 << 20)
        self.assertTrue(torch.cuda.memory_snapshot() or torch.cuda.memory_reserved() == 0)
        self.assertIn("Allocated memory", torch.cuda.memory_summary())

    def test_memory_comes_back(self):
        torch.empty(64 << 20, device="cuda")
        torch.cuda.empty_cache()
        free = torch.cuda.mem_get_info()[0]
        held = torch.empty(64 << 20, device="cuda")
        self.assertLessEqual(torch.cuda.mem_get_info()[0], free - (256 << 20))
        del held
        torch.cuda.empty_cache()
        self.assertGreaterEqual(torch.cuda.mem_get_info()[0], free)

    def test_out_of_memory_is_an_exception_and_no_end(self):
        with self.assertRaises(torch.cuda.OutOfMemoryError):
            torch.empty(8 << 30, dtype=torch.uint8, device="cuda")
        self.assertTrue(torch.equal(numbers().cuda().cpu(), numbers()))

    def test_fraction_limits_the_allocator(self):
        torch.cuda.set_per_process_memory_fraction(0.25)
        try:
            with self.assertRaises(torch.cuda.OutOfMemoryError):
                torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)


class Copies(unittest.TestCase):
    def test_pageable_both_ways(self):
        for kind in (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool):
            host = numbers().to(kind)
            self.assertTrue(torch.equal(host.to("cuda").cpu(), host), kind)

    def test_pinned_without_blocking(self):
        host = numbers().pin_memory()
        self.assertTrue(host.is_pinned())
        device = host.to("cuda", non_blocking=True)
        back = torch.empty(1000).pin_memory()
        back.copy_(device, non_blocking=True)
        torch.cuda.synchronize()
        self.assertTrue(torch.equal(back, host))

    def test_large(self):
        host = torch.randint(0, 255, (48 << 20,), dtype=torch.uint8)
        self.assertTrue(torch.equal(host.cuda().cpu(), host))

    def test_device_to_device(self):
        self.assertTrue(torch.equal(numbers().cuda().clone().cpu(), numbers()))

    def test_slices_and_views(self):
        device = numbers().cuda()
        self.assertTrue(torch.equal(device[100:200].cpu(), numbers()[100:200]))
        device[10:20].copy_(torch.zeros(10))
        self.assertEqual(device.cpu()[10:20].abs().sum(), 0)
        self.assertEqual(device[5].item(), 5)

    def test_zeros(self):
        self.assertEqual(torch.zeros(1000, device="cuda").cpu().abs().sum(), 0)
        self.assertEqual(numbers().cuda().zero_().cpu().abs().sum(), 0)

    def test_numpy_and_dlpack(self):
        device = numbers().cuda()
        again = torch.from_dlpack(device)
        self.assertEqual(again.data_ptr(), device.data_ptr())
        self.assertEqual(device.__cuda_array_interface__["data"][0], device.data_ptr())


class Streams(unittest.TestCase):
    def test_copy_on_a_stream(self):
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            device = numbers().pin_memory().to("cuda", non_blocking=True)
        stream.synchronize()
        self.assertTrue(stream.query())
        self.assertTrue(torch.equal(device.cpu(), numbers()))

    def test_streams_wait_for_each_other(self):
        first, second = torch.cuda.Stream(), torch.cuda.Stream(priority=-1)
        with torch.cuda.stream(first):
            source = numbers().pin_memory().to("cuda", non_blocking=True)
        second.wait_stream(first)
        with torch.cuda.stream(second):
            target = torch.empty(1000, device="cuda")
            target.copy_(source)
        torch.cuda.current_stream().wait_stream(second)
        self.assertTrue(torch.equal(target.cpu(), numbers()))

    def test_many_streams(self):
        streams = [torch.cuda.Stream() for _ in range(40)]
        for stream in streams:
            with torch.cuda.stream(stream):
                torch.zeros(100, device="cuda")
        torch.cuda.synchronize()

    def test_events_take_time(self):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        torch.empty(8 << 20).cuda()
        end.record()
        end.synchronize()
        self.assertTrue(end.query())
        self.assertGreater(begin.elapsed_time(end), 0)

    def test_external_stream(self):
        stream = torch.cuda.Stream()
        outer = torch.cuda.ExternalStream(stream.cuda_stream)
        with torch.cuda.stream(outer):
            torch.zeros(10, device="cuda")
        outer.synchronize()

    def test_nvtx_and_profiler_marks(self):
        torch.cuda.nvtx.range_push("step")
        torch.cuda.nvtx.range_pop()
        torch.cuda.profiler.start()
        torch.cuda.profiler.stop()


class Kernels(unittest.TestCase):
    def test_cuda_core_kernel_on_a_tensor(self):
        from cuda.core import Device, LaunchConfig, Program, ProgramOptions, launch

        class TorchStream:
            def __cuda_stream__(self):
                return (0, torch.cuda.current_stream().cuda_stream)

        device = Device()
        device.set_current()
        source = 'extern "C" __global__ void scale(float *p, float f, int n)' \
            "{ int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) p[i] *= f; }"
        options = ProgramOptions(std="c++17", arch="sm_80")
        kernel = Program(source, "c++", options).compile("ptx").get_kernel("scale")
        tensor = numbers().cuda()
        stream = device.create_stream(TorchStream())
        launch(stream, LaunchConfig(grid=8, block=128), kernel, tensor.data_ptr(), ctypes.c_float(3), ctypes.c_int(1000))
        self.assertTrue(torch.equal(tensor.cpu(), numbers() * 3))

    def test_an_own_kernel_of_pytorch_says_why_not(self):
        # Machine code only: needs a real GPU. It must be an exception, and the next call must work.
        with self.assertRaisesRegex(RuntimeError, "no kernel image"):
            numbers().cuda() + 1
        double = torch.cuda.jiterator._create_jit_fn("template <typename T> T twice(T x) { return x * 2; }")
        with self.assertRaisesRegex(RuntimeError, "no code for this device"):
            double(numbers().cuda())
        self.assertTrue(torch.equal(numbers().cuda().cpu(), numbers()))


class Processes(unittest.TestCase):
    def test_loader_with_forked_workers_and_pinned_memory(self):
        torch.zeros(1, device="cuda")
        loader = DataLoader(
            TensorDataset(numbers(100)), batch_size=10, num_workers=2, pin_memory=True, multiprocessing_context="fork")
        total = sum(batch.to("cuda", non_blocking=True).cpu().sum().item() for (batch,) in loader)
        self.assertEqual(total, 4950)

    def test_cuda_in_a_forked_child_is_refused_in_words(self):
        torch.zeros(1, device="cuda")
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                torch.zeros(1, device="cuda")
                os.write(write, b"worked")
            except RuntimeError as error:
                os.write(write, str(error).encode()[:200])
            finally:
                os._exit(0)
        os.close(write)
        self.assertIn(b"Cannot re-initialize CUDA in forked subprocess", os.read(read, 300))
        os.waitpid(child, 0)


class Graphs(unittest.TestCase):
    def test_copies_in_a_graph(self):
        source, target = numbers().cuda(), torch.zeros(1000, device="cuda")
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            target.copy_(source)
        source.copy_(numbers() * 2)
        graph.replay()
        self.assertTrue(torch.equal(target.cpu(), numbers() * 2))


class ExpandableSegments(unittest.TestCase):
    def test_allocator_on_virtual_memory(self):
        import subprocess
        import sys

        script = (
            "import torch\n"
            "a = [torch.zeros(3 << 20, device='cuda') for _ in range(8)]\n"
            "del a[::2]\n"
            "b = torch.arange(9 << 20, dtype=torch.float32).cuda()\n"
            "assert torch.equal(b.cpu(), torch.arange(9 << 20, dtype=torch.float32))\n"
            "assert torch.cuda.memory_snapshot()[0]['is_expandable']\n"
            "del a, b; torch.cuda.empty_cache()\n"
        )
        environment = {**os.environ, "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
                       "PYTORCH_ALLOC_CONF": "expandable_segments:True"}
        result = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=200)
        self.assertEqual(result.returncode, 0, result.stderr[-500:])
