"""Copies between devices of several workers: straight from worker to worker, and through the client where they must."""

import os

import pytest

from conftest import PREFIX, Program
from test_several_devices import nodes  # noqa: F401 (a fixture)

RELAYED = "pass through this process"


@pytest.mark.parametrize("strict", ["0", "1"])
def test_between_workers_of_one_daemon(roost, programs, strict):
    output = roost.run(programs / "peer_copy", gpus=3, environment={"ROOST_STRICT": strict}, seconds=120)
    assert output.splitlines()[-1] == "PASS"
    assert RELAYED not in output


def test_between_nodes_over_tcp_with_tokens(roost, programs, nodes):
    _, options = nodes
    output = roost.command("run", *options, "--", programs / "peer_copy", seconds=120)
    assert output.stdout.splitlines()[-1] == "PASS"
    assert RELAYED not in output.stdout + output.stderr


def test_workers_that_may_not_reach_each_other(roost, programs):
    output = roost.run(programs / "peer_copy", gpus=3, environment={"ROOST_PEERS": "off"}, seconds=120)
    assert output.splitlines()[-1] == "PASS"
    assert output.count(RELAYED) == 1


def test_a_worker_that_can_not_be_reached_by_the_other(roost, programs, tmp_path):
    """The second worker's socket goes away once the program has its lane."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ROOST_")}
    sockets = [tmp_path / f"{number}.sock" for number in (0, 1)]
    workers = [
        Program([PREFIX / "bin" / "roost-worker", "--listen", f"unix://{socket}", "--vram", "64MiB", "--ready-fd", "1",
                 "--exit-with-stdin"], env=environment)
        for socket in sockets
    ]
    for worker in workers:
        worker.expect_line("ready")
    script = (
        "import ctypes, os, sys\n"
        "cuda = ctypes.CDLL('libcuda.so.1')\n"
        "assert cuda.cuInit(0) == 0\n"
        "contexts, places = [], []\n"
        "for device in (0, 1):\n"
        "    context, place = ctypes.c_void_p(), ctypes.c_uint64()\n"
        "    assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device) == 0\n"
        "    assert cuda.cuCtxSetCurrent(context) == 0\n"
        "    assert cuda.cuMemAlloc_v2(ctypes.byref(place), ctypes.c_size_t(20 << 20)) == 0\n"
        "    contexts.append(context)\n"
        "    places.append(place)\n"
        "for path in sys.argv[1:]:\n"
        "    os.unlink(path)\n"
        "for number in range(3):\n"
        "    size = 20 << 20\n"
        "    source = (ctypes.c_uint32 * (size // 4))(*range(number, size // 4 + number))\n"
        "    assert cuda.cuMemcpyHtoD_v2(places[0], source, ctypes.c_size_t(size)) == 0\n"
        "    assert cuda.cuMemcpyPeer(places[1], contexts[1], places[0], contexts[0], ctypes.c_size_t(size)) == 0\n"
        "    target = (ctypes.c_uint32 * (size // 4))()\n"
        "    assert cuda.cuMemcpyDtoH_v2(target, places[1], ctypes.c_size_t(size)) == 0\n"
        "    assert bytes(source) == bytes(target)\n"
        "print('PASS')\n"
    )
    output = roost.command(
        "run", "--endpoint", ";".join(f"unix://{socket}" for socket in sockets), "--", "python3", "-c", script, *sockets)
    assert output.stdout.splitlines()[-1] == "PASS"
    assert (output.stdout + output.stderr).count(RELAYED) == 1
    for worker in workers:
        worker.process.kill()
        worker.process.wait()


def test_a_copy_ends_when_the_other_worker_is_lost(roost, programs, nodes):
    workers, options = nodes
    words = [PREFIX / "bin" / "roost", "run", *options, "--", programs / "peer_copy", "lost"]
    program = Program(words, env=roost.environment)
    program.expect_line("ready")
    workers[1].process.kill()
    assert program.finish(seconds=30).splitlines()[-1] == "PASS"
