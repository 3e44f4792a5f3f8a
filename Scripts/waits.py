#!/usr/bin/env python3
"""Counts calls, commands and waits of each client's steps and the way to the first kernel; prints `name value unit` lines.

--check fails where a step waits more often than Tests/Conformance/waits-per-step.tsv says, --update writes it anew. Clients whose
environment is not installed are left out, unless --clients names them.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "IntegrationTests" / "steps"))
import counts  # noqa: E402

BUILD = ROOT / ".build"
IN_CI = ("c", "numba", "cupy", "cuda.core")


def commands(scratch):
    """The program of each client that is installed."""
    include, library = ROOT / "Sources/Protocol/CCUDA/include", BUILD / "roost/lib"
    program = scratch / "steps"
    subprocess.run(
        ["gcc", "-std=gnu11", "-O1", "-isystem", include, ROOT / "IntegrationTests/C/steps.c", "-o", program,
         f"-L{library}", "-lcuda", "-ldl"], check=True)
    found = {"c": [program]}
    steps = ROOT / "IntegrationTests/steps/steps.py"
    for client in ("numba", "cupy", "cuda.core", "torch", "jax"):
        folder = BUILD / "frameworks" / client if client in ("torch", "jax") else BUILD / "venv"
        if (folder / "bin/python").exists():
            found[client] = [folder / "bin/python", "-W", "ignore", steps, client]
    return found


def measure(client, words, scratch, microseconds):
    """Steps' counts, (microseconds, waits) from cuInit to the first launch, and seconds from start to first result."""
    stats = scratch / f"{client}.tsv"
    stats.unlink(missing_ok=True)
    environment = {**os.environ, "ROOST_STATE_DIR": str(scratch / "s"), "ROOST_STATS": str(stats),
                   "ROOST_RTT_US": str(microseconds), "PYTHONUNBUFFERED": "1"}
    options = ["--vram", "2GiB", *(["--device-files"] if client == "jax" else [])]
    begin = time.time()
    result = subprocess.run(
        [BUILD / "roost/bin/roost", "run", *options, "--", *words], env=environment, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=600)
    if result.returncode != 0:
        print(f"{client}: status {result.returncode}: {result.stderr[-300:]}", file=sys.stderr)
        return None
    text = stats.read_text()
    first = [float(line.split()[1]) for line in result.stdout.splitlines() if line.startswith("first ")]
    return counts.per_step(text, result.stdout), counts.cold_start(text), first[0] - begin if first else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--clients", nargs="*")
    parser.add_argument("--round-trip", type=int, default=0, help="microseconds added to each wait (ROOST_RTT_US)")
    arguments = parser.parse_args()
    rows, worse = [], []
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        scratch = pathlib.Path(folder)
        environment = {**os.environ, "ROOST_STATE_DIR": str(scratch / "s")}
        subprocess.run([BUILD / "roost/bin/roost", "up"], env=environment, check=True, stdout=subprocess.DEVNULL)
        try:
            found = commands(scratch)
            for client in arguments.clients or found:
                measured = client in found and measure(client, found[client], scratch, arguments.round_trip)
                if not measured:
                    worse.append(f"{client}: was not measured")
                    continue
                steps, cold, seconds = measured
                worse += [f"{client}: {step}: {text}" for step, text in counts.grown(client, steps).items()]
                for step, (calls, sent, waits) in steps.items():
                    print(f"{client}.{step}.calls {calls:g} calls/step")
                    print(f"{client}.{step}.commands {sent - waits:g} no-reply-commands/step")
                    print(f"{client}.{step}.waits {waits:g} waits/step", flush=True)
                    rows.append((client, step, f"{calls:g}", f"{sent - waits:g}", f"{waits:g}"))
                if cold:
                    print(f"{client}.start.init-to-first-launch {cold[0] / 1000:.1f} ms")
                    print(f"{client}.start.waits {cold[1]} waits")
                if seconds:
                    print(f"{client}.start.process-to-first-result {seconds * 1000:.0f} ms", flush=True)
        finally:
            subprocess.run([BUILD / "roost/bin/roost", "down"], env=environment, stdout=subprocess.DEVNULL)
    if arguments.update:
        lines = ["# client\tstep\tcalls\tno-reply commands\twaits (each per step, queries left out; CI refuses more waits, for "
                 + ", ".join(IN_CI) + ")"]
        kept = [line for line in (counts.TABLE.read_text().splitlines() if counts.TABLE.exists() else [])
                if not line.startswith("#") and line.split("\t")[0] not in {row[0] for row in rows}]
        counts.TABLE.write_text("\n".join(lines + sorted(kept + ["\t".join(row) for row in rows])) + "\n")
    elif arguments.check and worse:
        sys.exit("\n".join(worse))


if __name__ == "__main__":
    main()
