import Testing

@testable import Scheduling

@Suite("Fragmentation")
struct FragmentationTests {
    /// The definition of the paper, with VRAM as a second thing that a device can lack.
    private static func expected(_ scheduler: Scheduler, host: HostDescription) -> Double {
        let state = scheduler.state
        guard let free = scheduler.free(on: host.name), let slot = state.hostNumbers[host.name] else { return 0 }
        let devices = host.devices.enumerated().map { ordinal, device in
            let at = state.hosts.firstDevice[slot] + Int32(ordinal)
            return (model: device, milli: Int(state.devices.milliFree[at]), vram: Int(state.devices.vramFree[at]))
        }
        let idle = devices.reduce(0) { $0 + $1.milli }
        return scheduler.tableTypical.reduce(0.0) { sum, typical in
            let size = typical.size
            let usable = devices.filter { device in
                guard size.models.isEmpty || size.models.contains(device.model.model) else { return false }
                let need = size.compute.milli(onDeviceOf: device.model.milliTFLOPS) ?? .max
                return device.milli >= need && device.vram >= size.vramMiB
            }
            let canRun = size.count > 0 && size.cpuMilli <= free.cpuMilli && usable.count >= size.count
            let fragment = canRun ? idle - usable.reduce(0) { $0 + $1.milli } : idle
            return sum + typical.share * Double(fragment)
        }
    }

    @Test("The table gives what the definition gives", arguments: [1, 2, 3])
    func definition(seed: UInt64) throws {
        var dice = Dice(seed: seed)
        var settings = SchedulerSettings()
        settings.learnsPopularity = false
        let scheduler = Scheduler(settings: settings)
        var requests: [WorkloadRequest] = []
        for number in 0..<400 {
            var request = Fleets.randomRequest("w\(number)", &dice)
            request.affinity = []
            request.devices.isolation = .shared
            if request.devices.count > 1 {
                // Few sizes of several devices are corrected for, the most frequent ones.
                request = Fleets.request("w\(number)", devices: request.devices.count, milli: 1000, vramMiB: 0)
            } else if number % 5 == 0 {
                request.devices.compute = .milliTFLOPS(8000)
            }
            requests.append(request)
        }
        for number in 0..<20 {
            var host = Fleets.randomHost("h\(number)", &dice)
            for index in host.devices.indices { host.devices[index].isHealthy = true }
            try scheduler.apply(.addHost(host))
        }
        scheduler.learnPopularity(from: requests)
        for request in requests.prefix(100) {
            guard let placement = try scheduler.placement(for: request) else { continue }
            try scheduler.apply(.place(request, placement))
        }
        _ = try scheduler.placement(for: Fleets.request("last"))
        let scorer = scheduler.makeScorer()
        for host in scheduler.record.hosts {
            let slot = try #require(scheduler.state.hostNumbers[host.name])
            let found = Double(scorer.fragmentation(Int(slot))) / Double(FragmentationTable.one)
            let wanted = FragmentationTests.expected(scheduler, host: host)
            #expect(abs(found - wanted) < 2, "\(host.name): \(found) instead of \(wanted)")
        }
    }

    @Test("The gradient of a choice is the difference of the fragmentation before and after", arguments: [4, 5])
    func gradient(seed: UInt64) throws {
        var dice = Dice(seed: seed)
        let scheduler = Scheduler()
        for number in 0..<300 { scheduler.observe(Fleets.randomRequest("seen\(number)", &dice)) }
        for number in 0..<20 { try scheduler.apply(.addHost(Fleets.randomHost("h\(number)", &dice))) }
        for number in 0..<80 {
            var request = Fleets.randomRequest("w\(number)", &dice)
            request.remote = .localOnly
            request.affinity = []
            guard let placement = try scheduler.placement(for: request) else { continue }
            let slot = try #require(scheduler.state.hostNumbers[placement.homeHost ?? ""])
            let shape = scheduler.shape(of: request)
            let promised = scheduler.makeScorer().gradient(Int(slot), Probe(shape))
            let before = scheduler.makeScorer().fragmentation(Int(slot))
            try scheduler.apply(.place(request, placement))
            #expect(promised == before - scheduler.makeScorer().fragmentation(Int(slot)))
        }
    }

    @Test("Steps of the logistic function begin where they must")
    func scale() {
        #expect(GradientScale.hundred.score(0) == 50)
        #expect(GradientScale.hundred.score(-1) == 49)
        // σ(0.5) is 0.6224593…, σ(-1) is 0.2689414…
        #expect(GradientScale.hundred.score(500 * FragmentationTable.one) == 62)
        #expect(GradientScale.hundred.score(-1000 * FragmentationTable.one) == 26)
        #expect(GradientScale.fifty.score(500 * FragmentationTable.one) == 31)
        #expect(GradientScale.hundred.score(.max / 4) == 99)
        #expect(GradientScale.hundred.score(.min / 4) == 0)
    }

    @Test("Popularity forgets what no longer arrives")
    func popularity() {
        var popularity = Popularity(halfLife: 10)
        for number in 0..<200 { popularity.observe(Fleets.request("a\(number)", milli: 100)) }
        for number in 0..<40 { popularity.observe(Fleets.request("b\(number)", milli: 200)) }
        let typical = popularity.typical(covering: 1, atMost: 10)
        #expect(typical.first?.size.compute == .milli(200))
        #expect(abs((typical.first?.share ?? 0) - 15.0 / 16) < 0.01, "four half-lives leave a sixteenth")
        for number in 0..<400 { popularity.observe(Fleets.request("c\(number)", milli: 300)) }
        #expect(popularity.sizes.count == 1, "sizes that hardly count are dropped")
    }
}
