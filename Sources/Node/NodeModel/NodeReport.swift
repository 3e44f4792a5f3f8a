/// The state of a node, as `roost ps`, `top` and `devices` show it and write it as JSON.
public struct NodeReport: Sendable, Hashable, Codable {
    /// The daemon that reports.
    public var daemon: DaemonDescription
    /// When the report was made, in seconds since 1970.
    public var time: Int64
    /// The devices of the node.
    public var devices: [DeviceReport]
    /// The vGPUs of the node, oldest first.
    public var vgpus: [VirtualGPUReport]

    /// Puts a report together.
    public init(daemon: DaemonDescription, time: Int64, devices: [DeviceReport], vgpus: [VirtualGPUReport]) {
        self.daemon = daemon
        self.time = time
        self.devices = devices
        self.vgpus = vgpus
    }

    /// Makes a report of a node's state and of what its workers measured.
    public init(
        state: NodeState, measurements: [VirtualGPUID: VirtualGPUMeasurement], daemon: DaemonDescription, time: Int64
    ) {
        let ordered = state.vgpus.values.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
        let vgpus = ordered.map { vgpu in
            VirtualGPUReport(
                vgpu, lease: state.leases[vgpu.lease], measurement: measurements[vgpu.id], time: time)
        }
        let devices = state.capacities.map { capacity in
            DeviceReport(capacity, vgpus: vgpus.filter { $0.device == capacity.device.id })
        }
        self.init(daemon: daemon, time: time, devices: devices, vgpus: vgpus)
    }
}

/// Who answers at a state directory.
public struct DaemonDescription: Sendable, Hashable, Codable {
    /// The version of Roost.
    public var version: String
    /// The version of the control messages.
    public var controlVersion: Int
    /// The daemon's process.
    public var processID: Int32
    /// Its state directory.
    public var stateDirectory: String
    /// When it started, in seconds since 1970.
    public var startedAt: Int64

    /// Describes a daemon.
    public init(version: String, processID: Int32, stateDirectory: String, startedAt: Int64) {
        self.version = version
        self.controlVersion = ControlRequest.version
        self.processID = processID
        self.stateDirectory = stateDirectory
        self.startedAt = startedAt
    }
}

/// A device and how much of it is taken.
public struct DeviceReport: Sendable, Hashable, Codable {
    /// The name on this node.
    public var id: DeviceID
    /// The name for people.
    public var name: String
    /// How it runs kernels.
    public var kind: DeviceKind
    /// All memory that vGPUs can take.
    public var memory: MemorySize
    /// Memory that vGPUs hold.
    public var allocatedMemory: MemorySize
    /// Memory that programs on those vGPUs use.
    public var usedMemory: MemorySize
    /// Compute that vGPUs hold, in percent.
    public var allocatedPercent: Int
    /// How many vGPUs it carries.
    public var vgpuCount: Int

    private enum CodingKeys: String, CodingKey {
        case id, name, kind, vgpuCount
        case memory = "memoryBytes"
        case allocatedMemory = "allocatedMemoryBytes"
        case usedMemory = "usedMemoryBytes"
        case allocatedPercent = "allocatedComputePercent"
    }

    init(_ capacity: DeviceCapacity, vgpus: [VirtualGPUReport]) {
        id = capacity.device.id
        name = capacity.device.name
        kind = capacity.device.kind
        memory = capacity.device.memory
        allocatedMemory = .mebibytes(capacity.allocatedMebibytes)
        usedMemory = MemorySize(byteCount: vgpus.reduce(0) { $0 &+ ($1.measurement?.usedMemory.byteCount ?? 0) })
        allocatedPercent = capacity.allocatedPercent
        vgpuCount = vgpus.count
    }
}

/// A vGPU, who holds it and what it does.
public struct VirtualGPUReport: Sendable, Hashable, Codable {
    /// The name on this node.
    public var id: VirtualGPUID
    /// What CUDA and NVML show as its UUID.
    public var uuid: String
    /// The name for people.
    public var name: String
    /// The device that it is a part of.
    public var device: DeviceID
    /// Where it is in its life.
    public var state: VirtualGPUPhase
    /// Its memory.
    public var memory: MemorySize
    /// Its share of the device's compute, in percent.
    public var compute: ComputeShare
    /// The program that it was made for.
    public var program: String?
    /// The `roost run` that holds it.
    public var clientProcessID: Int32?
    /// Its worker.
    public var workerProcessID: Int32?
    /// Since when it exists, in seconds.
    public var ageSeconds: Int64
    /// Where clients connect.
    public var endpoints: [String]
    /// What its worker measured; nil where the worker did not answer in time.
    public var measurement: VirtualGPUMeasurement?

    private enum CodingKeys: String, CodingKey {
        case id, uuid, name, device, state, program, clientProcessID, workerProcessID, ageSeconds, endpoints,
            measurement
        case memory = "memoryBytes"
        case compute = "computePercent"
    }

    init(_ vgpu: VirtualGPU, lease: Lease?, measurement: VirtualGPUMeasurement?, time: Int64) {
        id = vgpu.id
        uuid = vgpu.uuid
        name = vgpu.name
        device = vgpu.device
        state = vgpu.phase
        memory = vgpu.memory
        compute = vgpu.compute
        program = lease?.request.program
        clientProcessID = lease?.clientProcessID
        workerProcessID = vgpu.workerProcessID
        ageSeconds = max(0, time - vgpu.createdAt)
        endpoints = vgpu.endpoints
        self.measurement = measurement
    }
}

/// What a worker says about its vGPU now.
public struct VirtualGPUMeasurement: Sendable, Hashable, Codable {
    /// A client process of the vGPU.
    public struct Process: Sendable, Hashable, Codable {
        /// Its id.
        public var processID: Int32
        /// Its name.
        public var name: String
        /// Its part of the vGPU's memory.
        public var usedMemory: MemorySize

        private enum CodingKeys: String, CodingKey {
            case processID, name
            case usedMemory = "usedMemoryBytes"
        }

        /// Describes a client process.
        public init(processID: Int32, name: String, usedMemory: MemorySize) {
            self.processID = processID
            self.name = name
            self.usedMemory = usedMemory
        }
    }

    /// Memory in use.
    public var usedMemory: MemorySize
    /// Part of the last second in which work ran, in percent.
    public var utilizationPercent: Int
    /// Commands since the worker started.
    public var commandCount: UInt64
    /// Kernel launches since the worker started.
    public var launchCount: UInt64
    /// The client processes.
    public var processes: [Process]

    private enum CodingKeys: String, CodingKey {
        case utilizationPercent, commandCount, launchCount, processes
        case usedMemory = "usedMemoryBytes"
    }

    /// Puts a measurement together.
    public init(
        usedMemory: MemorySize, utilizationPercent: Int, commandCount: UInt64, launchCount: UInt64,
        processes: [Process]
    ) {
        self.usedMemory = usedMemory
        self.utilizationPercent = utilizationPercent
        self.commandCount = commandCount
        self.launchCount = launchCount
        self.processes = processes
    }
}
