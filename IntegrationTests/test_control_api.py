"""The control plane's server as a process: its files, its end, and requests that nobody thought of."""

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from conftest import PREFIX, ROOT, Program

SERVER = PREFIX / "bin" / "roost-server"


class Server:
    """A control plane on a free port of loopback."""

    def __init__(self, state, *options):
        self.state = state
        self.program = Program([SERVER, "serve", "--listen", "127.0.0.1:0", "--state-dir", state, *options])
        while True:
            line = self.program.expect_line("")
            found = re.search(r"address=(http\S+)", line)
            if found:
                self.address = found[1]
                break
        self.token = (state / "admin.token").read_text().strip()

    def send(self, method, path, body=None, **headers):
        """Returns status and JSON of the answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def stop(self, with_signal=signal.SIGTERM):
        self.program.process.send_signal(with_signal)
        return self.program.finish(status=None)


def test_what_was_answered_survives_a_kill(tmp_path):
    """Resources, the token and the audit log's chain are there again after SIGKILL."""
    state = tmp_path / "state"
    server = Server(state)
    for index in range(20):
        assert server.send("PUT", f"/api/v1/pools/p{index}", {"spec": {}})[0] == 201
    assert (state / "admin.token").stat().st_mode & 0o777 == 0o600
    server.stop(signal.SIGKILL)
    again = Server(state)
    status, pools = again.send("GET", "/api/v1/pools")
    assert status == 200 and len(pools["items"]) == 20
    assert again.token == server.token
    again.stop()
    assert again.program.process.returncode == 0
    verified = subprocess.run(
        [SERVER, "verify-audit", "--state-dir", state], capture_output=True, text=True, timeout=60)
    assert verified.returncode == 0 and verified.stdout.startswith("20 records"), verified


def test_a_changed_audit_log_keeps_the_server_from_starting(tmp_path):
    state = tmp_path / "state"
    server = Server(state)
    server.send("PUT", "/api/v1/pools/a", {"spec": {}})
    server.send("PUT", "/api/v1/pools/b", {"spec": {}})
    server.stop()
    log = state / "audit.jsonl"
    log.write_text(log.read_text().replace("/pools/a", "/pools/c"))
    program = Program([SERVER, "serve", "--listen", "127.0.0.1:0", "--state-dir", state])
    assert "somebody changed it" in program.finish(status=1)


def test_other_machines_need_tokens(tmp_path):
    program = Program([SERVER, "serve", "--state-dir", tmp_path / "state", "--listen", "0.0.0.0:0", "--open"])
    assert "can be reached from other machines" in program.finish(status=1)


def test_a_signal_ends_the_server_though_clients_watch(tmp_path):
    """Each watch is told to come again and ends; the server has nobody left to wait for."""
    server = Server(tmp_path / "state")
    headers = {"Authorization": f"Bearer {server.token}"}
    watches = []
    for kind in ["projects", "pools", "nodes"] * 10:
        request = urllib.request.Request(f"{server.address}/api/v1/{kind}?watch=true", headers=headers)
        watch = urllib.request.urlopen(request, timeout=60)
        while json.loads(watch.readline())["type"] != "PROGRESS":
            pass
        watches.append(watch)
    begin = time.monotonic()
    server.stop()
    # After five seconds it would cut them off.
    assert time.monotonic() - begin < 4
    for watch in watches:
        assert json.loads(watch.readline())["problem"]["status"] == 503
        assert watch.readline() == b""
    assert server.program.process.returncode == 0


def test_requests_made_from_the_document_find_nothing(tmp_path):
    """schemathesis: no server error, no status, body or header that the document does not name, no bad value taken."""
    run = subprocess.run(["bash", ROOT / "Scripts" / "api-fuzz.sh"], cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-4000:]
