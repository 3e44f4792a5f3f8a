"""Roost on Roost: our libcuda.so.1 is a driver too. A worker with the real driver's backend opens it, and it talks to a
worker with a software GPU; programs then pass both layers."""

import os
import subprocess

import pytest

from conftest import LIBRARIES, PREFIX, PYTHON, Program, wait_until


def _worker(path, *arguments, environment=None):
    words = [PREFIX / "bin" / "roost-worker", "--listen", f"unix://{path}", *arguments]
    program = Program(words, env={**os.environ, **(environment or {})})
    wait_until(path.exists, f"{path} exists")
    return program


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    """The endpoint of a worker whose device is a vGPU of another worker."""
    folder = tmp_path_factory.mktemp("n")
    inner = _worker(folder / "i", "--vram", "1GiB")
    outer = _worker(
        folder / "o", "--vram", "64MiB", "--backend", "cuda", "--driver", LIBRARIES / "libcuda.so.1",
        environment={"ROOST_ENDPOINT": f"unix://{folder / 'i'}"},
    )
    yield f"unix://{folder / 'o'}"
    for worker in (outer, inner):
        worker.process.terminate()
        worker.finish()


def _run(arguments, endpoint, seconds=60):
    environment = {**os.environ, "LD_LIBRARY_PATH": str(LIBRARIES), "ROOST_ENDPOINT": endpoint}
    result = subprocess.run(
        [str(word) for word in arguments], env=environment, capture_output=True, text=True, timeout=seconds,
    )
    assert result.returncode == 0, f"{result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


@pytest.mark.parametrize(
    "name", ["smoke", "threads", "fork", "at_exit", "out_of_memory", "module_errors", "managed", "sticky_error",
             "graph_explicit", "graph_threads", "graph_arrays"])
def test_program_passes_both_layers(nested, programs, name):
    assert _run([programs / name], nested).splitlines()[-1] == "PASS"


def test_managed_memory_moves_by_the_page_through_both_layers(nested, programs):
    assert _run([programs / "managed_pages", "nested"], nested).splitlines()[-1] == "PASS"


def test_python_client_passes_both_layers(nested):
    # The interface of numba-cuda needs a compiler of its own, that of cuda-python only the driver.
    script = """
from cuda.bindings import driver
def check(result):
    assert result[0] == driver.CUresult.CUDA_SUCCESS, result
    return result[1] if len(result) == 2 else None
check(driver.cuInit(0))
device = check(driver.cuDeviceGet(0))
context = check(driver.cuDevicePrimaryCtxRetain(device))
check(driver.cuCtxSetCurrent(context))
address = check(driver.cuMemAlloc(1 << 20))
check(driver.cuMemsetD8(address, 7, 1 << 20))
data = bytearray(1 << 20)
check(driver.cuMemcpyDtoH(data, address, 1 << 20))
assert data == bytes([7]) * (1 << 20)
print("PASS")
"""
    if subprocess.run([PYTHON, "-c", "import cuda.bindings.driver"], capture_output=True).returncode != 0:
        pytest.skip("cuda-python is not installed in the tests' environment")
    assert _run([PYTHON, "-c", script], nested).splitlines()[-1] == "PASS"


def test_a_driver_lists_its_devices(nested):
    output = subprocess.run(
        [PREFIX / "bin" / "roost-worker", "--backend", "cuda", "--list-devices", "--driver",
         LIBRARIES / "libcuda.so.1"],
        env={**os.environ, "ROOST_ENDPOINT": nested}, capture_output=True, text=True, timeout=60, check=True,
    ).stdout
    ordinal, uuid, byte_count, processors, capability, name = output.strip().split(" ", 5)
    assert (ordinal, byte_count, processors, capability) == ("0", str(64 << 20), "16", "80")
    assert len(uuid) == 32 and name.startswith("Roost Software GPU")


def test_a_file_that_is_no_driver_is_refused_with_a_sentence(tmp_path):
    result = subprocess.run(
        [PREFIX / "bin" / "roost-worker", "--listen", f"unix://{tmp_path / 's'}", "--backend", "cuda",
         "--driver", "/nowhere/libcuda.so.1"],
        capture_output=True, text=True, timeout=60,
    )
    assert result.returncode == 1
    assert "cannot open the driver library" in result.stderr
