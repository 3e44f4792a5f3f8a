/// What workloads have in common.
public struct ProfileSpec: ResourceSpec {
    public static let kind = ResourceKind.profile
    public static let summary = "Values that workloads take over where they say nothing."

    /// The part of devices.
    public var resources: DeviceRequest?
    /// Which devices.
    public var selector: DeviceSelector?
    /// The pool.
    public var pool: String?
    /// How urgent.
    public var qos: QualityOfService?
    /// How devices are shared.
    public var isolation: Isolation?

    /// Says nothing.
    public init() {}

    public static let fields: [FieldSchema] = [
        FieldSchema("resources", .object(DeviceRequest.fields), "The part of devices for each replica."),
        FieldSchema("selector", .object(DeviceSelector.fields), "Which devices may serve."),
        FieldSchema("pool", .name, "The pool."),
        FieldSchema("qos", .word(QualityOfService.allCases.map(\.rawValue)), "How urgent."),
        FieldSchema("isolation", .word(Isolation.allCases.map(\.rawValue)), "How devices are shared."),
    ]

    public var problems: [FieldProblem] { resources?.problems(at: "spec.resources") ?? [] }
}

/// A wish for vGPUs, held for somebody who connects, or with a program to run.
public struct WorkloadSpec: ResourceSpec {
    public static let kind = ResourceKind.workload
    public static let summary = "A wish for vGPUs: replicas of a request, held open or with a program to run."

    /// All replicas or none.
    public struct Gang: Sendable, Hashable, Codable {
        /// How many replicas there must be at once; all where nil.
        public var minimum: Int64?
        /// How long to wait for them; for ever where nil.
        public var timeout: TimeSpan?

        /// All replicas.
        public init(minimum: Int64? = nil, timeout: TimeSpan? = nil) {
            self.minimum = minimum
            self.timeout = timeout
        }
    }

    /// A program to run beside the vGPUs.
    public struct Program: Sendable, Hashable, Codable {
        /// The program and its arguments.
        public var command: [String]
        /// What its environment has beside the node's.
        public var environment: [String: String]?
        /// The folder to start in.
        public var directory: String?

        /// Describes a program.
        public init(command: [String]) {
            self.command = command
        }
    }

    /// What to do when a program ends.
    public enum Restart: String, Sendable, Hashable, Codable, CaseIterable {
        case never
        case onFailure
        case always
    }

    /// Where the replicas of one workload stand to each other and to others.
    public struct Affinity: Sendable, Hashable, Codable {
        /// Near vGPUs of workloads with these labels.
        public var near: [String: String]?
        /// Away from vGPUs of workloads with these labels.
        public var apart: [String: String]?
        /// Near and apart by what: the same node, or the same value of this label of nodes.
        public var domain: String?

        /// No wish.
        public init() {}
    }

    /// How close together the devices of a replica are.
    public struct Topology: Sendable, Hashable, Codable {
        /// The label of nodes whose value all devices share; `node` for one node.
        public var level: String?
        /// Whether it must be so, or should.
        public var required: Bool?

        /// One node, always.
        public init(level: String? = nil, required: Bool? = nil) {
            self.level = level
            self.required = required
        }
    }

    /// What a program needs beside devices.
    public struct Host: Sendable, Hashable, Codable {
        /// Processors.
        public var processors: Double?
        /// Memory of the machine.
        public var memory: MemoryQuantity?

        /// Nothing.
        public init() {}
    }

    /// Whether the GPU may be on another node than the program.
    public enum Remote: String, Sendable, Hashable, Codable, CaseIterable {
        /// Where nothing local fits.
        case allowed
        case never
    }

    public var replicas: Int64?
    public var profile: String?
    public var pool: String?
    public var resources: DeviceRequest?
    public var selector: DeviceSelector?
    public var isolation: Isolation?
    public var qos: QualityOfService?
    /// Ranks before `qos`.
    public var priority: Int64?
    public var preemptible: Bool?
    /// How long after its start a replica can't be evicted.
    public var evictionProtection: TimeSpan?
    public var gang: Gang?
    public var affinity: Affinity?
    public var topology: Topology?
    public var remote: Remote?
    public var host: Host?
    public var program: Program?
    public var restart: Restart?
    /// Deleted when no client has kept it alive for so long.
    public var holdTimeout: TimeSpan?

    /// One whole device.
    public init() {}

    public var problems: [FieldProblem] {
        var problems = resources?.problems(at: "spec.resources") ?? []
        if let minimum = gang?.minimum, minimum > replicas ?? 1 {
            problems.append(
                FieldProblem("spec.gang.minimum", "\(minimum) is more than the \(replicas ?? 1) replicas"))
        }
        if program?.command.isEmpty == true {
            problems.append(FieldProblem("spec.program.command", "needs the program's name as its first entry"))
        }
        if isolation == .exclusive, let compute = resources?.compute, compute.limit != .percent(100) {
            problems.append(
                FieldProblem("spec.resources.compute", "an exclusive device is used whole; leave compute out"))
        }
        return problems
    }

    public static let initialStatus = WorkloadStatus()
}

/// How a workload fares.
public struct WorkloadStatus: Sendable, Hashable, Codable {
    /// Where a workload is in its life.
    public enum Phase: String, Sendable, Hashable, Codable, CaseIterable {
        case pending = "Pending"
        case running = "Running"
        /// Some replicas run.
        case partial = "Partial"
        case succeeded = "Succeeded"
        case failed = "Failed"
    }

    /// Where it is in its life.
    public var phase = Phase.pending
    /// Replicas that are placed, and those that serve.
    public var placed: Int64 = 0
    public var ready: Int64 = 0
    /// Why replicas wait, in a sentence.
    public var waiting: String?
    /// Since when replicas wait.
    public var waitingSince: Timestamp?
    /// The place among those that wait, from 1.
    public var queuePosition: Int64?
    /// When a client last said that it still wants it.
    public var heldAt: Timestamp?
    /// Conditions.
    public var conditions: [Condition]?

    /// Nobody has looked yet.
    public init() {}
}
