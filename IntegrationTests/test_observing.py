"""A control plane's history of metrics, its snapshots and its spans, with nodes that this test plays by hand."""

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from conftest import PREFIX, Program, wait_until

ROOST = PREFIX / "bin" / "roost"
SERVER = PREFIX / "bin" / "roost-server"
HEXADECIMAL = re.compile(r"[0-9a-f]+")
TRACE = "0af7651916cd43dd8448eb211c80319c"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def workload(name, compute="50%", **spec):
    return {"metadata": {"name": name},
            "spec": {"resources": {"compute": compute, "memory": "1GiB"}, **spec}}


class Plane:
    """A control plane that demands no token, and nodes that do what they are told."""

    def __init__(self, folder, *options, environment=None):
        self.folder = folder
        self.options = options
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "NO_COLOR": "1",
                            **(environment or {})}
        for name in ("ROOST_SERVER", "ROOST_API_TOKEN", "ROOST_CONTEXT"):
            self.environment.pop(name, None)
        self.tokens = {}
        self.port = free_port()
        self.start()

    def start(self):
        self.server = Program(
            [SERVER, "serve", "--open", "--listen", f"127.0.0.1:{self.port}", "--state-dir", self.folder / "state",
             "--lease", "60s", "--loss", "120s", *self.options], env=self.environment)
        wait_until(lambda: self.ask("GET", "/readyz", check=False) is not None, "the server is ready", seconds=30)

    def stop(self, how=signal.SIGTERM):
        self.server.process.send_signal(how)
        self.server.process.wait(timeout=30)

    def ask(self, method, path, body=None, token=None, check=True, headers=None):
        data = json.dumps(body).encode() if body is not None else None
        fields = {"Content-Type": "application/json", **(headers or {})}
        if token:
            fields["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, fields, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            if check:
                pytest.fail(f"{method} {path}: {error.code} {error.read().decode()}")
            return None
        except OSError:
            if check:
                raise
            return None
        return json.loads(text) if text.startswith(("{", "[")) else text

    def roost(self, *words, status=0):
        result = subprocess.run(
            [str(ROOST), *map(str, words)], env=self.environment, capture_output=True, text=True, timeout=60)
        assert result.returncode == status, f"{words}: {result.stdout}{result.stderr}"
        return result.stdout + result.stderr

    def join(self, name):
        made = self.ask("POST", "/api/v1/tokens", {"subject": name, "purpose": "join"})
        facts = {"address": name, "version": "1"}
        answer = self.ask(
            "POST", "/api/v1/nodes:join", {"token": made["token"], "name": name, "epoch": 1, "facts": facts})
        self.tokens[name] = answer["token"]
        self.beat(name, [])

    def beat(self, name, vgpus, utilization="25%"):
        devices = [
            {"id": f"gpu-{index}", "vendor": "NVIDIA", "model": "H200", "memory": "141GiB", "milliTeraflops": 989000,
             "healthy": True, "utilization": utilization, "usedMemory": "1GiB"} for index in range(2)]
        return self.ask("POST", f"/api/v1/nodes/{name}/heartbeat", {
            "epoch": 1, "facts": {"address": name, "version": "1"}, "devices": devices, "vgpus": vgpus},
            token=self.tokens[name])

    def serve(self, phase):
        """Each node tells that all that it should have is in a phase."""
        for name in self.tokens:
            wanted = self.beat(name, [])["vgpus"]
            self.beat(name, [
                {"project": one["metadata"]["project"], "name": one["metadata"]["name"], "uid": one["metadata"]["uid"],
                 "status": {"phase": phase}} for one in wanted])

    def vgpus(self):
        return self.ask("GET", "/api/v1/vgpus")["items"]

    def places(self):
        return sorted((one["spec"]["workload"], one["spec"]["replica"], one["spec"]["node"], *one["spec"]["devices"])
                      for one in self.vgpus())


@pytest.fixture
def make_plane(tmp_path):
    planes = []

    def make(*options, **more):
        planes.append(Plane(tmp_path, *options, **more))
        return planes[-1]

    yield make
    for plane in planes:
        if plane.server.process.poll() is None:
            plane.stop()


def make_pool(plane, nodes=("a", "b")):
    plane.ask("POST", "/api/v1/pools", {"metadata": {"name": "main"}, "spec": {"default": True}})
    for name in nodes:
        plane.join(name)


def test_history_survives_kill(make_plane):
    plane = make_plane()
    make_pool(plane, nodes=["a"])
    path = "/api/v1/history?metric=roost_device_utilization_ratio&labels=device=gpu-0&since=5m"

    def points():
        series = plane.ask("GET", path)["series"]
        return series[0]["points"] if series else []

    # Two buckets: the first is over then, and in the file.
    before = wait_until(lambda: len(points()) >= 2 and points(), "two buckets of ten seconds", seconds=40)
    assert before[0]["average"] == before[0]["maximum"] == 0.25
    plane.stop(signal.SIGKILL)
    plane.start()
    after = points()
    assert after[0] == before[0]
    minutes = plane.ask("GET", path + "&step=1m")
    assert minutes["step"] == "1m" and minutes["series"][0]["points"][0]["count"] >= before[0]["count"]
    problem = plane.ask("GET", "/api/v1/history?metric=roost_device_utilisation_ratio", check=False)
    assert problem is None
    assert (plane.folder / "state" / "history.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_replay_places_as_the_server_does(make_plane):
    plane = make_plane()
    make_pool(plane)
    server = ["--server", f"http://127.0.0.1:{plane.port}"]
    empty, full = plane.folder / "empty.json", plane.folder / "full.json"
    wait_until(lambda: all(one["status"]["phase"] == "Ready" for one in plane.ask("GET", "/api/v1/nodes")["items"]),
               "the nodes are ready")
    plane.roost("snapshot", "-o", empty, *server)
    manifests = plane.folder / "work.json"
    work = [workload("w0", "40%"), workload("w1", "70%"), workload("w2", "20%", replicas=3), workload("w3", "100%"),
            workload("w4", "60%"), workload("secret", "10%", program={"command": ["x"], "environment": {"K": "hidden"}})]
    for one in work:
        one.update(apiVersion="roost/v1", kind="Workload")
    manifests.write_text("\n---\n".join(json.dumps(one) for one in work))
    one_file = plane.folder / "one.json"
    for count, one in enumerate(work, start=1):
        one_file.write_text(json.dumps(one))
        plane.roost("apply", "-f", one_file, *server)
        # The third has three replicas.
        wait_until(lambda: len(plane.vgpus()) >= count + (2 if count > 2 else 0), "it is placed")
    plane.serve("Running")
    plane.roost("snapshot", "-o", full, *server)
    assert "hidden" not in full.read_text()

    def simulate(*words):
        return json.loads(plane.roost("simulate", *words, "-o", "json"))

    added = simulate(empty, "--add", manifests)
    found = sorted((move["workload"]["name"], move["replica"], *place.split("/"))
                   for move in added["moves"] for place in move["after"])
    assert found == plane.places()
    same = simulate(full)
    assert same["moves"] == [] and same["before"] == same["after"]
    assert same["after"]["placed"] == len(plane.vgpus())
    fewer = simulate(full, "--without-node", "a")
    assert fewer["after"]["pending"] > 0 and all(one["reason"] for one in fewer["pending"])
    assert simulate(full, "--from-scratch", "--policy", "random") == simulate(
        full, "--from-scratch", "--policy", "random")
    assert "did you mean bestFit?" in plane.roost("simulate", full, "--policy", "bestfit", status=1)
    full.write_text(full.read_text().replace('"Pool"', '"Pol"'))
    assert "items[0].kind" in plane.roost("simulate", full, status=1)


class Collector(http.server.ThreadingHTTPServer):
    """Takes spans as OTLP over HTTP, and checks the form of each request."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), CollectorHandler)
        self.spans, self.resources, self.problems, self.headers = [], [], [], []
        self.status = 200
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def named(self, name):
        return [one for one in list(self.spans) if one["name"] == name]


class CollectorHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.headers.append(dict(self.headers))
        try:
            assert self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json"
            if self.server.status == 200:
                self.take(body)
        except (AssertionError, KeyError, ValueError) as problem:
            self.server.problems.append(repr(problem))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    def take(self, body):
        assert set(body) == {"resourceSpans"}
        for resource in body["resourceSpans"]:
            self.server.resources.append(attributes(resource["resource"]["attributes"]))
            for scope in resource["scopeSpans"]:
                assert scope["scope"]["name"]
                for span in scope["spans"]:
                    check_span(span)
                    self.server.spans.append({**span, "attributes": attributes(span["attributes"])})

    def log_message(self, *_):
        pass


def attributes(pairs):
    """Attributes by name; checks that each has one value of a form that OTLP knows."""
    values = {}
    for pair in pairs:
        assert set(pair) == {"key", "value"} and len(pair["value"]) == 1
        (form, value), = pair["value"].items()
        assert form in ("stringValue", "intValue") and isinstance(value, str)
        values[pair["key"]] = int(value) if form == "intValue" else value
    return values


def check_span(span):
    known = {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
             "attributes", "status", "flags"}
    assert set(span) <= known, span
    for name, length in (("traceId", 32), ("spanId", 16), ("parentSpanId", 16)):
        if name in span:
            assert len(span[name]) == length and HEXADECIMAL.fullmatch(span[name]) and int(span[name], 16)
    assert isinstance(span["startTimeUnixNano"], str) and isinstance(span["endTimeUnixNano"], str)
    assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
    assert span["kind"] in range(1, 6) and span["status"]["code"] in (0, 1, 2) and span["name"]


def exported(plane):
    """What became of spans, as the metrics say."""
    page = plane.ask("GET", "/metrics")
    return {result: int(count) for result, count in re.findall(r'roost_trace_spans_total\{result="(\w+)"\} (\d+)', page)}


def test_one_trace_shows_a_workloads_life(make_plane):
    collector = Collector()
    plane = make_plane(
        "--otlp-endpoint", collector.url,
        environment={"OTEL_SERVICE_NAME": "plane", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=s%20ecret"})
    make_pool(plane)
    plane.ask("POST", "/api/v1/projects/default/workloads", workload("train"),
              headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    wait_until(lambda: plane.vgpus(), "it is placed")
    plane.serve("Starting")
    plane.serve("Running")
    steps = ["workload queued", "workload placed", "worker start"]
    wait_until(lambda: all(map(collector.named, steps)), "the life's spans are there")
    request, = wait_until(lambda: collector.named("POST /api/v1/projects/{project}/workloads"), "the request's span")
    assert request["traceId"] == TRACE and request["parentSpanId"] == "b7ad6b7169203331" and request["kind"] == 2
    assert request["attributes"] == {
        "http.request.method": "POST", "http.route": "/api/v1/projects/{project}/workloads",
        "http.response.status_code": 201, "roost.operation": "createWorkload", "roost.project": "default"}
    for step in steps:
        span, = collector.named(step)
        assert span["traceId"] == TRACE and span["parentSpanId"] == request["spanId"]
        assert span["attributes"]["roost.workload"] == "train"
    commits = [one for one in collector.named("store commit") if one["traceId"] == TRACE]
    assert [one["parentSpanId"] for one in commits] == [request["spanId"]]
    rounds = {one["spanId"] for one in collector.named("control round")}
    assert rounds and {one["parentSpanId"] for one in collector.named("decide")} & rounds
    assert collector.problems == []
    assert {one["service.name"] for one in collector.resources} == {"plane"}
    assert collector.headers[0]["x-key"] == "s ecret"
    # A later change keeps the trace, and nobody has to write it.
    plane.ask("PUT", "/api/v1/projects/default/workloads/train", workload("train", replicas=2))
    kept = plane.ask("GET", "/api/v1/projects/default/workloads/train")["metadata"]["annotations"]
    assert kept["roost/traceparent"].startswith(f"00-{TRACE}-")
    text = json.dumps(collector.spans)
    assert all(token not in text for token in plane.tokens.values())
    wait_until(lambda: exported(plane).get("exported", 0) > 5, "the metrics count spans")
    plane.stop()
    # What the end recorded is sent before the process ends.
    assert collector.problems == []
    collector.shutdown()


def test_a_collector_that_is_away_holds_nobody_up(make_plane):
    plane = make_plane(environment={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"})
    make_pool(plane, nodes=["a"])
    plane.ask("POST", "/api/v1/projects/default/workloads", workload("train"))
    wait_until(lambda: plane.vgpus(), "it is placed all the same")
    assert exported(plane).get("exported") == 0
    plane.stop()
    assert plane.server.process.returncode == 0


def test_without_the_switch_nothing_is_traced(make_plane):
    plane = make_plane()
    make_pool(plane, nodes=["a"])
    made = plane.ask("POST", "/api/v1/projects/default/workloads", workload("train"),
                     headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    assert "annotations" not in made["metadata"]
    assert exported(plane) == {}
    bad = subprocess.run(
        [SERVER, "serve", "--state-dir", plane.folder / "other", "--otlp-endpoint", "collector:4318"],
        capture_output=True, text=True, timeout=30)
    assert bad.returncode != 0 and "otlp-endpoint" in bad.stderr
