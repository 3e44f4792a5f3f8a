"""The ways to reach the GPU: native, Roost through shared memory, Roost through TCP on loopback."""

import contextlib
import os
import secrets
import select
import shutil
import socket
import subprocess
import tempfile
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
        environment = self.clean()
        if mode == "native":
            environment.update(self.driver_endpoint())
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
        words = [self.home / "bin" / "roost-worker", "--listen", endpoint, "--token-file", token]
        words += ["--log-level", "error", "--exit-with-stdin", "--vram", self.vram()]
        if not self.options.software:
            words += ["--backend", "cuda", "--device", self.options.device]
            path = facts.driver_path(self.options)
            words += ["--driver", path] if path else []
        own = str(self.home / "lib" / "worker")
        environment = {**self.clean(), **self.driver_endpoint(), "LD_LIBRARY_PATH": ":".join(
            filter(None, [own, os.environ.get("LD_LIBRARY_PATH", "")]))}
        log = self.scratch / f"worker{self.count}.log"
        reader, writer = os.pipe()
        with open(log, "wb") as errors:
            process = subprocess.Popen(
                [str(word) for word in [*words, "--ready-fd", writer]], stdin=subprocess.PIPE,
                stdout=errors, stderr=errors, env=environment, pass_fds=[writer])
        os.close(writer)
        try:
            if not ready(reader, 30):
                raise Failure(f"the worker did not start: {log.read_text(errors='replace').strip()[-2000:]}")
            yield
        finally:
            os.close(reader)
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def clean(self):
        """The caller's environment without what is Roost's."""
        return {name: value for name, value in os.environ.items() if not name.startswith("ROOST_")}

    def driver_endpoint(self):
        """Where the driver itself is Roost's client library: its worker."""
        endpoint = self.options.driver_endpoint
        return {"ROOST_ENDPOINT": endpoint} if endpoint else {}

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


def ready(reader, seconds):
    """Whether a worker says in time that clients can connect."""
    return bool(select.select([reader], [], [], seconds)[0]) and os.read(reader, 64).startswith(b"ready")
