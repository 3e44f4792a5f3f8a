"""The conformance suite through real processes: the software GPU passes it."""

import contextlib
import json
import os
import subprocess

import pytest

from conftest import PREFIX, Program

CONFORMANCE = PREFIX / "bin" / "conformance"


def run_suite(roost, path, *words, transport="shm", vram="1GiB", capability=None):
    """Runs cases through a vGPU and returns the results by name."""
    started = roost.start(
        CONFORMANCE, "--driver", PREFIX / "lib" / "libcuda.so.1", "--no-measure", "--quiet", "-o", path, *words,
        vram=vram, transport=transport, capability=capability)
    started.finish(seconds=240, status=None)
    return json.loads(path.read_text())


@contextlib.contextmanager
def worker(endpoint, *words, environment=None):
    """A worker without a daemon, as long as it is used."""
    started = Program(
        [PREFIX / "bin" / "roost-worker", "--listen", endpoint, "--ready-fd", "1", "--log-level", "error",
         "--exit-with-stdin", *words],
        env={**os.environ, **(environment or {})})
    try:
        started.expect_line("ready")
        yield
    finally:
        started.process.terminate()
        started.process.wait(timeout=20)


def check(report):
    """Every case passed, or says that the device lacks what it is about."""
    wrong = [case for case in report["cases"] if case["status"] not in ("passed", "unsupported")]
    assert not wrong, "\n".join(f"{case['name']}: {case['status']} {case['message']}" for case in wrong)
    assert report["totals"]["passed"] >= 90


def compare(first, second, status):
    """What `conformance compare` finds."""
    result = subprocess.run(
        [str(CONFORMANCE), "compare", str(first), str(second), "-o", "json"], text=True, capture_output=True,
        timeout=20)
    assert result.returncode == status, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("transport", ["shm", "tcp"])
def test_software_gpu_passes(roost, tmp_path, transport):
    check(run_suite(roost, tmp_path / "report.json", transport=transport))


def test_tensor_maps_pass_from_compute_capability_9_on(roost, tmp_path):
    report = run_suite(roost, tmp_path / "report.json", "--filter", "tensor-map.,bulk-copy.", capability="9.0")
    assert {case["status"] for case in report["cases"]} == {"passed"}, report["cases"]
    assert len(report["cases"]) >= 10


@pytest.mark.parametrize("transport", ["unix", "shm"])
def test_both_layers_pass_what_the_software_gpu_passes(tmp_path, transport):
    """The real driver's backend, whose driver is Roost's own library on a software vGPU: the results are the same."""
    inner, outer = (f"{transport}://{tmp_path}/{name}" for name in "io")
    driver = PREFIX / "lib" / "libcuda.so.1"

    def run(endpoint, name):
        path = tmp_path / name
        subprocess.run(
            [str(word) for word in
             (CONFORMANCE, "--driver", driver, "--no-measure", "--quiet", "--timeout", "30", "-o", path)],
            env={**os.environ, "ROOST_ENDPOINT": endpoint}, timeout=240, capture_output=True)
        return json.loads(path.read_text())

    with worker(inner, "--vram", "2GiB"):
        alone = run(inner, "alone.json")
        with worker(outer, "--vram", "1GiB", "--backend", "cuda", "--driver", driver,
                    environment={"ROOST_ENDPOINT": inner}):
            both = run(outer, "both.json")
    check(both)
    statuses = {case["name"]: case["status"] for case in alone["cases"]}
    # What the backend says that it does not have.
    statuses |= {name: "unsupported" for name in ("ipc.memory", "ipc.event")}
    assert {case["name"]: case["status"] for case in both["cases"]} == statuses
    assert all(case["message"] for case in both["cases"] if case["status"] == "unsupported")
    compared = compare(tmp_path / "alone.json", tmp_path / "both.json", status=1)
    verdicts = {case["name"]: case["verdict"] for case in compared["cases"] if case["verdict"] in ("LOST", "DIFFERENT")}
    assert verdicts == {"ipc.memory": "LOST", "ipc.event": "LOST"}


def test_compare_tells_lost_and_different_cases(roost, tmp_path):
    first = run_suite(roost, tmp_path / "first.json", "--filter", "launch.add,copy.box,init.")
    second = json.loads(json.dumps(first))
    names = [case["name"] for case in second["cases"]]
    second["cases"][names.index("launch.add")]["digest"] = "0" * 16
    second["cases"][names.index("copy.box")]["status"] = "failed"
    (tmp_path / "second.json").write_text(json.dumps(second))

    same = compare(tmp_path / "first.json", tmp_path / "first.json", status=0)
    assert same["different"] == 0 and same["same"] == len(names)
    other = compare(tmp_path / "first.json", tmp_path / "second.json", status=1)
    verdicts = {case["name"]: case["verdict"] for case in other["cases"]}
    assert verdicts == {"launch.add": "DIFFERENT", "copy.box": "LOST"}
