/// Workloads that get their places together or not at all.
public struct GangRequest: Sendable, Hashable, Codable {
    /// The members, the most important first.
    public var members: [WorkloadRequest]
    /// With how many the gang can start.
    public var minimumMembers: Int
    /// How near to each other the members must be.
    public var topology: TopologyConstraint?
    /// Whether members may share a device. They compete for it at the same moments, so it is the last resort even then.
    public var sharesDevices = true

    /// A gang that needs all its members, unless a minimum is named.
    public init(members: [WorkloadRequest], minimumMembers: Int? = nil, topology: TopologyConstraint? = nil) {
        self.members = members
        self.minimumMembers = minimumMembers ?? members.count
        self.topology = topology
    }
}

extension Scheduler {
    /// Places for as many members of a gang as possible, or nil when they are fewer than its minimum.
    public func placements(for gang: GangRequest) throws(SchedulingError) -> [Placement]? {
        for member in gang.members {
            try Scheduler.validate(member)
            guard state.workloadNumbers[member.id] == nil else { throw .duplicateWorkload(member.id) }
        }
        guard (0...gang.members.count).contains(gang.minimumMembers) else {
            throw .invalid("A gang of \(gang.members.count) members has a minimum of \(gang.minimumMembers).")
        }
        guard Set(gang.members.map(\.id)).count == gang.members.count else {
            throw .invalid("Two members of a gang have one id; give them different ids.")
        }
        defer { settle() }
        guard let topology = gang.topology else { return simulate(gang) }
        for level in TopologyLevel.allCases where level >= topology.level {
            for domain in domains(at: level, holding: gang).prefix(settings.topologyBudget) {
                scope = TopologyScope(hosts: state.hosts(in: domain, at: level))
                defer { scope = nil }
                if let found = simulate(gang) { return found }
            }
            if topology.isHard { return nil }
        }
        return simulate(gang)
    }

    /// Places one member after the other, sees whether enough fit, and takes all back.
    private func simulate(_ gang: GangRequest) -> [Placement]? {
        var simulation = Simulation(self)
        defer { simulation.undo() }
        var places: [Int: Placement] = [:]
        var failures = 0
        for index in order(of: gang.members) {
            let member = gang.members[index]
            var found = assignment(for: member)
            if found == nil, gang.sharesDevices, simulation.hasHolds {
                simulation.dropHolds()
                found = assignment(for: member)
            }
            guard let found else {
                failures += 1
                if gang.members.count - failures < gang.minimumMembers { return nil }
                continue
            }
            places[index] = state.placement(of: found, for: member.id)
            simulation.place(member, at: found)
            simulation.hold(found)
        }
        guard places.count >= gang.minimumMembers, !places.isEmpty || gang.members.isEmpty else { return nil }
        return gang.members.indices.compactMap { places[$0] }
    }

    /// Large members first, since small ones fit beside them and not the other way round.
    private func order(of members: [WorkloadRequest]) -> [Int] {
        func size(_ member: WorkloadRequest) -> Int {
            let amount: Int
            switch member.devices.compute {
            case .milli(let milli): amount = milli
            case .milliTFLOPS(let milli): amount = milli
            }
            return member.devices.count * max(amount, 1)
        }
        let sizes = members.map(size)
        return members.indices.sorted { sizes[$0] == sizes[$1] ? $0 < $1 : sizes[$0] > sizes[$1] }
    }

    /// The domains that may have room for a gang, the tightest first.
    private func domains(at level: TopologyLevel, holding gang: GangRequest) -> [Int32] {
        var counts: [ShapeKey: Int] = [:]
        for member in gang.members { counts[shape(of: member).key, default: 0] += 1 }
        var total = [Int](repeating: 0, count: state.domainCount(at: level))
        var isPossible = [Bool](repeating: true, count: total.count)
        let isWhole = gang.minimumMembers == gang.members.count
        let scorer = makeScorer()
        for (key, needed) in counts {
            var room = [Int](repeating: 0, count: total.count)
            let isSpread = gang.members.contains { $0.remote.isAllowed }
            let shape = shape(for: isSpread && key.devices.count > 0 ? key.devicesOnly(count: 1) : key)
            let probe = Probe(shape)
            for host in 0..<state.hostSlots where scorer.isOpen(host, probe) {
                room[Int(state.domain(of: Int32(host), at: level))] += scorer.room(on: host, probe)
            }
            for domain in total.indices {
                total[domain] += room[domain]
                let units = isSpread ? needed * max(key.devices.count, 1) : needed
                if isWhole, room[domain] < units { isPossible[domain] = false }
            }
        }
        return total.indices.filter { isPossible[$0] && total[$0] > 0 }
            .sorted { total[$0] == total[$1] ? $0 < $1 : total[$0] < total[$1] }.map { Int32($0) }
    }
}

extension HostScorer {
    /// How many requests of a shape fit on a host at most, one after the other.
    func room(on host: Int, _ probe: Probe) -> Int {
        var most = Int.max
        if probe.cpu > 0 { most = min(most, Int(hosts.cpuFree[host] / probe.cpu)) }
        if probe.memory > 0 { most = min(most, Int(hosts.memoryFree[host] / probe.memory)) }
        guard probe.count > 0 else { return min(most, 1 << 20) }
        let first = Int(hosts.firstDevice[host])
        var parts = 0
        for device in first..<(first + Int(hosts.deviceCount[host])) where fits(device, probe) {
            let (milli, vram) = taken(of: device, probe)
            var here = probe.isExclusive ? 1 : 1 << 20
            if milli > 0 { here = min(here, Int(devices.milliFree[device] / milli)) }
            if vram > 0 { here = min(here, Int(devices.vramFree[device] / vram)) }
            parts += here
        }
        return min(most, parts / Int(probe.count))
    }
}
