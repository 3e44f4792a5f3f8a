"""Programs whose worker is reached with TLS: by a pin, by an authority, and what is refused."""

import hashlib
import json
import os
import re
import socket
import subprocess
import threading

import pytest

from conftest import PREFIX, Program, Roost

TOKEN = "a-token-that-nobody-may-see-0123456789"
# A known buffer, larger than a record, that goes to the device and comes back.
COPY = (
    "import ctypes\n"
    "cuda = ctypes.CDLL('libcuda.so.1')\n"
    "assert cuda.cuInit(0) == 0\n"
    "context, place = ctypes.c_void_p(), ctypes.c_uint64()\n"
    "assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0\n"
    "assert cuda.cuCtxSetCurrent(context) == 0\n"
    "text = b'known plaintext of a buffer, ' * 3000\n"
    "size = ctypes.c_size_t(len(text))\n"
    "assert cuda.cuMemAlloc_v2(ctypes.byref(place), size) == 0\n"
    "assert cuda.cuMemcpyHtoD_v2(place, text, size) == 0\n"
    "back = ctypes.create_string_buffer(len(text))\n"
    "assert cuda.cuMemcpyDtoH_v2(back, place, size) == 0\n"
    "assert back.raw == text\n"
    "print('PASS')\n"
)
MONITOR = (
    "import ctypes\n"
    "nvml = ctypes.CDLL('libnvidia-ml.so.1')\n"
    "assert nvml.nvmlInit_v2() == 0\n"
    "count = ctypes.c_uint()\n"
    "assert nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0\n"
    "assert count.value == 1, count.value\n"
    "device, memory = ctypes.c_void_p(), (ctypes.c_ulonglong * 3)()\n"
    "assert nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)) == 0\n"
    "assert nvml.nvmlDeviceGetMemoryInfo(device, memory) == 0\n"
    "assert memory[0] == 64 << 20, memory[0]\n"
    "print('PASS')\n"
)


