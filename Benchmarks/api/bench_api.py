"""Measures a roost-server on loopback with wrk, and how long 1,000 watchers take to hear of a change."""

import argparse
import json
import re
import select
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class Server:
    """A server with a state folder of its own."""

    def __init__(self, program, store, folder):
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", *store, "--state-dir", folder, "--rate-limit", "1e9"],
            stderr=subprocess.PIPE, text=True)
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            found = re.search(r"address=http://127.0.0.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                break
        else:
            raise SystemExit(f"the server ended before it listened:\n{''.join(lines)}")
        # A pipe that nobody reads would hold the server up in the end.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.token = (Path(folder) / "admin.token").read_text().strip()

    def put(self, path, body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data=json.dumps(body).encode(), method="PUT",
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)["metadata"]["revision"]


def load(server, script, seconds):
    """Runs wrk with 16 connections; answers requests a second, p50 and p99 in milliseconds."""
    output = subprocess.run(
        ["wrk", "-t", "1", "-c", "16", "-d", f"{seconds}s", "--latency", "-s", FOLDER / script,
         "-H", f"Authorization: Bearer {server.token}", f"http://127.0.0.1:{server.port}"],
        check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"requests failed:\n{output}")
    found = {name: float(value) * UNITS[unit]
             for name, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", output)}
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]), found["50"], found["99"]


def open_watchers(server, count):
    """Connections that watch pools from now on."""
    revision = server.put("/api/v1/pools/watched", {"spec": {}})
    watchers = []
    for _ in range(count):
        watcher = socket.create_connection(("127.0.0.1", server.port))
        watcher.sendall(
            f"GET /api/v1/pools?watch=true&revision={revision} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {server.token}\r\n\r\n".encode())
        watchers.append(watcher)
    for watcher in watchers:
        if b" 200 " not in watcher.recv(4096):
            raise SystemExit("a watch was refused")
    return watchers


def spread(server, watchers, rounds):
    """How long a change takes until the last watcher has it, in milliseconds; sorted."""
    times = []
    for index in range(rounds):
        start = time.perf_counter()
        server.put("/api/v1/pools/watched", {"metadata": {"labels": {"round": str(index)}}, "spec": {}})
        poller = select.epoll()
        names = {watcher.fileno(): watcher for watcher in watchers}
        for number in names:
            poller.register(number, select.EPOLLIN)
        received = dict.fromkeys(names, b"")
        wanted = f'"round":"{index}"'.encode()
        while names:
            ready = poller.poll(60)
            if not ready:
                raise SystemExit(f"{len(names)} watches did not hear of a change within a minute")
            for number, _ in ready:
                received[number] += names[number].recv(65536) or b"END"
                if wanted in received[number]:
                    poller.unregister(number)
                    del names[number]
                elif received[number].endswith(b"END"):
                    raise SystemExit(f"a watch ended: {received[number][-1000:].decode()}")
        poller.close()
        times.append((time.perf_counter() - start) * 1000)
    return sorted(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--store", default="sqlite")
    parser.add_argument("--etcd", help="the client URL of an empty etcd, for --store etcd")
    parser.add_argument("--folder", required=True, help="a folder for the server's state that is made here")
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    results = []

    def tell(name, value, unit):
        results.append({"name": name, "value": round(value, 3), "unit": unit})
        print(f"{name} {value:.3f} {unit}", flush=True)

    def measure(suffix):
        for name in ("get", "put"):
            rate, p50, p99 = load(server, f"{name}.lua", options.seconds)
            tell(f"api-{name}{suffix}-rate", rate, "1/s")
            tell(f"api-{name}{suffix}-p50", p50, "ms")
            tell(f"api-{name}{suffix}-p99", p99, "ms")

    store = ["--store", options.store] + (["--etcd", options.etcd] if options.etcd else [])
    server = Server(options.server, store, options.folder)
    try:
        for index in range(100):
            server.put(f"/api/v1/pools/p{index}", {"spec": {}})
        measure("")
        watchers = open_watchers(server, options.watchers)
        times = spread(server, watchers, 20)
        tell(f"api-watch-{options.watchers}-p50", times[len(times) // 2], "ms")
        tell(f"api-watch-{options.watchers}-max", times[-1], "ms")
        for watcher in watchers:
            watcher.close()
        with open(f"/proc/{server.process.pid}/status") as status:
            tell("api-resident", int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024, "MiB")
    finally:
        server.process.terminate()
        server.process.wait(20)
    Path(options.output).write_text(json.dumps({"store": options.store, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
