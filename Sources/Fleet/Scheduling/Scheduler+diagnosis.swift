extension Scheduler {
    /// Why a request has no place, what comes nearest, and what would help. Looks at every device once.
    public func diagnosis(of request: WorkloadRequest) throws(SchedulingError) -> Diagnosis {
        var diagnosis = Diagnosis(workload: request.id)
        if let placement = try placement(for: request) {
            diagnosis.placement = placement
            return diagnosis
        }
        let shape = shape(of: request)
        var survey = HostSurvey(scorer: makeScorer(), shape: shape)
        for host in 0..<state.hostSlots where state.descriptions[host] != nil { survey.look(at: host) }
        diagnosis.hostCount = survey.hostCount
        diagnosis.deviceCount = survey.deviceCount
        for (index, reason) in Diagnosis.Reason.allCases.enumerated() {
            if survey.hostCounts[index] > 0 { diagnosis.rejectedHosts[reason] = survey.hostCounts[index] }
            if survey.deviceCounts[index] > 0 { diagnosis.rejectedDevices[reason] = survey.deviceCounts[index] }
        }
        diagnosis.nearest = survey.nearest.map { nearest(on: $0.host, shape) }
        diagnosis.remedies = remedies(for: request, shape, survey)
        return diagnosis
    }

    private func nearest(on host: Int, _ shape: Shape) -> Diagnosis.NearestFit {
        let probe = Probe(shape)
        var fit = Diagnosis.NearestFit(host: state.name(of: Int32(host)), device: nil, shortages: [])
        let free = (cpu: state.hosts.cpuFree[host], memory: state.hosts.memoryFree[host])
        if probe.cpu > free.cpu {
            fit.shortages.append(.init(reason: .cpu, wanted: Int(probe.cpu), available: Int(free.cpu)))
        }
        if probe.memory > free.memory {
            fit.shortages.append(.init(reason: .memory, wanted: Int(probe.memory), available: Int(free.memory)))
        }
        let scorer = makeScorer()
        guard probe.count > 0, scorer.fittingCount(on: host, probe) < Int(probe.count) else { return fit }
        guard let device = scorer.nearestDevice(on: host, probe) else {
            let fitting = scorer.usableCount(on: host, probe)
            fit.shortages.append(.init(reason: .devices, wanted: Int(probe.count), available: fitting))
            return fit
        }
        if probe.count == 1 { fit.device = state.deviceID(Int32(device)) }
        let need = scorer.wanted(of: device, probe)
        if need.milli > state.devices.milliFree[device] {
            let free = Int(state.devices.milliFree[device])
            fit.shortages.append(.init(reason: .compute, wanted: Int(need.milli), available: free))
        }
        if need.vram > state.devices.vramFree[device] {
            let free = Int(state.devices.vramFree[device])
            fit.shortages.append(.init(reason: .vram, wanted: Int(need.vram), available: free))
        }
        if fit.shortages.isEmpty {
            fit.shortages.append(
                .init(
                    reason: .devices, wanted: Int(probe.count), available: scorer.fittingCount(on: host, probe)))
        }
        return fit
    }

    private func remedies(
        for request: WorkloadRequest, _ shape: Shape, _ survey: HostSurvey
    ) -> [Diagnosis.Remedy] {
        var found: [Diagnosis.Remedy] = []
        if !request.remote.isAllowed, request.devices.count > 0 {
            var elsewhere = request
            elsewhere.remote.isAllowed = true
            if assignment(for: elsewhere) != nil { found.append(.allowRemote) }
        }
        if let host = survey.cordonedFit { found.append(.uncordon(host: state.name(of: Int32(host)))) }
        found += evictions(shape, survey)
        let probe = Probe(shape)
        for (reason, best) in survey.best where best > 0 {
            let wanted: Int32
            switch reason {
            case .cpu: wanted = probe.cpu
            case .memory: wanted = probe.memory
            case .vram: wanted = probe.vram
            case .devices: wanted = probe.count
            default: wanted = .max
            }
            if best < wanted { found.append(.reduce(reason, to: Int(best))) }
        }
        found.append(.addHost(size(of: request), models: request.devices.models))
        return found
    }

    /// What a host needs that holds the request alone.
    private func size(of request: WorkloadRequest) -> ResourceVector {
        let devices = request.devices
        var milli = 1000
        if case .milli(let amount) = devices.compute { milli = amount }
        return ResourceVector(
            cpuMilli: request.cpuMilli, memoryMiB: request.memoryMiB, deviceCount: devices.count,
            computeMilli: milli * devices.count,
            vramMiB: max(devices.vramMiB, devices.vramLimitMiB ?? 0) * devices.count)
    }

    /// Who would have to leave one of the nearest hosts, whatever its priority.
    private func evictions(_ shape: Shape, _ survey: HostSurvey) -> [Diagnosis.Remedy] {
        let scorer = makeScorer()
        let probe = Probe(shape)
        var best: (cost: EvictionCost, host: Int, units: [EvictionUnit])?
        for host in survey.evictable {
            let units = state.units(on: host, .ended)
            guard let victims = victims(on: host, of: units, scorer, probe, shape), !victims.isEmpty else { continue }
            let cost = EvictionCost(victims)
            if best.map({ cost < $0.cost }) ?? true { best = (cost, host, victims) }
        }
        guard let best else { return [] }
        let ids = best.units.flatMap(\.members).compactMap { state.workloads[Int($0)]?.request.id }
        return [.evict(workloads: ids.sorted(), host: state.name(of: Int32(best.host)))]
    }
}
