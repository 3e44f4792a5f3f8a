/// An amount of one device's compute.
public enum ComputeAmount: Sendable, Hashable, Codable {
    /// Thousandths of a device, whatever its model.
    case milli(Int)
    /// Thousandths of a TFLOPS; each model translates them into its own share.
    case milliTFLOPS(Int)

    /// A compute share in percent of a device.
    public static func percent(_ percent: Int) -> ComputeAmount { .milli(percent * 10) }

    /// Thousandths of a device of some speed, rounded up; nil when the speed is unknown.
    public func milli(onDeviceOf milliTFLOPS: Int) -> Int? {
        switch self {
        case .milli(let milli): return milli
        case .milliTFLOPS(0): return 0
        case .milliTFLOPS(let amount):
            guard milliTFLOPS > 0 else { return nil }
            return (amount * 1000 + milliTFLOPS - 1) / milliTFLOPS
        }
    }
}

/// What a request needs of devices: a number of different ones, and the same part of each.
public struct DeviceDemand: Sendable, Hashable, Codable {
    /// How many different devices, 0 to 128.
    public var count: Int
    /// Compute of each that is promised.
    public var compute: ComputeAmount
    /// Compute of each that may be used when it is idle; nil when it is the same.
    public var computeLimit: ComputeAmount?
    /// Memory of each that is promised, in mebibytes.
    public var vramMiB: Int
    /// Memory of each that may be used at most, in mebibytes; nil when it is the same.
    public var vramLimitMiB: Int?
    /// Accepted vendors; empty accepts all.
    public var vendors: [String]
    /// Accepted models; empty accepts all.
    public var models: [String]
    /// Conditions on the devices' labels.
    public var labels: LabelSelector
    /// How the devices are kept apart.
    public var isolation: IsolationMode

    /// A part of some devices of any kind.
    public init(count: Int, compute: ComputeAmount, vramMiB: Int = 0, models: [String] = []) {
        self.count = count
        self.compute = compute
        self.vramMiB = vramMiB
        self.models = models
        vendors = []
        labels = .any
        isolation = .shared
    }

    /// No device at all.
    public static let none = DeviceDemand(count: 0, compute: .milli(0))

    /// The most devices that one request may ask for.
    public static let maximumCount = 128
}

/// A domain of topology.
public enum TopologyLevel: UInt8, Sendable, Hashable, Codable, Comparable, CaseIterable {
    /// One host.
    case host = 0
    /// One rack.
    case rack = 1
    /// One zone.
    case zone = 2

    /// Whether a domain is narrower than another.
    public static func < (left: TopologyLevel, right: TopologyLevel) -> Bool { left.rawValue < right.rawValue }
}

/// How near to each other the devices of a request, or the members of a gang, must be.
public struct TopologyConstraint: Sendable, Hashable, Codable {
    /// The domain that must hold them all.
    public var level: TopologyLevel
    /// Whether a wider domain is no option.
    public var isHard: Bool

    /// A constraint.
    public init(level: TopologyLevel, isHard: Bool) {
        self.level = level
        self.isHard = isHard
    }
}

/// A wish to be near to, or away from, workloads with some labels.
public struct AffinityTerm: Sendable, Hashable, Codable {
    /// Which way the term pulls.
    public enum Direction: String, Sendable, Hashable, Codable {
        /// Towards the others.
        case near
        /// Away from the others.
        case apart
    }

    /// The labels of the others.
    public var workloads: LabelSelector
    /// The domain that is shared, or not shared.
    public var level: TopologyLevel
    /// Which way.
    public var direction: Direction
    /// Whether a place against the term is no option.
    public var isHard: Bool

    /// A term.
    public init(_ direction: Direction, workloads: LabelSelector, level: TopologyLevel, isHard: Bool = true) {
        self.direction = direction
        self.workloads = workloads
        self.level = level
        self.isHard = isHard
    }
}

/// Whether a program's devices may be on other hosts than the program.
public struct RemoteAccess: Sendable, Hashable, Codable {
    /// Whether remote devices are an option when nothing local fits.
    public var isAllowed: Bool
    /// How much distance matters: at zero a program goes wherever it packs best, above zero as near as possible to its
    /// devices.
    public var networkCost: Int

    /// Says what is allowed.
    public init(isAllowed: Bool, networkCost: Int = 1) {
        self.isAllowed = isAllowed
        self.networkCost = networkCost
    }

    /// Devices of the program's own host only.
    public static let localOnly = RemoteAccess(isAllowed: false)
}

/// One workload that wants a place.
public struct WorkloadRequest: Sendable, Hashable, Codable {
    /// The workload's id, unique in the fleet.
    public var id: String
    /// Labels that other requests' affinity looks at.
    public var labels: [String: String] = [:]
    /// CPU time of the host that the program runs on, in thousandths of a core.
    public var cpuMilli: Int
    /// Memory of the host that the program runs on, in mebibytes.
    public var memoryMiB: Int
    /// The devices.
    public var devices: DeviceDemand
    /// Conditions on the labels of hosts.
    public var hosts: LabelSelector = .any
    /// Affinity and anti-affinity.
    public var affinity: [AffinityTerm] = []
    /// How near the devices must be to each other.
    public var topology: TopologyConstraint?
    /// More is more important.
    public var priority: Int = 0
    /// Whether it may be evicted for a request of higher priority.
    public var isPreemptible = true
    /// Whether it is spared from eviction all the same, for now.
    public var isEvictionProtected = false
    /// Whether it is no workload but room that is kept for one: nobody evicts it, and it does not end by itself.
    public var keepsRoom = false
    /// The gang that it is a member of: evicted as a whole.
    public var gang: String?
    /// Whether devices may be remote.
    public var remote: RemoteAccess = .localOnly
    /// Hosts that were picked for it before and come first.
    public var nominatedHosts: [String] = []
    /// The placed workload whose place was kept for this one.
    public var claims: String?

    /// A request for a place.
    public init(id: String, cpuMilli: Int = 0, memoryMiB: Int = 0, devices: DeviceDemand = .none) {
        self.id = id
        self.cpuMilli = cpuMilli
        self.memoryMiB = memoryMiB
        self.devices = devices
    }
}
