"""A Roost of its own for the tests: the release build under .build/roost, a private state directory, C programs."""

import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PREFIX = ROOT / ".build" / "roost"
LIBRARIES = PREFIX / "lib"
PYTHON = ROOT / ".build" / "venv" / "bin" / "python"
EXPORTS = ROOT / "Tests" / "Fixtures" / "abi" / "libcuda.exports"


def wait_until(condition, what, seconds=10.0):
    """Returns the first true value of `condition()`; fails with `what` if there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Program:
    """A running process whose lines of output can be waited for."""

    def __init__(self, arguments, **options):
        self.process = subprocess.Popen(
            [str(word) for word in arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, **options,
        )
        self.lines = []
        self.queue = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.queue.put(line.rstrip("\n"))
        self.queue.put(None)

    def expect_line(self, start, seconds=60.0):
        """Returns the next line that begins with `start`."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                self.process.kill()
                pytest.fail(f"no line {start!r} within {seconds} s; the output was {self.lines}")
            if line is None:
                pytest.fail(f"ended without a line {start!r}; the output was {self.lines}")
            self.lines.append(line)
            if line.startswith(start):
                return line

    def finish(self, seconds=60.0, status=0):
        """Waits for the end, checks the exit status and returns all the output."""
        try:
            ended = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"did not end within {seconds} s; the output was {self.lines}")
        while True:
            try:
                line = self.queue.get(timeout=5)
            except queue.Empty:
                break
            if line is None:
                break
            self.lines.append(line)
        text = "\n".join(self.lines)
        assert status is None or ended == status, f"ended with {ended}, not {status}:\n{text}"
        return text


class Roost:
    """The daemon of one state directory."""

    def __init__(self, state):
        self.state = state
        self.environment = {**os.environ, "ROOST_STATE_DIR": str(state), "PYTHONUNBUFFERED": "1"}
        # Kernels that an earlier run has compiled would hide whether compiling works.
        self.environment["CUPY_CACHE_DIR"] = str(state.parent / "cupy")
        self.environment["ROOST_IMAGE_CACHE"] = str(state.parent / "images")
        for name in ("LD_PRELOAD", "LD_LIBRARY_PATH", "ROOST_ENDPOINT"):
            self.environment.pop(name, None)

    def command(self, *arguments, seconds=60, check=True):
        """Runs `roost ARGUMENTS` and returns what it printed."""
        result = subprocess.run(
            [str(PREFIX / "bin" / "roost"), *map(str, arguments)], env=self.environment, text=True,
            capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL,
        )
        if check:
            assert result.returncode == 0, f"roost {arguments}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def start(self, *arguments, vram="64MiB", compute="10%", name=None, environment=None, gpus=1, transport=None,
              capability=None):
        """Starts a program on a vGPU of its own."""
        words = [PREFIX / "bin" / "roost", "run", "--vram", vram, "--compute", compute, "--gpus", str(gpus)]
        words += ["--name", name] if name else []
        words += ["--transport", transport] if transport else []
        words += ["--compute-capability", capability] if capability else []
        return Program([*words, "--", *arguments], env={**self.environment, **(environment or {})})

    def run(self, *arguments, seconds=60, status=0, **options):
        """Runs a program on a vGPU of its own and returns its output."""
        return self.start(*arguments, **options).finish(seconds, status)

    def vgpus(self):
        """The vGPUs that the daemon knows."""
        return json.loads(self.command("ps", "-o", "json").stdout)

    def vgpu(self, name):
        """The vGPU of that name, or None."""
        return next((vgpu for vgpu in self.vgpus() if vgpu["name"] == name), None)


@pytest.fixture(scope="session")
def roost(tmp_path_factory):
    # A Unix socket's path may have 107 bytes, so the folder's name is short.
    instance = Roost(tmp_path_factory.mktemp("r") / "s")
    instance.command("up")
    yield instance
    instance.command("down")


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """The folder with the compiled C programs."""
    folder = tmp_path_factory.mktemp("c")
    for source in sorted((ROOT / "IntegrationTests" / "C").glob("*.c")):
        link = ["-ldl"] if source.stem == "dynamic" else [f"-L{LIBRARIES}", "-lcuda", "-ldl"]
        subprocess.run(
            ["gcc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread",
             "-isystem", str(ROOT / "Sources" / "Protocol" / "CCUDA" / "include"),
             str(source), "-o", str(folder / source.stem), *link],
            check=True, timeout=120,
        )
    return folder
