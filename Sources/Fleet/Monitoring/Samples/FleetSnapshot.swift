public import FleetModel

/// The resources that metrics are computed from, as of one moment.
public struct FleetSnapshot: Sendable {
    /// When.
    public var moment: Timestamp
    /// The control plane's version.
    public var version: String
    public var pools: [Resource<PoolSpec>] = []
    public var nodes: [Resource<NodeSpec>] = []
    public var devices: [Resource<DeviceSpec>] = []
    public var vgpus: [Resource<VirtualGPUSpec>] = []
    public var workloads: [Resource<WorkloadSpec>] = []
    public var projects: [Resource<ProjectSpec>] = []
    public var quotas: [Resource<QuotaSpec>] = []

    /// An empty fleet.
    public init(at moment: Timestamp, version: String) {
        self.moment = moment
        self.version = version
    }
}

/// What a device does now, fresher than the store's copy of it.
public struct DeviceTelemetry: Sendable, Hashable {
    /// The part of time in which it computed.
    public var utilization: Double?
    /// Memory in use, in bytes.
    public var usedBytes: Double?
    /// The temperature, where the node tells.
    public var temperatureCelsius: Double?
    /// The electrical power, where the node tells.
    public var powerWatts: Double?

    /// Nothing known.
    public init() {}

    /// What a node's report says.
    public init(_ report: DeviceReport) {
        utilization = report.utilization.map(\.ratio)
        usedBytes = report.usedMemory.map(\.byteCount)
    }
}

/// What a vGPU does now, fresher than the store's copy of it.
public struct VirtualGPUTelemetry: Sendable, Hashable {
    /// The part of time in which its kernels ran.
    public var utilization: Double?
    /// Memory in use, in bytes.
    public var usedBytes: Double?
    /// The time for which it was held back so far, where the node tells.
    public var throttledSeconds: Double?
    /// How often its memory was brought back so far, where the node tells.
    public var resumeCount: Double?

    /// Nothing known.
    public init() {}

    /// What a node's report says.
    public init(_ status: VirtualGPUStatus) {
        utilization = status.utilization.map(\.ratio)
        usedBytes = status.usedMemory.map(\.byteCount)
    }
}

/// What nodes told last of their devices and vGPUs.
public struct FleetTelemetry: Sendable {
    /// By node, then by the device's name on it.
    public private(set) var devices: [String: [String: DeviceTelemetry]] = [:]
    /// By node, then by vGPU.
    public private(set) var vgpus: [String: [ResourceReference: VirtualGPUTelemetry]] = [:]

    /// Nothing told yet.
    public init() {}

    /// Takes in a node's heartbeat; what an earlier one told of that node is forgotten.
    public mutating func record(_ heartbeat: HeartbeatRequest, of node: String) {
        devices[node] = Dictionary(heartbeat.devices.map { ($0.id, DeviceTelemetry($0)) }) { _, last in last }
        vgpus[node] = Dictionary(
            heartbeat.vgpus.map { report in
                let reference = ResourceReference(kind: .virtualGPU, project: report.project, name: report.name)
                return (reference, VirtualGPUTelemetry(report.status))
            }
        ) { _, last in last }
    }

    /// Puts in what is known of a device from elsewhere.
    public mutating func set(_ telemetry: DeviceTelemetry, device: String, of node: String) {
        devices[node, default: [:]][device] = telemetry
    }

    /// Puts in what is known of a vGPU from elsewhere.
    public mutating func set(_ telemetry: VirtualGPUTelemetry, vgpu: ResourceReference, of node: String) {
        vgpus[node, default: [:]][vgpu] = telemetry
    }

    /// Forgets a node that is lost.
    public mutating func forget(node: String) {
        devices[node] = nil
        vgpus[node] = nil
    }
}

extension Percent {
    /// 1 for 100%.
    var ratio: Double { Double(value) / 100 }
}

extension MemoryQuantity {
    /// The amount in bytes.
    var byteCount: Double { Double(mebibytes) * 1_048_576 }
}
