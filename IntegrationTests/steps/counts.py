"""Reads what ROOST_STATS wrote, and pairs it with the steps that a program printed."""

import collections
import pathlib

TABLE = pathlib.Path(__file__).resolve().parents[2] / "Tests/Conformance/waits-per-step.tsv"
Counts = collections.namedtuple("Counts", "calls commands waits")
REPEATS = 10
# JAX's threads run beside the program's, so that a step's count moves a little from run to run.
SLACK = {"jax": 1}
# A program asks again and again until the device is done, so how often depends on time, not on the stream of commands.
QUERIES = ("cuEventQuery", "cuStreamQuery")


def sections(text):
    """Each section as (title, facts, {function: Counts})."""
    found = []
    for line in text.splitlines():
        words = line.split("\t")
        if line.startswith("# roost stats"):
            found.append((words[1], dict(word.split("=", 1) for word in words[2:]), {}))
        elif found and words[0] != "function":
            found[-1][2][words[0]] = Counts(*map(int, words[1:4]))
    return found


def per_step(text, output):
    """Counts per step: {step: Counts of floats}, from the file's text and the program's output; without waits of queries."""
    names = [line.split()[1] for line in output.splitlines() if line.startswith("step ")]
    ranges = [section for section in sections(text) if section[0].startswith("range")]
    assert len(names) == len(ranges) and names, (names, [title for title, _, _ in ranges])
    counted = {}
    for name, (_, _, functions) in zip(names, ranges):
        total = functions["total"]
        asked = sum(functions[query].waits for query in QUERIES if query in functions)
        # The mark at the end is a call, and none of the program's.
        counted[name] = Counts((total.calls - 1) / REPEATS, total.commands / REPEATS, (total.waits - asked) / REPEATS)
    return counted


def recorded(client):
    """Waits per step of a client, as the table has them."""
    rows = (line.split("\t") for line in TABLE.read_text().splitlines() if line and not line.startswith("#"))
    return {row[1]: float(row[4]) for row in rows if row[0] == client}


def grown(client, counted):
    """What is worse than the table: {step: sentence}; empty where nothing is."""
    expected = recorded(client)
    if set(counted) != set(expected):
        steps = ", ".join(sorted(set(counted) ^ set(expected)))
        return {client: f"only run or only recorded: {steps}; record with Scripts/waits.py --update"}
    return {
        step: f"{counted[step].waits:g} waits per step, recorded are {waits:g}"
        for step, waits in expected.items() if counted[step].waits > waits + SLACK.get(client, 0)
    }


def cold_start(text):
    """Facts of the process: from cuInit to the first launch in microseconds, and the waits until then."""
    facts = [facts for title, facts, _ in sections(text) if title == "process" and "first_launch_us" in facts]
    return (int(facts[0]["first_launch_us"]), int(facts[0]["waits_before_first_launch"])) if facts else None
