import FleetModel
import Foundation

@testable import Monitoring

/// A small fleet that has something of everything.
enum FixtureFleet {
    static let moment = Timestamp(milliseconds: 1_796_126_400_000)

    static var snapshot: FleetSnapshot {
        var snapshot = FleetSnapshot(at: moment, version: "1.0.0")
        snapshot.pools = [pool]
        snapshot.nodes = [node("gpu-1", .ready), node("gpu-2", .notReady)]
        snapshot.devices = [
            device("gpu-1", "gpu0", allocated: 100, vgpus: 2), device("gpu-1", "gpu1", allocated: 92, vgpus: 1),
            device("gpu-2", "gpu0", allocated: 0, vgpus: 0),
        ]
        snapshot.vgpus = [
            vgpu("train-0", devices: ["gpu0"], compute: 60, gibibytes: 20),
            vgpu("train-1", devices: ["gpu0", "gpu1"], compute: 40, gibibytes: 40),
        ]
        snapshot.workloads = workloads
        snapshot.projects = [project("default", nil), project("research", "default")]
        snapshot.quotas = [quota]
        return snapshot
    }

    static var telemetry: FleetTelemetry {
        var first = DeviceTelemetry()
        first.utilization = 0.83
        first.usedBytes = 79 * 1_073_741_824
        first.temperatureCelsius = 93
        first.powerWatts = 512.5
        var second = DeviceTelemetry()
        second.utilization = 0
        second.usedBytes = 0
        var ofVGPU = VirtualGPUTelemetry()
        ofVGPU.utilization = 0.41
        ofVGPU.usedBytes = 12 * 1_073_741_824
        ofVGPU.throttledSeconds = 12.5
        ofVGPU.resumeCount = 3
        var telemetry = FleetTelemetry()
        telemetry.set(first, device: "gpu0", of: "gpu-1")
        telemetry.set(second, device: "gpu1", of: "gpu-1")
        let reference = ResourceReference(kind: .virtualGPU, project: "research", name: "train-0")
        telemetry.set(ofVGPU, vgpu: reference, of: "gpu-1")
        return telemetry
    }

    static var counters: FleetCounters {
        var counters = FleetCounters()
        for _ in 0..<17 { counters.countRequest(operation: "listWorkloads", status: 200, seconds: 0.003) }
        counters.countRequest(operation: "createWorkload", status: 422, seconds: 1.5)
        counters.countDecisions(.placed, 3)
        counters.countDecisions(.unschedulable)
        counters.observeDecision(seconds: 0.0007)
        counters.countEviction(reason: "Preempted")
        counters.countNotification(arrived: true)
        counters.setSpans(exported: 512, dropped: 3, failed: 0)
        return counters
    }

    static var samples: FleetSamples {
        FleetSamples(snapshot: snapshot, telemetry: telemetry, counters: counters)
    }

    private static var pool: Resource<PoolSpec> {
        var pool = Resource(Metadata(name: "main"), PoolSpec())
        pool.status.nodes = 2
        pool.status.readyNodes = 1
        pool.status.devices = 2
        pool.status.capacity.compute = Percent(200)
        pool.status.capacity.memory = MemoryQuantity(mebibytes: 2 * 81920)
        pool.status.capacity.speed = .milliTeraflops(1_979_500)
        pool.status.allocated.compute = Percent(192)
        pool.status.allocated.memory = MemoryQuantity(mebibytes: 100 * 1024)
        return pool
    }

    private static func node(_ name: String, _ phase: NodeStatus.Phase) -> Resource<NodeSpec> {
        var node = Resource(Metadata(name: name), NodeSpec())
        node.status.phase = phase
        node.status.pool = "main"
        node.status.version = "1.0.0"
        node.status.heartbeatAt = Timestamp(milliseconds: moment.milliseconds - 1500)
        return node
    }

    private static func device(
        _ node: String, _ id: String, allocated: Int64, vgpus: Int64
    ) -> Resource<DeviceSpec> {
        var device = Resource(Metadata(name: "\(node).\(id)"), DeviceSpec(node: node, id: id))
        device.status.vendor = "nvidia"
        device.status.model = #"NVIDIA "H100" 80GB\HBM3"#
        device.status.uuid = "GPU-0000000\(node.suffix(1))-\(id.suffix(1))"
        device.status.memory = MemoryQuantity(mebibytes: 81920)
        device.status.milliTeraflops = 989_750
        device.status.allocatedCompute = Percent(allocated)
        device.status.allocatedMemory = MemoryQuantity(mebibytes: allocated * 600)
        device.status.vgpus = vgpus
        return device
    }

    private static func vgpu(
        _ name: String, devices: [String], compute: Int64, gibibytes: Int64
    ) -> Resource<VirtualGPUSpec> {
        let workload = ResourceReference(kind: .workload, project: "research", name: "train")
        var vgpu = Resource(
            Metadata(name: name, project: "research"),
            VirtualGPUSpec(workload: workload, uid: "u1", replica: 0, pool: "main", node: "gpu-1", devices: devices))
        vgpu.spec.compute = Bounds(request: Percent(compute), limit: Percent(100))
        vgpu.spec.memory = Bounds(MemoryQuantity(mebibytes: gibibytes * 1024))
        vgpu.status.phase = .running
        return vgpu
    }

    private static var workloads: [Resource<WorkloadSpec>] {
        var running = Resource(Metadata(name: "train", project: "research"), WorkloadSpec())
        running.spec.replicas = 2
        running.status.phase = .running
        running.status.placed = 2
        running.status.ready = 2
        var waiting = Resource(Metadata(name: "late", project: "research"), WorkloadSpec())
        waiting.status.waitingSince = Timestamp(milliseconds: moment.milliseconds - 3_600_000)
        return [running, waiting]
    }

    private static func project(_ name: String, _ parent: String?) -> Resource<ProjectSpec> {
        var project = Resource(Metadata(name: name), ProjectSpec(parent: parent))
        project.status.allocated.compute = Percent(192)
        project.status.allocated.memory = MemoryQuantity(mebibytes: 100 * 1024)
        project.status.fairShareMilliDevices = 1500
        project.status.pending = name == "research" ? 1 : 0
        return project
    }

    private static var quota: Resource<QuotaSpec> {
        var quota = Resource(Metadata(name: "research"), QuotaSpec(project: "research"))
        var allowed = ResourceAmounts()
        allowed.compute = Percent(200)
        allowed.memory = MemoryQuantity(mebibytes: 200 * 1024)
        quota.spec.requests = allowed
        quota.status.requests.compute = Percent(192)
        quota.status.requests.memory = MemoryQuantity(mebibytes: 100 * 1024)
        return quota
    }
}

/// A file of the repository that the code can write.
enum CheckedFile {
    static let root: URL = {
        var folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        while !FileManager.default.fileExists(atPath: folder.appendingPathComponent("Package.swift").path) {
            folder.deleteLastPathComponent()
        }
        return folder
    }()

    /// The file's text; written anew first where the environment asks for it.
    static func text(_ path: String, rewrittenAs text: String) throws -> String {
        let url = root.appendingPathComponent(path)
        if ProcessInfo.processInfo.environment["ROOST_REWRITE_FIXTURES"] == "1" {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        return try String(contentsOf: url, encoding: .utf8)
    }
}
