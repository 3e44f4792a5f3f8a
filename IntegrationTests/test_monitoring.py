"""The real Prometheus and Alertmanager on the page, the rules and the dashboards that Roost ships."""

import datetime
import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest

from conftest import ROOT, wait_until

METRICS = ROOT / "Tests" / "Fixtures" / "metrics"
PAGE = METRICS / "fleet.prom"
RULES = ROOT / "Deploy" / "prometheus" / "roost-rules.yml"
DASHBOARDS = sorted((ROOT / "Deploy" / "grafana").glob("*.json"))
SAMPLE = re.compile(r'^(?P<series>[A-Za-z_:][\w:]*(?:\{(?:[^"}]|"(?:\\.|[^"\\])*")*\})?) (?P<value>\S+)$')
LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"')

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("prometheus", "prometheus-alertmanager", "promtool"))),
    reason="prometheus and prometheus-alertmanager are not installed: run Scripts/setup-debian.sh",
)


def free_ports(count):
    """Ports that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def ask(url, body=None):
    """What a server answers, read as JSON; None while it does not listen or is not ready."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} if data else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 503:
            return None
        pytest.fail(f"{url}: {error.code} {error.read().decode()}")
    except OSError:
        return None
    return json.loads(text) if text else {}


class Site(http.server.ThreadingHTTPServer):
    """Serves the fixtures as a control plane would, and receives what an Alertmanager tells."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.received = []


class Handler(http.server.BaseHTTPRequestHandler):
    pages = {
        "/metrics": (PAGE, "text/plain; version=0.0.4; charset=utf-8"),
        "/openmetrics": (
            METRICS / "fleet.openmetrics", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    }

    def do_GET(self):
        path, media_type = self.pages[self.path]
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.end_headers()
        self.wfile.write(path.read_bytes())

    def do_POST(self):
        self.server.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def monitoring(tmp_path_factory):
    """Prometheus and Alertmanager on loopback, and the site that they scrape and tell: (site, URLs of both)."""
    folder = tmp_path_factory.mktemp("monitoring")
    site = Site()
    threading.Thread(target=site.serve_forever, daemon=True).start()
    mine = f"127.0.0.1:{site.server_address[1]}"
    prometheus, alertmanager = (f"127.0.0.1:{port}" for port in free_ports(2))
    (folder / "prometheus.yml").write_text(json.dumps({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {"job_name": name, "metrics_path": path, "static_configs": [{"targets": [mine]}]}
            for name, path in (("roost", "/metrics"), ("open", "/openmetrics"))
        ],
    }))
    (folder / "alertmanager.yml").write_text(json.dumps({
        "route": {"receiver": "hook", "group_by": ["..."], "group_wait": "1s", "group_interval": "1s"},
        "receivers": [{"name": "hook", "webhook_configs": [{"url": f"http://{mine}/hook"}]}],
    }))
    commands = {
        "prometheus": [
            "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address={prometheus}"],
        "alertmanager": [
            "prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/alertmanager", f"--web.listen-address={alertmanager}",
            "--cluster.listen-address="],
    }
    processes = []
    try:
        for name, command in commands.items():
            with open(folder / f"{name}.log", "wb") as log:
                processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder))
        yield site, f"http://{prometheus}", f"http://{alertmanager}"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        site.shutdown()
        site.server_close()


def metric_names():
    """The names that queries may use, those of histograms' parts included."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", PAGE.read_text(), re.M))
    parts = {f"{name}_{part}" for name, kind in kinds.items() if kind == "histogram"
             for part in ("bucket", "sum", "count")}
    return {name for name, kind in kinds.items() if kind != "histogram"} | parts


def expressions(dashboard):
    """The queries of a dashboard's panels."""
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_promtool_finds_nothing_wrong_with_page_and_rules():
    rules = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, timeout=30)
    assert rules.returncode == 0 and "19 rules found" in rules.stdout, rules.stdout + rules.stderr
    page = subprocess.run(
        ["promtool", "check", "metrics"], input=PAGE.read_text(), capture_output=True, text=True, timeout=30)
    # The labels modelName and Hostname are dcgm-exporter's own.
    remarks = [line for line in page.stderr.splitlines()
               if not (line.startswith("DCGM_FI_DEV_") and line.endswith("not 'camelCase'"))]
    assert remarks == [] and page.returncode in (0, 3), page.stdout + page.stderr


