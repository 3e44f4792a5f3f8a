import Scheduling
import Testing

@Suite("Gangs and topology")
struct GangTests {
    private static func members(_ count: Int, milli: Int = 1000) -> [WorkloadRequest] {
        (0..<count).map { Fleets.request("m\($0)", milli: milli) }
    }

    private static func racks(_ sizes: [Int]) -> [HostDescription] {
        sizes.enumerated().flatMap { rack, size in
            (0..<size).map { Fleets.host("r\(rack)h\($0)", rack: "r\(rack)", zone: "z\(rack / 2)") }
        }
    }

    @Test("A gang gets all its places or none, and nothing is taken by asking")
    func allOrNothing() throws {
        let scheduler = try Fleets.scheduler(GangTests.racks([2]))
        let before = scheduler.record
        #expect(try scheduler.placements(for: GangRequest(members: GangTests.members(4)))?.count == 4)
        #expect(try scheduler.placements(for: GangRequest(members: GangTests.members(5))) == nil)
        let some = try scheduler.placements(for: GangRequest(members: GangTests.members(6), minimumMembers: 3))
        #expect(some?.count == 4)
        #expect(scheduler.record == before)
        #expect(scheduler.free(on: "r0h0")?.computeMilli == 2000)
    }

    @Test("The places of a gang hold together")
    func consistent() throws {
        let scheduler = try Fleets.scheduler(GangTests.racks([3, 3]))
        var members = GangTests.members(5, milli: 700)
        members.append(Fleets.request("wide", devices: 2))
        let places = try #require(try scheduler.placements(for: GangRequest(members: members)))
        for (member, place) in zip(members, places) { try scheduler.apply(.place(member, place)) }
        DifferentialTests.checkBooks(of: scheduler)
        for host in scheduler.record.hosts { #expect((scheduler.free(on: host.name)?.computeMilli ?? -1) >= 0) }
    }

    @Test("Members get devices of their own while there are any")
    func ownDevices() throws {
        let scheduler = try Fleets.scheduler(GangTests.racks([2]))
        let places = try #require(try scheduler.placements(for: GangRequest(members: GangTests.members(4, milli: 200))))
        #expect(Set(places.map { "\($0.devices[0].host)/\($0.devices[0].device)" }).count == 4)
        let more = GangTests.members(6, milli: 200)
        #expect(try scheduler.placements(for: GangRequest(members: more))?.count == 6)
        var strict = GangRequest(members: more)
        strict.sharesDevices = false
        #expect(try scheduler.placements(for: strict) == nil)
    }

    @Test("A hard constraint keeps a gang in one rack, the tightest that holds it")
    func hardRack() throws {
        let scheduler = try Fleets.scheduler(GangTests.racks([3, 1, 2]))
        let near = TopologyConstraint(level: .rack, isHard: true)
        let four = try #require(
            try scheduler.placements(for: GangRequest(members: GangTests.members(4), topology: near)))
        #expect(Set(four.compactMap(\.homeHost)) == ["r2h0", "r2h1"])
        #expect(try scheduler.placements(for: GangRequest(members: GangTests.members(7), topology: near)) == nil)
        let soft = TopologyConstraint(level: .rack, isHard: false)
        let seven = try #require(
            try scheduler.placements(for: GangRequest(members: GangTests.members(7), topology: soft)))
        #expect(Set(seven.compactMap { $0.homeHost?.prefix(2) }) == ["r0", "r1"], "racks 0 and 1 are one zone")
    }

    @Test("More devices than a host has come from few hosts of one domain")
    func spread() throws {
        let scheduler = try Fleets.scheduler(GangTests.racks([3, 1, 4]))
        var request = Fleets.request("w", devices: 5, milli: 1000)
        #expect(try scheduler.placement(for: request) == nil)
        request.remote = RemoteAccess(isAllowed: true)
        request.topology = TopologyConstraint(level: .rack, isHard: true)
        let placement = try #require(try scheduler.placement(for: request))
        #expect(Set(placement.devices.map { $0.host.prefix(2) }) == ["r0"])
        #expect(Set(placement.devices.map(\.host)).count == 3)
        #expect(Set(placement.devices.map { $0.host + $0.device }).count == 5)
        request.devices.count = 9
        #expect(try scheduler.placement(for: request) == nil, "no rack has nine")
        request.topology?.isHard = false
        #expect(try scheduler.placement(for: request)?.devices.count == 9)
        request.topology = TopologyConstraint(level: .host, isHard: true)
        request.devices.count = 3
        #expect(try scheduler.placement(for: request) == nil)
    }

    @Test("A search that failed leaves no trace in later choices")
    func noTrace() throws {
        var dice = Dice(seed: 9)
        let asked = Scheduler()
        let unasked = Scheduler()
        for number in 0..<20 {
            let host = Fleets.randomHost("h\(number)", &dice)
            for scheduler in [asked, unasked] { try scheduler.apply(.addHost(host)) }
        }
        for number in 0..<150 {
            let request = Fleets.randomRequest("w\(number)", &dice)
            let gang = GangRequest(
                members: (0..<8).map { Fleets.request("g\($0)", devices: 1, milli: 900) }, minimumMembers: 3,
                topology: TopologyConstraint(level: .rack, isHard: number % 2 == 0))
            _ = try asked.placements(for: gang)
            _ = try asked.diagnosis(of: Fleets.request("why", devices: 8, milli: 1000))
            _ = try asked.preemption(for: [Fleets.request("urgent", devices: 4, milli: 1000)])
            let placement = try asked.placement(for: request)
            #expect(placement == (try unasked.placement(for: request)))
            guard let placement else { continue }
            for scheduler in [asked, unasked] { try scheduler.apply(.place(request, placement)) }
        }
        DifferentialTests.checkBooks(of: asked)
    }
}
