import Scheduling
import Testing

@Suite("Preemption")
struct PreemptionTests {
    private static func urgent(_ id: String = "urgent", devices: Int = 1, milli: Int = 1000) -> WorkloadRequest {
        var request = Fleets.request(id, devices: devices, milli: milli)
        request.priority = 10
        return request
    }

    private static func fill(
        _ scheduler: Scheduler, _ count: Int, milli: Int, change: (Int, inout WorkloadRequest) -> Void = { _, _ in }
    ) throws {
        for number in 0..<count {
            var request = Fleets.request("w\(number)", milli: milli)
            change(number, &request)
            try scheduler.apply(.place(request, try #require(try scheduler.placement(for: request))))
        }
    }

    @Test("The least important goes, nothing is done by asking, and the plan can be carried out")
    func leastImportant() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0"), Fleets.host("h1")])
        let priorities = [3, 1, 2, 9]
        try PreemptionTests.fill(scheduler, 4, milli: 1000) { $1.priority = priorities[$0] }
        let before = scheduler.record
        let urgent = PreemptionTests.urgent()
        let plan = try #require(try scheduler.preemption(for: [urgent]))
        #expect(plan.evictions == ["w1"])
        #expect(scheduler.record == before)
        for id in plan.evictions { try scheduler.apply(.release(workload: id)) }
        try scheduler.apply(.place(urgent, plan.placements[0]))
        DifferentialTests.checkBooks(of: scheduler)
    }

    @Test("Same or higher priority, the protected and what is not preemptible stay")
    func untouchable() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0")])
        try PreemptionTests.fill(scheduler, 2, milli: 1000) { number, request in
            if number == 0 { request.priority = 10 } else { request.isEvictionProtected = true }
        }
        #expect(try scheduler.preemption(for: [PreemptionTests.urgent()]) == nil)
        try scheduler.apply(.release(workload: "w1"))
        var fixed = Fleets.request("fixed", milli: 1000)
        fixed.isPreemptible = false
        try scheduler.apply(.place(fixed, try #require(try scheduler.placement(for: fixed))))
        #expect(try scheduler.preemption(for: [PreemptionTests.urgent()]) == nil)
        #expect(try scheduler.preemption(for: [PreemptionTests.urgent()]) == nil, "also from the cache")
        try scheduler.apply(.release(workload: "fixed"))
        #expect(try scheduler.preemption(for: [PreemptionTests.urgent()])?.evictions == [])
    }

    @Test("Room is kept where the fewest must end, whoever they are, but not where room is kept for others")
    func roomToKeep() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0"), Fleets.host("h1")])
        try PreemptionTests.fill(scheduler, 4, milli: 1000) { $1.isPreemptible = false }
        let large = PreemptionTests.urgent("large", devices: 2)
        #expect(try scheduler.preemption(for: [large]) == nil)
        let before = scheduler.record
        let first = try #require(try scheduler.roomToKeep(for: [large])?.first)
        #expect(scheduler.record == before)
        let held = try #require(
            ["w0", "w1", "w2", "w3"].first { scheduler.placement(of: $0)?.devices[0].host == first.homeHost })
        var filler = try #require(scheduler.request(of: held))
        let place = try #require(scheduler.placement(of: held))
        let device = place.devices[0]
        try scheduler.apply(.release(workload: held))
        #expect(scheduler.idle(device.device, of: device.host)?.computeMilli == 1000)
        #expect(
            try scheduler.roomToKeep(for: [large])?.first?.homeHost == first.homeHost, "one has ended there already")
        filler.keepsRoom = true
        try scheduler.apply(.place(filler, place))
        #expect(scheduler.idle(device.device, of: device.host)?.computeMilli == 0)
        #expect(try scheduler.roomToKeep(for: [large])?.first?.homeHost != first.homeHost)
        #expect(scheduler.idle("none", of: device.host) == nil)
        DifferentialTests.checkBooks(of: scheduler)
    }

    @Test("A gang is evicted as a whole, and counts with all its members")
    func wholeGangs() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0"), Fleets.host("h1")])
        try PreemptionTests.fill(scheduler, 4, milli: 1000) { number, request in
            if number < 3 { request.gang = "ring" }
            request.priority = 1
        }
        #expect(try scheduler.preemption(for: [PreemptionTests.urgent()])?.evictions == ["w3"])
        try scheduler.apply(.release(workload: "w3"))
        var fixed = Fleets.request("fixed", milli: 1000)
        fixed.priority = 99
        try scheduler.apply(.place(fixed, try #require(try scheduler.placement(for: fixed))))
        #expect(try scheduler.preemption(for: [PreemptionTests.urgent()])?.evictions == ["w0", "w1", "w2"])
        let protected = try Fleets.scheduler([Fleets.host("h0")])
        try PreemptionTests.fill(protected, 2, milli: 1000) { number, request in
            request.gang = "ring"
            request.isEvictionProtected = number == 1
        }
        #expect(try protected.preemption(for: [PreemptionTests.urgent()]) == nil, "one protected member saves the gang")
    }

    @Test("A gang of urgent requests evicts only what it needs together")
    func urgentGang() throws {
        let scheduler = try Fleets.scheduler((0..<3).map { Fleets.host("h\($0)") })
        try PreemptionTests.fill(scheduler, 6, milli: 1000)
        let plan = try #require(
            try scheduler.preemption(for: (0..<3).map { PreemptionTests.urgent("u\($0)") }))
        #expect(plan.evictions.count == 3)
        #expect(plan.placements.count == 3)
        #expect(try scheduler.preemption(for: (0..<7).map { PreemptionTests.urgent("u\($0)") }) == nil)
        for id in plan.evictions { try scheduler.apply(.release(workload: id)) }
        for (number, placement) in plan.placements.enumerated() {
            try scheduler.apply(.place(PreemptionTests.urgent("u\(number)"), placement))
        }
        DifferentialTests.checkBooks(of: scheduler)
    }

    @Test("No smaller or less important set of one host would do", arguments: 0..<40)
    func minimal(seed: Int) throws {
        var dice = Dice(seed: UInt64(seed))
        let scheduler = try Fleets.scheduler([Fleets.host("h0", devices: 3, cpuMilli: 8000)])
        for number in 0..<8 {
            var request = Fleets.request(
                "w\(number)", milli: [300, 400, 500].randomElement(using: &dice) ?? 300, vramMiB: 0,
                cpuMilli: [500, 1000].randomElement(using: &dice) ?? 500)
            request.priority = Int.random(in: 0..<4, using: &dice)
            guard let placement = try scheduler.placement(for: request) else { continue }
            try scheduler.apply(.place(request, placement))
        }
        var urgent = PreemptionTests.urgent(milli: [700, 1000].randomElement(using: &dice) ?? 700)
        urgent.priority = 3
        urgent.cpuMilli = 2000
        let plan = try scheduler.preemption(for: [urgent])
        let all = scheduler.record.workloads.map(\.request)
        let evictable = all.filter { $0.priority < 3 }
        // Every set of those that may go, by trial.
        var possible: [(highest: Int, ids: Set<String>)] = []
        for bits in 0..<(1 << evictable.count) {
            let ids = evictable.indices.filter { bits & (1 << $0) != 0 }
            let trial = try Scheduler(restoring: scheduler.record)
            for index in ids { try trial.apply(.release(workload: evictable[index].id)) }
            guard try trial.placement(for: urgent) != nil else { continue }
            possible.append((ids.map { evictable[$0].priority }.max() ?? -1, Set(ids.map { evictable[$0].id })))
        }
        let best = possible.min { ($0.highest, $0.ids.count) < ($1.highest, $1.ids.count) }
        #expect((plan == nil) == (best == nil))
        guard let plan, let best else { return }
        let chosen = Set(plan.evictions)
        #expect(possible.contains { $0.ids == chosen })
        #expect(!possible.contains { $0.ids.isStrictSubset(of: chosen) }, "somebody is evicted for nothing")
        let highest = evictable.filter { chosen.contains($0.id) }.map(\.priority).max() ?? -1
        #expect(highest == best.highest, "somebody more important than necessary is evicted")
    }
}