def test_prometheus_and_the_built_in_evaluator_find_the_same_alerts(tmp_path):
    samples = [SAMPLE.match(line) for line in PAGE.read_text().splitlines() if not line.startswith("#")]
    assert all(samples)
    told = [alert["labels"] for alert in json.loads((METRICS / "alertmanager.json").read_text())]
    assert len(told) > 5
    expected = []
    for labels in told:
        labels = {**labels, "alertstate": "firing"}
        del labels["job"]
        expected.append({"labels": "ALERTS{%s}" % ",".join(
            f"{name}={json.dumps(value)}" for name, value in sorted(labels.items())), "value": 1})
    (tmp_path / "test.yml").write_text(json.dumps({
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": [{"series": one["series"], "values": f"{one['value']}x31"} for one in samples],
            "promql_expr_test": [
                {"expr": 'ALERTS{alertstate="firing"}', "eval_time": "31m", "exp_samples": expected}],
        }],
    }))
    result = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_whole_and_name_metrics_that_exist(path):
    dashboard = json.loads(path.read_text())
    assert dashboard["uid"].startswith("roost-") and dashboard["panels"]
    variables = {one["name"]: one for one in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
    queries = expressions(dashboard) + [one["definition"] for one in variables.values() if "definition" in one]
    for query in queries:
        names = re.findall(r"\b(?:roost|DCGM)_\w+", query)
        assert names, query
        assert set(names) <= metric_names(), query
        assert set(re.findall(r"\$(\w+)", query)) <= set(variables), query


def test_prometheus_scrapes_loads_the_rules_and_answers_every_panel(monitoring):
    _, prometheus, _ = monitoring
    def targets():
        answer = ask(f"{prometheus}/api/v1/targets")
        active = answer["data"]["activeTargets"] if answer else []
        return active if active and all(one["health"] != "unknown" for one in active) else None
    states = {one["labels"]["job"]: (one["health"], one["lastError"]) for one in wait_until(targets, "scrapes", 20)}
    assert states == {"roost": ("up", ""), "open": ("up", "")}

    def evaluated():
        groups = ask(f"{prometheus}/api/v1/rules")["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return rules if rules and all(rule["health"] != "unknown" for rule in rules) else None
    rules = wait_until(evaluated, "all rules evaluated", 20)
    assert len(rules) == 19 and {rule["health"] for rule in rules} == {"ok"}

    for path in DASHBOARDS:
        for query in expressions(json.loads(path.read_text())):
            query = re.sub(r"\$\w+", ".*", query)
            answer = ask(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
            assert answer["status"] == "success", query
    devices = ask(f"{prometheus}/api/v1/query?query=roost_pool_devices%7Bjob%3D%22roost%22%7D")
    assert [one["value"][1] for one in devices["data"]["result"]] == ["2"]


def test_a_rule_that_fires_reaches_the_webhook(monitoring):
    site, _, _ = monitoring

    def arrived():
        alerts = [alert for message in list(site.received) for alert in message["alerts"]]
        return [alert for alert in alerts if alert["labels"]["alertname"] == "workload-waits-long"]
    alert = wait_until(arrived, "the alert at the webhook", 25)[0]
    assert alert["status"] == "firing"
    assert alert["labels"]["project"] == "research" and alert["labels"]["severity"] == "warning"
    assert alert["annotations"]["summary"].startswith("a workload of project research has waited for")


def test_alertmanager_takes_what_the_built_in_evaluator_sends(monitoring):
    site, _, alertmanager = monitoring
    wait_until(lambda: ask(f"{alertmanager}/api/v2/status"), "Alertmanager", 20)
    now = datetime.datetime.now(datetime.timezone.utc)
    alerts = json.loads((METRICS / "alertmanager.json").read_text())
    for alert in alerts:
        alert["labels"]["job"] = "built-in"
        alert["startsAt"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        alert["endsAt"] = (now + datetime.timedelta(minutes=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert ask(f"{alertmanager}/api/v2/alerts", alerts) == {}

    def arrived():
        told = [alert for message in list(site.received) for alert in message["alerts"]]
        return {alert["labels"]["alertname"] for alert in told if alert["labels"]["job"] == "built-in"}
    names = {alert["labels"]["alertname"] for alert in alerts}
    wait_until(lambda: arrived() == names, f"all of {sorted(names)} at the webhook", 15)
