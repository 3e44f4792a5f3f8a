"""Unmodified client programs from PyPI: side by side on one device, out of memory, and what NVML's users see."""

import re
import sys

import pytest

from conftest import PYTHON, ROOT

EXAMPLES = ROOT / "Examples"


def test_three_client_families_at_once_on_one_device(roost):
    families = {"numba": "01-numba", "cupy": "02-cupy", "cuda.core": "03-cuda-core"}
    running = {
        name: roost.start(PYTHON, EXAMPLES / folder / "main.py", name=name.replace(".", "-"), vram="256MiB")
        for name, folder in families.items()
    }
    for name, program in running.items():
        assert program.finish(seconds=240).splitlines()[-1] == f"{name}: PASS"


def test_out_of_memory_leaves_the_neighbour_alone(roost, programs):
    neighbour = roost.start(programs / "hold", "40", name="neighbour", vram="64MiB")
    neighbour.expect_line("holding")
    output = roost.run(PYTHON, EXAMPLES / "04-out-of-memory" / "main.py", vram="128MiB", seconds=120)
    assert "the device has 128 MiB" in output
    assert output.splitlines()[-1] == "out-of-memory: PASS"
    assert roost.vgpu("neighbour")["memoryBytes"] == 64 << 20
    neighbour.process.stdin.close()
    assert neighbour.finish().splitlines()[-1] == "PASS"


def test_one_vgpu_limits_all_its_processes_together(roost, programs):
    script = (
        "import subprocess, sys\n"
        "held = subprocess.Popen([sys.argv[1], '40'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\n"
        "assert held.stdout.readline() == 'holding\\n'\n"
        "second = subprocess.run([sys.argv[1], '40'], stdin=subprocess.DEVNULL, capture_output=True, text=True)\n"
        "assert second.returncode == 1 and 'returned 2,' in second.stderr, second\n"
        "held.communicate('')\n"
        "assert held.returncode == 0\n"
        "third = subprocess.run([sys.argv[1], '40'], stdin=subprocess.DEVNULL, capture_output=True, text=True)\n"
        "assert third.returncode == 0, third\n"
    )
    roost.run(sys.executable, "-c", script, programs / "hold", vram="64MiB")


NVML = """
import os, time, pynvml, cuda.bindings.driver as driver
pynvml.nvmlInit()
assert pynvml.nvmlDeviceGetCount() == 1
handle = pynvml.nvmlDeviceGetHandleByIndex(0)
print("name", pynvml.nvmlDeviceGetName(handle))
print("uuid", pynvml.nvmlDeviceGetUUID(handle))
print("total", pynvml.nvmlDeviceGetMemoryInfo(handle).total)
pynvml.nvmlDeviceGetUtilizationRates(handle)
driver.cuInit(0)
context = driver.cuDevicePrimaryCtxRetain(0)[1]
driver.cuCtxSetCurrent(context)
error, pointer = driver.cuMemAlloc(16 << 20)
assert error == 0, error
assert driver.cuCtxSynchronize()[0] == 0
# An answer of NVML may be 50 ms old.
deadline = time.monotonic() + 5
while pynvml.nvmlDeviceGetMemoryInfo(handle).used == 0 and time.monotonic() < deadline:
    pass
print("used", pynvml.nvmlDeviceGetMemoryInfo(handle).used)
uuid = driver.cuDeviceGetUuid(0)[1].bytes.hex()
print("cuda", "GPU-" + "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:])))
print("processes", [p.pid for p in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)], os.getpid())
"""


def test_nvml_and_cuda_show_the_same_vgpu(roost):
    output = roost.run(PYTHON, "-c", NVML, name="nvml", vram="96MiB")
    shown = dict(line.split(" ", 1) for line in output.splitlines())
    assert "Roost" in shown["name"]
    assert shown["uuid"] == shown["cuda"]
    assert int(shown["total"]) == 96 << 20
    assert 16 << 20 <= int(shown["used"]) <= 96 << 20
    processes, own = shown["processes"].rsplit(" ", 1)
    assert processes == f"[{own}]"


# nvitop shows the end of a long name only: "Roost Software GPU (vgpu-1a2b)".
@pytest.mark.parametrize(
    "arguments, pattern",
    [
        (["-m", "nvitop", "-1"], r"\(vgpu-\w+\)(.|\n)* 0B / 96\.00MiB "),
        (["-m", "gpustat", "--no-color"], r"Roost Software GPU \(vgpu-\w+\).* 0 / +96 MB"),
    ],
    ids=["nvitop", "gpustat"],
)
def test_monitors_show_the_vgpu(roost, arguments, pattern):
    environment = {"TERM": "dumb", "COLUMNS": "120", "LINES": "40"}
    output = roost.run(PYTHON, *arguments, vram="96MiB", environment=environment)
    assert re.search(pattern, output), output


def test_device_printf_reaches_standard_output(roost):
    script = (
        "from numba import cuda\n"
        "@cuda.jit\n"
        "def hello():\n"
        "    print('thread', cuda.threadIdx.x)\n"
        "hello[1, 3]()\n"
        "cuda.synchronize()\n"
    )
    output = roost.run(PYTHON, "-W", "ignore", "-c", script, seconds=120)
    assert sorted(output.splitlines()) == ["thread 0", "thread 1", "thread 2"]
