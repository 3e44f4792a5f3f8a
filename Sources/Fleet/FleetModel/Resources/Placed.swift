/// A replica's part of devices: placed by the control plane, made by a node's agent. Named `workload-replica`.
public struct VirtualGPUSpec: ResourceSpec {
    public static let kind = ResourceKind.virtualGPU
    public static let summary = "A part of devices that a replica of a workload has."

    /// The workload, in the same project.
    public var workload: String
    /// The workload's uid: a later one of the same name is another.
    public var workloadUID: String
    /// Which replica.
    public var replica: Int64
    /// Which part of the replica, where its devices are on several nodes; and of how many.
    public var part: Int64?
    public var parts: Int64?
    /// The pool.
    public var pool: String
    /// The node whose agent makes it.
    public var node: String
    /// The devices' names on the node.
    public var devices: [String]
    /// The part of each device's compute.
    public var compute: Bounds<Percent>
    /// The part of each device's memory.
    public var memory: Bounds<MemoryQuantity>
    /// How devices are shared.
    public var isolation: Isolation
    /// How urgent.
    public var qos: QualityOfService
    /// Who goes first.
    public var priority: Int64
    /// The node on which the program runs; nil where somebody connects from anywhere.
    public var programNode: String?
    /// Whether the agent is to end it.
    public var stop: Bool?
    /// Why it is to end: one word.
    public var stopReason: String?

    /// Describes a part of devices.
    public init(
        workload: ResourceReference, uid: String, replica: Int64, pool: String, node: String, devices: [String]
    ) {
        self.workload = workload.name
        self.workloadUID = uid
        self.replica = replica
        self.pool = pool
        self.node = node
        self.devices = devices
        compute = Bounds(Percent(100))
        memory = Bounds(MemoryQuantity(mebibytes: 0))
        isolation = .shared
        qos = .medium
        priority = 0
    }

    public static let fields: [FieldSchema] = [
        .required("workload", .name, "The workload."),
        .required("workloadUID", .text(max: 64), "The workload's uid."),
        .required("replica", .integer(0...100_000), "Which replica."),
        FieldSchema("part", .integer(0...127), "Which part of the replica, where it is on several nodes."),
        FieldSchema("parts", .integer(1...128), "Of how many parts.", fallback: "1"),
        .required("pool", .name, "The pool."),
        .required("node", .name, "The node whose agent makes it."),
        .required("devices", .list(.text(max: 63), max: 128), "The devices' names on the node."),
        .required("compute", .bounds(.percent(max: 100)), "The part of each device's compute."),
        .required("memory", .bounds(.memory), "The part of each device's memory."),
        .required("isolation", .word(Isolation.allCases.map(\.rawValue)), "How devices are shared."),
        .required("qos", .word(QualityOfService.allCases.map(\.rawValue)), "How urgent."),
        .required("priority", .integer(-1_000_000...1_000_000), "Who goes first."),
        FieldSchema("programNode", .name, "The node on which the program runs."),
        FieldSchema("stop", .boolean, "Whether the agent is to end it."),
        FieldSchema("stopReason", .text(max: 63), "Why it is to end."),
    ]

    public static let initialStatus = VirtualGPUStatus()
}

/// What a node's agent tells of a vGPU.
public struct VirtualGPUStatus: Sendable, Hashable, Codable {
    /// Where a vGPU is in its life.
    public enum Phase: String, Sendable, Hashable, Codable, CaseIterable {
        /// The agent has not taken it up.
        case placed = "Placed"
        case starting = "Starting"
        case running = "Running"
        case stopping = "Stopping"
        /// The worker is gone; devices are free.
        case ended = "Ended"
        /// The node is lost.
        case lost = "Lost"
    }

    /// Where it is in its life.
    public var phase = Phase.placed
    /// Where clients connect, one for each device.
    public var endpoints: [String]?
    /// The UUIDs that programs see.
    public var uuids: [String]?
    /// The agent's epoch that made it.
    public var epoch: Int64?
    /// When it came to serve.
    public var startedAt: Timestamp?
    /// When the worker or the program ended.
    public var endedAt: Timestamp?
    /// The program's exit status, where one ran.
    public var exitStatus: Int64?
    /// What went wrong.
    public var message: String?
    /// The part of time in which its kernels ran, over the last seconds.
    public var utilization: Percent?
    /// Memory in use by its program.
    public var usedMemory: MemoryQuantity?

    /// Just placed.
    public init() {}
}

