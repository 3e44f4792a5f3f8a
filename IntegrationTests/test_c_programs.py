"""C programs linked with our libcuda.so.1, each on a vGPU of its own. What they check stands in C/*.c."""

import pytest

from conftest import EXPORTS

SIMPLE = ["smoke", "threads", "fork", "at_exit", "dynamic", "out_of_memory", "sticky_error", "module_errors",
          "managed", "stream_memory", "virtual_memory", "ipc", "graph_explicit", "graph_capture", "graph_threads",
          "graph_special", "graph_arrays",
          "green_contexts", "small_families", "error_log",
          "export_tables", "pinned_order", "arrays", "textures", "host_functions"]


@pytest.mark.parametrize("name", SIMPLE)
def test_program(roost, programs, name):
    assert roost.run(programs / name).splitlines()[-1] == "PASS"


@pytest.mark.parametrize("name", ["smoke", "threads", "out_of_memory", "sticky_error"])
def test_program_in_strict_mode(roost, programs, name):
    output = roost.run(programs / name, environment={"ROOST_STRICT": "1"})
    assert output.splitlines()[-1] == "PASS"


@pytest.mark.parametrize("capability, has", [("8.0", 0), ("9.0", 1)])
def test_tensor_maps_begin_with_compute_capability_9(roost, programs, capability, has):
    output = roost.run(programs / "tensor_maps", str(has), capability=capability)
    assert output.splitlines()[-1] == "PASS"


def test_a_tensor_map_waits_for_nobody(roost, programs, tmp_path):
    stats = tmp_path / "stats"
    roost.run(programs / "tensor_maps", "1", capability="9.0", environment={"ROOST_STATS": str(stats)})
    lines = [line.split("\t") for line in stats.read_text().splitlines()]
    counted = {words[0]: [int(word) for word in words[1:4]] for words in lines if words[0].startswith("cuTensorMap")}
    assert set(counted) == {"cuTensorMapEncodeTiled", "cuTensorMapEncodeIm2col", "cuTensorMapReplaceAddress"}
    # Calls, commands, waits.
    assert all(count[0] > 0 and count[1:] == [0, 0] for count in counted.values()), counted


@pytest.mark.parametrize("name", ["distance", "local_answers", "lazy_library"])
def test_only_waiting_calls_pay_for_distance(roost, programs, name):
    # The slack of a lease is a part of the vGPU's memory: a larger one is asked for less often.
    output = roost.run(programs / name, vram="1GiB", environment={"ROOST_RTT_US": "100000"})
    assert output.splitlines()[-1] == "PASS"


def test_a_graph_of_a_hundred_kernels_is_one_command(roost, programs, tmp_path):
    stats = tmp_path / "stats"
    output = roost.run(programs / "graph_count", environment={"ROOST_STATS": str(stats)})
    assert output.splitlines()[-1] == "PASS"
    lines = [line.split("\t") for line in stats.read_text().splitlines()]
    counted = {words[0]: [int(word) for word in words[1:4]] for words in lines if words[0].startswith("cu")}
    # Calls, commands, waits.
    assert counted["cuGraphLaunch"] == [100, 100, 0]
    assert counted["cuLaunchKernel"][1:] == [0, 0]
    assert counted["cuGraphExecUpdate_v2"] == [100, 0, 0]
    assert counted["cuGraphInstantiateWithFlags"][2] == 1


@pytest.mark.parametrize("name", ["proc_address", "bad_arguments"])
def test_every_exported_function(roost, programs, name):
    assert roost.run(programs / name, EXPORTS, seconds=120).splitlines()[-1] == "PASS"


def test_damaged_modules_do_not_bring_the_worker_down(roost, programs):
    assert roost.run(programs / "mutated_ptx", seconds=120).splitlines()[-1] == "PASS"


def test_without_a_worker_the_library_says_that_there_is_no_device(programs):
    import os
    import subprocess

    from conftest import LIBRARIES

    environment = {key: value for key, value in os.environ.items() if not key.startswith("ROOST_")}
    environment["LD_LIBRARY_PATH"] = str(LIBRARIES)
    result = subprocess.run(
        [programs / "smoke"], env=environment, capture_output=True, text=True, timeout=60,
    )
    assert result.returncode == 1
    assert "cuInit(0) returned 100" in result.stderr
