"""A plugin of pytest: writes each test's outcome to the file ROOST_OUTCOMES at once, and leaves out tests that stand there already.

So a run that a test kills goes on where it was. A line is: test with its parameters, the function without them, outcome, message.
ROOST_CASES is how many sets of parameters of a function are tried, spread evenly over all that it has; 0 stands for all.
"""

import collections
import os
import re

import pytest

PATH = os.environ["ROOST_OUTCOMES"]
CASES = int(os.environ.get("ROOST_CASES", "0"))


def named(item):
    """Area, file, class and function, without parameters, whether pytest or CuPy's decorator made them."""
    words = item.location[0].removesuffix(".py").split("/")
    if item.cls:
        words.append(re.sub(r"_param_\d+_.*", "", item.cls.__name__))
    return ".".join([*words, getattr(item, "originalname", None) or item.name])


def note(item, outcome, message=""):
    message = " ".join(str(message).split())
    if len(message) > 300:
        # CuPy's own comparisons begin with their finding and end with the exception that they caught.
        message = f"{message[:100]} … {message[-200:]}"
    with open(PATH, "a") as file:
        line = (item.nodeid, named(item), outcome, message)
        file.write("\t".join(word.replace("\t", " ").replace("\n", " ") for word in line) + "\n")


def spread(cases):
    if not CASES or len(cases) <= CASES:
        return cases
    return [cases[number * len(cases) // CASES] for number in range(CASES)]


def pytest_collection_modifyitems(items):
    functions = collections.defaultdict(list)
    for item in items:
        functions[named(item)].append(item)
    chosen = {item for cases in functions.values() for item in spread(cases)}
    items[:] = [item for item in items if item in chosen]
    if os.path.exists(PATH):
        with open(PATH) as file:
            done = {line.split("\t")[0] for line in file}
        items[:] = [item for item in items if item.nodeid.replace("\t", " ").replace("\n", " ") not in done]


def context_is_lost():
    import cupy

    try:
        cupy.cuda.runtime.deviceSynchronize()
    except cupy.cuda.runtime.CUDARuntimeError:
        return True
    return False


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    note(item, "start")
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        note(item, "fail", f"{call.excinfo.type.__name__}: {call.excinfo.value}")
        if context_is_lost():
            # The rest goes on in a new process.
            os._exit(3)
    elif report.skipped:
        expected = hasattr(report, "wasxfail")
        note(item, "pass" if expected else "skip", "" if expected else call.excinfo.value)
    elif report.when == "call":
        note(item, "pass")
