"""Processes that die in the middle: nobody else notices, and nothing stays taken."""

import os
import re
import signal
import sys
import time

from conftest import wait_until


def test_a_killed_worker_is_a_cuda_error_to_the_program_and_the_daemon_frees_its_vgpu(roost, programs):
    neighbour = roost.start(programs / "hold", "8", name="bystander")
    neighbour.expect_line("holding")
    program = roost.start(programs / "endless", name="doomed")
    program.expect_line("running")
    worker = wait_until(lambda: (roost.vgpu("doomed") or {}).get("workerProcessID"), "the worker's process id")
    os.kill(worker, signal.SIGKILL)
    output = program.finish(seconds=30)
    assert re.search(r"^error [1-9][0-9]*$", output, re.MULTILINE)
    wait_until(lambda: roost.vgpu("doomed") is None, "the vGPU of the dead worker is gone")

    assert "PASS" in roost.run(programs / "smoke")
    neighbour.process.stdin.close()
    assert "PASS" in neighbour.finish()


def test_a_killed_client_gives_its_memory_back_within_a_second(roost, programs):
    # The shell that starts the client lives on, so that the vGPU does too.
    script = (
        "import subprocess, sys\n"
        "client = subprocess.Popen([sys.argv[1], '40'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\n"
        "assert client.stdout.readline() == 'holding\\n'\n"
        "print('client', client.pid, flush=True)\n"
        "client.wait()\n"
        "print('gone', flush=True)\n"
        "sys.stdin.read()\n"
    )
    program = roost.start(sys.executable, "-c", script, programs / "hold", name="victim", vram="64MiB")
    client = int(program.expect_line("client").split()[1])

    def used():
        measurement = (roost.vgpu("victim") or {}).get("measurement")
        return measurement["usedMemoryBytes"] if measurement else None

    wait_until(lambda: (used() or 0) >= 40 << 20, "the report shows the client's memory")
    killed = time.monotonic()
    os.kill(client, signal.SIGKILL)
    wait_until(lambda: used() is not None and used() < 4 << 20, "the client's memory is free again", seconds=5)
    elapsed = time.monotonic() - killed
    assert elapsed < 1.5, f"freed only after {elapsed:.2f} s"
    program.process.stdin.close()
    program.finish()


def test_a_killed_roost_run_gives_its_vgpu_back(roost, programs):
    program = roost.start(programs / "hold", "8", name="orphan")
    program.expect_line("holding")
    os.kill(program.process.pid, signal.SIGKILL)
    wait_until(lambda: roost.vgpu("orphan") is None, "the vGPU is given back", seconds=5)


def test_a_client_killed_while_its_kernel_runs_does_not_occupy_the_worker(roost, programs):
    program = roost.start(programs / "endless", name="runaway")
    program.expect_line("running")
    worker = roost.vgpu("runaway")["workerProcessID"]
    os.kill(program.process.pid, signal.SIGKILL)
    wait_until(lambda: roost.vgpu("runaway") is None, "the vGPU is given back")
    wait_until(lambda: not os.path.exists(f"/proc/{worker}"), "its worker ends")
