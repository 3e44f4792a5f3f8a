"""`gpu-check` end to end on the software GPU, from the archive that `make gpu-check` packs."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import PREFIX, PYTHON, ROOT
from test_conformance import worker

CHECK = ROOT / "Scripts" / "gpu-check"


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """The archive's contents, laid out as it unpacks."""
    folder = tmp_path_factory.mktemp("pack") / "gpu-check"
    shutil.copytree(CHECK, folder, ignore=shutil.ignore_patterns("__pycache__", "*.sh"))
    (folder / "lib").mkdir()
    for library in ("libcuda.so.1", "libnvidia-ml.so.1"):
        shutil.copy(PREFIX / "lib" / library, folder / "lib")
    shutil.copytree(PREFIX / "bin", folder / "bin")
    return folder


def run(pack, *words, status=0):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROOST_")}
    result = subprocess.run(
        [str(PYTHON), str(pack / "gpu_check.py"), *map(str, words)], text=True, capture_output=True, timeout=120,
        env=environment, cwd=pack.parent)
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout


def test_programs_need_no_swift():
    for program in ("roost", "roost-worker", "conformance"):
        needed = subprocess.run(
            ["ldd", str(PREFIX / "bin" / program)], text=True, capture_output=True, check=True).stdout
        assert "libswift" not in needed and "libFoundation" not in needed, needed


def test_software_run_is_complete(pack, tmp_path):
    path = tmp_path / "result.json"
    run(pack, "--software", "--quick", "--only", "facts,conformance,driver-calls,nccl", "--output", path)
    result = json.loads(path.read_text())
    parts = result["parts"]
    assert parts["facts"]["cpuCount"] >= 1
    assert parts["conformance"]["status"] == "done"
    assert parts["conformance"]["compared"]["tcp"]["different"] == 0
    calls = parts["driver-calls"]["modes"]
    assert calls["shm"]["milliseconds"] > 0 and calls["tcp"]["equal"] is True
    assert calls["shm"].get("waitsPerStep", 0) == 0
    assert parts["nccl"]["status"] == "skipped"
    text = path.with_suffix(".txt").read_text()
    assert "driver-calls" in text and "launch.empty.enqueue" in text


def test_all_modes_with_roost_as_the_driver(pack, tmp_path):
    """The way through a real driver, with `--backend cuda`, where Roost's own library on a software vGPU is the driver."""
    path = tmp_path / "result.json"
    endpoint = f"unix://{tmp_path}/inner"
    with worker(endpoint, "--vram", "2GiB"):
        run(pack, "--quick", "--only", "driver-calls", "--output", path,
            "--driver", pack / "lib" / "libcuda.so.1", "--driver-endpoint", endpoint)
    modes = json.loads(path.read_text())["parts"]["driver-calls"]["modes"]
    assert list(modes) == ["native", "shm", "tcp"]
    assert all(mode["status"] == "done" for mode in modes.values())
    assert modes["shm"]["equal"] and modes["tcp"]["equal"] and modes["shm"]["throughputRatio"] > 0


def test_a_failing_part_stops_no_other(pack, tmp_path):
    broken = tmp_path / "gpu-check"
    shutil.copytree(pack, broken)
    (broken / "bin" / "conformance").write_text("#!/bin/sh\nexit 3\n")
    path = tmp_path / "result.json"
    run(broken, "--software", "--quick", "--only", "conformance,driver-calls", "--output", path, status=1)
    parts = json.loads(path.read_text())["parts"]
    assert parts["conformance"]["status"] == "failed"
    assert "status 3" in parts["conformance"]["modes"]["shm"]["reason"]
    assert parts["driver-calls"]["status"] == "done"


def test_other_results_are_told(pack, tmp_path):
    broken = tmp_path / "gpu-check"
    shutil.copytree(pack, broken)
    script = broken / "workloads" / "driver_calls.py"
    script.write_text(script.read_text().replace("digest=digest(", "digest=os.environ['ROOST_ENDPOINT'] + digest("))
    path = tmp_path / "result.json"
    run(broken, "--software", "--quick", "--only", "driver-calls", "--output", path, status=1)
    assert json.loads(path.read_text())["parts"]["driver-calls"]["modes"]["tcp"]["equal"] is False


def test_dry_run_runs_nothing(pack):
    assert "conformance" in run(pack, "--dry-run", "--software")
