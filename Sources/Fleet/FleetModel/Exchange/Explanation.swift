/// Why a workload's replicas wait: the answer to "why is it pending?".
public struct WhyAnswer: Sendable, Hashable, Codable {
    /// One reason for which devices or nodes were passed over.
    public struct Rejection: Sendable, Hashable, Codable {
        /// The reason in one word for programs.
        public var reason: String
        /// The reason in a sentence.
        public var message: String
        /// How many devices, and how many nodes, it ruled out.
        public var devices: Int64
        public var nodes: Int64

        /// Describes a reason.
        public init(reason: String, message: String, devices: Int64, nodes: Int64) {
            self.reason = reason
            self.message = message
            self.devices = devices
            self.nodes = nodes
        }
    }

    /// The place that came nearest, and what it lacks.
    public struct NearestFit: Sendable, Hashable, Codable {
        /// The node, and the device where one device matters.
        public var node: String
        public var device: String?
        /// What it lacks, in a sentence.
        public var message: String

        /// Describes a place.
        public init(node: String, device: String?, message: String) {
            self.node = node
            self.device = device
            self.message = message
        }
    }

    /// The workload's phase.
    public var phase: WorkloadStatus.Phase
    /// Replicas that wait.
    public var waiting: Int64
    /// Since when.
    public var since: Timestamp?
    /// The place among those that wait, from 1.
    public var queuePosition: Int64?
    /// The verdict in a sentence.
    public var summary: String
    /// Why each place was passed over, the most frequent first.
    public var rejections: [Rejection]
    /// The place that came nearest.
    public var nearest: NearestFit?
    /// What would let it run, each in a sentence.
    public var remedies: [String]

    /// Describes a verdict.
    public init(phase: WorkloadStatus.Phase, waiting: Int64, summary: String) {
        self.phase = phase
        self.waiting = waiting
        self.summary = summary
        rejections = []
        remedies = []
    }
}

/// What would be done with manifests: the answer to a plan. Nothing is done.
public struct PlanAnswer: Sendable, Hashable, Codable {
    /// A replica and where it would go.
    public struct Replica: Sendable, Hashable, Codable {
        /// The workload and which replica.
        public var workload: String
        public var replica: Int64
        /// The node and its devices; nil where there is no place.
        public var node: String?
        public var devices: [String]
        /// Whether its program would run on another node.
        public var isRemote: Bool
        /// Why there is no place.
        public var why: String?
        /// Workloads whose vGPUs would be evicted for it.
        public var evicts: [String]

        /// Describes a replica without a place.
        public init(workload: String, replica: Int64) {
            self.workload = workload
            self.replica = replica
            devices = []
            isRemote = false
            evicts = []
        }
    }

    /// The replicas.
    public var replicas: [Replica]
    /// What they would cost by the hour, in `currency`; nil where no price list counts.
    public var costPerHour: Double?
    public var currency: String?

    /// Describes a plan.
    public init(replicas: [Replica]) {
        self.replicas = replicas
    }
}
