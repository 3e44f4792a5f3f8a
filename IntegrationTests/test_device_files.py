"""`roost run --device-files`: the program sees NVIDIA's device files, and nobody else does."""

import os
import subprocess
from pathlib import Path

import pytest

from conftest import PREFIX, Program

SCRIPT = "import os; print('seen', os.path.exists('/dev/nvidia0'), os.path.getsize('/dev/nvidiactl'), os.getuid()); " \
    "open('/dev/null', 'w').write('x'); assert os.path.isdir('/dev/shm'); raise SystemExit(7)"


def can_have_namespaces():
    words = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-Um", "--map-current-user"]
    return subprocess.run([*words, "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_have_namespaces(), reason="this system lets nobody make mount namespaces")
def test_only_the_program_sees_device_files(roost):
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    words = [PREFIX / "bin" / "roost", "run", "--vram", "64MiB", "--device-files", "--"]
    program = Program([*words, "python3", "-c", SCRIPT], env=roost.environment)
    assert program.finish(status=7) == f"seen True 0 {os.getuid()}"
    assert not Path("/dev/nvidia0").exists()
    assert Program([*words, "/no/such/program"], env=roost.environment).finish(status=127)
