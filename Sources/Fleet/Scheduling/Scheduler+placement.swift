extension Scheduler {
    /// Where a request goes, in slots; changes nothing.
    func assignment(for request: WorkloadRequest) -> Assignment? {
        if let claimed = request.claims, let slot = state.workloadNumbers[claimed],
            let kept = state.workloads[Int(slot)]
        {
            return assignment(for: request, claiming: kept)
        }
        let shape = shape(of: request)
        for name in request.nominatedHosts {
            guard let host = state.hostNumbers[name], let found = assignment(on: Int(host), shape) else { continue }
            return found
        }
        if let host = first(for: shape) { return assignment(on: host, shape) }
        return request.remote.isAllowed ? remoteAssignment(for: request, shape) : nil
    }

    /// A place in what was kept for the request, or elsewhere when that is too small.
    private func assignment(
        for request: WorkloadRequest, claiming kept: FleetState.PlacedWorkload
    ) -> Assignment? {
        guard let slot = state.workloadNumbers[kept.request.id] else { return nil }
        state.release(slot)
        var free = request
        free.claims = nil
        free.nominatedHosts = state.hostSlots(of: kept.assignment).map { state.name(of: $0) } + request.nominatedHosts
        let found = assignment(for: free)
        restore(kept)
        return found
    }

    /// Puts a workload back that was taken out to see what would be.
    func restore(_ workload: FleetState.PlacedWorkload) {
        do {
            try state.place(workload.request, at: workload.assignment)
        } catch {
            preconditionFailure("A workload that was just released finds its id taken.")
        }
    }

    /// The parts of one host that a shape takes, nil when it does not fit there.
    func assignment(on host: Int, _ shape: Shape) -> Assignment? {
        let scorer = makeScorer()
        let probe = Probe(shape)
        guard scorer.score(host, probe, shape, hasTerms: shape.hasTerms) > 0 else { return nil }
        let home = Int32(host)
        guard probe.count > 0 else { return Assignment(home: home, parts: []) }
        guard settings.policy != .random else { return randomAssignment(on: host, scorer, probe) }
        guard let devices = scorer.choose(host, probe) else { return nil }
        return Assignment(home: home, parts: parts(of: devices, scorer, probe))
    }

    private func parts(of devices: [Int32], _ scorer: HostScorer, _ probe: Probe) -> [Assignment.Part] {
        devices.map { device in
            let (milli, vram) = scorer.taken(of: Int(device), probe)
            return Assignment.Part(device: device, milli: milli, vram: vram)
        }
    }

    private func randomAssignment(on host: Int, _ scorer: HostScorer, _ probe: Probe) -> Assignment? {
        let first = state.hosts.firstDevice[host]
        let fitting = (first..<(first + state.hosts.deviceCount[host])).filter { scorer.fits(Int($0), probe) }
        let chosen = fitting.shuffled(using: &dice).prefix(Int(probe.count)).sorted()
        return Assignment(home: Int32(host), parts: parts(of: chosen, scorer, probe))
    }

    // MARK: - Remote

    /// Devices on one host, or on as few as possible, and the program on another.
    private func remoteAssignment(for request: WorkloadRequest, _ shape: Shape) -> Assignment? {
        let count = request.devices.count
        guard count > 0 else { return nil }
        var parts: [Assignment.Part]
        let together = self.shape(for: shape.key.devicesOnly(count: count))
        if let host = first(for: together), let found = assignment(on: host, together) {
            parts = found.parts
        } else if count > 1 {
            guard let spread = spread(request, over: self.shape(for: shape.key.devicesOnly(count: 1))) else {
                return nil
            }
            parts = spread
        } else {
            return nil
        }
        guard request.cpuMilli > 0 || request.memoryMiB > 0 else { return Assignment(home: -1, parts: parts) }
        guard let home = home(for: shape, near: parts, cost: request.remote.networkCost) else { return nil }
        return Assignment(home: Int32(home), parts: parts)
    }

    /// The host for a program whose devices are elsewhere.
    private func home(for shape: Shape, near parts: [Assignment.Part], cost: Int) -> Int? {
        let alone = self.shape(for: shape.key.homeOnly)
        guard cost > 0, scope == nil, let first = parts.first else { return self.first(for: alone) }
        let scorer = makeScorer()
        let probe = Probe(alone)
        let host = state.devices.host[first.device]
        for level in [TopologyLevel.rack, .zone] {
            let domain = state.domain(of: host, at: level)
            var best: Int?
            var bestScore: Int16 = 0
            for candidate in state.hosts(in: domain, at: level) {
                let score = scorer.score(Int(candidate), probe, alone, hasTerms: alone.hasTerms)
                if score > bestScore {
                    best = Int(candidate)
                    bestScore = score
                }
            }
            if let best { return best }
        }
        return self.first(for: alone)
    }

    // MARK: - Several hosts

    /// Devices on as few hosts as possible, inside of the narrowest domain that the request accepts.
    private func spread(_ request: WorkloadRequest, over single: Shape) -> [Assignment.Part]? {
        let count = request.devices.count
        let scorer = makeScorer()
        let probe = Probe(single)
        let candidates = scope?.hosts ?? Array(0..<Int32(state.hostSlots))
        var room: [(host: Int32, count: Int)] = []
        for host in candidates {
            guard scorer.score(Int(host), probe, single, hasTerms: single.hasTerms) > 0 else { continue }
            room.append((host, scorer.fittingCount(on: Int(host), probe)))
        }
        var levels: [TopologyLevel?] = [nil]
        if let topology = request.topology {
            levels = topology.isHard ? [topology.level] : TopologyLevel.allCases.filter { $0 >= topology.level } + [nil]
        }
        for level in levels {
            var groups: [Int32: [(host: Int32, count: Int)]] = [:]
            for entry in room {
                var domain: Int32 = 0
                if let level { domain = state.domain(of: entry.host, at: level) }
                groups[domain, default: []].append(entry)
            }
            // The smallest domain that suffices leaves the large ones whole.
            var fitting: (total: Int, domain: Int32)?
            for (domain, hosts) in groups {
                let total = hosts.reduce(0) { $0 + $1.count }
                guard total >= count else { continue }
                if let known = fitting, known <= (total, domain) { continue }
                fitting = (total, domain)
            }
            guard let fitting, let hosts = groups[fitting.domain] else { continue }
            return take(count, from: hosts, scorer, probe)
        }
        return nil
    }

    private func take(
        _ count: Int, from room: [(host: Int32, count: Int)], _ scorer: HostScorer, _ probe: Probe
    ) -> [Assignment.Part] {
        var left = count
        var rest = room.sorted { ($1.count, $0.host) < ($0.count, $1.host) }
        var parts: [Assignment.Part] = []
        while left > 0, !rest.isEmpty {
            // The last host is the tightest that holds what is left.
            let index = rest.lastIndex { $0.count >= left } ?? 0
            let host = rest.remove(at: index)
            let number = min(left, host.count)
            var chosen: [Int32] = []
            guard scorer.tightest(Int(host.host), probe, count: number, into: &chosen) else { continue }
            parts += self.parts(of: chosen, scorer, probe)
            left -= number
        }
        return parts
    }
}
