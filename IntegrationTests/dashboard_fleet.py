"""A fleet for the dashboard's tests: two pools, six nodes, a queue, quotas, prices, and names that try to be markup."""

from dashboard_server import FleetState, moment

HOSTILE = '<img src=x onerror="window.wasAttacked=1">'


def resource(kind, name, spec, status=None, project=None):
    """A resource in the API's form."""
    metadata = {"name": name, "uid": f"uid-{name}", "generation": 1, "createdAt": moment(7200), "createdBy": "ada"}
    if project:
        metadata["project"] = project
    item = {"apiVersion": "roost/v1", "kind": kind, "metadata": metadata, "spec": spec}
    return item if status is None else {**item, "status": status}


def fleet():
    """The state of a fleet of middling size."""
    state = FleetState()
    add_organization(state)
    add_machines(state)
    add_work(state)
    add_history(state)
    return state


def add_organization(state):
    for name, spec, share, used, pending in [
        ("default", {"description": "Where resources go that name no project."}, 2000, 0, 0),
        ("research", {"weight": 3}, 12000, 900, 2),
        ("vision", {"parent": "research", "weight": 2, "description": "Pictures"}, 6000, 750, 1),
        ("hostile", {"description": HOSTILE}, 1000, 150, 0),
    ]:
        amounts = {"compute": f"{used}%", "memory": f"{used // 5}GiB", "vgpus": used // 50}
        state.put("projects", resource("Project", name, spec, {
            "allocated": amounts, "fairShareMilliDevices": share, "pending": pending}))
    state.put("quotas", resource("Quota", "research", {
        "project": "research", "guaranteed": {"compute": "800%"},
        "requests": {"compute": "1000%", "memory": "512GiB", "workloads": 20}, "limits": {"compute": "2000%"},
    }, {"requests": {"compute": "960%", "memory": "180GiB", "workloads": 4}, "limits": {"compute": "1200%"},
        "borrowed": {"compute": "160%"}}))
    state.put("pricelists", resource("PriceList", "list-2026", {
        "currency": "USD", "perTeraflopHour": 0.01, "perGiBHour": 0.02,
        "models": [{"model": "H200", "perDeviceHour": 4.0}]}))
    state.put("profiles", resource("Profile", "small", {"resources": {"compute": "10%"}}, project="vision"))


def add_machines(state):
    capacity = {"compute": "1600%", "memory": "2256GiB"}
    state.put("pools", resource("Pool", "main", {
        "default": True, "oversell": {"compute": "150%"}, "priceList": "list-2026"}, {
        "nodes": 4, "readyNodes": 3, "devices": 12, "capacity": capacity,
        "allocated": {"compute": "860%", "memory": "640GiB", "vgpus": 14}}))
    state.put("pools", resource("Pool", "edge", {"placement": "spread", "remote": False}, {
        "nodes": 2, "readyNodes": 2, "devices": 4, "capacity": {"compute": "400%", "memory": "96GiB"},
        "allocated": {"compute": "100%", "memory": "24GiB", "vgpus": 2}}))
    for index in range(6):
        add_node(state, f"gpu-{index}", index)


def add_node(state, name, index):
    is_lost = index == 3
    model, memory, count = ("H200", 141, 4) if index < 4 else ("L4", 24, 2)
    state.put("nodes", resource("Node", name, {"unschedulable": True} if index == 5 else {}, {
        "phase": "NotReady" if is_lost else "Ready", "pool": "main" if index < 4 else "edge",
        "address": f"10.0.0.{index}", "version": "0.1.0", "milliProcessors": 96000, "memory": "1TiB", "epoch": 3,
        "heartbeatAt": moment(400 if is_lost else 2), "conditions": [{
            "type": "Ready", "status": "False" if is_lost else "True", "reason": "Heartbeat",
            "message": "The agent is heard of.", "since": moment(3600)}]}))
    for number in range(count):
        share = (index * 37 + number * 29) % 101
        promised = memory * share // 100
        is_ill = index == 1 and number == 2
        state.put("devices", resource("Device", f"{name}.{number}", {"node": name, "id": str(number)}, {
            "vendor": "nvidia", "model": model, "memory": f"{memory}GiB", "milliTeraflops": 989000,
            "healthy": not is_ill, **({"message": "Xid 79: the device fell off the bus"} if is_ill else {}),
            "allocatedCompute": f"{share}%", "allocatedMemory": f"{promised}GiB", "vgpus": 1 if share else 0,
            "utilization": f"{share * 2 // 3}%", "usedMemory": f"{promised // 2}GiB"}))


def add_work(state):
    def workload(name, project, spec, **status):
        state.put("workloads", resource("Workload", name, spec, {"placed": 0, "ready": 0, **status}, project))

    part = {"compute": {"request": "50%", "limit": "100%"}, "memory": "32GiB"}
    workload("train", "vision", {"replicas": 2, "resources": {"devices": 1, **part}, "qos": "high"},
             phase="Running", placed=2, ready=2)
    workload("serve", "research", {"resources": {"compute": "25%", "memory": "8GiB"}, "evictionProtection": "1h"},
             phase="Running", placed=1, ready=1)
    wish = {"replicas": 4, "resources": {"devices": 8, "memory": "141GiB"}, "gang": {}}
    workload("giant", "research", wish, phase="Pending", queuePosition=1, waitingSince=moment(900),
             waiting="No node has 8 free devices: 12 devices are in use, 4 are on nodes that are not ready.")
    workload("next", "vision", {"resources": {"compute": "100%"}, "selector": {"models": ["B200"]}}, phase="Pending",
             queuePosition=2, waitingSince=moment(60), waiting="No device is a B200.")
    workload("done", "default", {"program": {"command": ["python", "train.py"]}}, phase="Succeeded")
    workload(HOSTILE, "hostile", {"program": {"command": [HOSTILE]}}, phase="Pending", waiting=HOSTILE)
    state.why["giant"] = {
        "workload": {"kind": "Workload", "project": "research", "name": "giant"}, "phase": "Pending",
        "queuePosition": 1, "verdict": "No node has 8 free devices.",
        "reasons": [{"reason": "compute", "message": "Too little compute is free.", "devices": 12},
                    {"reason": "notReady", "message": "The node is not ready.", "devices": 4}],
        "nearest": {"node": "gpu-2", "device": "0", "missing": {"compute": "37%", "memory": "52GiB"}},
        "remedies": ["Ask for 4 devices instead of 8.", "Bring node gpu-3 back."]}
    state.plan = {"currency": "USD", "pricePerHour": 2.5, "placements": [
        {"workload": {"kind": "Workload", "project": "vision", "name": "fresh"}, "replica": 0, "pool": "main",
         "node": "gpu-0", "devices": ["1"]},
        {"workload": {"kind": "Workload", "project": "vision", "name": "fresh"}, "replica": 1,
         "message": "Too little memory is free."}]}
    for name, owner, project, node, device in [
        ("train-0", "train", "vision", "gpu-0", "1"), ("train-1", "train", "vision", "gpu-2", "0"),
        ("serve-0", "serve", "research", "gpu-0", "1")]:
        state.put("vgpus", resource("VirtualGPU", name, {
            "workload": owner, "workloadUID": f"uid-{owner}", "replica": 0, "pool": "main", "node": node,
            "devices": [device], "isolation": "shared", "qos": "high", "priority": 10000,
            **(part if owner == "train" else {"compute": "25%", "memory": "8GiB"})}, {
            "phase": "Running", "startedAt": moment(7200), "utilization": "40%", "usedMemory": "12GiB"}, project))


def add_history(state):
    state.series = [{
        "labels": {"node": "gpu-0", "device": "1"},
        "points": [{"at": moment(60 * age), "average": share, "maximum": share, "count": 6}
                   for age, share in [(3, 0.25), (2, 0.75), (1, 0.5)]]}]
    for name, level, about, message in [
        ("e1", "Warning", {"kind": "Node", "name": "gpu-3"}, "No heartbeat of gpu-3 came for 40 s."),
        ("e2", "Normal", {"kind": "Workload", "project": "vision", "name": "train"}, "2 replicas were placed."),
        ("e3", "Warning", {"kind": "AlertRule", "name": "device-ill"}, "Device gpu-1.2 does not work."),
        ("e4", "Normal", {"kind": "Workload", "project": "hostile", "name": HOSTILE}, HOSTILE)]:
        state.put("events", resource("Event", name, {
            "about": about, "level": level, "reason": "Noted", "message": message, "count": 3,
            "firstAt": moment(3000), "lastAt": moment(100)}, project=about.get("project", "default")))
    for number in range(1, 251):
        state.audit.append({
            "sequence": number, "at": moment(5000 - number), "subject": HOSTILE if number == 250 else "ada",
            "operation": "createWorkload", "object": "/api/v1/projects/vision/workloads", "decision": "done",
            "status": 201, "request": f"r{number}", "previous": "00" * 32, "hash": "ab" * 32})
