"""How often clients wait for the worker: waits per step may not grow beyond what Tests/Conformance/waits-per-step.tsv records."""

import os
import sys
from pathlib import Path

import pytest

from conftest import PYTHON, ROOT

sys.path.insert(0, str(ROOT / "IntegrationTests" / "steps"))
import counts  # noqa: E402

STEPS = ROOT / "IntegrationTests" / "steps" / "steps.py"


@pytest.mark.parametrize("client", ["c", "numba", "cupy", "cuda.core"])
def test_waits_per_step(roost, programs, tmp_path, client):
    words = [programs / "steps"] if client == "c" else [PYTHON, "-W", "ignore", STEPS, client]
    path = tmp_path / "stats.tsv"
    output = roost.run(*words, vram="256MiB", seconds=240, environment={"ROOST_STATS": str(path)})
    counted = counts.per_step(path.read_text(), output)
    grown = counts.grown(client, counted)
    assert not grown, grown


def test_counts_say_what_happened(roost, programs, tmp_path):
    path = tmp_path / "stats.tsv"
    roost.run(programs / "steps", environment={"ROOST_STATS": str(path)})
    sections = counts.sections(path.read_text())
    assert [title for title, _, _ in sections] == [f"range {n}" for n in range(1, 7)] + ["process"]
    launches = sections[0][2]
    assert launches["cuLaunchKernel"] == (10, 10, 0)
    assert launches["total"] == (11, 10, 0)
    copies = sections[1][2]
    assert copies["cuMemcpyDtoH_v2"] == (10, 10, 10)
    assert copies["cuMemcpyHtoD_v2"] == (10, 10, 0)
    title, facts, functions = sections[-1]
    assert facts["program"] == "steps" and int(facts["first_launch_us"]) > 0
    assert functions["total"].waits == sum(row.waits for name, row in functions.items() if name != "total")


def test_a_file_that_can_not_be_written_stops_nothing(roost, programs):
    output = roost.run(programs / "steps", environment={"ROOST_STATS": str(Path(os.sep) / "nowhere" / "stats")})
    assert "ROOST_STATS" in output and output.splitlines()[-1] == "PASS"
