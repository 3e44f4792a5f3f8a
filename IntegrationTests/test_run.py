"""`roost run`: exit status, signals, environment, and that the vGPU is given back."""

import os
import signal
import subprocess
import sys

from conftest import PREFIX, Program, wait_until


def test_exit_status_passes_through(roost):
    roost.run("sh", "-c", "exit 7", status=7)
    roost.run("true")


def test_a_program_that_does_not_exist_is_status_127(roost):
    roost.run("/nonexistent/program", status=127)


def test_signals_pass_through(roost):
    script = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(43))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    program = roost.start(sys.executable, "-c", script)
    program.expect_line("ready")
    program.process.send_signal(signal.SIGTERM)
    program.finish(status=43)


def test_the_vgpu_is_there_during_the_run_and_gone_after_it(roost, programs):
    program = roost.start(programs / "hold", "8", name="short")
    program.expect_line("holding")
    vgpu = roost.vgpu("short")
    assert vgpu is not None and vgpu["uuid"]
    assert "short" in roost.command("ps").stdout
    assert "short" in roost.command("top", "--once").stdout
    program.process.stdin.close()
    program.finish()
    wait_until(lambda: roost.vgpu("short") is None, "the vGPU is given back")


def test_more_memory_than_the_device_has_is_refused_with_a_sentence(roost):
    output = roost.start("true", vram="4000GiB")
    output.process.wait(timeout=60)
    assert output.process.returncode not in (0, 127)
    assert "GiB" in output.finish(status=output.process.returncode)


def test_devices_and_doctor_speak(roost):
    assert "software" in roost.command("devices").stdout.lower()
    assert roost.command("doctor", check=False).stdout


def test_a_worker_without_a_certificate_makes_one_and_keeps_it(programs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("w")
    token = folder / "token"
    token.write_text("0123456789abcdef" * 4)
    token.chmod(0o600)
    environment = {**os.environ, "ROOST_STATE_DIR": str(folder / "s")}
    command = [PREFIX / "bin" / "roost", "worker", "--listen", "tls://127.0.0.1:0", "--vram", "256MiB",
               "--token-file", token]
    pins = []
    for _ in range(2):
        worker = Program(command, env=environment)
        try:
            endpoint = worker.expect_line("tls://127.0.0.1:")
            pins.append(endpoint.partition("#")[2])
            result = subprocess.run(
                [PREFIX / "bin" / "roost", "run", "--endpoint", endpoint, "--token-file", token, "--",
                 programs / "smoke"], env=environment, capture_output=True, text=True, timeout=60)
            assert result.returncode == 0, result.stdout + result.stderr
            assert result.stdout.splitlines()[-1] == "PASS"
        finally:
            worker.process.terminate()
            worker.process.wait(timeout=20)
    assert len(pins[0]) == 64 and pins[0] == pins[1], pins
    key = folder / "s" / "own-identity" / "key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
