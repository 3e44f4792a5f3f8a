/// How a workload may leave its place.
enum Departure: UInt8 {
    /// When it ends.
    case byItself
    /// When it ends or is evicted.
    case byEviction
    /// Only when whoever keeps the room gives it free.
    case never

    init(of request: WorkloadRequest) {
        if request.keepsRoom {
            self = .never
        } else {
            self = request.isPreemptible && !request.isEvictionProtected ? .byEviction : .byItself
        }
    }
}

/// Whose leaving is thought of in a search for room.
enum Leaving {
    /// Whoever may be evicted for this priority.
    case evicted(for: Int32)
    /// Whoever will end some day.
    case ended

    func mayLeave(_ departure: Departure, priority: Int32) -> Bool {
        switch self {
        case .evicted(let other): departure == .byEviction && priority < other
        case .ended: departure != .never
        }
    }
}

extension FleetState {
    /// Whether all of a workload's unit may leave; the unit's priority is that of its most important.
    private func leavingPriority(of slot: Int32, _ leaving: Leaving) -> Int32? {
        let gang = workloadGangs[slot]
        guard gang >= 0 else { return ownLeavingPriority(of: slot, leaving) }
        var highest = Int32.min
        for member in gangMembers[Int(gang)] {
            guard let own = ownLeavingPriority(of: member, leaving) else { return nil }
            highest = max(highest, own)
        }
        return highest
    }

    private func ownLeavingPriority(of slot: Int32, _ leaving: Leaving) -> Int32? {
        let priority = workloadPriorities[slot]
        return leaving.mayLeave(workloadDepartures[slot], priority: priority) ? priority : nil
    }

    /// The priority of the least important that may leave a host, nil when nobody may.
    func lowestPriority(on host: Int, _ leaving: Leaving) -> Int32? {
        var lowest: Int32?
        var at = hosts.firstAllotment[host]
        while at >= 0 {
            if let own = leavingPriority(of: allotments[at].workload, leaving) {
                lowest = min(lowest ?? own, own)
            }
            at = allotments[at].next
        }
        return lowest
    }

    /// What may leave a host, in the order of the workloads' ids in the state.
    func units(on host: Int, _ leaving: Leaving) -> [EvictionUnit] {
        var units: [EvictionUnit] = []
        var at = hosts.firstAllotment[host]
        while at >= 0 {
            let record = allotments[at]
            at = record.next
            if let known = units.firstIndex(where: { $0.members.contains(record.workload) }) {
                units[known].allotments.append(record)
                continue
            }
            guard let own = leavingPriority(of: record.workload, leaving) else { continue }
            let gang = workloadGangs[record.workload]
            let members = gang >= 0 ? gangMembers[Int(gang)].sorted() : [record.workload]
            units.append(EvictionUnit(members: members, priority: own, allotments: [record]))
        }
        return units.sorted { $0.members[0] < $1.members[0] }
    }

    // MARK: - Looking without changing

    /// The isolation modes in use of a host's devices.
    func modes(of host: Int) -> [UInt8] {
        let first = Int(hosts.firstDevice[host])
        return (first..<(first + Int(hosts.deviceCount[host]))).map { devices.status[$0].mode }
    }

    func setModes(_ modes: [UInt8], of host: Int) {
        let first = Int(hosts.firstDevice[host])
        for (ordinal, mode) in modes.enumerated() { devices.status[first + ordinal].mode = mode }
    }

    /// Gives back what allotments hold, in the columns alone; `lower` must follow before anybody else looks.
    func lift(_ records: [AllotmentRecord]) {
        for record in records {
            hosts.cpuFree[record.host] += record.cpu
            hosts.memoryFree[record.host] += record.memory
            guard record.device >= 0 else { continue }
            devices.milliFree[record.device] += record.milli
            devices.vramFree[record.device] += record.vram
            devices.userCount[record.device] -= 1
            if devices.userCount[record.device] == 0 { devices.status[record.device].mode = 0 }
        }
    }

    func lower(_ records: [AllotmentRecord], _ modes: [UInt8], of host: Int) {
        let first = hosts.firstDevice[host]
        for record in records {
            hosts.cpuFree[record.host] -= record.cpu
            hosts.memoryFree[record.host] -= record.memory
            guard record.device >= 0 else { continue }
            devices.milliFree[record.device] -= record.milli
            devices.vramFree[record.device] -= record.vram
            devices.userCount[record.device] += 1
            devices.status[record.device].mode = modes[Int(record.device - first)]
        }
    }

    /// Whether a workload that was released still fits where it was.
    func hasRoom(for workload: PlacedWorkload) -> Bool { hasRoom(for: workload.request, at: workload.assignment) }

    /// Whether what an assignment names is free.
    func hasRoom(for request: WorkloadRequest, at assignment: Assignment) -> Bool {
        let home = assignment.home
        if home >= 0 {
            guard hosts.cpuFree[home] >= Int32(request.cpuMilli) else { return false }
            guard hosts.memoryFree[home] >= Int32(request.memoryMiB) else { return false }
        }
        for part in assignment.parts {
            let mode = request.devices.isolation
            guard devices.status[part.device].accepts(mode.rawValue) else { return false }
            guard mode != .exclusive || devices.userCount[part.device] == 0 else { return false }
            guard devices.milliFree[part.device] >= part.milli else { return false }
            guard devices.vramFree[part.device] >= part.vram else { return false }
        }
        return true
    }
}
