"""What programs learn from NVML: the whole table of nvidia-ml-py, the tools that people use, processes, events."""


import re

import pytest

from conftest import PREFIX, PYTHON, Program
from test_several_devices import nodes  # noqa: F401 (a fixture)

TABLE = r"""
import ctypes, inspect, json, sys
import pynvml

pynvml.nvmlInit()
device = pynvml.nvmlDeviceGetHandleByIndex(0)
other = pynvml.nvmlDeviceGetHandleByIndex(1)
events = pynvml.nvmlEventSetCreate()
uuid = pynvml.nvmlDeviceGetUUID(device)
bus = pynvml.nvmlDeviceGetPciInfo(device).busId
left = {"nvmlInit", "nvmlInitWithFlags", "nvmlShutdown", "nvmlEventSetFree"}
named = {
    "handle": device, "device": device, "device1": device, "device2": other, "handle1": device,
    "handle2": other, "eventSet": events, "uuid": uuid,
    "pciBusId": bus, "timeoutms": 1, "eventTypes": 0, "eventMask": 0, "pid": 1, "serial": b"0", "nodeSetSize": 1,
    "cpuSetSize": 1, "fieldIds": [83, 91, 170, 3], "errorCode": 3,
}
answers = {}
for name, function in sorted(vars(pynvml).items()):
    if not name.startswith("nvml") or not inspect.isfunction(function) or name in left:
        continue
    values = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is not parameter.empty and parameter.name not in named:
            continue
        values.append(named.get(parameter.name, 0))
    sys.stderr.write(name + "\n")
    sys.stderr.flush()
    try:
        answers[name] = ["value", repr(function(*values))[:120]]
    except pynvml.NVMLError as error:
        answers[name] = ["error", error.value]
    except (TypeError, AttributeError, ctypes.ArgumentError, ValueError, IndexError) as error:
        # The wrapper itself could not do anything with such an argument.
        answers[name] = ["python", repr(error)[:120]]
print(json.dumps(answers))
"""

# Success aside, what a GPU without a feature may answer: uninitialized is 1 and unknown 999, which must not be there.
CODES = {2, 3, 4, 6, 7, 10, 13, 25}

ANSWERED = """
nvmlDeviceGetName nvmlDeviceGetUUID nvmlDeviceGetIndex nvmlDeviceGetMinorNumber nvmlDeviceGetMemoryInfo
nvmlDeviceGetUtilizationRates nvmlDeviceGetComputeRunningProcesses nvmlDeviceGetGraphicsRunningProcesses
nvmlDeviceGetClockInfo nvmlDeviceGetMaxClockInfo nvmlDeviceGetPerformanceState nvmlDeviceGetPowerState
nvmlDeviceGetComputeMode nvmlDeviceGetPersistenceMode nvmlDeviceGetDisplayMode nvmlDeviceGetDisplayActive
nvmlDeviceGetCudaComputeCapability nvmlDeviceGetArchitecture nvmlDeviceGetBrand nvmlDeviceGetNumGpuCores
nvmlDeviceGetMemoryBusWidth nvmlDeviceGetPciInfo nvmlDeviceGetTopologyCommonAncestor nvmlDeviceGetP2PStatus
nvmlDeviceOnSameBoard nvmlDeviceGetBoardId nvmlDeviceGetCpuAffinity nvmlDeviceGetMaxMigDeviceCount
nvmlDeviceGetSupportedEventTypes nvmlDeviceGetFieldValues nvmlDeviceGetVirtualizationMode nvmlDeviceGetAccountingMode
nvmlDeviceGetCurrentClocksEventReasons nvmlSystemGetDriverVersion nvmlSystemGetNVMLVersion
nvmlSystemGetCudaDriverVersion nvmlDeviceGetCount nvmlUnitGetCount nvmlDeviceGetNumFans nvmlDeviceGetMultiGpuBoard
""".split()


def test_every_function_of_nvidia_ml_py_answers(roost):
    import json

    output = roost.run(PYTHON, "-c", TABLE, gpus=2, seconds=120)
    answers = json.loads(output.splitlines()[-1])
    assert len(answers) > 250
    wrong = {name: answer for name, answer in answers.items() if answer[0] == "error" and answer[1] not in CODES}
    assert not wrong
    missing = [name for name in ANSWERED if answers.get(name, ["value"])[0] != "value"]
    assert not missing, {name: answers[name] for name in missing}
    unanswerable = [name for name, answer in answers.items() if answer[0] == "python"]
    assert len(unanswerable) < len(answers) / 4, unanswerable


@pytest.mark.parametrize("words", [["-m", "nvitop", "-1"], ["-m", "gpustat", "--no-color", "-p", "-u"]],
                         ids=["nvitop", "gpustat"])
