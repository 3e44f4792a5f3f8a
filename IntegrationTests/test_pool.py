"""A pool of two nodes: a control plane, two daemons that join it, programs that know nothing of it."""

import hashlib
import http.client
import json
import os
import re
import shlex
import signal
import socket
import ssl
import stat
import subprocess

import pytest

from conftest import PREFIX, Program, wait_until

ROOST = PREFIX / "bin" / "roost"
SERVER = PREFIX / "bin" / "roost-server"

POOL = """
apiVersion: roost/v1
kind: Pool
metadata: {name: main}
spec: {default: true}
---
apiVersion: roost/v1
kind: Project
metadata: {name: research}
---
apiVersion: roost/v1
kind: Quota
metadata: {name: research}
spec: {project: research, requests: {compute: 50%}}
"""


def workload(name, project="default", replicas=1, compute="100%", memory="256MiB", more=""):
    return f"""
apiVersion: roost/v1
kind: Workload
metadata: {{name: {name}, project: {project}}}
spec:
  replicas: {replicas}
  resources: {{compute: {compute}, memory: {memory}}}
{more}"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Pool:
    """A control plane with its nodes, and the command line that talks to it."""

    def __init__(self, folder, address="127.0.0.1", encrypted=False):
        self.folder = folder
        self.address = address
        self.encrypted = encrypted or address != "127.0.0.1"
        self.port = free_port()
        self.state = folder / "server"
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "NO_COLOR": "1"}
        for name in ("ROOST_SERVER", "ROOST_API_TOKEN", "ROOST_CONTEXT", "ROOST_STATE_DIR"):
            self.environment.pop(name, None)
        self.nodes = {}
        self.start_server()
        wait_until((self.state / "admin.token").exists, "the administrator's token is there", seconds=30)
        trust = ["--ca-fingerprint", self.fingerprint()] if self.encrypted else []
        self.roost("login", self.url, "--token-file", self.state / "admin.token", *trust)

    @property
    def url(self):
        return f"{'https' if self.encrypted else 'http'}://{self.address}:{self.port}"

    def fingerprint(self):
        """The fingerprint of the cluster's authority, by the certificate that its server left beside the store."""
        certificate = ssl.PEM_cert_to_DER_cert((self.state / "ca.pem").read_text())
        return "sha256:" + hashlib.sha256(certificate).hexdigest()

    def start_server(self):
        self.server = Program(
            [SERVER, "serve", "--listen", f"{self.address}:{self.port}", "--state-dir", self.state,
             "--lease", "2s", "--loss", "6s", *(["--tls-names", self.address] if self.encrypted else [])],
            env=self.environment)

        def answers():
            try:
                socket.create_connection((self.address, self.port), timeout=1).close()
                return True
            except OSError:
                return False

        wait_until(answers, "the control plane listens", seconds=30)

    def roost(self, *words, **options):
        """Runs `roost` to its end and returns its standard output; both streams where it fails as it should."""
        output, talk = self.roost_talking(*words, **options)
        return output + (talk if options.get("status", 0) else "")

    def roost_talking(self, *words, text=None, status=0, state=None, seconds=60, inside=()):
        """Runs `roost` to its end, by the command `inside` where one is given; returns its standard output and error."""
        environment = {**self.environment, **({"ROOST_STATE_DIR": str(state)} if state else {})}
        result = subprocess.run(
            [*inside, str(ROOST), *map(str, words)], input=text, env=environment, capture_output=True, text=True,
            timeout=seconds)
        assert result.returncode == status, f"{words}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout, result.stderr

    def get(self, kind, name, project=None):
        words = ["get", kind, name, "-o", "json"] + (["-p", project] if project else [])
        return json.loads(self.roost(*words))

    def list(self, kind):
        listed = json.loads(self.roost("get", kind, "-o", "json"))
        return listed["items"] if isinstance(listed, dict) else listed

    def vgpus_of(self, workload):
        """The vGPUs of a workload."""
        return [item for item in self.list("vgpus") if item["spec"]["workload"] == workload]

    def add_node(self, name, address="127.0.0.1", inside=()):
        state = self.folder / name
        self.nodes[name] = state
        self.roost("up", "--software-gpus", "1", "--device-memory", "1GiB", state=state, inside=inside)
        token, talk = self.roost_talking("token", "create", name, "--join")
        pin = re.findall(r"--ca-fingerprint \S+", talk)
        assert len(pin) == (1 if self.encrypted else 0), talk
        words = pin[0].split() if pin else []
        self.roost(
            "join", self.url, "--name", name, "--label", f"rack={name}", "--address", address, *words, text=token,
            state=state, inside=inside)

    def wait_for(self, kind, name, condition, what, project=None, seconds=30):
        seen = {}

        def holds():
            seen["object"] = self.get(kind, name, project)
            return condition(seen["object"])

        try:
            return wait_until(holds, what, seconds=seconds) and seen["object"]
        except BaseException:
            print(json.dumps(seen.get("object"), indent=1))
            raise

    def is_ready(self, workload_object):
        return workload_object["status"]["ready"] == workload_object["spec"].get("replicas", 1)

    def serves_elsewhere(self, workload, node):
        """Whether a vGPU of a workload serves on another node than this."""
        return any(
            item["spec"]["node"] != node and item["status"]["phase"] == "Running" for item in self.vgpus_of(workload))

    def close(self):
        for state in self.nodes.values():
            subprocess.run(
                [str(ROOST), "down", "--force"], env={**self.environment, "ROOST_STATE_DIR": str(state)},
                capture_output=True, timeout=30)
        self.server.process.terminate()
        self.server.process.wait(timeout=20)


