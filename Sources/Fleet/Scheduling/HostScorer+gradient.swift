extension HostScorer {
    /// How much less fragmented a host is after a shape takes its devices; nil when it does not fit.
    @inline(__always)
    func gradient(_ host: Int, _ probe: Probe) -> Int64? {
        switch probe.count {
        case 0: return cpuChange(host, probe)
        case 1:
            let best = bestByGradient(host, probe)
            guard best.device >= 0 else { return nil }
            return best.change
        default: return severalChange(host, probe)
        }
    }

    /// The change when only CPU is taken.
    private func cpuChange(_ host: Int, _ probe: Probe) -> Int64 {
        let cpu = hosts.cpuFree[host]
        let before = table.cpuRank(cpu)
        let after = table.cpuRank(cpu - probe.cpu)
        guard before != after || table.severalCount > 0 else { return 0 }
        let change = sum(host, cpuRank: before) - sum(host, cpuRank: after)
        guard table.severalCount > 0 else { return change }
        return change - usable(host, cpu: cpu, instead: -1, 0, 0)
            + usable(host, cpu: cpu - probe.cpu, instead: -1, 0, 0)
    }

    /// The device whose use fragments the host least, -1 when none fits; among equals the tightest, then the first.
    @inline(__always)
    func bestByGradient(_ host: Int, _ probe: Probe) -> (change: Int64, device: Int) {
        let first = Int(hosts.firstDevice[host])
        let end = first + Int(hosts.deviceCount[host])
        // Most hosts that do not fit are full, which is cheap to see.
        var candidate = first
        while candidate < end, !fits(candidate, probe) { candidate += 1 }
        guard candidate < end else { return (0, -1) }
        let cpu = hosts.cpuFree[host]
        let rankBefore = table.cpuRank(cpu)
        let rankAfter = table.cpuRank(cpu - probe.cpu)
        let after = sum(host, cpuRank: rankAfter)
        var before = rankBefore == rankAfter ? after : sum(host, cpuRank: rankBefore)
        if table.severalCount > 0 { before -= usable(host, cpu: cpu, instead: -1, 0, 0) }
        var best = (change: Int64.min, device: -1)
        var bestLeft = Int64.max
        for device in candidate..<end where fits(device, probe) {
            let milli = devices.milliFree[device]
            let vram = devices.vramFree[device]
            let (takenMilli, takenVRAM) = taken(of: device, probe)
            let model = Int(devices.model[device])
            let old =
                Int64(milli) * table.unusable(model: model, cpuRank: rankAfter, milli: milli, vram: vram)
            let new =
                Int64(milli - takenMilli)
                * table.unusable(model: model, cpuRank: rankAfter, milli: milli - takenMilli, vram: vram - takenVRAM)
            var change = before - (after - old + new)
            if table.severalCount > 0 {
                change += usable(
                    host, cpu: cpu - probe.cpu, instead: device, milli - takenMilli, vram - takenVRAM)
            }
            let left = Int64(milli - takenMilli) << 32 + Int64(vram - takenVRAM)
            if change > best.change || (change == best.change && left < bestLeft) {
                best = (change, device)
                bestLeft = left
            }
        }
        return best
    }

    /// The change when the tightest devices are taken; several at once are not worth trying every choice.
    private func severalChange(_ host: Int, _ probe: Probe) -> Int64? {
        var chosen: [Int32] = []
        guard fittingCount(on: host, probe) >= Int(probe.count) else { return nil }
        guard tightest(host, probe, count: Int(probe.count), into: &chosen) else { return nil }
        let cpu = hosts.cpuFree[host]
        let rankBefore = table.cpuRank(cpu)
        let rankAfter = table.cpuRank(cpu - probe.cpu)
        var before = sum(host, cpuRank: rankBefore)
        var after = sum(host, cpuRank: rankAfter)
        if table.severalCount > 0 { before -= usable(host, cpu: cpu, instead: -1, 0, 0) }
        for device in chosen {
            let at = Int(device)
            let model = Int(devices.model[at])
            let (milli, vram) = taken(of: at, probe)
            let free = (milli: devices.milliFree[at], vram: devices.vramFree[at])
            after -=
                Int64(free.milli)
                * table.unusable(model: model, cpuRank: rankAfter, milli: free.milli, vram: free.vram)
            after +=
                Int64(free.milli - milli)
                * table.unusable(
                    model: model, cpuRank: rankAfter, milli: free.milli - milli, vram: free.vram - vram)
        }
        guard table.severalCount > 0 else { return before - after }
        // The columns take the new amounts for as long as it takes to look.
        let amounts = chosen.map { taken(of: Int($0), probe) }
        for (device, amount) in zip(chosen, amounts) {
            devices.milliFree[device] -= amount.milli
            devices.vramFree[device] -= amount.vram
        }
        after -= usable(host, cpu: cpu - probe.cpu, instead: -1, 0, 0)
        for (device, amount) in zip(chosen, amounts) {
            devices.milliFree[device] += amount.milli
            devices.vramFree[device] += amount.vram
        }
        return before - after
    }

    /// The compute of a host that typical requests of one device cannot use.
    @inline(__always)
    func sum(_ host: Int, cpuRank: Int) -> Int64 {
        let first = Int(hosts.firstDevice[host])
        var sum: Int64 = 0
        for device in first..<(first + Int(hosts.deviceCount[host])) {
            let milli = devices.milliFree[device]
            guard milli > 0, devices.status[device].isHealthy else { continue }
            sum +=
                Int64(milli)
                * table.unusable(
                    model: Int(devices.model[device]), cpuRank: cpuRank, milli: milli, vram: devices.vramFree[device])
        }
        return sum
    }

    /// The compute that typical requests of several devices can use after all, with one device's amounts replaced.
    func usable(_ host: Int, cpu: Int32, instead: Int, _ milli: Int32, _ vram: Int32) -> Int64 {
        let first = Int(hosts.firstDevice[host])
        let end = first + Int(hosts.deviceCount[host])
        var result: Int64 = 0
        for index in 0..<table.severalCount {
            let typical = table.several[index]
            guard typical.cpu <= cpu, Int(typical.count) <= end - first else { continue }
            var count: Int32 = 0
            var idle: Int64 = 0
            for device in first..<end where devices.status[device].isHealthy {
                let need = table.needs[typical.firstNeed + Int(devices.model[device])]
                let freeMilli = device == instead ? milli : devices.milliFree[device]
                let freeVRAM = device == instead ? vram : devices.vramFree[device]
                guard need >= 0, freeMilli >= need, freeVRAM >= typical.vram else { continue }
                count += 1
                idle += Int64(freeMilli)
            }
            if count >= typical.count { result += typical.share * idle }
        }
        return result
    }
}
