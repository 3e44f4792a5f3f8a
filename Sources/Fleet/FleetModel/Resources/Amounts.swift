/// Sums of what is asked for, as quotas and pools count it.
public struct ResourceAmounts: Sendable, Hashable, Codable {
    /// Shares of devices, added up: `1600%` is sixteen whole devices.
    public var compute: Percent?
    /// Speeds, added up.
    public var speed: ComputeQuantity?
    /// Device memory.
    public var memory: MemoryQuantity?
    /// Parts of devices, counted each.
    public var vgpus: Int64?
    /// Workloads.
    public var workloads: Int64?

    /// Nothing said.
    public init() {}

    static let fields: [FieldSchema] = [
        FieldSchema("compute", .percent(max: 100_000_000), "Shares of devices, added up; 1600% is sixteen devices."),
        FieldSchema("speed", .compute, "Speeds in TFLOPS, added up."),
        FieldSchema("memory", .memory, "Device memory, added up."),
        FieldSchema("vgpus", .integer(0...Int64.max), "How many vGPUs."),
        FieldSchema("workloads", .integer(0...Int64.max), "How many workloads."),
    ]
}

/// What each replica of a workload asks of devices.
public struct DeviceRequest: Sendable, Hashable, Codable {
    /// How many devices; each gives the same part.
    public var devices: Int64?
    /// The part of each device's compute.
    public var compute: Bounds<ComputeQuantity>?
    /// The part of each device's memory.
    public var memory: Bounds<MemoryQuantity>?

    /// Nothing said.
    public init(
        devices: Int64? = nil, compute: Bounds<ComputeQuantity>? = nil, memory: Bounds<MemoryQuantity>? = nil
    ) {
        self.devices = devices
        self.compute = compute
        self.memory = memory
    }

    static let fields: [FieldSchema] = [
        FieldSchema("devices", .integer(1...128), "How many devices; each gives the same part.", fallback: "1"),
        FieldSchema(
            "compute", .bounds(.compute), "The part of each device's compute: guaranteed, and at most.",
            fallback: "100%"),
        FieldSchema(
            "memory", .bounds(.memory), "The part of each device's memory: guaranteed, and at most.",
            fallback: "the whole device's"),
    ]

    /// This request, with another one's values where it says nothing.
    public func completed(by other: DeviceRequest) -> DeviceRequest {
        DeviceRequest(
            devices: devices ?? other.devices, compute: compute ?? other.compute, memory: memory ?? other.memory)
    }

    /// What is wrong with the values together.
    func problems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if let memory, memory.limit < memory.request {
            problems.append(
                FieldProblem("\(path).memory.limit", "\(memory.limit) is below the request, \(memory.request)"))
        }
        guard let compute else { return problems }
        switch (compute.request, compute.limit) {
        case (.percent(let request), .percent(let limit)):
            if limit < request {
                problems.append(FieldProblem("\(path).compute.limit", "\(limit)% is below the request, \(request)%"))
            }
            if request < 1 || limit > 100 {
                problems.append(FieldProblem("\(path).compute", "a share of a device is 1% to 100%"))
            }
        case (.milliTeraflops(let request), .milliTeraflops(let limit)):
            if limit < request {
                problems.append(
                    FieldProblem("\(path).compute.limit", "\(compute.limit) is below the request, \(compute.request)"))
            }
        default:
            problems.append(
                FieldProblem("\(path).compute", "request and limit must both be shares or both be TFLOPS"))
        }
        return problems
    }
}

/// Which devices and nodes may serve.
public struct DeviceSelector: Sendable, Hashable, Codable {
    /// The maker: `nvidia`, `software`.
    public var vendor: String?
    /// Models, one of which it must be; text is compared without regard to case.
    public var models: [String]?
    /// Labels that the device's node has.
    public var nodeLabels: [String: String]?
    /// Nodes by name, one of which it must be.
    public var nodes: [String]?

    /// Any device.
    public init() {}

    static let fields: [FieldSchema] = [
        FieldSchema("vendor", .text(max: 63), "The maker, such as nvidia or software."),
        FieldSchema("models", .list(.text(max: 128), max: 64), "Models, one of which the device must be."),
        FieldSchema("nodeLabels", .labels, "Labels that the device's node must have."),
        FieldSchema("nodes", .list(.name, max: 256), "Nodes by name, one of which it must be."),
    ]
}

/// How a device is kept apart for those that share it.
public enum Isolation: String, Sendable, Hashable, Codable, CaseIterable {
    /// Limits by sharing time and memory; several vGPUs on one device.
    case shared
    /// The whole device, for one vGPU.
    case exclusive
}

/// How urgent a workload's work is against that of others.
public enum QualityOfService: String, Sendable, Hashable, Codable, CaseIterable {
    case low, medium, high, critical

    /// The priority of workloads that name none.
    public var priority: Int64 {
        switch self {
        case .low: -10_000
        case .medium: 0
        case .high: 10_000
        case .critical: 100_000
        }
    }
}
