/// One look at every host for a request that fits nowhere: reasons, the nearest miss, and what one change would do.
struct HostSurvey {
    /// How many of the first hosts that could hold the request when empty are asked who is in the way.
    private static let evictableLimit = 64

    let scorer: HostScorer
    let shape: Shape
    private let probe: Probe
    private(set) var hostCount = 0
    private(set) var deviceCount = 0
    /// By the order of `Diagnosis.Reason.allCases`.
    private(set) var hostCounts = [Int](repeating: 0, count: Diagnosis.Reason.allCases.count)
    private(set) var deviceCounts = [Int](repeating: 0, count: Diagnosis.Reason.allCases.count)
    private(set) var nearest: (miss: Int64, host: Int)?
    /// For each resource the most that a host has of it where nothing else is missing.
    private(set) var best: [(reason: Diagnosis.Reason, amount: Int32)] =
        [(.cpu, 0), (.memory, 0), (.compute, 0), (.vram, 0), (.devices, 0)]
    private(set) var cordonedFit: Int?
    private(set) var evictable: [Int] = []

    init(scorer: HostScorer, shape: Shape) {
        self.scorer = scorer
        self.shape = shape
        probe = Probe(shape)
    }

    mutating func look(at host: Int) {
        hostCount += 1
        deviceCount += Int(scorer.hosts.deviceCount[host])
        let reason = lookAtHost(host)
        hostCounts[Int(HostSurvey.place(of: reason))] += 1
    }

    private static func place(of reason: Diagnosis.Reason) -> Int {
        switch reason {
        case .notReady: 0
        case .cordoned: 1
        case .hostLabels: 2
        case .affinity: 3
        case .cpu: 4
        case .memory: 5
        case .devices: 6
        case .unhealthy: 7
        case .model: 8
        case .deviceLabels: 9
        case .isolation: 10
        case .compute: 11
        case .vram: 12
        }
    }

    private mutating func lookAtHost(_ host: Int) -> Diagnosis.Reason {
        let hosts = scorer.hosts
        if hosts.isOpen[host] == 0 {
            guard let description = scorer.state.descriptions[host], description.isReady else { return .notReady }
            if cordonedFit == nil, wouldFit(host) { cordonedFit = host }
            return .cordoned
        }
        guard probe.labelFits[Int(hosts.labels[host])] & 1 != 0 else { return .hostLabels }
        let lacksCPU = probe.cpu > max(0, hosts.cpuFree[host])
        let lacksMemory = probe.memory > max(0, hosts.memoryFree[host])
        let sight = lookAtDevices(host)
        let isShort = sight.fitting < Int(probe.count)
        note(host, sight, lacksCPU: lacksCPU, lacksMemory: lacksMemory, isShort: isShort)
        if evictable.count < HostSurvey.evictableLimit, scorer.couldHost(host, probe) { evictable.append(host) }
        if lacksCPU { return .cpu }
        if lacksMemory { return .memory }
        return isShort ? .devices : .affinity
    }

    private func wouldFit(_ host: Int) -> Bool {
        let hosts = scorer.hosts
        return hosts.cpuFree[host] >= probe.cpu && hosts.memoryFree[host] >= probe.memory
            && probe.labelFits[Int(hosts.labels[host])] & 1 != 0
            && scorer.fittingCount(on: host, probe) >= Int(probe.count)
    }

    /// What a host's devices look like for the request.
    private struct Sight {
        var fitting = 0
        /// Devices that would fit if they were idle.
        var usable = 0
        /// The smallest lack of a device that does not fit.
        var miss = Int64.max
        /// Amounts of devices that lack nothing else, for several devices the least of them.
        var milli: [Int32] = []
        var vram: [Int32] = []
    }

    private mutating func lookAtDevices(_ host: Int) -> Sight {
        var sight = Sight()
        let devices = scorer.devices
        let first = Int(scorer.hosts.firstDevice[host])
        for device in first..<(first + Int(scorer.hosts.deviceCount[host])) {
            let need = probe.needs[Int(devices.model[device])]
            let status = devices.status[device]
            let reason: Diagnosis.Reason?
            let wanted = scorer.wanted(of: device, probe)
            if !status.isHealthy {
                reason = .unhealthy
            } else if need < 0 || probe.vramLimit > devices.vramPhysical[device] {
                reason = .model
            } else if probe.labelFits[Int(devices.labels[device])] & 2 == 0 {
                reason = .deviceLabels
            } else if !status.accepts(probe.mode) || (probe.isExclusive && devices.userCount[device] > 0) {
                reason = .isolation
            } else {
                let milli = max(0, devices.milliFree[device])
                let vram = max(0, devices.vramFree[device])
                let hasMilli = milli >= wanted.milli
                let hasVRAM = vram >= wanted.vram
                if hasVRAM, sight.milli.count < 128 { sight.milli.append(milli) }
                if hasMilli, sight.vram.count < 128 { sight.vram.append(vram) }
                reason = hasMilli ? (hasVRAM ? nil : .vram) : .compute
                sight.usable += 1
                if reason != nil {
                    let lack =
                        HostSurvey.miss(wanted.milli, milli) + HostSurvey.miss(wanted.vram, vram)
                    sight.miss = min(sight.miss, lack)
                }
            }
            if let reason {
                deviceCounts[HostSurvey.place(of: reason)] += 1
            } else {
                sight.fitting += 1
            }
        }
        return sight
    }

