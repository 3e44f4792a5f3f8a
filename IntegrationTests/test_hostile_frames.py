"""A thousand damaged byte streams against one worker: it drops each and goes on serving others.

The streams are real ones, recorded by a proxy between a program and the worker, and then damaged.
"""

import os
import random
import socket
import struct
import subprocess
import threading

import pytest

from conftest import PREFIX, Program, wait_until

STREAMS = 1000
LAUNCH = 24
SEED = 20


class Recorder(threading.Thread):
    """Passes connections on to a Unix socket, and keeps what clients send."""

    def __init__(self, path, target):
        super().__init__(daemon=True)
        self.target = target
        self.recorded = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self.target))
            stream = bytearray()
            self.recorded.append(stream)
            threading.Thread(target=self._pump, args=(client, server, stream), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, None), daemon=True).start()

    @staticmethod
    def _pump(source, sink, stream):
        try:
            while data := source.recv(1 << 16):
                if stream is not None:
                    stream += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def split(stream):
    """The greeting and the frames (with their bulk bytes) of a recorded stream."""
    greeting_size = 4 + struct.unpack_from("<I", stream)[0]
    frames = []
    at = greeting_size
    while at + 16 <= len(stream):
        size, _, count, _ = struct.unpack_from("<IHHQ", stream, at)
        end = at + 16 + size
        command = at + 16
        launches = False
        for _ in range(count):
            identifier, flags, payload = struct.unpack_from("<HHI", stream, command)
            launches |= identifier == LAUNCH
            if flags & 2:
                end += struct.unpack_from("<Q", stream, command + 8)[0]
            command += 8 + (payload + 7) // 8 * 8
        # A launch that is damaged into a valid one may run for hours, which is no fault of the worker.
        if not launches:
            frames.append(bytes(stream[at:end]))
        at = end
    return bytes(stream[:greeting_size]), frames


def renumbered(frames):
    """The frames with sequence numbers as a lane that sends just them would have."""
    sequence = 1
    for frame in frames:
        struct.pack_into("<Q", frame, 8, sequence)
        sequence += struct.unpack_from("<H", frame, 6)[0]
    return frames


def damaged(source, greeting, frames):
    """One hostile stream: what a program really sends, up to a damaged frame, and then a few more."""
    hello = bytearray(greeting)
    if source.random() < 0.05:
        hello[source.randrange(len(hello))] ^= 1 << source.randrange(8)
    chosen = [bytearray(frame) for frame in frames[: source.randint(1, len(frames))]]
    chosen += [bytearray(source.choice(frames)) for _ in range(source.randint(0, 3))]
    renumbered(chosen)
    victim = chosen[-source.randint(1, min(4, len(chosen)))]
    kind = source.randrange(7)
    if kind == 0:
        for _ in range(source.randint(1, 16)):
            victim[source.randrange(len(victim))] ^= 1 << source.randrange(8)
    elif kind == 1:
        struct.pack_into("<I", victim, 0, source.choice([0, 1, 15, 2**20, 2**20 + 1, 2**31, 2**32 - 1]))
    elif kind == 2:
        struct.pack_into("<H", victim, 6, source.choice([0, 2, 255, 65535]))
    elif kind == 3:
        del victim[source.randrange(len(victim)) :]
    elif kind == 4 and len(victim) >= 24:
        struct.pack_into("<HHI", victim, 16, source.randrange(65536), source.randrange(8), source.randrange(2**32))
    elif kind == 5 and len(victim) >= 32:
        # The frame stays well formed: only the fields of its command are wild.
        for at in range(24, min(len(victim), 72) - 7, 8):
            if source.random() < 0.5:
                struct.pack_into("<Q", victim, at, source.choice([0, 1, 2**31, 2**32, 2**40, 2**63, 2**64 - 1]))
    else:
        victim[16:] = source.randbytes(len(victim) - 16)
    return bytes(hello) + b"".join(chosen)


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def worker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("w")
    path = folder / "w.sock"
    with open(folder / "worker.log", "wb") as log:
        process = subprocess.Popen(
            [PREFIX / "bin" / "roost", "worker", "--listen", f"unix://{path}", "--vram", "64MiB"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )
    wait_until(path.exists, "the worker's socket")
    yield process, path, folder
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()


def test_the_worker_survives_a_thousand_damaged_streams(worker, programs):
    process, path, folder = worker

    def smoke(endpoint):
        program = Program([PREFIX / "bin" / "roost", "run", "--endpoint", f"unix://{endpoint}", "--", programs / "smoke"])
        assert program.finish().splitlines()[-1] == "PASS"

    recorder = Recorder(folder / "proxy.sock", path)
    recorder.start()
    smoke(folder / "proxy.sock")
    recorder.listener.close()
    greeting, frames = split(max(recorder.recorded, key=len))
    assert len(frames) > 3
    # The session of the recorded greeting would be shared by all: each stream gets one of its own.
    session_at = 4 + 8 + 4 + 8 + 1 + 4

    source = random.Random(SEED)
    before = None
    answered = 0
    for number in range(STREAMS):
        own = bytearray(greeting)
        own[session_at:session_at + 16] = source.randbytes(16)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(path))
            try:
                connection.sendall(damaged(source, own, frames))
                connection.shutdown(socket.SHUT_WR)
                # The answer to the greeting has 28 bytes; whatever comes after it answers a command.
                size = 0
                while data := connection.recv(1 << 16):
                    size += len(data)
                answered += size > 100
            except (BrokenPipeError, ConnectionResetError):
                pass
            except TimeoutError:
                pytest.fail(f"stream {number} of seed {SEED} is neither answered nor dropped")
        assert process.poll() is None, f"the worker died of stream {number} of seed {SEED}"
        if number == 100:
            before = resident_bytes(process.pid)
        if number % 250 == 249:
            smoke(path)
    assert resident_bytes(process.pid) < before + (256 << 20)
    # Otherwise the damage would stop at the door.
    assert answered > STREAMS / 2
