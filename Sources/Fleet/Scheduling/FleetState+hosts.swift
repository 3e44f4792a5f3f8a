extension FleetState {
    func addHost(_ description: HostDescription) throws(SchedulingError) {
        guard hostNumbers[description.name] == nil else { throw .duplicateHost(description.name) }
        try FleetState.validate(description)
        let slot: Int32
        if let free = freeHosts.popLast() {
            slot = free
        } else {
            slot = Int32(hostSlots)
            hostSlots += 1
            hosts.reserve(hostSlots)
            descriptions.append(nil)
        }
        hostNumbers[description.name] = slot
        hosts.cpuFree[slot] = 0
        hosts.memoryFree[slot] = 0
        hosts.cpuCapacity[slot] = 0
        hosts.memoryCapacity[slot] = 0
        hosts.firstAllotment[slot] = -1
        for index in 0..<DemandClass.count { hosts.classCounts[Int(slot) * DemandClass.count + index] = 0 }
        takeDeviceRange(of: slot, count: description.devices.count)
        describe(slot, as: description)
        enterDomains(slot)
        touch(slot)
    }

    /// Takes a host away and returns the workloads that lost their place.
    func removeHost(_ name: String) throws(SchedulingError) -> [String] {
        guard let slot = hostNumbers[name] else { throw .unknownHost(name) }
        let displaced = releaseAll(on: slot) { _ in true }
        leaveDomains(slot)
        hosts.isOpen[slot] = 0
        freeDevices[Int(hosts.deviceCount[slot]), default: []].append(hosts.firstDevice[slot])
        hosts.deviceCount[slot] = 0
        descriptions[Int(slot)] = nil
        hostNumbers[name] = nil
        freeHosts.append(slot)
        touch(slot)
        return displaced
    }

    /// Changes a host and returns the workloads whose devices it has no longer.
    func updateHost(_ description: HostDescription) throws(SchedulingError) -> [String] {
        guard let slot = hostNumbers[description.name], let old = descriptions[Int(slot)] else {
            throw .unknownHost(description.name)
        }
        try FleetState.validate(description)
        guard old.devices.map(\.id) != description.devices.map(\.id) else {
            leaveDomains(slot)
            describe(slot, as: description)
            enterDomains(slot)
            touch(slot)
            return []
        }
        // Devices that stay may move to other slots, so that their workloads are placed anew.
        let kept = Set(description.devices.map(\.id))
        let displaced = releaseAll(on: slot) { device in device < 0 ? false : !kept.contains(deviceID(device)) }
        let staying = suspendAll(on: slot)
        leaveDomains(slot)
        freeDevices[Int(hosts.deviceCount[slot]), default: []].append(hosts.firstDevice[slot])
        takeDeviceRange(of: slot, count: description.devices.count)
        describe(slot, as: description)
        enterDomains(slot)
        for (request, placement) in staying { try place(request, at: assignment(of: placement)) }
        touch(slot)
        return displaced
    }

    func cordonHost(_ name: String, isCordoned: Bool) throws(SchedulingError) {
        guard let slot = hostNumbers[name], var description = descriptions[Int(slot)] else {
            throw .unknownHost(name)
        }
        description.isCordoned = isCordoned
        descriptions[Int(slot)] = description
        hosts.isOpen[slot] = description.isReady && !isCordoned ? 1 : 0
        touch(slot)
    }

    private static func validate(_ host: HostDescription) throws(SchedulingError) {
        let limit = Int(Int32.max)
        guard !host.name.isEmpty else { throw .invalid("A host needs a name.") }
        guard (0...limit).contains(host.cpuMilli), (0...limit).contains(host.memoryMiB) else {
            throw .invalid("Host \(host.name): CPU and memory must lie between 0 and \(limit).")
        }
        guard host.devices.count <= maximumDevicesOfHost else {
            throw .invalid("Host \(host.name) has \(host.devices.count) devices, more than \(maximumDevicesOfHost).")
        }
        var ids: Set<String> = []
        for device in host.devices {
            guard ids.insert(device.id).inserted else {
                throw .invalid("Host \(host.name) has two devices \(device.id); give them different ids.")
            }
            let isSensible =
                (0...limit).contains(device.vramMiB) && (0...10_000).contains(device.computeCapacityMilli)
                && (0...10_000).contains(device.vramOversellMilli) && device.vramCapacityMiB <= limit
                && (0...limit).contains(device.milliTFLOPS)
            guard isSensible else {
                throw .invalid("Device \(device.id) of \(host.name): a size is negative, or oversold over 10 times.")
            }
        }
    }

    static let maximumDevicesOfHost = 1024

    /// Gives a host devices that are not described yet.
    private func takeDeviceRange(of host: Int32, count: Int) {
        let first: Int32
        if let free = freeDevices[count]?.popLast() {
            first = free
        } else {
            first = Int32(deviceSlots)
            deviceSlots += count
            devices.reserve(deviceSlots)
        }
        hosts.firstDevice[host] = first
        hosts.deviceCount[host] = Int32(count)
        for device in first..<(first + Int32(count)) {
            devices.host[device] = host
            devices.milliFree[device] = 0
            devices.vramFree[device] = 0
            devices.milliCapacity[device] = 0
            devices.vramCapacity[device] = 0
            devices.userCount[device] = 0
            devices.status[device] = DeviceStatus()
        }
    }

    /// Writes a description into the columns. What is taken stays taken, so that what is free may become negative.
    private func describe(_ slot: Int32, as host: HostDescription) {
        hosts.cpuFree[slot] += Int32(host.cpuMilli) - hosts.cpuCapacity[slot]
        hosts.memoryFree[slot] += Int32(host.memoryMiB) - hosts.memoryCapacity[slot]
        hosts.cpuCapacity[slot] = Int32(host.cpuMilli)
        hosts.memoryCapacity[slot] = Int32(host.memoryMiB)
        hosts.isOpen[slot] = host.isReady && !host.isCordoned ? 1 : 0
        hosts.labels[slot] = labelSets.number(of: host.labels)
        var compute: Int32 = 0
        for (ordinal, device) in host.devices.enumerated() {
            let at = hosts.firstDevice[slot] + Int32(ordinal)
            let milli = Int32(device.computeCapacityMilli)
            let vram = Int32(device.vramCapacityMiB)
            devices.milliFree[at] += milli - devices.milliCapacity[at]
            devices.vramFree[at] += vram - devices.vramCapacity[at]
            devices.milliCapacity[at] = milli
            devices.vramCapacity[at] = vram
            devices.vramPhysical[at] = Int32(device.vramMiB)
            devices.model[at] = models.number(
                of: Model(vendor: device.vendor, name: device.model, milliTFLOPS: device.milliTFLOPS))
            devices.labels[at] = labelSets.number(of: device.labels)
            var abilities: UInt8 = device.isHealthy ? 1 : 0
            for mode in device.isolationModes { abilities |= 1 << mode.rawValue }
            devices.status[at].abilities = abilities
            compute += milli
        }
        descriptions[Int(slot)] = host
        if Int32(host.cpuMilli) > largestCPUMilli || compute > largestComputeMilli {
            largestCPUMilli = max(largestCPUMilli, Int32(host.cpuMilli))
            largestComputeMilli = max(largestComputeMilli, compute)
            scaleGeneration += 1
        }
    }

    private func enterDomains(_ slot: Int32) {
        guard let topology = descriptions[Int(slot)]?.topology else { return }
        let rack = racks.number(of: topology)
        let zone = zones.number(of: topology.zone)
        while rackHosts.count <= Int(rack) { rackHosts.append([]) }
        while zoneHosts.count <= Int(zone) { zoneHosts.append([]) }
        hosts.rack[slot] = rack
        hosts.zone[slot] = zone
        FleetState.insert(slot, into: &rackHosts[Int(rack)])
        FleetState.insert(slot, into: &zoneHosts[Int(zone)])
        recountAffinity(of: slot, sign: 1)
    }

    private func leaveDomains(_ slot: Int32) {
        recountAffinity(of: slot, sign: -1)
        rackHosts[Int(hosts.rack[slot])].removeAll { $0 == slot }
        zoneHosts[Int(hosts.zone[slot])].removeAll { $0 == slot }
    }

    private static func insert(_ slot: Int32, into list: inout [Int32]) {
        if let last = list.last, last > slot {
            list.insert(slot, at: list.firstIndex { $0 > slot } ?? list.count)
        } else {
            list.append(slot)
        }
    }
}
