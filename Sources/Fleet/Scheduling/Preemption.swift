/// What must leave so that requests find their places, and where they go then.
public struct PreemptionPlan: Sendable, Hashable, Codable {
    /// The workloads to evict, gangs as a whole.
    public var evictions: [String]
    /// Where the requests go when those are gone.
    public var placements: [Placement]
}

/// What a search for victims is the same for.
struct PreemptionKey: Hashable {
    var shapes: [ShapeKey]
    var priorities: [Int]
}

/// Workloads that are evicted together: a gang, or one that is in none.
struct EvictionUnit {
    var members: [Int32]
    var priority: Int32
    /// What the members hold of the host that is looked at.
    var allotments: [AllotmentRecord] = []
}

extension Scheduler {
    /// The least harmful evictions that let all requests in, or nil when none of lower priority suffice.
    ///
    /// Every step is simulated before it is returned. Nothing of the same or higher priority is evicted, nothing that
    /// is protected or not preemptible, and no gang in part. On each host the victims are as few as possible; among
    /// hosts those with the least important, then the fewest victims win. The search looks at `preemptionBudget` hosts
    /// at most.
    public func preemption(for requests: [WorkloadRequest]) throws(SchedulingError) -> PreemptionPlan? {
        try validate(requests)
        defer { settle() }
        let key = PreemptionKey(shapes: requests.map { shape(of: $0).key }, priorities: requests.map(\.priority))
        if failedPreemptions[key] == state.revision { return nil }
        let plan = simulateLeaving(for: requests) { .evicted(for: Int32(clamping: $0.priority)) }
        if plan == nil {
            // All older answers are out of date anyway, once anything changed.
            if failedPreemptions.count > 1024 { failedPreemptions.removeAll() }
            failedPreemptions[key] = state.revision
        }
        return plan
    }

    /// Where requests would go if others ended by themselves, with the fewest and least important of those; nil where
    /// no host would do. Nobody is evicted by it: it is for keeping what becomes free there.
    public func roomToKeep(for requests: [WorkloadRequest]) throws(SchedulingError) -> [Placement]? {
        try validate(requests)
        defer { settle() }
        return simulateLeaving(for: requests) { _ in .ended }?.placements
    }

    /// What nobody holds of a device: thousandths of its compute, and mebibytes; nil where there is none of this name.
    public func idle(_ device: String, of host: String) -> (computeMilli: Int, vramMiB: Int)? {
        let part = DeviceAllotment(host: host, device: device, computeMilli: 0, vramMiB: 0)
        let placement = Placement(workload: "", homeHost: nil, devices: [part])
        guard let found = try? state.assignment(of: placement).parts.first else { return nil }
        return (Int(state.devices.milliFree[found.device]), Int(state.devices.vramFree[found.device]))
    }

    private func validate(_ requests: [WorkloadRequest]) throws(SchedulingError) {
        for request in requests {
            try Scheduler.validate(request)
            guard state.workloadNumbers[request.id] == nil else { throw .duplicateWorkload(request.id) }
        }
        guard Set(requests.map(\.id)).count == requests.count else {
            throw .invalid("Two of the requests have one id; give them different ids.")
        }
    }

    /// Whether a plan's requests can still all go where it says. Requests with affinities are looked for anew instead:
    /// their neighbours may have changed.
    public func accepts(_ placements: [Placement], for requests: [WorkloadRequest]) -> Bool {
        defer { settle() }
        var simulation = Simulation(self)
        defer { simulation.undo() }
        for placement in placements {
            guard let request = requests.first(where: { $0.id == placement.workload }), request.affinity.isEmpty,
                state.workloadNumbers[request.id] == nil, let assignment = try? state.assignment(of: placement),
                isInOrder(assignment), state.hasRoom(for: request, at: assignment)
            else { return false }
            simulation.place(request, at: assignment)
        }
        return !placements.isEmpty
    }

    /// Whether the hosts of an assignment take workloads and its devices are healthy.
    private func isInOrder(_ assignment: Assignment) -> Bool {
        guard assignment.home < 0 || state.hosts.isOpen[assignment.home] != 0 else { return false }
        return assignment.parts.allSatisfy { part in
            state.hosts.isOpen[state.devices.host[part.device]] != 0 && state.devices.status[part.device].isHealthy
        }
    }

    private func simulateLeaving(
        for requests: [WorkloadRequest], _ leaving: (WorkloadRequest) -> Leaving
    ) -> PreemptionPlan? {
        var simulation = Simulation(self)
        var victims: [(workloads: [FleetState.PlacedWorkload], priority: Int32)] = []
        var placed: [(request: WorkloadRequest, assignment: Assignment)] = []
        defer { simulation.undo() }
        for request in requests {
            if let found = assignment(for: request) {
                simulation.place(request, at: found)
                placed.append((request, found))
                continue
            }
            let shape = shape(of: request)
            guard let best = cheapestHost(for: shape, leaving(request)) else { return nil }
            for unit in best.units {
                let members = unit.members.compactMap { state.workloads[Int($0)] }
                for slot in unit.members { simulation.release(slot) }
                victims.append((members, unit.priority))
            }
            guard let found = assignment(on: best.host, shape) else { return nil }
            simulation.place(request, at: found)
            placed.append((request, found))
        }
        let evictions = spareSome(of: victims, &simulation)
        return PreemptionPlan(
            evictions: evictions.sorted(),
            placements: placed.map { state.placement(of: $0.assignment, for: $0.request.id) })
    }

