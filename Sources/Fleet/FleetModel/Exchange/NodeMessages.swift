/// How a machine asks to become a node, with a join token as its bearer token.
public struct JoinRequest: Sendable, Hashable, Codable {
    /// The node's name.
    public var name: String
    /// The node's labels; the control plane's own changes rank before them.
    public var labels: [String: String]?
    /// The pool to join; chosen by labels where nil.
    public var pool: String?
    /// The agent's version.
    public var version: String

    /// Describes a machine.
    public init(name: String, labels: [String: String]? = nil, pool: String? = nil, version: String) {
        self.name = name
        self.labels = labels
        self.pool = pool
        self.version = version
    }
}

/// What a node gets when it has joined.
public struct JoinAnswer: Sendable, Hashable, Codable {
    /// The node's name.
    public var name: String
    /// The node's own bearer token, shown this once.
    public var token: String

    /// Describes an answer.
    public init(name: String, token: String) {
        self.name = name
        self.token = token
    }
}

/// What a node's agent tells at each heartbeat.
public struct HeartbeatRequest: Sendable, Hashable, Codable {
    /// A device and what it does.
    public struct Device: Sendable, Hashable, Codable {
        public var id: String
        public var vendor: String
        public var model: String
        public var uuid: String?
        public var memory: MemoryQuantity
        public var milliTeraflops: Int64
        public var healthy: Bool
        public var message: String?
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
    }

    /// A vGPU that the agent knows.
    public struct VGPU: Sendable, Hashable, Codable {
        public var project: String
        public var name: String
        /// The vGPU's uid: an agent may still have one of an earlier object of the same name.
        public var uid: String
        public var phase: VirtualGPUStatus.Phase
        public var endpoints: [String]?
        public var uuids: [String]?
        /// The secret that opens the workers; kept apart from the resource.
        public var secret: String?
        public var exitStatus: Int64?
        public var message: String?
        public var utilization: Percent?
        public var usedMemory: MemoryQuantity?

        /// Describes a vGPU.
        public init(project: String, name: String, uid: String, phase: VirtualGPUStatus.Phase) {
            self.project = project
            self.name = name
            self.uid = uid
            self.phase = phase
        }
    }

    /// Counts the agent's starts.
    public var epoch: Int64
    /// The host name or address at which its workers are reached.
    public var address: String
    public var version: String
    public var milliProcessors: Int64
    public var memory: MemoryQuantity
    public var devices: [Device]
    /// All vGPUs that the agent has, those included that ended since the last answered heartbeat.
    public var vgpus: [VGPU]
    /// The answer may wait until the node's vGPUs are of a later revision than this, at most for `wait`.
    public var seen: Int64?
    public var wait: TimeSpan?

    /// Describes an agent without devices.
    public init(epoch: Int64, address: String, version: String, milliProcessors: Int64, memory: MemoryQuantity) {
        self.epoch = epoch
        self.address = address
        self.version = version
        self.milliProcessors = milliProcessors
        self.memory = memory
        devices = []
        vgpus = []
    }
}

/// What the agent is to have.
public struct HeartbeatAnswer: Sendable, Hashable, Codable {
    /// All vGPUs that are placed on the node, those to be stopped included; what is not named is to be ended.
    public var vgpus: [Resource<VirtualGPUSpec>]
    /// The programs to run beside them, by the vGPU's name with its project before it: `team/train-0-x7k2m`.
    public var programs: [String: WorkloadSpec.Program]
    /// The revision that this shows.
    public var revision: Int64
    /// How long after this answer the node counts as ready without another heartbeat.
    public var leaseSpan: TimeSpan

    /// Describes an answer.
    public init(
        vgpus: [Resource<VirtualGPUSpec>], programs: [String: WorkloadSpec.Program], revision: Int64,
        leaseSpan: TimeSpan
    ) {
        self.vgpus = vgpus
        self.programs = programs
        self.revision = revision
        self.leaseSpan = leaseSpan
    }
}

/// How to reach a vGPU. Never a part of lists.
public struct ConnectionAnswer: Sendable, Hashable, Codable {
    /// Where its workers serve, one for each device.
    public var endpoints: [String]
    /// The UUIDs that programs see.
    public var uuids: [String]
    /// The secret that opens the workers.
    public var token: String
    /// Whether its devices are software GPUs, so that programs must hand over PTX.
    public var isSoftware: Bool

    /// Describes a way.
    public init(endpoints: [String], uuids: [String], token: String, isSoftware: Bool) {
        self.endpoints = endpoints
        self.uuids = uuids
        self.token = token
        self.isSoftware = isSoftware
    }
}