def with_two_nodes(pool):
    """Yields a pool once two nodes of it are ready, and ends it."""
    try:
        pool.roost("apply", "-f", "-", text=POOL)
        for name in ("a", "b"):
            pool.add_node(name)
        for name in ("a", "b"):
            pool.wait_for("node", name, lambda node: node["status"]["phase"] == "Ready", f"node {name} is ready")
        yield pool
    finally:
        pool.close()


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    yield from with_two_nodes(Pool(tmp_path_factory.mktemp("p")))


def test_nodes_and_devices_are_listed(pool):
    assert "Ready" in pool.roost("get", "nodes")
    assert sorted(item["metadata"]["name"] for item in pool.list("devices")) == ["a.software-0", "b.software-0"]


def test_a_program_runs_on_a_vgpu_of_the_pool(pool, programs):
    program = programs["smoke"] if isinstance(programs, dict) else programs / "smoke"
    output, talk = pool.roost_talking("run", "--verbose", "--pool", "main", "--vram", "256MiB", "--", program)
    assert output.splitlines()[-1] == "PASS"
    # Whatever the way to the control plane, a node's workers are reached encrypted, by the pin of its key.
    assert re.search(r"roost: on [ab], tls://127\.0\.0\.1:\d+#[0-9a-f]{64}$", talk, re.MULTILINE), talk
    wait_until(
        lambda: "run-smoke" not in pool.roost("get", "workloads"), "the workload of the program is gone", seconds=20)


def test_replicas_are_spread_over_the_pool_and_given_back(pool):
    pool.roost("apply", "-f", "-", text=workload("two", replicas=2))
    pool.wait_for("workload", "two", pool.is_ready, "both replicas serve")
    assert sorted(item["spec"]["node"] for item in pool.vgpus_of("two")) == ["a", "b"]

    pool.roost("apply", "-f", "-", text=workload("late"))
    late = pool.wait_for("workload", "late", lambda it: it["status"].get("waiting"), "it says why it waits")
    assert "None of 2 devices on 2 nodes fits" in late["status"]["waiting"]
    assert "too little compute free" in pool.roost("why", "late")
    pool.roost("delete", "workload", "two")
    pool.wait_for("workload", "late", pool.is_ready, "it has the room that became free")
    pool.roost("delete", "workload", "late")


def test_a_quota_holds(pool):
    pool.roost("apply", "-f", "-", text=workload("big", project="research", compute="60%"))
    big = pool.wait_for(
        "workload", "big", lambda it: it["status"].get("waiting"), "it says why it waits", project="research")
    assert "quota of project research" in big["status"]["waiting"]
    pool.roost("delete", "workload", "big", "-p", "research")


def test_a_plan_does_nothing(pool, tmp_path):
    manifest = tmp_path / "plan.yaml"
    manifest.write_text(workload("planned", replicas=3))
    output = pool.roost("plan", "-f", manifest)
    rows = [line.split() for line in output.splitlines() if line.startswith("planned")]
    assert sorted(row[2] for row in rows) == ["a", "b", "waits"]
    assert "None of 2 devices" in output
    assert "planned" not in pool.roost("get", "workloads")


