/// Where a workload goes, in slots.
struct Assignment {
    /// A part of one device.
    struct Part {
        var device: Int32
        var milli: Int32
        var vram: Int32
    }

    /// The host that gives CPU and memory, or -1.
    var home: Int32
    var parts: [Part]
}

extension FleetState {
    /// Takes what an assignment names.
    func place(_ request: WorkloadRequest, at assignment: Assignment) throws(SchedulingError) {
        guard workloadNumbers[request.id] == nil else { throw .duplicateWorkload(request.id) }
        // Before the workload is there, or a term that is new would count it twice.
        for term in request.affinity { _ = termNumber(term) }
        let slot: Int32
        if let free = freeWorkloads.popLast() {
            slot = free
        } else {
            slot = Int32(workloads.count)
            workloads.append(nil)
        }
        workloadNumbers[request.id] = slot
        let gang = request.gang.map { joinGang($0, slot) } ?? -1
        workloads[Int(slot)] = PlacedWorkload(
            request: request, assignment: assignment, firstAllotment: -1,
            labels: labelSets.number(of: request.labels), gang: gang)
        workloadDepartures.reserve(workloads.count)
        workloadPriorities.reserve(workloads.count)
        workloadGangs.reserve(workloads.count)
        workloadDepartures[slot] = Departure(of: request)
        workloadPriorities[slot] = Int32(clamping: request.priority)
        workloadGangs[slot] = gang
        if assignment.home >= 0 {
            let host = assignment.home
            hosts.cpuFree[host] -= Int32(request.cpuMilli)
            hosts.memoryFree[host] -= Int32(request.memoryMiB)
            link(
                AllotmentRecord(
                    workload: slot, host: host, device: -1, milli: 0, vram: 0, cpu: Int32(request.cpuMilli),
                    memory: Int32(request.memoryMiB), next: -1, previous: -1, nextOfWorkload: -1))
        }
        for part in assignment.parts {
            devices.milliFree[part.device] -= part.milli
            devices.vramFree[part.device] -= part.vram
            devices.userCount[part.device] += 1
            devices.status[part.device].mode = request.devices.isolation.rawValue
            link(
                AllotmentRecord(
                    workload: slot, host: devices.host[part.device], device: part.device, milli: part.milli,
                    vram: part.vram, cpu: 0, memory: 0, next: -1, previous: -1, nextOfWorkload: -1))
        }
        count(slot, sign: 1)
    }

    /// Gives back all that a workload holds.
    func release(_ id: String) throws(SchedulingError) {
        guard let slot = workloadNumbers[id] else { throw .unknownWorkload(id) }
        release(slot)
    }

    func release(_ slot: Int32) {
        guard let workload = workloads[Int(slot)] else { return }
        count(slot, sign: -1)
        var at = workload.firstAllotment
        while at >= 0 {
            let record = allotments[at]
            hosts.cpuFree[record.host] += record.cpu
            hosts.memoryFree[record.host] += record.memory
            if record.device >= 0 {
                devices.milliFree[record.device] += record.milli
                devices.vramFree[record.device] += record.vram
                devices.userCount[record.device] -= 1
                if devices.userCount[record.device] == 0 { devices.status[record.device].mode = 0 }
            }
            unlink(at)
            at = record.nextOfWorkload
        }
        workloadNumbers[workload.request.id] = nil
        workloads[Int(slot)] = nil
        freeWorkloads.append(slot)
        if workload.gang >= 0 { gangMembers[Int(workload.gang)].removeAll { $0 == slot } }
    }

    /// Releases the workloads with an allotment on a host that `isLost` accepts, and returns their ids.
    func releaseAll(on host: Int32, where isLost: (Int32) -> Bool) -> [String] {
        var lost: [Int32] = []
        var at = hosts.firstAllotment[host]
        while at >= 0 {
            let record = allotments[at]
            if isLost(record.device), !lost.contains(record.workload) { lost.append(record.workload) }
            at = record.next
        }
        let ids = lost.compactMap { workloads[Int($0)]?.request.id }.sorted()
        for slot in lost { release(slot) }
        return ids
    }

