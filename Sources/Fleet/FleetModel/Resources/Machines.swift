/// Nodes that are shared out together.
public struct PoolSpec: ResourceSpec {
    public static let kind = ResourceKind.pool
    public static let summary = "Nodes whose devices are shared out together, and how."

    /// How much more than there is may be promised.
    public struct Oversell: Sendable, Hashable, Codable {
        /// Of compute.
        public var compute: Percent?
        /// Of memory.
        public var memory: Percent?

        /// Nothing more.
        public init(compute: Percent? = nil, memory: Percent? = nil) {
            self.compute = compute
            self.memory = memory
        }
    }

    /// Where vGPUs go among places that fit.
    public enum Packing: String, Sendable, Hashable, Codable, CaseIterable {
        /// Where the least is broken up, so that large requests find room.
        case compact
        /// Where the least is in use.
        case spread
    }

    /// Which nodes belong to it.
    public var nodeSelector: [String: String]?
    /// Whether workloads that name no pool come here.
    public var isDefault: Bool?
    /// How much more than there is may be promised.
    public var oversell: Oversell?
    /// Where vGPUs go.
    public var placement: Packing?
    /// Whether programs may have their GPU on another node.
    public var remote: Bool?
    /// What workloads get that name no level.
    public var defaultQoS: QualityOfService?
    /// What it costs.
    public var priceList: String?

    /// Describes a pool of all nodes.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case nodeSelector, isDefault = "default", oversell, placement, remote, defaultQoS, priceList
    }

    public static let fields: [FieldSchema] = [
        FieldSchema("nodeSelector", .labels, "Labels of its nodes; without any, every node that names no pool."),
        FieldSchema("default", .boolean, "Whether workloads that name no pool come here.", fallback: "false"),
        FieldSchema(
            "oversell",
            .object([
                FieldSchema("compute", .percent(max: 100_000), "Of compute.", fallback: "100%"),
                FieldSchema("memory", .percent(max: 1000), "Of memory.", fallback: "100%"),
            ]), "How much may be promised of what there is; 100% is all."),
        FieldSchema(
            "placement", .word(Packing.allCases.map(\.rawValue)), "Where vGPUs go among places that fit.",
            fallback: "compact"),
        FieldSchema("remote", .boolean, "Whether a program's GPU may be on another node.", fallback: "true"),
        FieldSchema(
            "defaultQoS", .word(QualityOfService.allCases.map(\.rawValue)), "The level of workloads that name none.",
            fallback: "medium"),
        FieldSchema("priceList", .name, "The price list that counts."),
    ]

    public var problems: [FieldProblem] {
        [("compute", oversell?.compute), ("memory", oversell?.memory)].compactMap { name, ratio in
            guard let ratio, ratio.value < 100 else { return nil }
            return FieldProblem("spec.oversell.\(name)", "is at least 100%, not \(ratio); use a quota to hold back")
        }
    }

    public static let initialStatus = PoolStatus()
}

/// What a pool has.
public struct PoolStatus: Sendable, Hashable, Codable {
    /// Nodes, and those of them that are ready.
    public var nodes: Int64 = 0
    public var readyNodes: Int64 = 0
    /// Devices that are healthy and on ready nodes.
    public var devices: Int64 = 0
    /// All there is.
    public var capacity = ResourceAmounts()
    /// What is promised.
    public var allocated = ResourceAmounts()

    /// Nothing.
    public init() {}
}

/// A machine.
public struct NodeSpec: ResourceSpec {
    public static let kind = ResourceKind.node
    public static let summary = "A machine with devices, and an agent that joined the control plane."

    /// The pool; chosen by labels where nil.
    public var pool: String?
    /// Whether nothing new is placed here.
    public var unschedulable: Bool?
    /// Whether what is here goes elsewhere.
    public var drain: Bool?

    /// Describes a node that takes part.
    public init() {}

    public static let fields: [FieldSchema] = [
        FieldSchema("pool", .name, "The pool; without it, the first pool whose nodeSelector fits."),
        FieldSchema("unschedulable", .boolean, "Whether nothing new is placed here (cordon).", fallback: "false"),
        FieldSchema("drain", .boolean, "Whether what is here goes elsewhere.", fallback: "false"),
    ]

    public static let initialStatus = NodeStatus()
}

/// What a node tells.
public struct NodeStatus: Sendable, Hashable, Codable {
    /// Where a node is in its life.
    public enum Phase: String, Sendable, Hashable, Codable, CaseIterable {
        /// Joined, not heard of yet.
        case joining = "Joining"
        case ready = "Ready"
        /// No heartbeat came in time.
        case notReady = "NotReady"
        /// Gone long enough that its work went elsewhere.
        case lost = "Lost"
    }

    /// Where it is in its life.
    public var phase = Phase.joining
    /// The pool that it belongs to.
    public var pool: String?
    /// The host name or address at which its workers are reached.
    public var address: String?
    /// The agent's version.
    public var version: String?
    /// The processors, in thousandths.
    public var milliProcessors: Int64?
    /// The machine's memory.
    public var memory: MemoryQuantity?
    /// Counts the agent's starts: what an earlier one says is out of date.
    public var epoch: Int64?
    /// When it was last heard of.
    public var heartbeatAt: Timestamp?
    /// Conditions.
    public var conditions: [Condition]?

    /// The type of the condition that says whether the agent's release goes with the control plane's.
    public static let supportCondition = "VersionSupported"

    /// Not heard of.
    public init() {}
}

/// A GPU, or a software GPU, of a node. Named `node.device`.
public struct DeviceSpec: ResourceSpec {
    public static let kind = ResourceKind.device
    public static let summary = "A GPU of a node, as its agent tells."

    /// The node.
    public var node: String
    /// The name on the node.
    public var id: String

    /// Names a device.
    public init(node: String, id: String) {
        self.node = node
        self.id = id
    }

    public static let fields: [FieldSchema] = [
        .required("node", .name, "The node."),
        .required("id", .text(max: 63), "The name on the node."),
    ]

    public static let initialStatus = DeviceStatus()
}

/// What a device is and does.
public struct DeviceStatus: Sendable, Hashable, Codable {
    /// The maker.
    public var vendor = ""
    /// The model.
    public var model = ""
    /// The device's own UUID.
    public var uuid: String?
    /// All memory that vGPUs can take.
    public var memory = MemoryQuantity(mebibytes: 0)
    /// The speed in half precision, in thousandths of TFLOPS; 0 where it is not known.
    public var milliTeraflops: Int64 = 0
    /// Whether it works.
    public var healthy = true
    /// Why it does not.
    public var message: String?
    /// What is promised of it.
    public var allocatedCompute = Percent(0)
    public var allocatedMemory = MemoryQuantity(mebibytes: 0)
    /// How many vGPUs are parts of it.
    public var vgpus: Int64 = 0
    /// The part of time in which it computed, over the last seconds.
    public var utilization: Percent?
    /// Memory in use by programs.
    public var usedMemory: MemoryQuantity?

    /// Not known yet.
    public init() {}
}
