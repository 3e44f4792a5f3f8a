/// Why a request has no place, and what would give it one.
public struct Diagnosis: Sendable, Hashable, Codable {
    /// What keeps a host or a device from taking a request; the first that applies counts.
    public enum Reason: String, Sendable, Hashable, Codable, CaseIterable {
        /// The host does not report.
        case notReady
        /// Nothing new goes to the host.
        case cordoned
        /// The host's labels are not those asked for.
        case hostLabels
        /// A term of affinity or anti-affinity is against it.
        case affinity
        /// Too little CPU is free.
        case cpu
        /// Too little memory is free.
        case memory
        /// Too few devices fit; the devices' own reasons say why.
        case devices
        /// The device does not work.
        case unhealthy
        /// The device is of another vendor or model, or its speed is unknown, or the limit exceeds it.
        case model
        /// The device's labels are not those asked for.
        case deviceLabels
        /// The device is in use in another isolation mode, or cannot be used in this one.
        case isolation
        /// Too little compute is free.
        case compute
        /// Too little VRAM is free.
        case vram
    }

    /// How much of one resource the nearest fit lacks.
    public struct Shortage: Sendable, Hashable, Codable {
        /// Which resource.
        public var reason: Reason
        /// What is asked for, in the resource's unit.
        public var wanted: Int
        /// What is there.
        public var available: Int

        /// An amount that is wanted, and a smaller one that is there.
        public init(reason: Reason, wanted: Int, available: Int) {
            self.reason = reason
            self.wanted = wanted
            self.available = available
        }
    }

    /// The host, and of one device the device, that lacks the least.
    public struct NearestFit: Sendable, Hashable, Codable {
        /// The host.
        public var host: String
        /// The device, when one is asked for.
        public var device: String?
        /// What is missing.
        public var shortages: [Shortage]
    }

    /// Something that would give the request a place.
    public enum Remedy: Sendable, Hashable, Codable {
        /// These workloads leave this host.
        case evict(workloads: [String], host: String)
        /// A host with at least this joins.
        case addHost(ResourceVector, models: [String])
        /// The request asks for no more than this of one resource, in the resource's unit.
        case reduce(Reason, to: Int)
        /// The request accepts devices on other hosts than its program.
        case allowRemote
        /// The host takes new work again.
        case uncordon(host: String)
    }

    /// The request.
    public var workload: String
    /// Where it would go, when it does have a place after all.
    public var placement: Placement?
    /// Hosts in all.
    public var hostCount = 0
    /// Devices in all.
    public var deviceCount = 0
    /// How many hosts each reason rejects.
    public var rejectedHosts: [Reason: Int] = [:]
    /// How many devices each reason rejects, on hosts that were not rejected for their state or labels.
    public var rejectedDevices: [Reason: Int] = [:]
    /// What comes nearest.
    public var nearest: NearestFit?
    /// What would help.
    public var remedies: [Remedy] = []

    init(workload: String) { self.workload = workload }
}

extension Diagnosis {
    /// The verdict as text, one fact a line.
    public var message: String {
        if let placement {
            let hosts = Set(placement.devices.map(\.host) + [placement.homeHost].compactMap { $0 })
            return "\(workload) fits now, on \(hosts.sorted().joined(separator: ", "))."
        }
        var lines = ["\(workload) fits on none of \(hostCount) hosts with \(deviceCount) devices:"]
        for reason in Reason.allCases {
            if let count = rejectedHosts[reason] { lines.append("  \(count) hosts: \(reason.phrase)") }
        }
        for reason in Reason.allCases {
            if let count = rejectedDevices[reason] { lines.append("  \(count) devices: \(reason.phrase)") }
        }
        if let nearest {
            let place = nearest.device.map { "device \($0) of \(nearest.host)" } ?? nearest.host
            let missing = nearest.shortages.map { shortage in
                let lack = shortage.wanted - shortage.available
                return "\(shortage.reason.amount(lack)) more (\(shortage.reason.amount(shortage.available)) is free)"
            }
            lines.append("Nearest: \(place) needs " + missing.joined(separator: " and "))
        }
        lines += remedies.map { "Would help: \($0.phrase)" }
        return lines.joined(separator: "\n")
    }
}

extension Diagnosis.Reason {
    /// The reason as part of a sentence.
    public var phrase: String {
        switch self {
        case .notReady: "not ready"
        case .cordoned: "cordoned"
        case .hostLabels: "labels do not match"
        case .affinity: "affinity or anti-affinity is against it"
        case .cpu: "too little CPU free"
        case .memory: "too little memory free"
        case .devices: "too few devices that fit"
        case .unhealthy: "unhealthy"
        case .model: "another vendor or model, or smaller than the limit"
        case .deviceLabels: "labels do not match"
        case .isolation: "in use in another isolation mode, or without the one asked for"
        case .compute: "too little compute free"
        case .vram: "too little VRAM free"
        }
    }

    /// An amount of the resource with its unit.
    public func amount(_ amount: Int) -> String {
        switch self {
        case .cpu: "\(Diagnosis.tenths(amount, of: 1000)) cores of CPU"
        case .memory: "\(Diagnosis.tenths(amount, of: 1024)) GiB of memory"
        case .vram: "\(Diagnosis.tenths(amount, of: 1024)) GiB of VRAM"
        case .compute: "\(Diagnosis.tenths(amount, of: 10)) % of a device"
        default: "\(amount) devices"
        }
    }
}

extension Diagnosis.Remedy {
    /// The remedy as part of a sentence.
    public var phrase: String {
        switch self {
        case .evict(let workloads, let host):
            let names = workloads.prefix(5).joined(separator: ", ")
            let more = workloads.count > 5 ? " and \(workloads.count - 5) more" : ""
            return "evict \(names)\(more) from \(host)"
        case .addHost(let size, let models):
            let kind = models.isEmpty ? "" : " of \(models.joined(separator: " or "))"
            let parts = [
                Diagnosis.Reason.cpu.amount(size.cpuMilli), Diagnosis.Reason.memory.amount(size.memoryMiB),
                "\(size.deviceCount) devices\(kind)", Diagnosis.Reason.vram.amount(size.vramMiB) + " in all",
            ]
            return "add a host with " + parts.joined(separator: ", ")
        case .reduce(let reason, let amount): return "ask for no more than \(reason.amount(amount))"
        case .allowRemote: return "allow remote devices"
        case .uncordon(let host): return "uncordon \(host)"
        }
    }
}

extension Diagnosis {
    /// A quotient with one decimal, without a trailing zero.
    fileprivate static func tenths(_ amount: Int, of unit: Int) -> String {
        let tenths = (amount * 10 + unit / 2) / unit
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
    }
}
