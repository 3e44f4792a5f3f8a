"""The client libraries as files: what they export, what they need, how old a glibc they run on, how big they are."""

import re
import subprocess

import pytest

from conftest import LIBRARIES, ROOT

ALLOWED_DEPENDENCIES = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}
GLIBC_MAX = (2, 28)
# Stripped, in bytes; a release is below half of it.
SIZE_MAX = {"libcuda.so.1": 9 << 18, "libnvidia-ml.so.1": 1 << 20}
FIXTURES = {"libcuda.so.1": "libcuda.exports", "libnvidia-ml.so.1": "libnvidia-ml.exports"}


def output(*arguments):
    return subprocess.run([str(a) for a in arguments], check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(params=sorted(SIZE_MAX))
def library(request):
    return LIBRARIES / request.param


def test_soname(library):
    assert f"[{library.name}]" in re.search(r"\(SONAME\).*", output("readelf", "-d", library)).group()


def test_needs_only_the_c_library(library):
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", library)))
    assert needed <= ALLOWED_DEPENDENCIES, needed
    # Libraries of the program's own choice come first: at most our own folder may be searched.
    assert set(re.findall(r"\(RUNPATH\).*\[(.*)\]", output("readelf", "-d", library))) <= {"$ORIGIN"}


def test_runs_on_an_old_glibc(library):
    versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_([0-9.]+)", output("readelf", "-V", library))}
    assert max(versions) <= GLIBC_MAX, max(versions)


def test_size_budget(library):
    assert library.stat().st_size <= SIZE_MAX[library.name]


def test_exports_are_exactly_the_list(library):
    fixture = ROOT / "Tests" / "Fixtures" / "abi" / FIXTURES[library.name]
    defined = output("nm", "-D", "--defined-only", library).splitlines()
    # Small letters are local symbols, and A is the name of a version.
    exported = {line.split()[2].split("@")[0] for line in defined if line.split()[1] in "BDRTVW"}
    assert exported == set(fixture.read_text().split())
