"""`roost run`: exit status, signals, environment, and that the vGPU is given back."""

import signal
import sys

from conftest import wait_until


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
