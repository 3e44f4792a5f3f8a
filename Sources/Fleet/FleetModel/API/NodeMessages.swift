/// What a node's agent tells of itself, when it joins and with each heartbeat.
public struct NodeFacts: Sendable, Hashable, Codable {
    /// The host name or address at which its workers are reached.
    public var address: String
    /// The agent's version.
    public var version: String
    /// The processors, in thousandths.
    public var milliProcessors: Int64?
    /// The machine's memory.
    public var memory: MemoryQuantity?
    /// Labels for the node; what an administrator sets ranks before them.
    public var labels: [String: String]?

    /// Describes a node.
    public init(address: String, version: String) {
        self.address = address
        self.version = version
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("address", .text(max: 253), "The host name or address at which its workers are reached."),
        .required("version", .text(max: 63), "The agent's version."),
        FieldSchema("milliProcessors", .integer(0...100_000_000), "The processors, in thousandths."),
        FieldSchema("memory", .memory, "The machine's memory."),
        FieldSchema("labels", .labels, "Labels for the node."),
    ]
}

/// A device as its node's agent sees it.
public struct DeviceReport: Sendable, Hashable, Codable {
    /// The name on the node.
    public var id: String
    /// The maker, the model, the device's own UUID.
    public var vendor: String
    public var model: String
    public var uuid: String?
    /// All memory that vGPUs can take.
    public var memory: MemoryQuantity
    /// The speed in half precision, in thousandths of TFLOPS; 0 where it is not known.
    public var milliTeraflops: Int64
    /// Whether it works, and why it does not.
    public var healthy: Bool
    public var message: String?
    /// The part of time in which it computed, and the memory in use.
    public var utilization: Percent?
    public var usedMemory: MemoryQuantity?

    /// Describes a device that works.
    public init(id: String, vendor: String, model: String, memory: MemoryQuantity, milliTeraflops: Int64 = 0) {
        self.id = id
        self.vendor = vendor
        self.model = model
        self.memory = memory
        self.milliTeraflops = milliTeraflops
        healthy = true
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("id", .name, "The name on the node."),
        .required("vendor", .text(max: 63), "The maker."),
        .required("model", .text(max: 128), "The model."),
        FieldSchema("uuid", .text(max: 64), "The device's own UUID."),
        .required("memory", .memory, "All memory that vGPUs can take."),
        .required("milliTeraflops", .integer(0...1_000_000_000), "The speed, in thousandths of TFLOPS; 0 if unknown."),
        .required("healthy", .boolean, "Whether it works."),
        FieldSchema("message", .text(max: 1000), "Why it does not."),
        FieldSchema("utilization", .percent(max: 100), "The part of time in which it computed."),
        FieldSchema("usedMemory", .memory, "Memory in use by programs."),
    ]
}

/// A vGPU as its node's agent sees it.
public struct VirtualGPUReport: Sendable, Hashable, Codable {
    /// Which vGPU, and the uid of its object.
    public var project: String
    public var name: String
    public var uid: String
    /// Its state.
    public var status: VirtualGPUStatus
    /// How programs reach it; once it serves.
    public var connection: VirtualGPUConnection?

    /// Describes a vGPU.
    public init(project: String, name: String, uid: String, status: VirtualGPUStatus) {
        self.project = project
        self.name = name
        self.uid = uid
        self.status = status
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("project", .name, "The project."),
        .required("name", .name, "The name."),
        .required("uid", .text(max: 64), "The uid of its object."),
        .required("status", .object(VirtualGPUStatus.fields), "Its state."),
        FieldSchema("connection", .object(VirtualGPUConnection.fields), "How programs reach it."),
    ]
}

extension VirtualGPUStatus {
    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("phase", .word(Phase.allCases.map(\.rawValue)), "Where it is in its life."),
        FieldSchema("endpoints", .list(.text(max: 512), max: 128), "Where clients connect, one for each device."),
        FieldSchema("uuids", .list(.text(max: 64), max: 128), "The UUIDs that programs see."),
        FieldSchema("epoch", .integer(0...Int64.max), "The agent's epoch that made it."),
        FieldSchema("startedAt", .moment, "When it came to serve."),
        FieldSchema("endedAt", .moment, "When the worker or the program ended."),
        FieldSchema("exitStatus", .integer(-1024...1024), "The program's exit status."),
        FieldSchema("message", .text(max: 1000), "What went wrong."),
        FieldSchema("utilization", .percent(max: 100), "The part of time in which its kernels ran."),
        FieldSchema("usedMemory", .memory, "Memory in use by its program."),
    ]
}

/// A node's sign of life: the body of `POST /api/v1/nodes/{name}/heartbeat`.
public struct HeartbeatRequest: Sendable, Hashable, Codable {
    /// Counts the agent's starts: what an earlier one says is out of date.
    public var epoch: Int64
    /// What the node tells of itself.
    public var facts: NodeFacts
    /// All its devices.
    public var devices: [DeviceReport]
    /// All its vGPUs, those included that ended since the last answered heartbeat.
    public var vgpus: [VirtualGPUReport]
    /// The newest revision that an answer showed: what this heartbeat leaves out was not known or is gone.
    public var seen: Int64?
    /// How long the answer may wait for something that is newer than that.
    public var wait: TimeSpan?

    /// Tells of a node.
    public init(epoch: Int64, facts: NodeFacts, devices: [DeviceReport], vgpus: [VirtualGPUReport]) {
        self.epoch = epoch
        self.facts = facts
        self.devices = devices
        self.vgpus = vgpus
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("epoch", .integer(0...Int64.max), "Counts the agent's starts."),
        .required("facts", .object(NodeFacts.fields), "What the node tells of itself."),
        .required("devices", .list(.object(DeviceReport.fields), max: 1024), "All its devices."),
        .required("vgpus", .list(.object(VirtualGPUReport.fields), max: 16_384), "All its vGPUs."),
        FieldSchema("seen", .integer(-1...Int64.max), "The newest revision that an answer showed."),
        FieldSchema("wait", .span, "How long the answer may wait for something newer."),
    ]
}

/// What a node is to do.
public struct HeartbeatAnswer: Sendable, Hashable, Codable {
    /// For how long the heartbeat counts.
    public var lease: TimeSpan
    /// The vGPUs that there should be, those to be stopped included; the others end.
    public var vgpus: [Resource<VirtualGPUSpec>]
    /// The programs to run beside them, by the vGPU's name with its project before it: `team/train-0-x7k2m`.
    public var programs: [String: WorkloadSpec.Program]?
    /// The revision that this shows.
    public var revision: Int64

    /// Tells a node what to do.
    public init(lease: TimeSpan, vgpus: [Resource<VirtualGPUSpec>], revision: Int64) {
        self.lease = lease
        self.vgpus = vgpus
        self.revision = revision
    }
}
