"""Compiles the programs of CUDA/*.cu with nvcc, in parallel, against each CUDA runtime library; results are kept in
.build/cuda-programs under a hash of all that went into them."""

import hashlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "IntegrationTests" / "CUDA"
CACHE = ROOT / ".build" / "cuda-programs"
TOOLKITS = ROOT / ".build" / "cuda-toolkits"
TOOLKIT_13 = TOOLKITS / "13" / "nvidia" / "cu13"
RUNTIME_11 = TOOLKITS / "11" / "nvidia" / "cuda_runtime"
NVJPEG_11 = TOOLKITS / "11" / "nvidia" / "nvjpeg" / "lib" / "libnvjpeg.so.11"
PACKAGES_12 = next((ROOT / ".build" / "venv" / "lib").glob("python3*"), ROOT) / "site-packages" / "nvidia"
RUNTIME_12 = PACKAGES_12 / "cuda_runtime"

# PTX and no machine code: what a software vGPU runs.
FLAGS = ["-std=c++17", "-O2"]
ARCHITECTURE = "compute_80"
# Programs for newer devices, which need a vGPU of that compute capability.
ARCHITECTURES = {"tensor_map": "compute_90"}
EXTRA_FLAGS = {
    "per_thread_stream": ["--default-stream", "per-thread"],
    "templates": ["--extended-lambda"],
    "separate": ["-rdc=true"],
}
PARTS = {"separate": ["separate", "separate_part"]}

# The headers that come before nvcc 13's own, by major version of the runtime.
HEADERS = {
    "13": [],
    "12": ["-I", RUNTIME_12 / "include", "-I", PACKAGES_12 / "cuda_nvcc" / "include"],
    # nvcc 13's own headers name a type that 11.8's don't have.
    "11": ["-I", RUNTIME_11 / "include", "-Xcompiler", "-DcudaKernel_t=void*"],
}
# Cooperative groups go with nvcc's own C++ library; the functions that these programs call have one ABI in all runtimes.
WITH_OWN_HEADERS = {"grid_sync", "launch_attributes"}
STATIC = {
    "13": TOOLKIT_13 / "lib" / "libcudart_static.a",
    "12": RUNTIME_12 / "lib" / "libcudart_static.a",
}
SHARED = {
    "13": TOOLKIT_13 / "lib" / "libcudart.so.13",
    "12": RUNTIME_12 / "lib" / "libcudart.so.12",
    "11": RUNTIME_11 / "lib" / "libcudart.so.11.0",
}
# What nvcc links with separately compiled device code, used or not.
DEVICE_RUNTIME = {
    "13": TOOLKIT_13 / "lib" / "libcudadevrt.a",
    "12": RUNTIME_12 / "lib" / "libcudadevrt.a",
}


def names():
    """The programs: every source that is not a part of another."""
    parts = {part for group in PARTS.values() for part in group[1:]}
    return sorted(path.stem for path in SOURCES.glob("*.cu") if path.stem not in parts)


def _run(words):
    environment = {**os.environ, "PATH": f"{TOOLKIT_13 / 'bin'}:{os.environ['PATH']}"}
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300,
                            env=environment, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}\n{result.stdout}{result.stderr}")


def _key(*facts):
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(fact if isinstance(fact, bytes) else str(fact).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def _once(path, make):
    """Makes a file by way of a temporary one, unless it is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.stem}.{os.getpid()}{path.suffix}")
        make(temporary)
        temporary.replace(path)
    return path


class Builder:
    """Builds programs in the background: one future for each program and runtime."""

    def __init__(self):
        pins = (ROOT / "Scripts" / "requirements-cuda.txt").read_bytes()
        self.stamp = _key(pins, (SOURCES / "check.cuh").read_bytes())
        self.pool = ThreadPoolExecutor(os.cpu_count() or 2)
        self.futures = {}

    def start(self, wanted):
        """Begins to build all (name, major, link) of `wanted` in that order."""
        for name, major, _ in wanted:
            if (name, major) not in self.futures:
                self.futures[name, major] = self.pool.submit(self._objects, name, major)

    def program(self, name, major, link):
        """The path of a program; waits until its objects are compiled."""
        self.start([(name, major, link)])
        objects = self.futures[name, major].result()
        library = (SHARED if link == "shared" else STATIC)[major]
        path = CACHE / f"{name}-{major}-{link}-{_key(library, *(item.name for item in objects))}"
        device_runtime = [DEVICE_RUNTIME[major]] if name in PARTS else []
        tail = [*device_runtime, library, "-ldl", "-lpthread", "-lrt"]
        if link == "shared":
            tail.append(f"-Wl,-rpath,{library.parent}")
        return _once(path, lambda target: _run(["g++", *objects, "-o", target, *tail]))

    def _objects(self, name, major):
        architecture = ARCHITECTURES.get(name, ARCHITECTURE)
        headers = HEADERS["13" if name in WITH_OWN_HEADERS else major]
        flags = [*FLAGS, f"-arch={architecture}", *EXTRA_FLAGS.get(name, []), *headers]
        objects = []
        for part in PARTS.get(name, [name]):
            source = SOURCES / f"{part}.cu"
            key = _key(self.stamp, source.read_bytes(), flags)
            objects.append(_once(CACHE / f"{part}-{major}-{key}.o", lambda target, source=source: _run(
                ["nvcc", *flags, "-c", source, "-o", target])))
        if "-rdc=true" in flags:
            key = _key(self.stamp, *(item.name for item in objects))
            linked = _once(CACHE / f"{name}-{major}-{key}-link.o", lambda target: _run(
                ["nvcc", f"-arch={architecture}", "-dlink", "-L", DEVICE_RUNTIME[major].parent, *objects,
                 "-o", target]))
            objects.append(linked)
        if major == "11":
            source = SOURCES / "cudart11_glue.c"
            objects.append(_once(CACHE / f"glue-{_key(source.read_bytes())}.o", lambda target: _run(
                ["gcc", "-O1", "-c", source, "-o", target])))
        return objects