def test_a_bad_manifest_names_field_and_reason(pool):
    text = workload("bad").replace("replicas", "replica")
    output = pool.roost("apply", "-f", "-", text=text, status=1)
    assert "spec.replica: is not a field; did you mean replicas?" in output


def offered(pool, *words, environment=None):
    """What bash offers for the last of some words of `roost`, by the completion script."""
    script = pool.folder / "completion.bash"
    if not script.exists():
        script.write_text(pool.roost("--generate-completion-script", "bash"))
    line = shlex.join([str(ROOST), *words[:-1]]) + " " + words[-1]
    typed = f"""
        source {script}
        COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMP_CWORD={len(words)}
        COMP_WORDS=({shlex.join([str(ROOST), *words])})
        _roost {ROOST} {shlex.quote(words[-1])} {shlex.quote(words[-2] if len(words) > 1 else str(ROOST))}
        printf "%s\\n" "${{COMPREPLY[@]}}"
        """
    result = subprocess.run(
        ["bash", "-c", typed], env={**pool.environment, **(environment or {})}, capture_output=True, text=True,
        timeout=60)
    assert result.stderr == ""
    return result.stdout.split()


def test_the_shell_completes_names(pool):
    for name in ("tab-one", "tab-two"):
        pool.roost("apply", "-f", "-", text=workload(name, compute="1%", memory="1MiB"))
    pool.roost("apply", "-f", "-", text=workload("tab-far", project="research", compute="1%", memory="1MiB"))
    names = ["tab-one", "tab-two"]
    for command in ("get", "describe", "edit", "delete"):
        assert offered(pool, command, "wor") == ["workloads"]
        assert offered(pool, command, "workloads", "tab-") == names
        assert offered(pool, command, "workload/tab-") == [f"workload/{name}" for name in names]
    assert offered(pool, "delete", "wl", "tab-one", "tab-") == ["tab-two"]
    assert offered(pool, "get", "-p", "research", "workloads", "tab-") == ["tab-far"]
    assert offered(pool, "why", "tab-") == names
    assert offered(pool, "get", "workloads", "-p", "re") == ["research"]
    assert set(offered(pool, "drain", "")) >= {"a", "b"}
    assert offered(pool, "drain", "a", "b", "") == []
    assert offered(pool, "run", "--pool", "m") == ["main"]
    context = offered(pool, "context", "use", "")
    assert context == offered(pool, "get", "--context", "") == ["127.0.0.1"]
    assert len(offered(pool, "token", "revoke", "")) >= 1
    pool.roost("delete", "workload", *names)
    pool.roost("delete", "workload", "tab-far", "-p", "research")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "nonsense"])
def test_the_shell_is_silent_where_no_control_plane_answers(pool, address):
    environment = {"ROOST_SERVER": address}
    assert offered(pool, "get", "workloads", "", environment=environment) == []
    # Kinds need nobody.
    assert "workloads" in offered(pool, "get", "", environment=environment)


def test_a_program_of_a_workload_runs_on_a_node(pool, programs):
    program = programs["smoke"] if isinstance(programs, dict) else programs / "smoke"
    more = f"  program: {{command: [{program}]}}\n"
    pool.roost("apply", "-f", "-", text=workload("job", compute="25%", more=more))
    pool.wait_for("workload", "job", lambda it: it["status"]["phase"] == "Succeeded", "the program ended well")
    pool.roost("delete", "workload", "job")


def test_nothing_is_lost_when_the_control_plane_is_killed(pool):
    pool.roost("apply", "-f", "-", text=workload("kept", compute="50%"))
    before = pool.wait_for("workload", "kept", pool.is_ready, "it serves")
    names = [item["metadata"]["name"] for item in pool.list("vgpus")]
    pool.server.process.send_signal(signal.SIGKILL)
    pool.server.process.wait(timeout=10)
    pool.start_server()
    after = pool.wait_for("workload", "kept", pool.is_ready, "it serves still")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    for name in names:
        assert name in pool.roost("get", "vgpus")
    pool.roost("delete", "workload", "kept")