def test_tools_show_every_vgpu(roost, words):
    output = roost.run(PYTHON, *words, gpus=2, vram="96MiB", seconds=120, environment={"TERM": "xterm", "COLUMNS": "120"})
    for number in (0, 1):
        assert re.search(rf"0{number + 1}:00\.0|\[{number}\]", output), output
    assert "96" in output, output


PROCESSES = r"""
import subprocess, sys, time
import pynvml
held = [subprocess.Popen([sys.argv[1], str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for size in (8, 16)]
for process in held:
    assert process.stdout.readline() == "holding\n"
pynvml.nvmlInit()
device = pynvml.nvmlDeviceGetHandleByIndex(0)
for variant in ("", "_v2", "_v3"):
    found = getattr(pynvml, "nvmlDeviceGetComputeRunningProcesses" + variant)(device)
    used = {process.pid: process.usedGpuMemory for process in found}
    assert set(used) == {process.pid for process in held}, used
    assert used[held[0].pid] >= 8 << 20 and used[held[1].pid] >= 16 << 20, used
assert pynvml.nvmlDeviceGetMemoryInfo(device).used == sum(used.values())
assert pynvml.nvmlDeviceGetMemoryInfo(device, version=pynvml.nvmlMemory_v2).used == sum(used.values())
assert b"hold" in (lambda name: name if isinstance(name, bytes) else name.encode())(
    pynvml.nvmlSystemGetProcessName(held[0].pid))
details = pynvml.nvmlDeviceGetRunningProcessDetailList(device, pynvml.nvmlProcessDetailList_v1, 0)
assert {detail.pid for detail in details} == set(used)
for process in held:
    process.communicate("")
# The worker hears of their end by itself.
end = time.monotonic() + 20
while pynvml.nvmlDeviceGetComputeRunningProcesses(device):
    assert time.monotonic() < end
    time.sleep(0.05)
assert pynvml.nvmlDeviceGetComputeRunningProcesses(pynvml.nvmlDeviceGetHandleByIndex(1)) == []
print("PASS")
"""


def test_processes_of_several_programs_with_their_memory(roost, programs):
    assert roost.run(PYTHON, "-c", PROCESSES, programs / "hold", gpus=2, seconds=60).splitlines()[-1] == "PASS"


EVENTS = r"""
import sys, time
import pynvml
pynvml.nvmlInit()
first, second = (pynvml.nvmlDeviceGetHandleByIndex(index) for index in (0, 1))
events = pynvml.nvmlEventSetCreate()
for device in (first, second):
    pynvml.nvmlDeviceRegisterEvents(device, pynvml.nvmlEventTypeXidCriticalError, events)
start = time.monotonic()
try:
    pynvml.nvmlEventSetWait_v2(events, 150)
    raise SystemExit("an event that nobody sent")
except pynvml.NVMLError_Timeout:
    assert 0.1 < time.monotonic() - start < 10
print("ready", flush=True)
sys.stdin.readline()
data = pynvml.nvmlEventSetWait_v2(events, 20000)
assert data.eventType == pynvml.nvmlEventTypeXidCriticalError and data.eventData == 79
try:
    pynvml.nvmlDeviceGetMemoryInfo(second)
    raise SystemExit("the lost device answers")
except pynvml.NVMLError_GpuIsLost:
    pass
assert pynvml.nvmlDeviceGetCount() == 2 and pynvml.nvmlDeviceGetMemoryInfo(first).total == 64 << 20
pynvml.nvmlEventSetFree(events)
print("PASS")
"""


def test_a_lost_worker_is_an_event(roost, nodes):
    workers, options = nodes
    program = Program([PREFIX / "bin" / "roost", "run", *options, "--", PYTHON, "-c", EVENTS], env=roost.environment)
    program.expect_line("ready")
    workers[1].process.kill()
    workers[1].process.wait()
    program.process.stdin.write("\n")
    program.process.stdin.flush()
    assert program.finish().splitlines()[-1] == "PASS"


def test_nvidias_own_tools_get_a_documented_answer(roost):
    script = (
        "import ctypes\n"
        "nvml = ctypes.CDLL('libnvidia-ml.so.1')\n"
        "table = ctypes.c_void_p(1)\n"
        "assert nvml.nvmlInternalGetExportTable(ctypes.byref(table), bytes(16)) == 13 and not table.value\n"
        "assert nvml.nvmlInternalGetExportTable(None, None) == 13\n"
        "assert nvml.nvmlDeviceGetClock(None, 0, 0, None) == 1\n"
        "print('PASS')\n"
    )
    assert roost.run(PYTHON, "-c", script).splitlines()[-1] == "PASS"
