/// A part of a device that a workload holds.
public struct DeviceAllotment: Sendable, Hashable, Codable {
    /// The device's host.
    public var host: String
    /// The device's id on that host.
    public var device: String
    /// Compute, in thousandths of the device.
    public var computeMilli: Int
    /// Memory, in mebibytes.
    public var vramMiB: Int

    /// A part of a device.
    public init(host: String, device: String, computeMilli: Int, vramMiB: Int) {
        self.host = host
        self.device = device
        self.computeMilli = computeMilli
        self.vramMiB = vramMiB
    }
}

/// Where a workload goes.
public struct Placement: Sendable, Hashable, Codable {
    /// The workload.
    public var workload: String
    /// The host that gives CPU time and memory; nil when the request needs neither and its devices are on several
    /// hosts.
    public var homeHost: String?
    /// The parts of devices.
    public var devices: [DeviceAllotment]

    /// Names the places.
    public init(workload: String, homeHost: String?, devices: [DeviceAllotment]) {
        self.workload = workload
        self.homeHost = homeHost
        self.devices = devices
    }

    /// Whether a device is on another host than the program.
    public var isRemote: Bool { devices.contains { $0.host != homeHost } }
}

/// Something that happened to the fleet, in the order in which it happened.
public enum FleetChange: Sendable, Hashable, Codable {
    /// A workload asks for a place for the first time; popularity is learnt from this.
    case arrive(WorkloadRequest)
    /// A workload took its place.
    case place(WorkloadRequest, Placement)
    /// A workload gave its place back.
    case release(workload: String)
    /// A host joined.
    case addHost(HostDescription)
    /// A host is different from before. Workloads on devices that it no longer has lose their place.
    case updateHost(HostDescription)
    /// A host is gone. Its workloads lose their place.
    case removeHost(name: String)
    /// Nothing new goes to a host, or again.
    case cordonHost(name: String, isCordoned: Bool)
}

/// Why a change or a request is refused.
public enum SchedulingError: Error, Sendable, Hashable {
    /// No host has the name.
    case unknownHost(String)
    /// A host of this name is there already.
    case duplicateHost(String)
    /// The host has no such device.
    case unknownDevice(host: String, device: String)
    /// No workload with the id has a place.
    case unknownWorkload(String)
    /// The workload has a place already.
    case duplicateWorkload(String)
    /// The description or request is not sensible.
    case invalid(String)

    /// What happened and what to do.
    public var message: String {
        switch self {
        case .unknownHost(let name): "There is no host \(name); add it first."
        case .duplicateHost(let name): "There is a host \(name) already; update it instead."
        case .unknownDevice(let host, let device): "Host \(host) has no device \(device); update the host first."
        case .unknownWorkload(let id): "Workload \(id) has no place; nothing is released."
        case .duplicateWorkload(let id): "Workload \(id) has a place already; release it first."
        case .invalid(let reason): reason
        }
    }
}
