"""Several vGPUs in one program: from one daemon, and from workers that were started by themselves."""

import os
import sys

import pytest

from conftest import PREFIX, PYTHON, Program


def devices(output):
    """The lines of the program `devices` as (ordinal, UUID, PCI bus id)."""
    return [tuple(line.split()) for line in output.splitlines() if line and not line.startswith("roost:")]


def start_worker(folder, name, *options, token=None):
    """A worker of its own at a free loopback port; the process and its endpoint."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ROOST_")}
    words = [PREFIX / "bin" / "roost", "worker", "--listen", "tcp://127.0.0.1:0", "--vram", "64MiB",
             "--exit-with-stdin", "--name", name, *options]
    if token is not None:
        file = folder / f"{name}.token"
        file.write_text(token + "\n")
        words += ["--token-file", str(file)]
    worker = Program(words, env=environment)
    return worker, worker.expect_line("tcp://")


@pytest.fixture
def nodes(roost, tmp_path):
    """Two workers with tokens of their own, their endpoints and the options of `roost run` for both."""
    workers = [start_worker(tmp_path, f"node{number}", token=f"secret-{number}") for number in (0, 1)]
    options = ["--endpoint", ";".join(endpoint for _, endpoint in workers)]
    for number in (0, 1):
        options += ["--token-file", tmp_path / f"node{number}.token"]
    yield [worker for worker, _ in workers], options
    for worker, _ in workers:
        worker.process.kill()
        worker.process.wait()


def test_devices_of_one_daemon_are_distinct_and_in_order(roost, programs):
    seen = devices(roost.run(programs / "devices", gpus=3))
    assert [device[0] for device in seen] == ["0", "1", "2"]
    assert len({device[1] for device in seen}) == 3
    assert [device[2] for device in seen] == ["0000:01:00.0", "0000:02:00.0", "0000:03:00.0"]


def test_several_devices_in_one_thread_and_in_many(roost, programs):
    assert roost.run(programs / "several_devices", gpus=3).splitlines()[-1] == "PASS"


CHOICES = [
    ("2,0", [2, 0]), ("1", [1]), ("0,5,1", [0]), ("1,1", None), ("", None), ("-1", None), ("0,-1,2", [0]),
    ("{2}", [2]), ("{1:12},{0}", [1, 0]), ("GPU-", None), ("{0},7", [0]),
]


def test_visible_devices_choose_and_order(roost, programs):
    script = (
        "import os, subprocess, sys\n"
        "run = lambda **more: subprocess.run(sys.argv[1], env={**os.environ, **more}, capture_output=True, text=True,"
        " check=True).stdout\n"
        "every = run()\n"
        "print(every, end='')\n"
        "uuids = [line.split()[1] for line in every.splitlines()]\n"
        "for text in sys.argv[2:]:\n"
        "    for number, uuid in enumerate(uuids):\n"
        "        text = text.replace('{%d}' % number, uuid).replace('{%d:12}' % number, uuid[:12])\n"
        "    print('=')\n"
        "    print(run(CUDA_VISIBLE_DEVICES=text), end='')\n"
        "print('=')\n"
        "print(run(CUDA_DEVICE_ORDER='PCI_BUS_ID'), end='')\n"
    )
    output = roost.run(sys.executable, "-c", script, programs / "devices", *[text for text, _ in CHOICES], gpus=3)
    every, *answers, by_bus = [devices(part) for part in output.split("=\n")]
    assert by_bus == every
    for (text, places), answer in zip(CHOICES, answers, strict=True):
        if places is None:
            assert answer == [("init", "100")], text
        else:
            expected = [(str(ordinal), *every[place][1:]) for ordinal, place in enumerate(places)]
            assert answer == expected, text


def test_nvml_ignores_visible_devices(roost):
    script = (
        "import os\n"
        "os.environ['CUDA_VISIBLE_DEVICES'] = '1'\n"
        "import pynvml, cuda.bindings.driver as driver\n"
        "pynvml.nvmlInit()\n"
        "assert pynvml.nvmlDeviceGetCount() == 2\n"
        "assert driver.cuInit(0)[0] == 0 and driver.cuDeviceGetCount()[1] == 1\n"
        "bus = driver.cuDeviceGetPCIBusId(32, 0)[1].split(b'\\0')[0]\n"
        "handle = pynvml.nvmlDeviceGetHandleByPciBusId(bus)\n"
        "assert pynvml.nvmlDeviceGetIndex(handle) == 1\n"
        "uuid = bytes(driver.cuDeviceGetUuid_v2(0)[1].bytes).hex()\n"
        "assert pynvml.nvmlDeviceGetUUID(handle).replace('-', '').lower() == 'gpu' + uuid\n"
        "print('PASS')\n"
    )
    assert roost.run(PYTHON, "-c", script, gpus=2).splitlines()[-1] == "PASS"


def test_workers_of_two_nodes_with_tokens_of_their_own(roost, programs, nodes):
    _, options = nodes
    output = roost.command("run", *options, "--", programs / "several_devices").stdout
    assert output.splitlines()[-1] == "PASS"
    assert len({uuid for _, uuid, _ in devices(roost.command("run", *options, "--", programs / "devices").stdout)}) == 2


def test_a_wrong_token_for_one_node_is_refused(roost, programs, nodes, tmp_path):
    _, options = nodes
    wrong = [*options[:-1], tmp_path / "node0.token"]
    result = roost.command("run", *wrong, "--", programs / "devices", check=False)
    assert result.returncode == 125 and "token" in result.stderr


def test_a_lost_worker_fails_only_its_device(roost, programs, nodes):
    workers, options = nodes
    words = [PREFIX / "bin" / "roost", "run", *options, "--", programs / "several_devices", "lost"]
    program = Program(words, env=roost.environment)
    program.expect_line("ready")
    workers[1].process.kill()
    workers[1].process.wait()
    program.process.stdin.write("\n")
    program.process.stdin.flush()
    assert program.finish().splitlines()[-1] == "PASS"
