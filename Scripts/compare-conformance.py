#!/usr/bin/env python3
"""Compares outcomes of a foreign test suite with the recorded table; fails if a test that should pass does not.

The table's columns: test, expected outcome (pass, fail, skip), reason. Reasons are written by hand; --update keeps them. A line that
stands for many tests has their counts instead; they may change without harm.
"""

import argparse
import pathlib
import re
import sys

# What a message says by itself needs no reason by hand.
KNOWN = (
    ("athfinder.load_nv", "needs a library that is not installed here (cuBLAS, cuFFT, cuRAND and their like)"),
    ("libcublas", "needs cuBLAS, which is not installed here"),
    ("libcusparse", "needs cuSPARSE, which is not installed here"),
    ("libcusolver", "needs cuSOLVER, which is not installed here"),
    ("libcufft", "needs cuFFT, which is not installed here"),
    ("cudaErrorInvalidDevice: invalid device ordinal", "wants more devices than the two that it is given"),
    ("no kernel image", "the library carries machine code only for this (209)"),
    ("invalid value for --gpu-architecture", "compiled at run time to machine code, and NVRTC knows no newer device"),
    ("CUFFT_INTERNAL_ERROR", "cuFFT wants a private table of the driver (ToolsModule) that is not answered"),
    ("invalid device ordinal", "CUB finds no image of the sort and reports it in these words"),
)

COUNTS = re.compile(r"\d+ pass, \d+ fail, \d+ skip$")
HEADER = "# test\texpected\treason (by hand; `--update` keeps it)"


def read(path):
    if not path.exists():
        return {}
    rows = (line.split("\t") for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {row[0]: (row[1], row[2] if len(row) > 2 else "") for row in rows}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("--update", action="store_true", help="write the table anew from the results")
    parser.add_argument("--minimum", type=float, default=70, help="percentage of passes below which this fails")
    arguments = parser.parse_args()

    messages = read(arguments.results)
    outcomes = {test: outcome if outcome in ("pass", "skip") else "fail" for test, (outcome, _) in messages.items()}
    expected = read(arguments.table)
    run = [test for test, outcome in outcomes.items() if outcome != "skip"]
    passed = sum(outcomes[test] == "pass" for test in run)
    percentage = 100 * passed / len(run) if run else 0

    if arguments.update:
        lines = [HEADER]
        for test, outcome in sorted(outcomes.items()):
            before, reason = expected.get(test, (None, ""))
            if outcome == "pass":
                reason = messages[test][1] if COUNTS.match(messages[test][1]) else ""
            elif not reason or before != outcome:
                message = messages[test][1]
                known = next((text for part, text in KNOWN if part in message), reason)
                reason = message if outcome == "skip" else known
            lines.append(f"{test}\t{outcome}\t{reason}".rstrip("\t"))
        arguments.table.parent.mkdir(parents=True, exist_ok=True)
        arguments.table.write_text("\n".join(lines) + "\n")
        expected = read(arguments.table)

    broken = [test for test, (want, _) in expected.items() if want == "pass" and outcomes.get(test) != "pass"]
    better = [test for test, outcome in outcomes.items() if outcome == "pass" and expected.get(test, ("",))[0] != "pass"]
    unknown = [test for test in outcomes if test not in expected]
    unexplained = [test for test, (want, reason) in expected.items() if want != "pass" and not reason]
    unexplained += [test for test in unknown if outcomes[test] == "fail"]

    for title, tests in (
        ("should pass and does not", broken),
        ("passes now: record it with --update", better),
        ("not in the table: record it with --update", unknown),
        ("has no reason in the table", unexplained),
    ):
        for test in tests:
            outcome, message = messages.get(test, ("missing", ""))
            print(f"{title}: {test} ({outcome}) {message[:160]}")
    print(f"{passed} of {len(run)} tests pass ({percentage:.1f} %), {len(outcomes) - len(run)} skipped by the suite")
    if percentage < arguments.minimum:
        print(f"less than {arguments.minimum:.0f} % pass")
    sys.exit(bool(broken or unexplained) or percentage < arguments.minimum)


if __name__ == "__main__":
    main()