class Identity:
    """A certificate for 127.0.0.1 that vouches for itself."""

    def __init__(self, folder):
        self.certificate, self.key = folder / "node.crt", folder / "node.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "30", "-subj", "/CN=node", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out",
             self.certificate], check=True, capture_output=True)
        self.key.chmod(0o600)
        public = subprocess.run(
            ["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        self.pin = hashlib.sha256(public).hexdigest()
        self.options = ["--tls-certificate", str(self.certificate), "--tls-key", str(self.key)]


class Worker(Program):
    """A worker that prints where it listens."""

    def __init__(self, listen, *options):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ROOST_")}
        super().__init__(
            [PREFIX / "bin" / "roost-worker", "--listen", listen, "--vram", "64MiB", "--ready-fd", "1",
             "--exit-with-stdin", *options], env={**environment, "ROOST_TOKEN": TOKEN})
        self.endpoint = self.expect_line(listen.split("://")[0] + "://")
        self.expect_line("ready")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)


class Recorder:
    """Passes connections on to a port, and keeps every byte."""

    def __init__(self, port):
        self.target = port
        self.bytes = bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            worker = socket.create_connection(("127.0.0.1", self.target))
            for pair in ((client, worker), (worker, client)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source, target):
        try:
            while data := source.recv(1 << 16):
                self.bytes += data
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    return Identity(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def worker(identity):
    worker = Worker("tls://127.0.0.1:0", *identity.options)
    yield worker
    worker.stop()


@pytest.fixture
def run(roost, tmp_path):
    token = tmp_path / "token"
    token.write_text(TOKEN)

    def run(endpoint, *words, environment=None, check=True):
        arguments = ["run", "--endpoint", endpoint, "--token-file", token, "--", *words]
        result = subprocess.run(
            [str(PREFIX / "bin" / "roost"), *map(str, arguments)], env={**roost.environment, **(environment or {})},
            text=True, capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
        if check:
            assert result.returncode == 0, result.stdout + result.stderr
            assert result.stdout.splitlines()[-1] == "PASS", result.stdout
        return result

    return run


def port_of(endpoint):
    return int(re.search(r":(\d+)(#|$)", endpoint)[1])


def test_a_worker_says_by_which_pin_it_is_known(worker, identity):
    assert re.fullmatch(rf"tls://127\.0\.0\.1:\d+#{identity.pin}", worker.endpoint)


@pytest.mark.parametrize(
    "name", ["smoke", "threads", "fork", "at_exit", "managed", "pinned_order", "out_of_memory", "sticky_error"])
def test_program(run, worker, programs, name):
    run(worker.endpoint, programs / name)


def test_monitor(run, worker):
    run(worker.endpoint, "python3", "-c", MONITOR)


def test_a_program_that_uses_openssl_itself(run, worker):
    run(worker.endpoint, "python3", "-c", "import ssl, hashlib\nssl.create_default_context()\n" + COPY)


def test_an_authority_in_place_of_a_pin(run, worker, identity):
    endpoint = worker.endpoint.split("#")[0]
    run(endpoint, "python3", "-c", COPY, environment={"ROOST_TLS_CA_FILE": str(identity.certificate)})
    refused = run(endpoint, "true", check=False)
    assert refused.returncode != 0 and "ROOST_TLS_CA_FILE" in refused.stderr, refused.stderr
    named = endpoint.replace("127.0.0.1", "localhost")
    refused = run(named, "true", environment={"ROOST_TLS_CA_FILE": str(identity.certificate)}, check=False)
    assert refused.returncode != 0 and "another name" in refused.stderr, refused.stderr


def direct(roost, endpoint, **environment):
    """A program that was not started by `roost run`, which asks the worker first."""
    environment = {**roost.environment, "LD_LIBRARY_PATH": str(PREFIX / "lib"), "ROOST_ENDPOINT": endpoint,
                   "ROOST_TOKEN": TOKEN, **environment}
    return subprocess.run(
        ["python3", "-c", "import ctypes; print(ctypes.CDLL('libcuda.so.1').cuInit(0))"], env=environment, text=True,
        capture_output=True, timeout=60)


def test_what_a_program_is_told(roost, worker):
    other = worker.endpoint.split("#")[0] + "#" + "0" * 64
    result = direct(roost, other)
    assert result.stdout.strip() != "0" and "has not the pin of its endpoint" in result.stderr, result.stderr
    result = direct(roost, worker.endpoint, ROOST_LIBSSL="/nowhere/libssl.so.3")
    assert result.stdout.strip() != "0" and "libssl3" in result.stderr, result.stderr
    assert direct(roost, worker.endpoint).stdout.strip() == "0"


def test_nothing_can_be_read_on_the_way(run, identity, worker):
    secrets = [TOKEN.encode(), b"known plaintext of a buffer"]
    recorder = Recorder(port_of(worker.endpoint))
    run(f"tls://127.0.0.1:{recorder.port}#{identity.pin}", "python3", "-c", COPY)
    assert len(recorder.bytes) > 2 * 87_000
    assert not any(secret in recorder.bytes for secret in secrets)
    # The same with tcp, so that the look is known to find them.
    plain = Worker("tcp://127.0.0.1:0")
    recorder = Recorder(port_of(plain.endpoint))
    run(f"tcp://127.0.0.1:{recorder.port}", "python3", "-c", COPY)
    assert all(secret in recorder.bytes for secret in secrets)
    plain.stop()


def test_garbage_harms_nobody(run, worker):
    port = port_of(worker.endpoint)
    for data in (b"", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 300):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(data)
    # While one stays silent, others are served.
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"\x16\x03\x01")
        run(worker.endpoint, "python3", "-c", COPY)


@pytest.mark.parametrize("version, accepted", [("-tls1_2", False), ("-tls1_3", True)])
def test_tls_1_3_alone(worker, version, accepted):
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{port_of(worker.endpoint)}", "-brief", version]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert (result.returncode == 0) == accepted, result.stderr
    assert ("TLSv1.3" in result.stderr) == accepted, result.stderr


def test_copies_between_workers(run, identity, worker, programs):
    other = Worker("tls://127.0.0.1:0", *identity.options)
    result = run(f"{worker.endpoint};{other.endpoint}", programs / "peer_copy")
    assert "pass through this process" not in result.stdout + result.stderr
    other.stop()


def test_what_a_worker_refuses(identity, tmp_path):
    def refusal(*options):
        words = [PREFIX / "bin" / "roost-worker", *options]
        result = subprocess.run(
            [str(word) for word in words], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"]})
        assert result.returncode != 0
        return result.stderr

    place = ["--listen", "tls://127.0.0.1:0"]
    assert "--tls-certificate" in refusal(*place)
    assert "go together" in refusal(*place, "--tls-certificate", identity.certificate)
    open_key = tmp_path / "open.key"
    open_key.write_bytes(identity.key.read_bytes())
    open_key.chmod(0o644)
    assert "chmod 600" in refusal(*place, "--tls-certificate", identity.certificate, "--tls-key", open_key)
    assert "pin" in refusal("--listen", "tls://127.0.0.1:0#" + "0" * 64, *identity.options)
    assert "needs a token" in refusal("--listen", "tls://0.0.0.0:0", *identity.options)
    assert "tls://" in refusal("--listen", "tcp://0.0.0.0:0", "--token-file", identity.certificate)


def test_a_node_with_a_certificate(tmp_path_factory, programs, identity):
    node = Roost(tmp_path_factory.mktemp("t") / "s")
    node.command("up", *identity.options)
    try:
        program = node.start(programs / "hold", "8", name="holder", transport="tls")
        program.expect_line("holding")
        [vgpu] = json.loads(node.command("ps", "-o", "json").stdout)
        [endpoint] = vgpu["endpoints"]
        assert endpoint.startswith("tls://127.0.0.1:") and endpoint.endswith("#" + identity.pin)
        program.process.terminate()
        program.process.wait(timeout=20)
        assert node.run(programs / "smoke", transport="tls").splitlines()[-1] == "PASS"
        assert node.run(programs / "peer_copy", transport="tls", gpus=2).splitlines()[-1] == "PASS"
    finally:
        node.command("down")


def test_a_node_without_a_certificate_says_so(roost, programs):
    output = roost.run(programs / "smoke", transport="tls", status=None)
    assert "has no certificate" in output
