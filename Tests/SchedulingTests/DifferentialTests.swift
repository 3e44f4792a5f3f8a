import Testing

@testable import Scheduling

@Suite("Index against full scan")
struct DifferentialTests {
    /// A random history applied to two schedulers, one of which looks at every host each time.
    private struct History {
        let fast: Scheduler
        let slow: Scheduler
        var dice: Dice
        var hosts: [String] = []
        var workloads: [String] = []
        var number = 0

        init(seed: UInt64, policy: PlacementPolicy, indexedShapes: Int) {
            var settings = SchedulerSettings()
            settings.policy = policy
            settings.indexedShapes = indexedShapes
            settings.popularityHalfLife = 200
            fast = Scheduler(settings: settings)
            settings.usesIndex = false
            slow = Scheduler(settings: settings)
            dice = Dice(seed: seed)
        }

        mutating func apply(_ change: FleetChange) throws {
            let lost = try fast.apply(change)
            #expect(try slow.apply(change) == lost)
            workloads.removeAll { lost.contains($0) }
        }

        mutating func step() throws {
            number += 1
            switch Int.random(in: 0..<100, using: &dice) {
            case 0..<60: try place()
            case 60..<85:
                guard !workloads.isEmpty else { return }
                let index = Int.random(in: 0..<workloads.count, using: &dice)
                try apply(.release(workload: workloads.remove(at: index)))
            case 85..<90:
                guard let name = hosts.randomElement(using: &dice) else { return }
                try apply(.cordonHost(name: name, isCordoned: Bool.random(using: &dice)))
            case 90..<93:
                guard hosts.count > 5 else { return }
                let index = Int.random(in: 0..<hosts.count, using: &dice)
                try apply(.removeHost(name: hosts.remove(at: index)))
            case 93..<96:
                guard let name = hosts.randomElement(using: &dice) else { return }
                try apply(.updateHost(Fleets.randomHost(name, &dice)))
            default:
                let name = "host\(number)"
                hosts.append(name)
                try apply(.addHost(Fleets.randomHost(name, &dice)))
            }
        }

        mutating func place() throws {
            let request = Fleets.randomRequest("w\(number)", &dice)
            fast.observe(request)
            slow.observe(request)
            let chosen = try fast.placement(for: request)
            #expect(chosen == (try slow.placement(for: request)), "step \(number)")
            guard let chosen else { return }
            try apply(.place(request, chosen))
            workloads.append(request.id)
        }
    }

    @Test(
        "Every choice of a random history is that of a full scan",
        arguments: [1, 2, 3, 4, 5, 6, 7, 8], [PlacementPolicy.roost, .fragmentationGradient])
    func choices(seed: UInt64, policy: PlacementPolicy) throws {
        var history = History(seed: seed, policy: policy, indexedShapes: seed % 2 == 0 ? 192 : 5)
        for number in 0..<30 {
            history.hosts.append("first\(number)")
            try history.apply(.addHost(Fleets.randomHost("first\(number)", &history.dice)))
        }
        for step in 0..<600 {
            try history.step()
            if step % 50 == 0 { DifferentialTests.checkBooks(of: history.fast) }
        }
        DifferentialTests.checkBooks(of: history.fast)
        #expect(history.fast.record == history.slow.record)
    }

    @Test("A log of changes that is cut leaves no score old")
    func cutLog() throws {
        var history = History(seed: 77, policy: .roost, indexedShapes: 16)
        for number in 0..<20 {
            history.hosts.append("first\(number)")
            try history.apply(.addHost(Fleets.randomHost("first\(number)", &history.dice)))
        }
        for step in 0..<300 {
            try history.step()
            if step % 7 == 0 { history.fast.state.forgetChanges() }
        }
    }

    /// Compares what the columns say with a count of all allotments.
    static func checkBooks(of scheduler: Scheduler) {
        let state = scheduler.state
        let record = scheduler.record
        for host in record.hosts {
            var free = ResourceVector(cpuMilli: host.cpuMilli, memoryMiB: host.memoryMiB)
            var milli: [String: Int] = [:]
            var vram: [String: Int] = [:]
            var modes: [String: Set<IsolationMode>] = [:]
            for placed in record.workloads {
                if placed.placement.homeHost == host.name {
                    free.cpuMilli -= placed.request.cpuMilli
                    free.memoryMiB -= placed.request.memoryMiB
                }
                for part in placed.placement.devices where part.host == host.name {
                    milli[part.device, default: 0] += part.computeMilli
                    vram[part.device, default: 0] += part.vramMiB
                    modes[part.device, default: []].insert(placed.request.devices.isolation)
                }
            }
            let seen = scheduler.free(on: host.name)
            #expect(seen?.cpuMilli == free.cpuMilli && seen?.memoryMiB == free.memoryMiB)
            guard let slot = state.hostNumbers[host.name] else { continue }
            for (ordinal, device) in host.devices.enumerated() {
                let at = state.hosts.firstDevice[slot] + Int32(ordinal)
                #expect(Int(state.devices.milliFree[at]) == device.computeCapacityMilli - (milli[device.id] ?? 0))
                #expect(Int(state.devices.vramFree[at]) == device.vramCapacityMiB - (vram[device.id] ?? 0))
                #expect((modes[device.id]?.count ?? 0) <= 1, "two isolation modes on one device")
            }
        }
    }
}

@Suite("Score trees")
struct ScoreTreeTests {
    @Test("The first of the best is found, whatever was written before", arguments: [1, 31, 32, 33, 1024, 1025, 5000])
    func first(count: Int) {
        let tree = ScoreTree(count: count)
        defer { tree.free() }
        #expect(tree.first() == nil)
        var scores = [Int16](repeating: 0, count: count)
        var dice = Dice(seed: UInt64(count))
        for _ in 0..<2000 {
            let host = Int.random(in: 0..<count, using: &dice)
            let score = Int16.random(in: 0..<40, using: &dice)
            scores[host] = score
            tree.set(score, at: host)
            let best = scores.max() ?? 0
            #expect(tree.first() == (best > 0 ? scores.firstIndex(of: best) : nil))
        }
    }
}
