"""Judging results, and showing them to people."""


def outcome(found):
    """One mode of one part in a few words."""
    if found["status"] != "done":
        return f"{found['status']}: {found.get('reason', '')}".splitlines()[0][:150]
    if "report" in found:
        return ", ".join(f"{count} {name}" for name, count in found["report"]["totals"].items() if count)
    if "milliseconds" in found:
        return f"{found['milliseconds']:.3f} ms a step"
    return f"started in {found.get('startSeconds', 0):.2f} s"


def counts(path, steps):
    """Calls, commands and waits of a step, from the range that Roost counted."""
    if not steps or not path.exists():
        return {}
    found, is_range = {}, False
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("# roost stats"):
            is_range = "\trange" in line
        elif is_range and line.startswith("total\t"):
            calls, commands, waits = (int(field) for field in line.split("\t")[1:4])
            found = {
                "callsPerStep": calls / steps, "commandsPerStep": commands / steps, "waitsPerStep": waits / steps}
    return found


def judge(found, first):
    """Says of each mode whether its results are the first one's, and how its times are to the first one's."""
    base = found[first]
    for mode, one in found.items():
        if mode == first or one["status"] != "done" or base["status"] != "done":
            continue
        one["equal"] = one.get("digest") == base.get("digest")
        if not one["equal"] and isinstance(one.get("digest"), dict):
            one["different"] = sorted(
                name for name in base["digest"] if one["digest"].get(name) != base["digest"][name])
        if base.get("milliseconds"):
            one["throughputRatio"] = base["milliseconds"] / one["milliseconds"]
        if base.get("startSeconds"):
            one["startDelaySeconds"] = one["startSeconds"] - base["startSeconds"]


def is_good(result):
    """Whether nothing that ran was wrong: no lost case, no other results."""
    parts = result["parts"]
    compared = parts.get("conformance", {}).get("compared", {})
    if any(one["different"] for one in compared.values()):
        return False
    reports = [one["report"] for one in parts.get("conformance", {}).get("modes", {}).values() if "report" in one]
    if any(report["totals"][name] for report in reports for name in ("failed", "crashed", "timeout")):
        return False
    modes = [one for part in parts.values() for one in part.get("modes", {}).values()]
    return all(one.get("equal", True) for one in modes)


def table(rows):
    """Lines with columns of one width: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows]


def number(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def workloads(result):
    rows = [["workload", "mode", "ms/step", "of first", "equal", "calls/step", "waits/step", "start s"]]
    for name, part in result["parts"].items():
        if name in ("facts", "conformance"):
            continue
        for mode, one in part.get("modes", {}).items():
            if one["status"] != "done":
                if one["status"] != "skipped":
                    rows.append([name, mode, one["status"], "", "", "", "", ""])
                continue
            ratio = one.get("throughputRatio")
            equal = {True: "yes", False: "NO"}.get(one.get("equal"), "")
            rows.append([
                name, mode, number(one.get("milliseconds"), 3), f"{100 * ratio:.1f} %" if ratio else "", equal,
                number(one.get("callsPerStep"), 1), number(one.get("waitsPerStep")), number(one.get("startSeconds"))])
    return table(rows) if len(rows) > 1 else []


def figures(part):
    """The measured times of the suite, one column for each mode."""
    reports = {mode: one["report"] for mode, one in part.get("modes", {}).items() if "report" in one}
    values = {
        mode: {figure["name"]: figure for figure in report["figures"]} for mode, report in reports.items()}
    names = list(dict.fromkeys(name for figures in values.values() for name in figures))
    rows = [["figure", *values, "unit"]]
    for name in names:
        cells = [figures.get(name) for figures in values.values()]
        unit = next(cell["unit"] for cell in cells if cell)
        rows.append([name, *[f"{cell['value']:.4g}" if cell else "-" for cell in cells], unit])
    return table(rows) if len(rows) > 1 else []


def conformance(part):
    lines = []
    for mode, one in part.get("modes", {}).items():
        lines.append(f"  {mode}: {outcome(one)}")
        for case in one.get("report", {}).get("cases", []):
            if case["status"] not in ("passed", "unsupported"):
                lines.append(f"    {case['status']}: {case['name']}: {case['message']}")
    for mode, one in part.get("compared", {}).items():
        lines.append(f"  {mode} beside the first: {one['same']} the same, {one['different']} lost or different")
        lines += [f"    {case['verdict']}: {case['name']}: {case['detail']}" for case in one["cases"]]
    return lines


def text(result):
    """The readable form of a result file."""
    facts = result["parts"].get("facts", {})
    lines = [f"Roost {result['version']} on {facts.get('cpu', '?')}, {result['date']}"]
    for device in facts.get("devices", []):
        lines.append(f"  {device['name']}, driver {device['driver_version']}, {device['memory.total']} MiB")
    if result["software"]:
        lines.append("  on the software GPU: times say nothing about a GPU")
    if part := result["parts"].get("conformance"):
        lines += ["", "Conformance", *conformance(part), "", *figures(part)]
    lines += ["", *workloads(result)]
    for name, part in result["parts"].items():
        reasons = [part.get("reason")] + [
            f"{mode}: {one.get('reason')}" for mode, one in part.get("modes", {}).items() if one["status"] == "failed"]
        lines += [f"{name}: {part['status']}: {reason}" for reason in filter(None, reasons)]
        skipped = {one.get("reason") for one in part.get("modes", {}).values() if one["status"] == "skipped"}
        lines += [f"{name}: skipped: {reason}" for reason in sorted(skipped)]
        for mode, one in part.get("modes", {}).items():
            for call, reason in one.get("failed", {}).items():
                lines.append(f"{name} {mode}: {call}: {reason}")
            if one.get("different"):
                lines.append(f"{name} {mode}: other results of {', '.join(one['different'])}")
    if "seconds" in result:
        lines.append(f"{result['seconds']} s in all")
    return "\n".join(lines) + "\n"