def test_work_of_a_lost_node_goes_elsewhere_and_the_node_comes_back(pool):
    pool.roost("apply", "-f", "-", text=workload("moves", compute="40%"))
    pool.wait_for("workload", "moves", pool.is_ready, "it serves")
    node = pool.vgpus_of("moves")[0]["spec"]["node"]
    daemon = int(subprocess.run(
        ["pgrep", "-f", f"up --foreground --state-dir {pool.nodes[node]} "], capture_output=True, text=True,
        check=True).stdout.split()[0])
    os.kill(daemon, signal.SIGSTOP)
    try:
        pool.wait_for("node", node, lambda it: it["status"]["phase"] == "Lost", "the node is lost")

        pool.wait_for(
            "workload", "moves", lambda it: pool.is_ready(it) and pool.serves_elsewhere("moves", node),
            "it serves on the other node")
    finally:
        os.kill(daemon, signal.SIGCONT)
    pool.wait_for("node", node, lambda it: it["status"]["phase"] == "Ready", "the node is back")
    pool.roost("delete", "workload", "moves")


@pytest.fixture(scope="module")
def encrypted_pool(tmp_path_factory):
    yield from with_two_nodes(Pool(tmp_path_factory.mktemp("e"), encrypted=True))


def ask_as(pool, node, path):
    """What the control plane answers to a node's certificate: status and JSON."""
    identity = pool.nodes[node] / "identity"
    context = ssl.create_default_context(cafile=str(pool.state / "ca.pem"))
    context.load_cert_chain(identity / "certificate.pem", identity / "key.pem")
    connection = http.client.HTTPSConnection("127.0.0.1", pool.port, timeout=20, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_nodes_are_known_by_certificates_and_programs_run_over_tls(encrypted_pool, programs):
    pool = encrypted_pool
    for node, state in pool.nodes.items():
        assert "token" not in json.loads((state / "membership.json").read_text())["target"]
        assert stat.S_IMODE((state / "identity" / "key.pem").stat().st_mode) == 0o600
        status, who = ask_as(pool, node, "/api/v1/whoami")
        assert (status, who["subject"], who["method"]) == (200, f"node:{node}", "certificate")
        status, problem = ask_as(pool, node, "/api/v1/workloads")
        assert status == 403, problem
    assert pool.roost("ca") == (pool.state / "ca.pem").read_text()
    test_a_program_runs_on_a_vgpu_of_the_pool(pool, programs)


def test_a_control_plane_with_another_fingerprint_gets_no_token(encrypted_pool):
    pool = encrypted_pool
    state = pool.folder / "c"
    pool.roost("up", "--software-gpus", "1", "--device-memory", "1GiB", state=state)
    pool.nodes["c"] = state
    token = pool.roost("token", "create", "c", "--join")
    join = ["join", pool.url, "--name", "c"]
    told = pool.roost(*join, "--ca-fingerprint", "sha256:" + "0" * 64, text=token, state=state, status=1)
    assert "Somebody may be in between" in told
    assert pool.fingerprint() in told
    pool.roost(*join, text=token, state=state, status=1)
    assert not (state / "membership.json").exists()
    # Nobody saw the token: it is still good.
    pool.roost(*join, "--ca-fingerprint", pool.fingerprint(), text=token, state=state)
    pool.wait_for("node", "c", lambda node: node["status"]["phase"] == "Ready", "node c is ready")


def test_identities_outlive_the_server_and_end_with_the_node(encrypted_pool, programs):
    pool = encrypted_pool
    authority = (pool.state / "ca.pem").read_text()
    pool.server.process.send_signal(signal.SIGKILL)
    pool.server.process.wait(timeout=10)
    pool.start_server()
    wait_until(lambda: ask_as(pool, "b", "/api/v1/whoami")[0] == 200, "the server knows node b again", seconds=30)
    assert (pool.state / "ca.pem").read_text() == authority

    pool.roost("drain", "b")
    pool.roost("delete", "node", "b")
    status, problem = ask_as(pool, "b", "/api/v1/whoami")
    assert status == 401 and "node b was deleted" in problem["detail"], problem
    daemon_log = pool.nodes["b"] / "daemon.log"
    wait_until(lambda: "node b was deleted" in daemon_log.read_text(), "the node's agent is told why", seconds=30)
    assert ask_as(pool, "a", "/api/v1/whoami")[0] == 200
    test_a_program_runs_on_a_vgpu_of_the_pool(pool, programs)
