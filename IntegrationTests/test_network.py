"""Three nodes that are machines as far as the network can tell: each daemon in a network namespace of its own."""

import os
import shutil
import subprocess

import pytest

from conftest import PYTHON, ROOT, Program, wait_until
from test_pool import POOL, ROOST, Pool, workload

NODES = ("a", "b", "c")


def ip(*words):
    result = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20)
    if result.returncode != 0:
        raise OSError(f"ip {' '.join(words)}: {result.stderr.strip()}")


class Network:
    """A bridge of this machine and a namespace for each name, linked to it."""

    def __init__(self, names):
        # Addresses for tests of networks (RFC 2544); names of links have at most 15 letters.
        self.number = os.getpid()
        self.subnet = f"198.18.{self.number % 256}"
        self.bridge = f"rb{self.number}"
        self.names = names

    def make(self):
        ip("link", "add", self.bridge, "type", "bridge")
        ip("address", "add", f"{self.address}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for name in self.names:
            ip("netns", "add", self.namespace(name))
            ip("link", "add", self.link(name), "type", "veth", "peer", "name", "eth0", "netns", self.namespace(name))
            ip("link", "set", self.link(name), "master", self.bridge, "up")
            ip("-n", self.namespace(name), "address", "add", f"{self.address_of(name)}/24", "dev", "eth0")
            ip("-n", self.namespace(name), "link", "set", "lo", "up")
            ip("-n", self.namespace(name), "link", "set", "eth0", "up")

    @property
    def address(self):
        return f"{self.subnet}.1"

    def address_of(self, name):
        return f"{self.subnet}.{10 + self.names.index(name)}"

    def namespace(self, name):
        return f"roost-{self.number}-{name}"

    def link(self, name):
        return f"rv{self.number}{name}"

    def inside(self, name):
        return ["ip", "netns", "exec", self.namespace(name)]

    def cut_off(self, name):
        ip("link", "set", self.link(name), "down")

    def connect(self, name):
        ip("link", "set", self.link(name), "up")

    def remove(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", self.namespace(name)], capture_output=True, timeout=20)
        subprocess.run(["ip", "link", "delete", self.bridge], capture_output=True, timeout=20)


@pytest.fixture(scope="module")
def network():
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and ip of iproute2")
    network = Network(NODES)
    try:
        try:
            network.make()
        except OSError as error:
            pytest.skip(f"this machine makes no network namespaces: {error}")
        yield network
    finally:
        network.remove()


@pytest.fixture(scope="module")
def pool(network, tmp_path_factory):
    pool = Pool(tmp_path_factory.mktemp("n"), network.address)
    try:
        pool.roost("apply", "-f", "-", text=POOL)
        for name in NODES:
            pool.add_node(name, network.address_of(name), network.inside(name))
        for name in NODES:
            pool.wait_for("node", name, lambda node: node["status"]["phase"] == "Ready", f"node {name} is ready")
        yield pool
    finally:
        pool.close()


def start(pool, *arguments, vram="256MiB"):
    """Starts a program of this machine on more than half of some node's device."""
    return Program(
        [ROOST, "run", "--pool", "main", "--compute", "60%", "--vram", vram, "--", *arguments], env=pool.environment)


def running_on(pool):
    return sorted(item["spec"]["node"] for item in pool.list("vgpus") if item["status"]["phase"] == "Running")


def phase(pool, name, wanted, what, seconds=30):
    return pool.wait_for("node", name, lambda node: node["status"]["phase"] == wanted, what, seconds=seconds)


def await_empty(pool):
    wait_until(lambda: not pool.list("vgpus"), "all vGPUs are given back", seconds=30)


def test_programs_run_on_all_nodes_over_the_network(pool, programs):
    held = [start(pool, programs / "hold", "40") for _ in NODES]
    for program in held:
        program.expect_line("holding")
    assert running_on(pool) == list(NODES)
    endpoints = {endpoint for item in pool.list("vgpus") for endpoint in item["status"]["endpoints"]}
    assert len(endpoints) == 3 and all("198.18." in endpoint for endpoint in endpoints)
    for program in held:
        program.process.stdin.close()
    for program in held:
        assert program.finish().splitlines()[-1] == "PASS"
    await_empty(pool)


def test_clients_of_three_families_run_on_three_nodes(pool):
    families = {"numba": "01-numba", "cupy": "02-cupy", "cuda.core": "03-cuda-core"}
    running = {name: start(pool, PYTHON, ROOT / "Examples" / folder / "main.py") for name, folder in families.items()}
    for name, program in running.items():
        assert program.finish(seconds=240).splitlines()[-1] == f"{name}: PASS"
    await_empty(pool)


def test_a_program_survives_a_short_cut(pool, network, programs):
    program = start(pool, programs / "hold", "40")
    program.expect_line("holding")
    before = pool.list("vgpus")
    node = before[0]["spec"]["node"]
    network.cut_off(node)
    try:
        phase(pool, node, "NotReady", "the node counts as not ready")
    finally:
        network.connect(node)
    phase(pool, node, "Ready", "the node is back")
    after = pool.list("vgpus")
    assert [item["metadata"]["uid"] for item in after] == [item["metadata"]["uid"] for item in before]
    program.process.stdin.close()
    assert program.finish().splitlines()[-1] == "PASS"
    await_empty(pool)


def test_work_of_a_node_that_is_cut_off_goes_elsewhere(pool, network):
    pool.roost("apply", "-f", "-", text=workload("moves", compute="60%"))
    pool.wait_for("workload", "moves", pool.is_ready, "it serves")
    old = pool.vgpus_of("moves")[0]
    node = old["spec"]["node"]
    network.cut_off(node)
    try:
        phase(pool, node, "NotReady", "the node counts as not ready")
        phase(pool, node, "Lost", "the node counts as lost")
        pool.wait_for(
            "workload", "moves", lambda it: pool.is_ready(it) and pool.serves_elsewhere("moves", node),
            "it serves on another node")
        # What runs there nobody can know: its devices are not promised again.
        whole = workload("whole", replicas=3, compute="60%", memory="600MiB")
        pool.roost("apply", "-f", "-", text=whole)
        pool.wait_for("workload", "whole", lambda it: it["status"].get("waiting"), "there is no room for all of it")
        assert "whole" not in {item["spec"]["workload"] for item in pool.list("vgpus") if item["spec"]["node"] == node}
    finally:
        network.connect(node)
    phase(pool, node, "Ready", "the node is back")
    wait_until(
        lambda: old["metadata"]["uid"] not in {item["metadata"]["uid"] for item in pool.vgpus_of("moves")},
        "what the node had is ended", seconds=30)
    pool.roost("delete", "workload", "moves")
    pool.wait_for("workload", "whole", pool.is_ready, "all three devices are whole again", seconds=60)
    assert running_on(pool) == list(NODES)
    for name in NODES:
        assert "whole" in pool.roost("ps", state=pool.nodes[name])
    pool.roost("delete", "workload", "whole")
    await_empty(pool)
