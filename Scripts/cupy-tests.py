#!/usr/bin/env python3
"""Runs areas of CuPy's own test suite under `roost run`, a file at a time, and writes a table.

The wheel holds no tests, so they come from the source package of the same version. A line of the table is a test file, `pass` where no
test failed, and how many tests passed, failed and were skipped.
"""

import argparse
import collections
import hashlib
import pathlib
import subprocess
import sys
import tarfile
import urllib.request
import xml.etree.ElementTree

VERSION = "14.2.0"
URL = ("https://files.pythonhosted.org/packages/dc/10/059a92d40b161ea24607c9e41a75098812ca7021f2b565524f87beba15c9/"
       f"cupy-{VERSION}.tar.gz")
SHA256 = "cfed725e612178cfbdbf62f4a3a598b60edecbbca718c0d4580c21a16ae4a62c"
AREAS = {
    "core_tests": ["test_array_function", "test_carray", "test_elementwise", "test_flags", "test_function",
                   "test_include", "test_internal", "test_ndarray", "test_ndarray_cuda_array_interface",
                   "test_ndarray_get", "test_ndarray_ufunc", "test_ndarray_unary_op", "test_raw", "test_reduction",
                   "test_scan", "test_userkernel", "test_dlpack", "test_core"],
    "creation_tests": None,
    "indexing_tests": None,
    "sorting_tests": None,
    "random_tests": ["test_bit_generator", "test_generator_api", "test_init", "test_permutations"],
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


def run(path, tests, arguments, report):
    """Runs one test file; returns its outcome and what to say of it."""
    report.unlink(missing_ok=True)
    command = [arguments.roost, "run", "--vram", "4GiB", "--compute", "20%", "--name", path.stem, "--"]
    command += [sys.executable, "-m", "pytest", "-q", "-x", "--maxfail=1000", "-p", "no:cacheprovider", "-W", "ignore",
                "--rootdir", tests, f"--junitxml={report}", path]
    try:
        ended = subprocess.run(
            list(map(str, command)), cwd=tests, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=arguments.seconds)
    except subprocess.TimeoutExpired:
        return "timeout", f"not done after {arguments.seconds} s"
    if not report.exists():
        return "crash", f"status {ended.returncode}: " + " ".join((ended.stdout + ended.stderr).split())[-200:]
    counts, messages = collections.Counter(), collections.Counter()
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        outcome = "passed"
        for kind in ("failure", "error", "skipped"):
            found = case.find(kind)
            if found is not None:
                outcome = "skipped" if kind == "skipped" else "failed"
                if outcome == "failed":
                    messages[" ".join(found.get("message", "").split())[:90]] += 1
        counts[outcome] += 1
    text = f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped"
    for message, count in messages.most_common(3):
        text += f"; {count} x {message}"
    return ("pass" if not counts["failed"] and counts["passed"] else "fail"), text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--roost", required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, default=900, help="how long a file may take")
    parser.add_argument("--areas", nargs="*", default=list(AREAS))
    arguments = parser.parse_args()
    tests = fetch(arguments.build / "cupy-tests")
    report = arguments.build / "cupy-report.xml"
    files = []
    for area in arguments.areas:
        folder = tests / "cupy_tests" / area
        names = AREAS.get(area) or sorted(path.stem for path in folder.glob("test_*.py"))
        files += [folder / f"{name}.py" for name in names if (folder / f"{name}.py").exists()]
    with open(arguments.output, "w") as table:
        for number, path in enumerate(files, 1):
            outcome, text = run(path, tests, arguments, report)
            name = f"{path.parent.name}.{path.stem}"
            print(f"[{number}/{len(files)}] {name}: {outcome}, {text[:150]}", flush=True)
            table.write(f"{name}\t{outcome}\t{text}\n")
            table.flush()


if __name__ == "__main__":
    main()