    /// How much is missing, in thousandths of what is wanted.
    private static func miss(_ wanted: Int32, _ available: Int32) -> Int64 {
        wanted > available ? (Int64(wanted) - Int64(available)) * 1000 / Int64(wanted) + 1 : 0
    }

    private mutating func note(_ host: Int, _ sight: Sight, lacksCPU: Bool, lacksMemory: Bool, isShort: Bool) {
        let hosts = scorer.hosts
        let cpu = max(0, hosts.cpuFree[host])
        let memory = max(0, hosts.memoryFree[host])
        if lacksCPU, !lacksMemory, !isShort { best[0].amount = max(best[0].amount, cpu) }
        if lacksMemory, !lacksCPU, !isShort { best[1].amount = max(best[1].amount, memory) }
        if isShort, !lacksCPU, !lacksMemory {
            let count = Int(probe.count)
            best[2].amount = max(best[2].amount, HostSurvey.largest(count, sight.milli))
            best[3].amount = max(best[3].amount, HostSurvey.largest(count, sight.vram))
            best[4].amount = max(best[4].amount, Int32(sight.fitting))
        }
        var total = HostSurvey.miss(probe.cpu, cpu) + HostSurvey.miss(probe.memory, memory)
        if isShort {
            guard sight.usable > 0 else { return }
            let lacking = Int64(Int(probe.count) - sight.fitting)
            total += lacking * (sight.miss == .max ? 1000 : sight.miss)
        }
        guard total > 0 else { return }
        if nearest.map({ total < $0.miss }) ?? true { nearest = (total, host) }
    }

    /// The amount that at least `count` devices have.
    private static func largest(_ count: Int, _ amounts: [Int32]) -> Int32 {
        guard amounts.count >= count, count > 0 else { return 0 }
        if count == 1 { return amounts.max() ?? 0 }
        return amounts.sorted(by: >)[count - 1]
    }
}

extension HostScorer {
    /// What a request needs of a device to be the only thing in the way.
    func wanted(of device: Int, _ probe: Probe) -> (milli: Int32, vram: Int32) {
        (max(0, probe.needs[Int(devices.model[device])]), probe.vram)
    }

    /// Devices of a host that only lack compute or VRAM, or nothing.
    func usableCount(on host: Int, _ probe: Probe) -> Int {
        let first = Int(hosts.firstDevice[host])
        var count = 0
        for device in first..<(first + Int(hosts.deviceCount[host]))
        where couldUse(device, probe) && devices.status[device].accepts(probe.mode) {
            count += 1
        }
        return count
    }

    /// The device that lacks the least, of those that lack nothing but compute or VRAM.
    func nearestDevice(on host: Int, _ probe: Probe) -> Int? {
        let first = Int(hosts.firstDevice[host])
        var best: (miss: Int64, device: Int)?
        for device in first..<(first + Int(hosts.deviceCount[host])) {
            guard couldBeNearest(device, probe), !fits(device, probe) else { continue }
            let need = wanted(of: device, probe)
            let milli = max(0, Int64(need.milli) - Int64(devices.milliFree[device])) * 1000 / max(1, Int64(need.milli))
            let vram = max(0, Int64(need.vram) - Int64(devices.vramFree[device])) * 1000 / max(1, Int64(need.vram))
            if best.map({ milli + vram < $0.miss }) ?? true { best = (milli + vram, device) }
        }
        return best?.device
    }

    private func couldBeNearest(_ device: Int, _ probe: Probe) -> Bool {
        probe.needs[Int(devices.model[device])] >= 0 && devices.status[device].accepts(probe.mode)
            && probe.labelFits[Int(devices.labels[device])] & 2 != 0
            && probe.vramLimit <= devices.vramPhysical[device]
            && !(probe.isExclusive && devices.userCount[device] > 0)
    }
}
