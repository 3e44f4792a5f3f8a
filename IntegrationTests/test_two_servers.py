"""Two control planes on one etcd: what one is told the other knows, and either can be killed."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request

import pytest

from conftest import PREFIX, Program, wait_until
from test_pool import workload

ROOST = PREFIX / "bin" / "roost"
SERVER = PREFIX / "bin" / "roost-server"
ETCD = shutil.which("etcd")

pytestmark = pytest.mark.skipif(ETCD is None, reason="etcd is not installed: Scripts/setup-debian.sh installs it")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class ControlPlane:
    """One of several servers on one store, on a port that it keeps when it starts again."""

    def __init__(self, folder, etcd):
        self.folder = folder
        self.etcd = etcd
        [self.port] = free_ports(1)
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self):
        return (self.folder / "admin.token").read_text().strip()

    def start(self):
        self.program = Program(
            [SERVER, "serve", "--listen", f"127.0.0.1:{self.port}", "--state-dir", self.folder, "--store", "etcd",
             "--etcd", self.etcd, "--lease", "2s", "--loss", "30s"])
        while "listening" not in self.program.expect_line("").split(" ")[-1]:
            pass
        wait_until(self.is_ready, f"{self.url} is ready", seconds=30)

    def is_ready(self):
        try:
            return urllib.request.urlopen(self.url + "/readyz", timeout=5).status == 200
        except OSError:
            return False

    def leads(self):
        """Whether the log's last word about leading is that it does."""
        while not self.program.queue.empty():
            self.program.lines.append(self.program.queue.get() or "")
        said = [line for line in self.program.lines if re.search(r"\] leads( no more)?$", line)]
        return bool(said) and said[-1].endswith("] leads")

    def kill(self):
        self.program.process.send_signal(signal.SIGKILL)
        self.program.process.wait(timeout=10)


class Fleet:
    """etcd, two control planes, a node that knows both, and the command line."""

    def __init__(self, folder):
        self.folder = folder
        client, peer = free_ports(2)
        self.etcd_url = f"http://127.0.0.1:{client}"
        self.etcd = Program([
            ETCD, "--name", "one", "--data-dir", folder / "etcd", "--listen-client-urls", self.etcd_url,
            "--advertise-client-urls", self.etcd_url, "--listen-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-cluster", f"one=http://127.0.0.1:{peer}", "--log-level", "error"])
        wait_until(self.has_etcd, "etcd answers", seconds=30)
        self.servers = [ControlPlane(folder / name, self.etcd_url) for name in ("s1", "s2")]
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "NO_COLOR": "1"}
        for name in ("ROOST_SERVER", "ROOST_API_TOKEN", "ROOST_CONTEXT", "ROOST_STATE_DIR"):
            self.environment.pop(name, None)
        self.node = folder / "n"
        both = ",".join(server.url for server in self.servers)
        for name, server in [("one", self.servers[0].url), ("two", self.servers[1].url), ("both", both)]:
            self.roost("login", server, "--name", name, "--token-file", self.servers[0].folder / "admin.token")
        self.roost("up", "--software-gpus", "2", "--device-memory", "1GiB", state=self.node)
        token = self.roost("token", "create", "n", "--join")
        self.roost("join", both, "--name", "n", text=token, state=self.node)

    def has_etcd(self):
        try:
            return urllib.request.urlopen(self.etcd_url + "/health", timeout=5).status == 200
        except OSError:
            return False

    def roost(self, *words, text=None, state=None, context="both"):
        environment = {**self.environment, "ROOST_CONTEXT": context}
        if state:
            environment["ROOST_STATE_DIR"] = str(state)
        if words[0] in ("login", "up", "join"):
            del environment["ROOST_CONTEXT"]
        result = subprocess.run(
            [str(ROOST), *map(str, words)], input=text, env=environment, capture_output=True, text=True, timeout=90)
        assert result.returncode == 0, f"{words}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout

    def get(self, kind, name, context="both"):
        return json.loads(self.roost("get", kind, name, "-o", "json", context=context))

    def leader(self):
        return next((server for server in self.servers if server.leads()), None)

    def close(self):
        subprocess.run(
            [str(ROOST), "down", "--force"], env={**self.environment, "ROOST_STATE_DIR": str(self.node)},
            capture_output=True, timeout=30)
        for server in self.servers:
            server.program.process.terminate()
        for server in self.servers:
            server.program.process.wait(timeout=20)
        self.etcd.process.kill()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    fleet = Fleet(tmp_path_factory.mktemp("t"))
    try:
        fleet.roost("apply", "-f", "-", text="""
apiVersion: roost/v1
kind: Pool
metadata: {name: main}
spec: {default: true}
""")
        wait_until(
            lambda: fleet.get("node", "n")["status"]["phase"] == "Ready", "the node is ready", seconds=30)
        yield fleet
    finally:
        fleet.close()


def is_served(fleet, name, context="both"):
    return fleet.get("workload", name, context)["status"]["ready"] == 1