    /// Releases every workload of a host, and returns how to place them again.
    func suspendAll(on host: Int32) -> [(WorkloadRequest, Placement)] {
        var found: [(WorkloadRequest, Placement)] = []
        for id in workloadIDs(on: host) {
            guard let slot = workloadNumbers[id], let workload = workloads[Int(slot)] else { continue }
            found.append((workload.request, placement(of: workload.assignment, for: id)))
            release(slot)
        }
        return found
    }

    func workloadIDs(on host: Int32) -> [String] {
        var ids: Set<String> = []
        var at = hosts.firstAllotment[host]
        while at >= 0 {
            if let id = workloads[Int(allotments[at].workload)]?.request.id { ids.insert(id) }
            at = allotments[at].next
        }
        return ids.sorted()
    }

    /// Names slots.
    func placement(of assignment: Assignment, for workload: String) -> Placement {
        Placement(
            workload: workload, homeHost: assignment.home >= 0 ? name(of: assignment.home) : nil,
            devices: assignment.parts.map { part in
                DeviceAllotment(
                    host: name(of: devices.host[part.device]), device: deviceID(part.device),
                    computeMilli: Int(part.milli), vramMiB: Int(part.vram))
            })
    }

    /// Looks names up.
    func assignment(of placement: Placement) throws(SchedulingError) -> Assignment {
        var assignment = Assignment(home: -1, parts: [])
        if let name = placement.homeHost {
            guard let host = hostNumbers[name] else { throw .unknownHost(name) }
            assignment.home = host
        }
        for allotment in placement.devices {
            guard let host = hostNumbers[allotment.host], let description = descriptions[Int(host)] else {
                throw .unknownHost(allotment.host)
            }
            guard let ordinal = description.devices.firstIndex(where: { $0.id == allotment.device }) else {
                throw .unknownDevice(host: allotment.host, device: allotment.device)
            }
            assignment.parts.append(
                Assignment.Part(
                    device: hosts.firstDevice[host] + Int32(ordinal), milli: Int32(clamping: allotment.computeMilli),
                    vram: Int32(clamping: allotment.vramMiB)))
        }
        return assignment
    }

    private func joinGang(_ name: String, _ slot: Int32) -> Int32 {
        let gang = gangs.number(of: name)
        while gangMembers.count <= Int(gang) { gangMembers.append([]) }
        gangMembers[Int(gang)].append(slot)
        return gang
    }

    private func link(_ new: AllotmentRecord) {
        var record = new
        let at: Int32
        if freeAllotment >= 0 {
            at = freeAllotment
            freeAllotment = allotments[at].next
        } else {
            at = Int32(allotmentSlots)
            allotmentSlots += 1
            allotments.reserve(allotmentSlots)
        }
        record.next = hosts.firstAllotment[record.host]
        record.nextOfWorkload = workloads[Int(record.workload)]?.firstAllotment ?? -1
        allotments[at] = record
        if record.next >= 0 { allotments[record.next].previous = at }
        hosts.firstAllotment[record.host] = at
        workloads[Int(record.workload)]?.firstAllotment = at
        touch(record.host)
    }

    private func unlink(_ at: Int32) {
        let record = allotments[at]
        if record.previous >= 0 {
            allotments[record.previous].next = record.next
        } else {
            hosts.firstAllotment[record.host] = record.next
        }
        if record.next >= 0 { allotments[record.next].previous = record.previous }
        allotments[at].next = freeAllotment
        freeAllotment = at
        touch(record.host)
    }

    /// Adds a workload to, or takes it from, what is counted by host and by domain.
    private func count(_ slot: Int32, sign: Int32) {
        guard let workload = workloads[Int(slot)] else { return }
        let touched = hostSlots(of: workload.assignment)
        if let kind = DemandClass.index(of: workload.request.devices) {
            for host in touched {
                let at = Int(host) * DemandClass.count + kind
                hosts.classCounts[at] = UInt16(truncatingIfNeeded: Int32(hosts.classCounts[at]) + sign)
            }
        }
        guard affinity.isUsed else { return }
        for host in touched { countAffinity(of: workload, on: host, sign: sign) }
    }

    /// The different hosts of an assignment.
    func hostSlots(of assignment: Assignment) -> [Int32] {
        var found: [Int32] = assignment.home >= 0 ? [assignment.home] : []
        for part in assignment.parts where !found.contains(devices.host[part.device]) {
            found.append(devices.host[part.device])
        }
        return found
    }
}
