#!/usr/bin/env python3
"""Runs CuPy's own test suite under `roost run`, a file at a time, and writes a table.

The wheel holds no tests, so they come from the source package of the same version. A file's line is `pass` where it ran to its end,
and says how many tests passed, failed and were skipped. Each function that failed, for any of its parameters, has a line of its own.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
VERSION = "14.2.0"
URL = ("https://files.pythonhosted.org/packages/dc/10/059a92d40b161ea24607c9e41a75098812ca7021f2b565524f87beba15c9/"
       f"cupy-{VERSION}.tar.gz")
SHA256 = "cfed725e612178cfbdbf62f4a3a598b60edecbbca718c0d4580c21a16ae4a62c"
# Everything that stands on CuPy's own kernels, on CUB and on NVRTC; and what is left out of it, as it tests other libraries of
# NVIDIA's. Of those only cuRAND is installed, without which cupy.random can't be imported.
AREAS = {
    "cupy_tests/core_tests": [],
    "cupy_tests/indexing_tests": [],
    "cupy_tests/sorting_tests": [],
    "cupy_tests/cuda_tests": [
        "test_cublas", "test_cufft", "test_curand", "test_cusolver", "test_cusparse", "test_cutensor", "test_nccl"],
    "cupy_tests/creation_tests": [],
    "cupy_tests/manipulation_tests": [],
    "cupy_tests/math_tests": ["test_matmul"],
    "cupy_tests/logic_tests": [],
    "cupy_tests/statistics_tests": [],
    "cupy_tests/random_tests": ["test_distributions", "test_generator", "test_random", "test_sample"],
    "cupyx_tests/jit_tests": [],
    "cupy_tests/binary_tests": [],
    "cupy_tests/functional_tests": [],
    "cupy_tests/io_tests": [],
    "cupy_tests/lib_tests": [],
    "cupy_tests/misc_tests": [],
    "cupy_tests/padding_tests": [],
    "cupy_tests/polynomial_tests": [],
    "cupy_tests/core_tests/fusion_tests": [],
    "cupyx_tests/scipy_tests/special_tests": [],
    "cupyx_tests/scipy_tests/ndimage_tests": [],
}


def fetch(folder):
    tests = folder / f"cupy-{VERSION}" / "tests"
    if not tests.exists():
        print(f"fetching the tests of CuPy {VERSION} (4 MB) ...", flush=True)
        with urllib.request.urlopen(URL, timeout=120) as response:
            content = response.read()
        assert hashlib.sha256(content).hexdigest() == SHA256, "the package is not the one that was recorded"
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / "cupy.tar.gz"
        archive.write_bytes(content)
        with tarfile.open(archive) as package:
            members = [member for member in package.getmembers() if "/tests/" in member.name]
            package.extractall(folder, members=members, filter="data")
    return tests


def outcomes_of(path):
    """{test: (function, outcome, message)}; a test that began and has no outcome ended its process."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        test, function, outcome, message = line.split("\t")
        # A test can fail and then fail again when it is torn down.
        if found.get(test, ("", "start"))[1] in ("start", "pass"):
            found[test] = (function, outcome, message)
    return found


def lines_of(file, outcomes, end):
    """The lines of the table for a file, and what to say of it."""
    functions = collections.defaultdict(list)
    counts = collections.Counter()
    for function, outcome, message in outcomes.values():
        outcome, message = ("fail", "ended its process") if outcome == "start" else (outcome, message)
        counts[outcome] += 1
        functions[function].append((outcome, message))
    text = f"{counts['pass']} pass, {counts['fail']} fail, {counts['skip']} skip"
    if not counts and not end:
        return [(file, "skip", "skips itself as a whole")], f"{file}: skips itself"
    rows = [(file, "crash" if end else "pass", f"{text} {end}".strip())]
    for function, results in functions.items():
        messages = [message for outcome, message in results if outcome == "fail"]
        if messages:
            rows.append((function, "fail", f"{len(messages)} of {len(results)}: {messages[0]}"))
    return rows, f"{file}: {text} {end}"


def run(path, tests, arguments, folder):
    """Runs one test file, in as many processes as it takes; returns its lines of the table and what to say of it."""
    file = ".".join(path.relative_to(tests).with_suffix("").parts)
    output = folder / f"{file}.tsv"
    command = [arguments.roost, "run", "--gpus", "2", "--vram", "1GiB", "--compute", "10%", "--name", path.stem, "--"]
    command += [sys.executable, "-m", "pytest", "-q", "-p", "pytest_outcomes", "-p", "no:cacheprovider", "-W", "ignore",
                "-m", "not slow", "--rootdir", tests, path]
    # Nearly all of the time is NVRTC's, and half of that goes into the same headers again and again. The tests of RawModule ask for
    # nvcc's version before anything else; what they compile with nvcc is machine code, and fails.
    environment = {**os.environ, "CUPY_NVRTC_USE_PCH": "1", "NVCC": "echo release 12.9",
                   "PYTHONPATH": str(ROOT / "IntegrationTests/frameworks"),
                   "ROOST_OUTCOMES": str(output), "ROOST_CASES": str(arguments.cases)}
    end = ""
    while not end:
        before = len(outcomes_of(output))
        try:
            ended = subprocess.run(
                list(map(str, command)), cwd=tests, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=arguments.seconds, env=environment)
        except subprocess.TimeoutExpired:
            end = f"not done after {arguments.seconds} s"
            break
        # 1: tests failed; 5: no test is left. With anything else a test ended the process, and the rest goes on in another.
        if ended.returncode in (0, 1, 5):
            break
        if len(outcomes_of(output)) == before:
            end = f"status {ended.returncode}: " + " ".join((ended.stdout + ended.stderr).split())[-200:]
    return lines_of(file, outcomes_of(output), end)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--roost", required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, default=1800, help="how long a file may take")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cases", type=int, default=3, help="how many sets of a function's parameters are tried; 0: all")
    parser.add_argument("--resume", action="store_true", help="keep what an earlier run has done")
    parser.add_argument("--areas", nargs="*", default=list(AREAS))
    arguments = parser.parse_args()
    tests = fetch(arguments.build / "cupy-tests")
    files = [path for area in arguments.areas for path in sorted((tests / area).glob("test_*.py")) if path.stem not in AREAS[area]]
    folder = arguments.build / "cupy-outcomes"
    if not arguments.resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    table = []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        started = [pool.submit(run, path, tests, arguments, folder) for path in files]
        for number, future in enumerate(concurrent.futures.as_completed(started), 1):
            rows, text = future.result()
            print(f"[{number}/{len(files)}] {text}", flush=True)
            table += rows
    arguments.output.write_text("".join("\t".join(row) + "\n" for row in sorted(table)))


if __name__ == "__main__":
    main()