/// Something that happened.
public struct EventSpec: ResourceSpec {
    public static let kind = ResourceKind.event
    public static let summary = "Something that happened to a resource. Kept for a while."

    /// How bad it is.
    public enum Level: String, Sendable, Hashable, Codable, CaseIterable {
        case normal = "Normal"
        case warning = "Warning"
    }

    /// What it is about.
    public var about: ResourceReference
    /// How bad it is.
    public var level: Level
    /// What happened, in one word for programs.
    public var reason: String
    /// What happened, in a sentence for people.
    public var message: String
    /// How often.
    public var count: Int64
    /// When first, and when last.
    public var firstAt: Timestamp
    public var lastAt: Timestamp

    /// Describes something that happened once.
    public init(about: ResourceReference, level: Level, reason: String, message: String, at moment: Timestamp) {
        self.about = about
        self.level = level
        self.reason = reason
        self.message = message
        count = 1
        firstAt = moment
        lastAt = moment
    }

    public static let fields: [FieldSchema] = [
        .required(
            "about",
            .object([
                .required("kind", .word(ResourceKind.allCases.map(\.rawValue)), "The kind."),
                FieldSchema("project", .name, "The project."),
                .required("name", .name, "The name."),
            ]), "What it is about."),
        .required("level", .word(Level.allCases.map(\.rawValue)), "How bad it is."),
        .required("reason", .text(max: 63), "What happened, in one word."),
        .required("message", .text(max: 4096), "What happened, in a sentence."),
        .required("count", .integer(1...Int64.max), "How often."),
        .required("firstAt", .moment, "When first."),
        .required("lastAt", .moment, "When last."),
    ]
}

/// When to raise an alert.
public struct AlertRuleSpec: ResourceSpec {
    public static let kind = ResourceKind.alertRule
    public static let summary = "When to raise an alert, for the built-in evaluator."

    /// How several series become one.
    public enum Reduction: String, Sendable, Hashable, Codable, CaseIterable {
        case each, sum, average, minimum, maximum
    }

    /// How a value is compared.
    public enum Comparison: String, Sendable, Hashable, Codable, CaseIterable {
        case above, below, equal
    }

    /// How bad it is.
    public enum Severity: String, Sendable, Hashable, Codable, CaseIterable {
        case info, warning, critical
    }

    /// The metric's name.
    public var metric: String
    /// Labels that series must have.
    public var labels: [String: String]?
    /// Divided by this metric, matched by equal labels.
    public var dividedBy: String?
    /// The growth over this time, for counters; the value itself where nil.
    public var growthOver: TimeSpan?
    /// How several series become one.
    public var reduction: Reduction?
    /// By which labels series are put together.
    public var by: [String]?
    /// How the value is compared.
    public var comparison: Comparison
    /// With what.
    public var threshold: Double
    /// How long it must be so.
    public var holdFor: TimeSpan?
    /// How bad it is.
    public var severity: Severity
    /// What it says, with `{{label}}` and `{{value}}` filled in.
    public var message: String
    /// Whether it counts.
    public var enabled: Bool?

    /// Describes a rule.
    public init(
        metric: String, _ comparison: Comparison, _ threshold: Double, severity: Severity, message: String
    ) {
        self.metric = metric
        self.comparison = comparison
        self.threshold = threshold
        self.severity = severity
        self.message = message
    }

    public static let fields: [FieldSchema] = [
        .required("metric", .text(max: 200), "The metric's name."),
        FieldSchema("labels", .labels, "Labels that series must have."),
        FieldSchema("dividedBy", .text(max: 200), "A metric to divide by, matched by equal labels."),
        FieldSchema("growthOver", .span, "The growth over this time, for counters."),
        FieldSchema(
            "reduction", .word(Reduction.allCases.map(\.rawValue)), "How several series become one.", fallback: "each"),
        FieldSchema("by", .list(.text(max: 128), max: 16), "By which labels series are put together."),
        .required("comparison", .word(Comparison.allCases.map(\.rawValue)), "How the value is compared."),
        .required("threshold", .number(-1e18...1e18), "With what."),
        FieldSchema("holdFor", .span, "How long it must be so.", fallback: "0s"),
        .required("severity", .word(Severity.allCases.map(\.rawValue)), "How bad it is."),
        .required("message", .text(max: 1000), "What it says; {{label}} and {{value}} are filled in."),
        FieldSchema("enabled", .boolean, "Whether it counts.", fallback: "true"),
    ]
}
