"""A small stand-in for roost-server: serves the dashboard's files and speaks the part of the HTTP API that it uses.

It keeps resources in memory, stamps revisions and streams watches as the API's description says, and checks nothing
beyond what the dashboard's tests need. The security headers are those of the real server.
"""

import copy
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

DASHBOARD = Path(__file__).resolve().parent.parent / "Dashboard"
TOKEN = "roost-token-of-the-tests"
POLICY = ("default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; object-src 'none'; "
          "base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
MEDIA_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
               ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
KINDS = {"projects": "Project", "quotas": "Quota", "pools": "Pool", "nodes": "Node", "devices": "Device",
         "profiles": "Profile", "workloads": "Workload", "vgpus": "VirtualGPU", "pricelists": "PriceList",
         "alertrules": "AlertRule", "events": "Event"}


class Refusal(Exception):
    """A problem of the API."""

    def __init__(self, status, detail, **members):
        super().__init__(detail)
        self.status = status
        self.body = {"type": "urn:roost:problem:test", "title": "Refused", "status": status, "detail": detail,
                     **members}


class FleetState:
    """Resources, and the history of their changes."""

    def __init__(self):
        self.changed = threading.Condition()
        self.items = {plural: {} for plural in KINDS}
        self.revision = 0
        self.history = []
        self.series = []
        self.oldest = 0
        self.watches = 0
        self.requests = []
        self.cuts = 0
        self.why = {}
        self.plan = {"placements": []}
        self.audit = []
        self.identity = {"subject": "ada", "method": "token", "grants": [{"role": "admin", "project": "*"}]}

    def put(self, plural, item):
        """Creates or replaces a resource and tells watchers."""
        with self.changed:
            self.revision += 1
            item = copy.deepcopy(item)
            item["metadata"]["revision"] = self.revision
            self.items[plural][self.key(item["metadata"])] = item
            self.note(plural, {"type": "PUT", "object": item})
            return item

    def delete(self, plural, project, name):
        """Deletes a resource and tells watchers."""
        with self.changed:
            item = self.find(plural, project, name)
            del self.items[plural][(project, name)]
            self.revision += 1
            metadata = {"name": name, "revision": self.revision, **({"project": project} if project else {})}
            self.note(plural, {"type": "DELETE", "object": {"kind": KINDS[plural], "metadata": metadata}})
            return item

    def change(self, plural, project, name, part, values):
        """Lays values over a part of a resource."""
        item = copy.deepcopy(self.find(plural, project, name))
        item.setdefault(part, {}).update(values)
        return self.put(plural, item)

    def find(self, plural, project, name):
        """One resource."""
        item = self.items[plural].get((project, name))
        if item is None:
            raise Refusal(404, f"there is no {KINDS[plural]} {name}")
        return item

    def cut_streams(self, compact=False):
        """Ends all watches; with `compact`, forgets the history, so that they must list again."""
        with self.changed:
            self.cuts += 1
            if compact:
                self.revision += 1
                self.oldest = self.revision
                self.history.clear()
            self.changed.notify_all()

    @staticmethod
    def key(metadata):
        return metadata.get("project"), metadata["name"]

    def note(self, plural, event):
        self.history.append((self.revision, plural, event))
        self.changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    state = None

    def do_GET(self):
        self.answer_request()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_):
        pass

    def answer_request(self):
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        self.state.requests.append((self.command, self.path))
        try:
            if parts[:2] == ["api", "v1"]:
                self.api(parts[2:], body)
            else:
                self.file(parts)
        except Refusal as refusal:
            self.reply(refusal.status, refusal.body, "application/problem+json")

    def file(self, parts):
        name = "/".join(parts[1:]) if parts[0] == "ui" else ""
        path = DASHBOARD / (name or "index.html")
        if (parts[0] not in ("", "ui")) or path.suffix not in MEDIA_TYPES or not path.is_file():
            raise Refusal(404, f"no file {name}")
        self.reply(200, path.read_bytes(), MEDIA_TYPES[path.suffix], {"Content-Security-Policy": POLICY})

    def api(self, parts, body):
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refusal(401, "the token is not known")
        if parts == ["whoami"]:
            return self.reply(200, self.state.identity)
        if parts == ["history"]:
            return self.reply(200, {"metric": self.query["metric"], "series": self.state.series})
        if parts == ["plan"]:
            return self.reply(200, self.state.plan)
        if parts == ["audit"]:
            after, limit = int(self.query.get("after", 0)), int(self.query.get("limit", 500))
            records = [one for one in self.state.audit if one["sequence"] > after][:limit]
            return self.reply(200, {"items": records, "head": {
                "sequence": len(self.state.audit), "hash": "ab" * 32}})
        project = None
        if parts[0] == "projects" and len(parts) > 2:
            project, parts = parts[1], parts[2:]
        if parts[0] not in KINDS:
            raise Refusal(404, "no such address")
        if len(parts) == 1:
            return self.collection(parts[0], project, body)
        return self.one(parts, project, body)

    def collection(self, plural, project, body):
        state = self.state
        if self.command == "POST":
            return self.create(plural, project, body)
        if self.query.get("watch") == "true":
            return self.watch(plural, int(self.query["revision"]))
        with state.changed:
            items = [item for (owner, _), item in sorted(state.items[plural].items(), key=str)
                     if project is None or owner == project]
            return self.reply(200, {"apiVersion": "roost/v1", "kind": KINDS[plural] + "List",
                                    "metadata": {"revision": state.revision}, "items": items})

    def create(self, plural, project, body):
        memory = body["spec"].get("resources", {}).get("memory", {}).get("request", "1GiB")
        if not memory.endswith("iB"):
            raise Refusal(422, "the manifest has wrong values", problems=[
                {"field": "spec.resources.memory", "reason": f"memory is written as 4GiB, not {memory}"}])
        if (project, body["metadata"]["name"]) in self.state.items[plural]:
            raise Refusal(409, f"there is a {KINDS[plural]} {body['metadata']['name']} already")
        body["metadata"].update(project=project, createdAt=moment(0), createdBy="ada", generation=1)
        body["status"] = {"phase": "Pending", "placed": 0, "ready": 0}
        item = body if self.query.get("dryRun") == "true" else self.state.put(plural, body)
        self.reply(201, item)

    def one(self, parts, project, body):
        state, (plural, name) = self.state, parts[:2]
        item = state.find(plural, project, name)
        if parts[2:] == ["why"]:
            return self.reply(200, state.why.get(name, {
                "workload": {"kind": "Workload", "project": project, "name": name}, "phase": item["status"]["phase"],
                "verdict": "All replicas have places.", "reasons": [], "remedies": []}))
        if self.command == "DELETE":
            return self.reply(200, state.delete(plural, project, name))
        if self.command == "PATCH":
            changed = copy.deepcopy(item)
            for field, value in body["spec"].items():
                if value is None:
                    changed["spec"].pop(field, None)
                else:
                    changed["spec"][field] = value
            return self.reply(200, state.put(plural, changed))
        return self.reply(200, item)

    def watch(self, plural, revision):
        state = self.state
        if revision < state.oldest:
            raise Refusal(410, "the history does not reach back so far; list again")
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        cuts = state.cuts
        state.watches += 1
        try:
            while True:
                with state.changed:
                    found = [(at, event) for at, kind, event in state.history if at > revision and kind == plural]
                    if not found:
                        state.changed.wait(0.5)
                    if state.cuts != cuts:
                        return
                for at, event in found:
                    self.wfile.write(json.dumps(event).encode() + b"\n")
                    revision = at
                if not found:
                    self.wfile.write(json.dumps({"type": "PROGRESS", "revision": revision}).encode() + b"\n")
                self.wfile.flush()
        except OSError:
            return
        finally:
            state.watches -= 1
            self.close_connection = True

    def reply(self, status, body, media_type="application/json", headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def moment(seconds_ago):
    """A moment as the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


def serve(state):
    """Serves on a port of the system's choice; answers with the server, to be shut down."""
    handler = type("BoundHandler", (Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    # A connection that is gone before it is accepted must not hold up the end.
    server.socket.settimeout(1)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server
