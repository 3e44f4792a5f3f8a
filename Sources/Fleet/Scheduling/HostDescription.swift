/// Where a host stands, from the widest to the narrowest domain.
public struct TopologyPath: Sendable, Hashable, Codable {
    /// The zone, for example a hall or an availability zone.
    public var zone: String
    /// The rack, or another group of hosts with a fast network, inside the zone.
    public var rack: String

    /// Names the domains that a host stands in.
    public init(zone: String = "", rack: String = "") {
        self.zone = zone
        self.rack = rack
    }
}

/// How devices are kept apart. A device that is used in one mode is not given to another.
public enum IsolationMode: UInt8, Sendable, Hashable, Codable, CaseIterable {
    /// Several vGPUs share the device in time; their workers keep the limits.
    case shared = 1
    /// The device is split in hardware.
    case partitioned = 2
    /// One workload has the whole device, whatever part it asked for.
    case exclusive = 3
}

/// A device as the scheduler sees it.
public struct DeviceDescription: Sendable, Hashable, Codable {
    /// The device's name, unique on its host.
    public var id: String
    /// Who made it, for example `NVIDIA`.
    public var vendor: String
    /// Its model, for example `H200`.
    public var model: String
    /// Its memory, in mebibytes.
    public var vramMiB: Int
    /// Its speed, in thousandths of a TFLOPS; zero when unknown, and then requests in TFLOPS find no place on it.
    public var milliTFLOPS: Int
    /// How much compute may be promised, in thousandths of the device: 1000 is one device, 1500 half as much again.
    public var computeCapacityMilli: Int
    /// How much memory may be promised, in thousandths of `vramMiB`.
    public var vramOversellMilli: Int
    /// Labels that requests select by.
    public var labels: [String: String]
    /// The isolation modes that it can be used in.
    public var isolationModes: Set<IsolationMode>
    /// Whether it works.
    public var isHealthy: Bool

    /// Describes a healthy device that is promised once.
    public init(id: String, vendor: String = "NVIDIA", model: String, vramMiB: Int, milliTFLOPS: Int = 0) {
        self.id = id
        self.vendor = vendor
        self.model = model
        self.vramMiB = vramMiB
        self.milliTFLOPS = milliTFLOPS
        computeCapacityMilli = 1000
        vramOversellMilli = 1000
        labels = [:]
        isolationModes = [.shared, .exclusive]
        isHealthy = true
    }

    /// The memory that may be promised, in mebibytes.
    public var vramCapacityMiB: Int { vramMiB * vramOversellMilli / 1000 }
}

/// A host with its devices as the scheduler sees it.
public struct HostDescription: Sendable, Hashable, Codable {
    /// The host's name, unique in the fleet.
    public var name: String
    /// CPU time that workloads may have, in thousandths of a core.
    public var cpuMilli: Int
    /// Memory that workloads may have, in mebibytes.
    public var memoryMiB: Int
    /// Labels that requests select by.
    public var labels: [String: String]
    /// Where it stands.
    public var topology: TopologyPath
    /// Whether it reports and works.
    public var isReady: Bool
    /// Whether nothing new may be placed on it.
    public var isCordoned: Bool
    /// Its devices, in their order on the host.
    public var devices: [DeviceDescription]

    /// Describes a host that is ready.
    public init(
        name: String, cpuMilli: Int, memoryMiB: Int, labels: [String: String] = [:],
        topology: TopologyPath = TopologyPath(), devices: [DeviceDescription] = []
    ) {
        self.name = name
        self.cpuMilli = cpuMilli
        self.memoryMiB = memoryMiB
        self.labels = labels
        self.topology = topology
        self.devices = devices
        isReady = true
        isCordoned = false
    }

    /// All that workloads may have of it.
    public var capacity: ResourceVector {
        devices.reduce(into: ResourceVector(cpuMilli: cpuMilli, memoryMiB: memoryMiB)) { sum, device in
            sum += ResourceVector(
                deviceCount: 1, computeMilli: device.computeCapacityMilli, vramMiB: device.vramCapacityMiB)
        }
    }
}