    /// Puts back whoever still fits where it was, the most important first, and returns the ids of the others.
    private func spareSome(
        of victims: [(workloads: [FleetState.PlacedWorkload], priority: Int32)], _ simulation: inout Simulation
    ) -> [String] {
        var evictions: [String] = []
        let order = victims.indices.sorted {
            victims[$0].priority == victims[$1].priority ? $0 < $1 : victims[$0].priority > victims[$1].priority
        }
        for index in order {
            let workloads = victims[index].workloads
            var back: [String] = []
            for workload in workloads where state.hasRoom(for: workload) {
                simulation.place(workload.request, at: workload.assignment)
                back.append(workload.request.id)
            }
            guard back.count < workloads.count else { continue }
            for id in back { if let slot = state.workloadNumbers[id] { simulation.release(slot) } }
            evictions += workloads.map(\.request.id)
        }
        return evictions
    }

    // MARK: - One host

    /// The host where the least harmful victims suffice.
    private func cheapestHost(for shape: Shape, _ leaving: Leaving) -> (host: Int, units: [EvictionUnit])? {
        let scorer = makeScorer()
        let probe = Probe(shape)
        var candidates: [(lowest: Int32, host: Int32)] = []
        for host in 0..<state.hostSlots where scorer.couldHost(host, probe) {
            if let lowest = state.lowestPriority(on: host, leaving) {
                candidates.append((lowest, Int32(host)))
            }
        }
        candidates.sort { $0 < $1 }
        var best: (cost: EvictionCost, host: Int, units: [EvictionUnit])?
        for candidate in candidates.prefix(settings.preemptionBudget) {
            let host = Int(candidate.host)
            let units = state.units(on: host, leaving)
            guard let victims = victims(on: host, of: units, scorer, probe, shape) else { continue }
            let cost = EvictionCost(victims)
            if best.map({ cost < $0.cost }) ?? true { best = (cost, host, victims) }
        }
        return best.map { ($0.host, $0.units) }
    }

    /// As few units as possible whose leaving lets a shape in, nil when all of them are not enough.
    func victims(
        on host: Int, of units: [EvictionUnit], _ scorer: HostScorer, _ probe: Probe, _ shape: Shape
    ) -> [EvictionUnit]? {
        let fits = { scorer.score(host, probe, shape, hasTerms: shape.hasTerms) > 0 }
        let modes = state.modes(of: host)
        defer { state.setModes(modes, of: host) }
        for unit in units { state.lift(unit.allotments) }
        guard fits() else {
            for unit in units { state.lower(unit.allotments, modes, of: host) }
            return nil
        }
        // Once by importance alone, and for one device also with each device's own workloads as the last to be spared.
        var best: [EvictionUnit]?
        var choices: [Int32] = [-1]
        if probe.count == 1 {
            let first = state.hosts.firstDevice[host]
            choices += (first..<(first + state.hosts.deviceCount[host])).filter { scorer.fits(Int($0), probe) }
        }
        for choice in choices {
            let order = units.indices.sorted { left, right in
                if units[left].priority != units[right].priority { return units[left].priority > units[right].priority }
                let isLeftElsewhere = !units[left].allotments.contains { $0.device == choice }
                let isRightElsewhere = !units[right].allotments.contains { $0.device == choice }
                if isLeftElsewhere != isRightElsewhere { return isLeftElsewhere }
                let counts = (units[left].members.count, units[right].members.count)
                return counts.0 == counts.1 ? left < right : counts.0 > counts.1
            }
            var evicted: [EvictionUnit] = []
            for index in order {
                state.lower(units[index].allotments, modes, of: host)
                guard !fits() else { continue }
                state.lift(units[index].allotments)
                evicted.append(units[index])
            }
            for unit in units where !evicted.contains(where: { $0.members == unit.members }) {
                state.lift(unit.allotments)
            }
            if best.map({ EvictionCost(evicted) < EvictionCost($0) }) ?? true { best = evicted }
        }
        for unit in units { state.lower(unit.allotments, modes, of: host) }
        return best
    }
}

/// How much harm evictions do: first by the most important victim, then by their number, then by their size.
struct EvictionCost: Comparable {
    var priority: Int32
    var count: Int
    var milli: Int

    init(_ units: [EvictionUnit]) {
        priority = units.map(\.priority).max() ?? .min
        count = units.reduce(0) { $0 + $1.members.count }
        milli = units.reduce(0) { $0 + $1.allotments.reduce(0) { $0 + Int($1.milli) } }
    }

    static func < (left: EvictionCost, right: EvictionCost) -> Bool {
        (left.priority, left.count, left.milli) < (right.priority, right.count, right.milli)
    }
}

extension HostScorer {
    /// Whether an empty host would accept a shape.
    func couldHost(_ host: Int, _ probe: Probe) -> Bool {
        guard hosts.isOpen[host] != 0, hosts.deviceCount[host] >= probe.count else { return false }
        guard hosts.cpuCapacity[host] >= probe.cpu, hosts.memoryCapacity[host] >= probe.memory else { return false }
        guard probe.labelFits[Int(hosts.labels[host])] & 1 != 0 else { return false }
        guard probe.count > 0 else { return true }
        var count: Int32 = 0
        let first = Int(hosts.firstDevice[host])
        for device in first..<(first + Int(hosts.deviceCount[host])) where couldUse(device, probe) { count += 1 }
        return count >= probe.count
    }

    /// Whether an idle device would suffice.
    func couldUse(_ device: Int, _ probe: Probe) -> Bool {
        let need = probe.needs[Int(devices.model[device])]
        let abilities = devices.status[device].abilities
        return need >= 0 && abilities & 1 != 0 && abilities & (1 << probe.mode) != 0
            && probe.labelFits[Int(devices.labels[device])] & 2 != 0 && need <= devices.milliCapacity[device]
            && probe.vram <= devices.vramCapacity[device] && probe.vramLimit <= devices.vramPhysical[device]
    }
}
