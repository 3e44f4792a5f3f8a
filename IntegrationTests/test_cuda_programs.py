"""Programs that nvcc compiled, each on a vGPU of its own, with NVIDIA's own runtime libraries of CUDA 13, 12 and 11.8,
linked statically and shared. What they check stands in CUDA/*.cu."""

import pytest

import cuda_build
from conftest import PYTHON

# The wheel of 11.8 holds no static library; see test_static_cudart_11_in_a_library.
RUNTIMES = [("13", "static"), ("13", "shared"), ("12", "static"), ("12", "shared"), ("11", "shared")]

NOT_WITH_11 = {
    "separate": "the wheel of 11.8 has no device runtime to link with",
    "tensor_map": "CUDA 11.8 knows no tensor maps",
}


def _cases():
    for major, link in RUNTIMES:
        for name in cuda_build.names():
            if major == "11" and name in NOT_WITH_11:
                continue
            yield pytest.param(name, major, link, id=f"{name}-{major}-{link}")


@pytest.fixture(scope="session")
def builder(request):
    instance = cuda_build.Builder()
    selected = [item.callspec.params for item in request.session.items if "major" in getattr(item, "fixturenames", [])]
    instance.start([(case.get("name", "vector_add"), case["major"], case["link"]) for case in selected])
    yield instance
    instance.pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name, major, link", list(_cases()))
def test_cuda_program(roost, builder, name, major, link):
    # compute_90 is compute capability 9.0.
    number = cuda_build.ARCHITECTURES.get(name, "").removeprefix("compute_")
    capability = f"{number[:-1]}.{number[-1]}" if number else None
    lines = roost.run(builder.program(name, major, link), vram="256MiB", capability=capability).splitlines()
    assert lines[-1] == "PASS"
    if name == "device_printf":
        expected = [f"round {i} thread {j} value {i / 3:.3f} deep {'ab'[j]}%" for i in range(3) for j in range(2)]
        assert lines[:-1] == expected


@pytest.mark.parametrize("version, major, link", [("12040", "12", "static"), ("11080", "11", "shared")])
def test_advertised_version(roost, builder, version, major, link):
    # A runtime library of its own version or an older minor one is content, and the handshake uses the same number.
    output = roost.run(builder.program("vector_add", major, link), vram="256MiB",
                       environment={"ROOST_DRIVER_VERSION": version, "VECTOR_ADD_DRIVER": version})
    assert output.splitlines()[-1] == "PASS"


def test_a_driver_older_than_the_runtime_is_refused(roost, builder):
    output = roost.run(builder.program("vector_add", "13", "static"), vram="256MiB", status=1,
                       environment={"ROOST_DRIVER_VERSION": "12040"})
    assert "returned 35, not 0" in output


def test_static_cudart_11_in_a_library(roost):
    # No wheel holds cudart 11.8 as a static library, but the nvJPEG of CUDA 11.8 is linked with it.
    script = (
        "import ctypes, sys\n"
        "nvjpeg = ctypes.CDLL(sys.argv[1])\n"
        "handle, state = ctypes.c_void_p(), ctypes.c_void_p()\n"
        "assert nvjpeg.nvjpegCreateSimple(ctypes.byref(handle)) == 0\n"
        "assert nvjpeg.nvjpegJpegStateCreate(handle, ctypes.byref(state)) == 0\n"
        "assert nvjpeg.nvjpegJpegStateDestroy(state) == 0\n"
        "assert nvjpeg.nvjpegDestroy(handle) == 0\n"
        "print('PASS')\n"
    )
    output = roost.run(PYTHON, "-c", script, cuda_build.NVJPEG_11, vram="256MiB")
    assert output.splitlines()[-1] == "PASS"
