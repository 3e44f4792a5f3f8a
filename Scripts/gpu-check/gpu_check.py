"""Checks Roost on this machine's GPU: conformance and workloads, native, through shared memory and through TCP.

Needs a driver and Python; PyTorch, CuPy and Triton are used where they are. Writes one result file.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import facts
import tables
from modes import Modes, Failure
from run import run_command

HERE = Path(__file__).resolve().parent

# Name, most seconds for one mode, the script and its arguments. What matters most comes first.
WORKLOADS = [
    ("driver-calls", 40, ["driver_calls.py"]),
    ("torch-startup", 60, ["torch_startup.py"]),
    ("torch-gpt", 60, ["torch_gpt.py"]),
    ("torch-decode", 60, ["torch_decode.py"]),
    ("torch-resnet", 60, ["torch_resnet.py"]),
    ("torch-libraries", 60, ["torch_libraries.py"]),
    ("torch-transfer", 60, ["torch_transfer.py"]),
    ("triton", 60, ["triton_snippets.py"]),
    ("cupy", 60, ["cupy_snippets.py"]),
    ("torch-gpt-compiled", 120, ["torch_gpt.py", "compile"]),
    ("nccl", 60, ["nccl_two.py"]),
]
PARTS = ["facts", "conformance"] + [name for name, _, _ in WORKLOADS]


def arguments():
    parser = argparse.ArgumentParser(
        prog="gpu-check.sh", description=__doc__.split("\n")[0],
        epilog="examples:  gpu-check.sh    gpu-check.sh --quick    gpu-check.sh --only conformance,torch-gpt")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, shorter measurements")
    parser.add_argument("--software", action="store_true", help="on Roost's software GPU; what needs a GPU is left out")
    parser.add_argument("--dry-run", action="store_true", help="say what would run, and run nothing")
    parser.add_argument("--only", metavar="PARTS", help="these parts, with commas between: " + ", ".join(PARTS))
    parser.add_argument("--modes", default="native,shm,tcp", help="which of native, shm, tcp (all)")
    parser.add_argument("--output", type=Path, help="the result file (gpu-check-DATE-DRIVER.json here)")
    parser.add_argument("--driver", help="the driver's library (the one that the linker finds)")
    parser.add_argument("--driver-endpoint", metavar="URL", help="where the driver is Roost's own library: its worker")
    parser.add_argument("--device", type=int, default=0, help="the device's ordinal in the driver (0)")
    parser.add_argument("--vram", help="memory of the vGPU (four fifths of the device)")
    parser.add_argument("--seconds", type=int, default=460, help="begin no part after so many seconds (460)")
    chosen = parser.parse_args()
    wanted = set(chosen.only.split(",")) if chosen.only else set(PARTS)
    if unknown := wanted - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    chosen.parts = [part for part in PARTS if part in wanted]
    return chosen


class Check:
    """One run over all parts; a part that fails is a result like any other."""

    def __init__(self, options):
        self.options = options
        self.begin = time.monotonic()
        self.modes = Modes(HERE, options)
        self.result = {
            "format": "roost-gpu-check-1", "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "quick": options.quick, "software": options.software, "version": (HERE / "VERSION").read_text().strip()
            if (HERE / "VERSION").exists() else "unknown", "modes": self.modes.names, "parts": {},
        }

    def seconds(self):
        return time.monotonic() - self.begin

    def say(self, text):
        print(f"[{self.seconds():5.0f} s] {text}", flush=True)

    def run(self):
        for part in self.options.parts:
            if self.seconds() > self.options.seconds:
                self.result["parts"][part] = {"status": "skipped", "reason": "the time was over"}
                continue
            self.say(part)
            try:
                self.result["parts"][part] = self.part(part)
            except Failure as error:
                self.result["parts"][part] = {"status": "failed", "reason": str(error)}
            except Exception as error:  # A part's defect must not take the others' results with it.
                self.result["parts"][part] = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
            self.write()
        self.result["seconds"] = round(self.seconds(), 1)
        self.write()

    def part(self, name):
        if name == "facts":
            return {"status": "done", **facts.collect(self.options, HERE)}
        if name == "conformance":
            return self.conformance()
        workload = next(workload for workload in WORKLOADS if workload[0] == name)
        return self.workload(*workload)

    def each_mode(self, body):
        """Runs `body(mode, environment)` for each mode; what one raises is its result."""
        found = {}
        for mode in self.modes.names:
            try:
                with self.modes.environment(mode) as environment:
                    found[mode] = body(mode, environment)
            except Failure as error:
                found[mode] = {"status": "failed", "reason": str(error)}
            self.say(f"  {mode}: {tables.outcome(found[mode])}")
        return found

    def conformance(self):
        def once(mode, environment):
            path = self.modes.scratch / f"conformance-{mode}.json"
            words = [HERE / "bin" / "conformance", "--quiet", "-o", path, "--driver", self.modes.driver(mode)]
            words += ["--quick"] if self.options.quick or self.options.software else []
            ran = run_command(words, environment, 90)
            if not path.exists():
                return {"status": "failed", "reason": ran.reason()}
            return {"status": "done", "seconds": round(ran.seconds, 1), "report": json.loads(path.read_text())}

        found = self.each_mode(once)
        first = self.modes.names[0]
        compared = {}
        for mode in self.modes.names[1:]:
            files = [self.modes.scratch / f"conformance-{name}.json" for name in (first, mode)]
            if all(file.exists() for file in files):
                ran = run_command([HERE / "bin" / "conformance", "compare", *files, "-o", "json"], dict(os.environ), 20)
                if ran.status in (0, 1):
                    compared[mode] = json.loads(ran.output)
        done = all(one["status"] == "done" for one in found.values())
        return {"status": "done" if done else "failed", "modes": found, "compared": compared}

    def workload(self, name, seconds, words):
        def once(mode, environment):
            counts = self.modes.scratch / f"{name}-{mode}.stats"
            environment.update(
                GPU_CHECK_START=str(time.time()), GPU_CHECK_QUICK="1" if self.options.quick else "0",
                GPU_CHECK_SOFTWARE="1" if self.options.software else "0", GPU_CHECK_DRIVER=self.modes.driver(mode),
                TORCHINDUCTOR_CACHE_DIR=str(self.modes.scratch / "inductor"), PYTHONUNBUFFERED="1",
                TRITON_CACHE_DIR=str(self.modes.scratch / "triton"), CUPY_CACHE_DIR=str(self.modes.scratch / "cupy"))
            if mode != "native":
                environment["ROOST_STATS"] = str(counts)
            ran = run_command([sys.executable, HERE / "workloads" / words[0], *words[1:]], environment, seconds)
            result = ran.result()
            if result.get("status") == "done":
                result.update(tables.counts(counts, result.get("steps")))
            return result

        found = self.each_mode(once)
        tables.judge(found, self.modes.names[0])
        statuses = {one["status"] for one in found.values()}
        status = "skipped" if statuses == {"skipped"} else "done" if statuses == {"done"} else "failed"
        return {"status": status, "modes": found}

    def write(self):
        path = self.options.output
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.result, indent=1) + "\n")
        path.with_suffix(".txt").write_text(tables.text(self.result))


def main():
    options = arguments()
    if options.output is None:
        place = os.environ.get("GPU_CHECK_RESULTS", ".")
        options.output = Path(place) / facts.file_name(options)
    if options.dry_run:
        print("parts: " + ", ".join(options.parts) + "\nresult: " + str(options.output))
        return 0
    check = Check(options)
    try:
        check.run()
    finally:
        check.modes.close()
    print("\n" + tables.text(check.result))
    print(f"result file: {options.output}")
    failed = [name for name, part in check.result["parts"].items() if part["status"] == "failed"]
    if failed:
        print("failed parts: " + ", ".join(failed))
    return 1 if failed or not tables.is_good(check.result) else 0


if __name__ == "__main__":
    sys.exit(main())