def test_what_one_is_told_both_know_and_watch(fleet):
    """Written through one, seen at once through the other; a watch of the follower hears of it; one of them leads."""
    leader = wait_until(fleet.leader, "somebody leads", seconds=30)
    follower = next(server for server in fleet.servers if server is not leader)
    assert not follower.leads()
    headers = {"Authorization": f"Bearer {follower.token}"}
    request = urllib.request.Request(follower.url + "/api/v1/workloads?watch=true", headers=headers)
    with urllib.request.urlopen(request, timeout=60) as watch:
        while json.loads(watch.readline())["type"] != "PROGRESS":
            pass
        for writer, reader in [("one", "two"), ("two", "one")]:
            name = f"by-{writer}"
            fleet.roost("apply", "-f", "-", text=workload(name, compute="25%"), context=writer)
            assert fleet.get("workload", name, context=reader)["metadata"]["name"] == name
            while True:
                line = json.loads(watch.readline())
                if line["type"] == "PUT" and line["object"]["metadata"]["name"] == name:
                    break
            wait_until(lambda: is_served(fleet, name, reader), f"{name} serves", seconds=30)
    assert "by-one" in fleet.roost("why", "by-one", context="one")
    assert "by-one" in fleet.roost("why", "by-one", context="two")
    for name in ("by-one", "by-two"):
        fleet.roost("delete", "workload", name, context="two")


def test_the_other_takes_over_from_a_leader_that_is_killed(fleet):
    """Writes go on through the one that is left; nothing that was acknowledged is gone; new work is placed."""
    leader = wait_until(fleet.leader, "somebody leads", seconds=30)
    other = next(server for server in fleet.servers if server is not leader)
    fleet.roost("apply", "-f", "-", text=workload("kept", compute="50%"))
    wait_until(lambda: is_served(fleet, "kept"), "kept serves", seconds=30)
    before = fleet.get("workload", "kept")
    vgpus = fleet.roost("get", "vgpus", "-o", "name")

    acknowledged = []
    has_enough = threading.Event()
    ends = threading.Event()

    def write():
        client = [leader.url, other.url]
        index = 0
        while not ends.is_set():
            body = json.dumps({"spec": {"description": f"written {index}"}}).encode()
            request = urllib.request.Request(
                f"{client[0]}/api/v1/projects/p{index}", data=body, method="PUT",
                headers={"Authorization": f"Bearer {other.token}", "Content-Type": "application/json"})
            try:
                urllib.request.urlopen(request, timeout=20).read()
                acknowledged.append(index)
                if len(acknowledged) == 50:
                    has_enough.set()
            except OSError:
                client.reverse()
            index += 1

    writer = threading.Thread(target=write)
    writer.start()
    assert has_enough.wait(60)
    leader.kill()
    wait_until(other.leads, "the other one leads", seconds=30)
    fleet.roost("apply", "-f", "-", text=workload("after", compute="50%"))
    wait_until(lambda: is_served(fleet, "after"), "a new workload serves", seconds=30)
    ends.set()
    writer.join(60)

    listed = json.loads(fleet.roost("get", "projects", "-o", "json"))
    names = {item["metadata"]["name"] for item in listed["items"]}
    assert names >= {f"p{index}" for index in acknowledged}
    kept = fleet.get("workload", "kept")
    assert kept["metadata"]["uid"] == before["metadata"]["uid"] and kept["status"]["ready"] == 1
    assert set(vgpus.split()) <= set(fleet.roost("get", "vgpus", "-o", "name").split())
    assert fleet.get("node", "n")["status"]["phase"] == "Ready", "the agent goes on with the other server"

    # The one that was killed comes back as a follower, and knows all.
    leader.start()
    assert is_served(fleet, "after", context="one") and is_served(fleet, "after", context="two")
    assert other.leads() and not leader.leads()
    for name in ("kept", "after"):
        fleet.roost("delete", "workload", name)


def test_a_leader_that_is_told_to_end_hands_over_at_once(fleet):
    """It resigns, so nobody waits for its lease; a watch with both addresses goes on."""
    leader = wait_until(fleet.leader, "somebody leads", seconds=30)
    other = next(server for server in fleet.servers if server is not leader)
    watch = Program(
        [ROOST, "get", "projects", "-o", "name", "--watch"],
        env={**fleet.environment, "ROOST_CONTEXT": "one" if leader is fleet.servers[0] else "two"})
    watch_both = Program(
        [ROOST, "get", "projects", "-o", "name", "--watch"], env={**fleet.environment, "ROOST_CONTEXT": "both"})
    for one in (watch, watch_both):
        one.expect_line("project/default")
    leader.program.process.send_signal(signal.SIGTERM)
    leader.program.process.wait(timeout=20)
    assert leader.program.process.returncode == 0
    wait_until(other.leads, "the other one leads", seconds=30)
    fleet.roost("apply", "-f", "-", text="{apiVersion: roost/v1, kind: Project, metadata: {name: late}, spec: {}}")
    watch_both.expect_line("project/late")
    leader.start()
    watch.expect_line("project/late")
    for one in (watch, watch_both):
        one.process.kill()
