#!/usr/bin/env python3
"""Makes the tables of Documentation/conformance-frameworks.md from Tests/Conformance/*.tsv; --update writes them."""

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "Documentation" / "conformance-frameworks.md"
BEGIN, END = "<!-- tables: made by Scripts/conformance-page.py -->", "<!-- end of the tables -->"
SUITES = {
    "torch": "PyTorch 2.15.0 (PyPI's, CUDA 13.2), Triton 3.9.0",
    "torch-operators": "PyTorch's own list of operators, compute capability 13.0",
    "jax": "JAX 0.10.2 (CUDA 12)",
    "onnxruntime": "ONNX Runtime 1.31.1, compute capability 13.0",
    "cupy": "CuPy 14.2.0's own tests of what needs no cuBLAS, cuFFT, cuRAND, cuSOLVER, cuSPARSE",
    "numba-cuda": "numba-cuda 0.30.4's own driver tests (`make conformance-numba`)",
}


def rows(suite):
    path = ROOT / "Tests" / "Conformance" / f"{suite}.tsv"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(line.split("\t") + [""])[:3] for line in lines if line and not line.startswith("#")]


def totals(suite):
    """How many tests passed, failed and were skipped; a line that stands for many says so itself."""
    many = [re.match(r"(\d+) pass, (\d+) fail, (\d+) skip$", reason) for _, _, reason in rows(suite)]
    if any(many):
        return [sum(int(match[column]) for match in many if match) for column in (1, 2, 3)]
    outcomes = [outcome for _, outcome, _ in rows(suite)]
    return [outcomes.count(outcome) for outcome in ("pass", "fail", "skip")]


def tables():
    text = ["", "| Suite | Pass | Fail | Skipped by the suite |", "|---|--:|--:|--:|"]
    for suite, title in SUITES.items():
        if rows(suite):
            text.append(f"| {title} | " + " | ".join(map(str, totals(suite))) + " |")
    for suite, title in SUITES.items():
        reasons = collections.defaultdict(list)
        for test, outcome, reason in rows(suite):
            if outcome == "fail" and suite != "numba-cuda":
                reasons[reason].append(test.rsplit(".", 1)[-1].removeprefix("test_"))
        passing = [row[0].rsplit(".", 1)[-1].removeprefix("test_") for row in rows(suite) if row[1] == "pass"]
        if suite == "torch-operators" and passing:
            text += ["", f"## {title}", "", "These pass: " + ", ".join(f"`{name}`" for name in passing) + "."]
        elif reasons:
            text += ["", f"## {title}"]
        if reasons:
            text += ["", "| Tests that fail | Which | Why |", "|--:|---|---|"]
        for reason, names in sorted(reasons.items(), key=lambda item: -len(item[1])):
            shown = ", ".join(f"`{name}`" for name in names[:12]) + (", …" if len(names) > 12 else "")
            text.append(f"| {len(names)} | {shown} | {reason.replace('|', '/')} |")
    return "\n".join(text) + "\n\n"


def main():
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    made = head + BEGIN + tables() + END + rest.split(END)[1]
    if "--update" in sys.argv:
        PAGE.write_text(made)
    elif made != page:
        sys.exit(f"{PAGE.relative_to(ROOT)} is not what the tables say: run Scripts/conformance-page.py --update")


if __name__ == "__main__":
    main()
