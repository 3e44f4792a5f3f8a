#!/usr/bin/env python3
"""Runs test modules of clients, each in a process of its own under `roost run`, and writes a table.

Without --modules these are numba-cuda's own driver tests; with it, modules of the folder --path.

A line of the table is: test, outcome (pass, fail, error, crash, timeout, skip), message. A test that kills its process
or hangs is noted, and the rest of its module goes on in a new process.
"""

import argparse
import concurrent.futures
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
import unittest

NUMBA_PACKAGE = "numba.cuda.tests.cudadrv"


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


class Recorder(unittest.TestResult):
    """Writes each event at once, so that a crash loses nothing."""

    def __init__(self, file):
        super().__init__()
        self.file = file
        self.noted = set()

    def note(self, test, outcome, message=""):
        identifier = test.id()
        if outcome != "start":
            if identifier in self.noted:
                return
            self.noted.add(identifier)
        message = " ".join(str(message).split())[:300]
        self.file.write(f"{identifier}\t{outcome}\t{message}\n")
        self.file.flush()

    def startTest(self, test):
        super().startTest(test)
        self.note(test, "start")

    def addSuccess(self, test):
        self.note(test, "pass")

    def addExpectedFailure(self, test, err):
        self.note(test, "pass", "fails as the suite expects")

    def addUnexpectedSuccess(self, test):
        self.note(test, "fail", "the suite expects a failure")

    def addFailure(self, test, err):
        self.note(test, "fail", f"{err[0].__name__}: {err[1]}")

    def addError(self, test, err):
        self.note(test, "error", f"{err[0].__name__}: {err[1]}")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(test, "fail", f"{err[0].__name__}: {err[1]}")

    def addSkip(self, test, reason):
        self.note(test, "skip", reason)


def run_module(module, output, done):
    """In the process under `roost run`: runs the tests of the module that are not done yet."""
    suite = unittest.defaultTestLoader.loadTestsFromName(module)
    rest = unittest.TestSuite(test for test in tests_of(suite) if test.id() not in done)
    with open(output, "a") as file:
        rest.run(Recorder(file))


def supervise(module, arguments, folder):
    """Runs one module, in as many processes as it takes, and returns its table."""
    name = module.rsplit(".", 1)[-1]
    output = folder / f"{module}.tsv"
    output.touch()
    table = {}
    deadline = time.monotonic() + arguments.seconds
    while True:
        done = folder / f"{module}.done"
        done.write_text("\n".join(table))
        command = [arguments.roost, "run", "--compute", "20%", "--name", name, *shlex.split(arguments.run_options), "--"]
        command += [sys.executable, "-W", "ignore", __file__, "--module", module, "--done", done, "--output", output]
        command += ["--path", arguments.path] if arguments.path else []
        end = "crash"
        with open(folder / f"{module}.log", "ab") as log:
            process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            try:
                status = process.wait(timeout=max(5, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.terminate()
                try:
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                status, end = -1, "timeout"
        running = None
        for line in output.read_text().splitlines():
            identifier, outcome, message = line.split("\t")
            if outcome == "start":
                running = identifier
            else:
                table.setdefault(identifier, (outcome, message))
                running = None
        if status == 0:
            return table
        if running is None:
            tail = " ".join((folder / f"{module}.log").read_text(errors="replace").split())[-300:]
            table[module] = (end, tail)
            return table
        table[running] = (end, f"the process ended with status {status}")
        if end == "timeout":
            # What is left of the module gets a little time of its own.
            deadline = time.monotonic() + max(60, arguments.seconds / 4)
        if len(table) % 10 == 0:
            print(f"{name}: {len(table)} tests, {running} ended its process ({end})", flush=True)


def numba_modules():
    import numba_cuda

    folder = pathlib.Path(numba_cuda.__file__).parent / "numba" / "cuda" / "tests" / "cudadrv"
    return [f"{NUMBA_PACKAGE}.{path.stem}" for path in sorted(folder.glob("test_*.py"))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--roost")
    parser.add_argument("--output", required=True)
    parser.add_argument("--module")
    parser.add_argument("--done")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--modules", nargs="*")
    parser.add_argument("--path", help="the folder of the modules")
    parser.add_argument("--run-options", default="--vram 1GiB", help="more options of `roost run`")
    parser.add_argument("--seconds", type=int, default=240, help="how long a module may take")
    arguments = parser.parse_args()
    if arguments.path:
        sys.path.insert(0, arguments.path)
    if arguments.module:
        run_module(arguments.module, arguments.output, set(pathlib.Path(arguments.done).read_text().split("\n")))
        return

    modules = arguments.modules or numba_modules()
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        scratch = pathlib.Path(scratch)
        started = {pool.submit(supervise, module, arguments, scratch): module for module in modules}
        table = {}
        for number, future in enumerate(concurrent.futures.as_completed(started), 1):
            own = future.result()
            table.update(own)
            passed = sum(outcome == "pass" for outcome, _ in own.values())
            print(f"[{number}/{len(modules)}] {started[future]}: {passed} of {len(own)} pass", flush=True)
    with open(arguments.output, "w") as file:
        for identifier in sorted(table):
            file.write("\t".join((identifier, *table[identifier])) + "\n")


if __name__ == "__main__":
    main()
