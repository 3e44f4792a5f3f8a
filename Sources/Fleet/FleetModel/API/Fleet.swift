/// Why a workload is placed as it is, or waits.
public struct Explanation: Sendable, Hashable, Codable {
    /// Devices that are out of the question for one reason.
    public struct Reason: Sendable, Hashable, Codable {
        /// The reason in one word for programs.
        public var reason: String
        /// The reason in a sentence.
        public var message: String
        /// How many devices it rules out.
        public var devices: Int64

        /// Counts devices.
        public init(reason: String, message: String, devices: Int64) {
            self.reason = reason
            self.message = message
            self.devices = devices
        }

        static let fields: [FieldSchema] = [
            .required("reason", .text(max: 63), "The reason in one word."),
            .required("message", .text(max: 1000), "The reason in a sentence."),
            .required("devices", .integer(0...Int64.max), "How many devices it rules out."),
        ]
    }

    /// The device that is nearest to a fit.
    public struct NearestFit: Sendable, Hashable, Codable {
        /// The node and the device's name on it.
        public var node: String
        public var device: String
        /// By how much it misses.
        public var missing: ResourceAmounts

        /// Names a device.
        public init(node: String, device: String, missing: ResourceAmounts) {
            self.node = node
            self.device = device
            self.missing = missing
        }

        static let fields: [FieldSchema] = [
            .required("node", .name, "The node."),
            .required("device", .text(max: 63), "The device's name on the node."),
            .required("missing", .object(ResourceAmounts.fields), "By how much it misses."),
        ]
    }

    /// The workload.
    public var workload: ResourceReference
    /// The verdict in a sentence.
    public var verdict: String
    /// Where the workload is in its life.
    public var phase: WorkloadStatus.Phase
    /// The place among those that wait, from 1.
    public var queuePosition: Int64?
    /// Why devices are out of the question, the commonest reason first.
    public var reasons: [Reason]
    /// The device that is nearest to a fit.
    public var nearest: NearestFit?
    /// What would let it start, each a sentence.
    public var remedies: [String]

    /// Explains a verdict.
    public init(workload: ResourceReference, phase: WorkloadStatus.Phase, verdict: String) {
        self.workload = workload
        self.phase = phase
        self.verdict = verdict
        reasons = []
        remedies = []
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("workload", .object(ResourceReference.fields), "The workload."),
        .required("verdict", .text(max: 1000), "The verdict in a sentence."),
        .required("phase", .word(WorkloadStatus.Phase.allCases.map(\.rawValue)), "Where it is in its life."),
        FieldSchema("queuePosition", .integer(1...Int64.max), "The place among those that wait."),
        .required("reasons", .list(.object(Reason.fields), max: 256), "Why devices are out of the question."),
        FieldSchema("nearest", .object(NearestFit.fields), "The device that is nearest to a fit."),
        .required("remedies", .list(.text(max: 1000), max: 64), "What would let it start."),
    ]
}

/// What would be done for some manifests, and what it would cost.
public struct Plan: Sendable, Hashable, Codable {
    /// Where one replica would go.
    public struct PlannedReplica: Sendable, Hashable, Codable {
        /// The workload and which of its replicas.
        public var workload: ResourceReference
        public var replica: Int64
        /// The pool, the node and the devices' names on it; nil where nothing fits.
        public var pool: String?
        public var node: String?
        public var devices: [String]?
        /// Why nothing fits, or what happens first (others evicted), in a sentence.
        public var message: String?

        /// Places a replica nowhere yet.
        public init(workload: ResourceReference, replica: Int64) {
            self.workload = workload
            self.replica = replica
        }

        static let fields: [FieldSchema] = [
            .required("workload", .object(ResourceReference.fields), "The workload."),
            .required("replica", .integer(0...100_000), "Which replica."),
            FieldSchema("pool", .name, "The pool."),
            FieldSchema("node", .name, "The node; without it, nothing fits."),
            FieldSchema("devices", .list(.text(max: 63), max: 128), "The devices' names on the node."),
            FieldSchema("message", .text(max: 1000), "Why nothing fits, or what happens first."),
        ]
    }

    /// Where each replica would go.
    public var placements: [PlannedReplica]
    /// The price of all that is placed, for an hour; nil where no price list counts.
    public var pricePerHour: Double?
    /// The price's currency.
    public var currency: String?

    /// Plans nothing.
    public init() {
        placements = []
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("placements", .list(.object(PlannedReplica.fields), max: 100_000), "Where each replica would go."),
        FieldSchema("pricePerHour", .number(0...1e18), "The price of all that is placed, for an hour."),
        FieldSchema("currency", .text(max: 3), "The price's currency."),
    ]
}

/// How a program reaches a vGPU. Secret: never in lists, in logs or in the audit log.
public struct VirtualGPUConnection: Sendable, Hashable, Codable {
    /// Where to connect, one for each device.
    public var endpoints: [String]
    /// What the worker wants to hear.
    public var token: String
    /// The UUIDs that programs see.
    public var uuids: [String]
    /// Whether a device is a software GPU, so that programs must hand over PTX.
    public var isSoftware: Bool?

    /// Describes a way in.
    public init(endpoints: [String], token: String, uuids: [String], isSoftware: Bool? = nil) {
        self.endpoints = endpoints
        self.token = token
        self.uuids = uuids
        self.isSoftware = isSoftware
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("endpoints", .list(.text(max: 512), max: 128), "Where to connect, one for each device."),
        .required("token", .text(max: 512), "What the worker wants to hear."),
        .required("uuids", .list(.text(max: 64), max: 128), "The UUIDs that programs see."),
        FieldSchema("isSoftware", .boolean, "Whether a device is a software GPU."),
    ]
}

extension ResourceReference {
    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("kind", .word(ResourceKind.allCases.map(\.rawValue)), "The kind."),
        FieldSchema("project", .name, "The project, for kinds that belong to one."),
        .required("name", .name, "The name."),
    ]
}
