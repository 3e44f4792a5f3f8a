"""What this machine is: its driver, its devices, its Python."""

import ctypes
import functools
import os
import platform
import re
import shutil
import subprocess
import sys
import time

QUERY = "driver_version,name,uuid,memory.total,compute_cap,pcie.link.gen.max,pcie.link.width.max,clocks.max.sm"


def output(words, seconds=20):
    """A command's standard output, or None."""
    try:
        ran = subprocess.run(words, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None


@functools.lru_cache(maxsize=1)
def smi():
    """What nvidia-smi tells, a dictionary for each device."""
    program = shutil.which("nvidia-smi")
    text = program and output([program, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"])
    if not text:
        return []
    return [dict(zip(QUERY.split(","), map(str.strip, line.split(",")))) for line in text.splitlines()]


@functools.lru_cache(maxsize=1)
def found_driver():
    """The file of the library that the linker finds, or None."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    with open("/proc/self/maps") as maps:
        places = {line.split()[-1] for line in maps if "/libcuda.so" in line}
    return min(places, default=None)


def driver_path(options):
    """The machine's driver."""
    return options.driver or found_driver()


def memory_bytes(options):
    """The device's memory."""
    devices = smi()
    if options.device < len(devices):
        try:
            return int(float(devices[options.device]["memory.total"])) << 20
        except ValueError:
            return None
    return None


def file_name(options):
    """The result file's name: the date, the driver and the device."""
    date = time.strftime("%Y-%m-%d", time.gmtime())
    if options.software:
        return f"{date}-gpu-check-software.json"
    devices = smi()
    words = [devices[0]["driver_version"], devices[0]["name"]] if devices else ["unknown"]
    return f"{date}-gpu-check-" + re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(words)) + ".json"


def packages():
    """Versions of the packages that the workloads use."""
    from importlib import metadata

    found = {}
    for name in ("torch", "triton", "numpy", "cupy-cuda12x", "cupy-cuda13x", "nvidia-nccl-cu12", "nvidia-cudnn-cu12"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return found


def collect(options, home):
    """Everything, for the result file."""
    with open("/proc/cpuinfo") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {
        "driver": None if options.software else driver_path(options), "devices": smi(),
        "python": sys.version.split()[0], "packages": packages(),
        "kernel": platform.release(), "cpu": models[0] if models else platform.machine(),
        "cpuCount": len(os.sched_getaffinity(0)),
        "memoryBytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "libc": " ".join(platform.libc_ver()),
        "roost": output([str(home / "bin" / "roost"), "--version"]),
    }
