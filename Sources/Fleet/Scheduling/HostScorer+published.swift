/// The policies that the literature compares, as their simulator has them: whole scores from 0 to 100.
extension HostScorer {
    func publishedScore(_ host: Int, _ probe: Probe) -> Int32? {
        if policy == .fragmentationGradient {
            guard let change = gradient(host, probe) else { return nil }
            return scale.score(change)
        }
        let device: Int
        switch probe.count {
        case 0: device = -1
        case 1:
            device = tightest(host, probe)
            guard device >= 0 else { return nil }
        default:
            device = -1
            guard fittingCount(on: host, probe) >= Int(probe.count) else { return nil }
        }
        switch policy {
        case .dotProduct: return dotProduct(host, probe)
        case .bestFit: return leastLeft(host, probe)
        case .gpuClustering: return clustering(host, probe)
        case .gpuPacking: return packing(host, probe, device: device)
        default: return 0
        }
    }

    private func compute(of probe: Probe, on host: Int) -> Double {
        guard probe.count > 0 else { return 0 }
        let model = Int(devices.model[Int(hosts.firstDevice[host])])
        return Double(probe.needs[model] * probe.count)
    }

    private func dotProduct(_ host: Int, _ probe: Probe) -> Int32 {
        let cpu = Double(hosts.cpuFree[host]) / Double(cpuScale) * Double(probe.cpu) / Double(cpuScale)
        let scale = Double(computeScale)
        let gpu = Double(freeCompute(of: host)) / scale * compute(of: probe, on: host) / scale
        return Int32(100 * (1 - (cpu + gpu) / 2))
    }

    private func leastLeft(_ host: Int, _ probe: Probe) -> Int32 {
        let cpu = Double(hosts.cpuFree[host] - probe.cpu) / Double(cpuScale)
        let gpu = (Double(freeCompute(of: host)) - compute(of: probe, on: host)) / Double(computeScale)
        return Int32(100 * (1 - cpu / 2 - gpu / 2))
    }

    private func clustering(_ host: Int, _ probe: Probe) -> Int32 {
        guard probe.demandClass >= 0 else { return 0 }
        var hasOwn = false
        var hasOthers = false
        for index in 0..<DemandClass.count where hosts.classCounts[host * DemandClass.count + index] > 0 {
            if index == probe.demandClass { hasOwn = true } else { hasOthers = true }
        }
        let tier: Double
        switch (hasOwn, hasOthers) {
        case (true, false): tier = 75
        case (true, true): tier = 50
        case (false, false): tier = 25
        case (false, true): tier = 0
        }
        let scale = Double(computeScale)
        return Int32(tier + 25 * (scale - Double(freeCompute(of: host))) / scale)
    }

    private func packing(_ host: Int, _ probe: Probe, device: Int) -> Int32 {
        guard probe.count > 0 else { return 0 }
        let first = Int(hosts.firstDevice[host])
        var free: Int32 = 0
        for at in first..<(first + Int(hosts.deviceCount[host])) where devices.userCount[at] == 0 { free += 1 }
        if device >= 0, devices.userCount[device] > 0 {
            return max(100 - devices.milliFree[device] / 10 / 10, 50)
        }
        return free == hosts.deviceCount[host] ? max(33 - free, free) : max(50 - free, 33)
    }
}
