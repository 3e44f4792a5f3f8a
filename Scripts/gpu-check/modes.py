"""The ways to reach the GPU: native, Roost through shared memory, Roost through TCP on loopback."""

import contextlib
import os
import secrets
import select
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import facts


class Failure(Exception):
    """Something of Roost's did not work; the text says what."""


class Modes:
    def __init__(self, home, options):
        self.home, self.options = home, options
        # A Unix socket's path may have 107 bytes.
        self.scratch = Path(tempfile.mkdtemp(prefix="gc-", dir="/tmp"))
        wanted = options.modes.split(",")
        self.names = [mode for mode in ("native", "shm", "tcp") if mode in wanted]
        if options.software and "native" in self.names:
            self.names.remove("native")
        self.count = 0

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def driver(self, mode):
        """The library that programs load in this mode."""
        if mode == "native":
            return facts.driver_path(self.options) or "/no/driver"
        return str(self.home / "lib" / "libcuda.so.1")

    @contextlib.contextmanager
    def environment(self, mode):
        """What programs get in this mode, with a worker behind it as long as it is used."""
        environment = dict(os.environ)
        for name in [name for name in environment if name.startswith("ROOST_")]:
            del environment[name]
        if mode == "native":
            environment["CUDA_VISIBLE_DEVICES"] = self.visible_device()
            yield environment
            return
        self.count += 1
        endpoint = f"shm://{self.scratch}/w{self.count}" if mode == "shm" else f"tcp://127.0.0.1:{free_port()}"
        token = self.scratch / f"token{self.count}"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        with self.worker(endpoint, token):
            paths = [str(self.home / "lib"), environment.get("LD_LIBRARY_PATH", "")]
            environment["LD_LIBRARY_PATH"] = ":".join(filter(None, paths))
            environment["ROOST_ENDPOINT"] = endpoint
            environment["ROOST_TOKEN"] = token.read_text()
            environment.pop("CUDA_VISIBLE_DEVICES", None)
            yield environment

    @contextlib.contextmanager
    def worker(self, endpoint, token):
        words = [self.home / "bin" / "roost-worker", "--listen", endpoint, "--ready-fd", "1", "--token-file", token]
        words += ["--log-level", "error", "--exit-with-stdin", "--vram", self.vram()]
        if not self.options.software:
            words += ["--backend", "cuda", "--device", self.options.device]
            path = facts.driver_path(self.options)
            words += ["--driver", path] if path else []
        own = str(self.home / "lib" / "worker")
        environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(
            filter(None, [own, os.environ.get("LD_LIBRARY_PATH", "")]))}
        log = self.scratch / f"worker{self.count}.log"
        with open(log, "wb") as errors:
            process = subprocess.Popen(
                [str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                env=environment)
        try:
            if not ready(process, 30):
                raise Failure(f"the worker did not start: {log.read_text(errors='replace').strip()[-2000:]}")
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def visible_device(self):
        """The chosen device alone, by what the caller lets us see."""
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        return visible[self.options.device] if self.options.device < len(visible) and visible[0] else str(
            self.options.device)

    def vram(self):
        if self.options.vram:
            return self.options.vram
        byte_count = None if self.options.software else facts.memory_bytes(self.options)
        return f"{byte_count * 4 // 5 >> 20}MiB" if byte_count else "1GiB"


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def ready(process, seconds):
    """Whether a worker says that clients can connect."""
    text, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 0.5)[0]:
            part = os.read(process.stdout.fileno(), 4096)
            if not part:
                return False
            text += part
            if b"ready" in text:
                return True
    return False
