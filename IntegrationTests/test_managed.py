"""What managed memory moves: bytes and faults of each part of C/managed_pages.c, as ROOST_STATS counts them."""

import sys

import pytest

from conftest import PYTHON, ROOT

sys.path.insert(0, str(ROOT / "IntegrationTests" / "steps"))
import counts  # noqa: E402

WHOLE = 256 << 20
GROUP = 64 << 10


def parts(text, output):
    """Faults, fetched and sent bytes of each part, by its name."""
    names = [line.split()[1] for line in output.splitlines() if line.startswith("part ")]
    ranges = [facts for title, facts, _ in counts.sections(text) if title.startswith("range")]
    assert len(names) == len(ranges) and names, (names, len(ranges))
    return {
        name: tuple(int(facts.get(f"mirror_{what}", 0)) for what in ("faults", "fetched_bytes", "sent_bytes"))
        for name, facts in zip(names, ranges)
    }


def run(roost, programs, tmp_path, *arguments, **options):
    path = tmp_path / "stats.tsv"
    environment = {"ROOST_STATS": str(path), **options.pop("environment", {})}
    output = roost.run(programs / "managed_pages", *arguments, vram="1GiB", seconds=240, environment=environment, **options)
    assert output.splitlines()[-1] == "PASS"
    return parts(path.read_text(), output)


@pytest.fixture
def is_on_demand():
    """Whether this machine lets a process watch its own pages, system calls included."""
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(323, os.O_CLOEXEC)
    if descriptor >= 0:
        os.close(descriptor)
    return descriptor >= 0 or os.access("/dev/userfaultfd", os.R_OK | os.W_OK)


@pytest.mark.parametrize("transport", ["unix", "shm"])
def test_only_what_is_touched_moves(roost, programs, tmp_path, is_on_demand, transport):
    if not is_on_demand:
        pytest.skip("userfaultfd is not allowed here")
    moved = run(roost, programs, tmp_path, transport=transport)
    faults, fetched, sent = moved["first-touch"]
    assert (fetched, sent) == (0, 0) and faults <= 4
    faults, fetched, sent = moved["read-one-page"]
    assert 0 < fetched <= GROUP and 0 < sent <= 4096 and faults <= 3
    faults, fetched, sent = moved["write-one-page"]
    assert fetched <= GROUP and 0 < sent <= 4096 and faults <= 3
    faults, fetched, sent = moved["read-all"]
    assert WHOLE <= fetched <= WHOLE + GROUP and sent == 0 and faults <= 100
    faults, fetched, sent = moved["write-all"]
    assert fetched == 0 and WHOLE - GROUP <= sent <= WHOLE and faults <= 100
    faults, fetched, sent = moved["prefetch"]
    assert (faults, fetched, sent) == (0, 4 << 20, 0)
    faults, fetched, sent = moved["unrelated-copy"]
    assert (faults, fetched, sent) == (0, 0, 0)
    faults, fetched, sent = moved["host-function"]
    assert fetched <= 2 * GROUP


def test_without_demand_the_same_program_sees_the_same(roost, programs, tmp_path):
    moved = run(roost, programs, tmp_path, "whole", environment={"ROOST_MANAGED": "whole"})
    faults, fetched, _ = moved["read-one-page"]
    assert faults == 0 and fetched >= 8 << 20


def test_numba_and_numpy_on_managed_memory(roost, tmp_path):
    script = f"""
import numpy as np
from numba import cuda

@cuda.jit
def double(values, count):
    i = cuda.grid(1)
    if i < count:
        values[i] *= 2

values = cuda.managed_array(8 << 20, dtype=np.int32)
values[:] = np.arange(values.size)
double[64, 128](values, 8192)
cuda.synchronize()
assert values[8191] == 16382 and values[8192] == 8192
values.tofile({str(tmp_path / "values")!r})
double[64, 128](values, 8192)
cuda.synchronize()
kept = np.fromfile({str(tmp_path / "values")!r}, dtype=np.int32)
assert (kept[:8192] == np.arange(8192) * 2).all() and (kept[8192:] == np.arange(8192, values.size)).all()
with open({str(tmp_path / "values")!r}, "rb") as file:
    assert file.readinto(memoryview(values)) == values.nbytes
double[64, 128](values, 8192)
cuda.synchronize()
assert (values[:8192] == np.arange(8192) * 4).all() and values.sum(dtype=np.int64) == kept.sum(dtype=np.int64) + 8191 * 8192
print("PASS")
"""
    output = roost.run(PYTHON, "-W", "ignore", "-c", script, vram="256MiB", seconds=240)
    assert output.splitlines()[-1] == "PASS"
